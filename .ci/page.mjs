// The judge behind page.sh: node page.mjs BINARY FOLDER SECONDS. Everything runs on loopback; exit 1 if a check fails.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [binary, shots, warmSeconds] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), "page-"));
const children = [];
let failed = 0;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function check(name, ok, seen = "") {
  console.log(`${ok ? "ok  " : "FAIL"} ${name}${ok || !seen ? "" : `: ${seen}`}`);
  if (!ok) failed += 1;
}

// Starts a process and waits for a line; what it says goes on being read.
function start(args, env, pattern) {
  const child = spawn(binary, args, { cwd: scratch, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  return new Promise((found, lost) => {
    let text = "";
    child.stdout.on("data", (part) => {
      text += part;
      const match = text.match(pattern);
      if (match) found([child, match[1]]);
    });
    child.on("exit", (code) => lost(new Error(`btcbot ${args[0]} ended with ${code}: ${text}`)));
  });
}

async function waitFor(what, within, look) {
  for (const end = Date.now() + within; Date.now() < end; await sleep(100)) {
    if (await look()) return true;
  }
  console.log(`     waited ${within} ms for: ${what}`);
  return false;
}

// A tab that remembers whom it asked and what its policy stopped.
async function tab(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const seen = { hosts: new Set(), blocked: [], errors: [] };
  page.on("request", (request) => seen.hosts.add(new URL(request.url()).host));
  page.on("console", (message) => {
    if (/Content.Security.Policy/i.test(message.text())) seen.blocked.push(message.text());
  });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  // The stream never ends, so the load is over with the document.
  await page.goto(url, { waitUntil: "domcontentloaded" });
  return { page, seen, close: () => context.close() };
}

const shoot = (page, name) => page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
const fixed = "h2, caption, thead th, .what, dt, #limits tbody th, #funnel .funnel th, footer a";
const fixedText = async (page) => (await page.locator(fixed).allTextContents()).map((text) => text.replace(/\d.*$/, "").trim()).join("|");
const headline = (page) => page.locator("h1").textContent();
const bodyClass = async (page) => (await page.locator("body").getAttribute("class")) ?? "";

async function running(browser) {
  const [demo, address] = await start(["demo", "--seed", "7", "--http", "127.0.0.1:0"], {}, /status http:\/\/(\S+)\/status/);
  const url = `http://${address}/`;
  await waitFor("a quote", 20_000, async () => (await (await fetch(`${url}status`)).json()).orders?.length > 0);
  await sleep(Number(warmSeconds) * 1_000);

  const { page, seen, close } = await tab(browser, url);
  const uptime = () => page.locator("#banner").getAttribute("data-taken");
  const before = await uptime();
  check("the figures move within 3 s", await waitFor("a newer picture", 3_000, async () => (await uptime()) !== before));
  check("a demo says so", (await headline(page)) === "DEMO", await headline(page));
  check("the tab's title says so", (await page.title()) === "DEMO · btcbot", await page.title());
  check("a chart is drawn", (await page.locator("path.price").count()) >= 1);
  await shoot(page, "running");

  const plain = await tab(browser, url, { javaScriptEnabled: false });
  const [on, off] = [await fixedText(page), await fixedText(plain.page)];
  check("the same text with and without scripts", on === off && on.length > 200, `\n${on}\n${off}`);
  check("without scripts it loads itself again", (await plain.page.content()).includes("http-equiv=\"refresh\""));
  await shoot(plain.page, "scripts-off");
  await plain.close();

  // The picture of the README: what one screen shows.
  const front = await tab(browser, url, { viewport: { width: 1100, height: 900 } });
  await front.page.screenshot({ path: join(shots, "page.png") });
  await front.close();

  const narrow = await tab(browser, url, { viewport: { width: 400, height: 900 } });
  const width = await narrow.page.evaluate(() => document.documentElement.scrollWidth);
  check("nothing is wider than a window of 400 px", width <= 400, `${width} px`);
  await shoot(narrow.page, "narrow");
  await narrow.close();

  const dark = await tab(browser, url, { colorScheme: "dark" });
  await shoot(dark.page, "dark");
  await dark.close();

  // Eight streams are all there are: the ninth viewer's page loads whole pages, and moves too.
  await sleep(2_000); // the next picture finds out that the tabs above have closed theirs
  const streams = [];
  for (let open = 0; open < 7; open += 1) streams.push(await fetch(`${url}events`));
  const ninth = await tab(browser, url);
  const shown = () => ninth.page.locator("#banner").getAttribute("data-taken");
  const first = await shown();
  check("eight streams are open", (await fetch(`${url}events`)).status === 503);
  check("a page without a stream moves too", await waitFor("a newer page", 6_000, async () => (await shown()) !== first));
  await ninth.close();
  for (const stream of streams) await stream.body.cancel();

  demo.kill("SIGSTOP");
  check("a process that stands still is STALE", await waitFor("STALE", 6_000, async () => (await bodyClass(page)).includes("stale")));
  check("and says so", (await page.locator("#stream").textContent()).startsWith("STALE"));
  await sleep(1_500);
  await shoot(page, "stale");
  demo.kill("SIGCONT");
  check("it is fresh again when the process goes on", await waitFor("fresh", 8_000, async () => !(await bodyClass(page)).includes("stale")));

  check("one host is asked", seen.hosts.size === 1 && seen.hosts.has(address), [...seen.hosts].join(" "));
  check("the policy stops nothing", seen.blocked.length === 0, seen.blocked.join("; "));
  check("the script throws nothing", seen.errors.length === 0, seen.errors.join("; "));
  await close();
  demo.kill("SIGTERM");
}

async function stopped(browser) {
  const [, exchange] = await start(["simulator", "--listen", "127.0.0.1:0", "--log", "simulator.log"], {}, /"rest[^:]*":\s*"(http:\/\/[^"]+)"/);
  const env = {
    BTCTURK_BASE_URL: exchange, BTCTURK_WS_URL: exchange.replace("http", "ws"), SAFE_MODE: "false",
    STRATEGIES: "market_maker", MM_SAMPLES_MIN: "2", MM_VOL_MULTIPLIER_BPS: "0", CYCLE_INTERVAL_MS: "1000", OBSERVABILITY_PROMETHEUS_PORT: "0",
  };
  const [run, address] = await start(["run"], env, /status http:\/\/(\S+)\/status/);
  const command = (...args) => spawnSync(binary, args, { cwd: scratch, env: { ...process.env, ...env } }).status;
  const { page, seen, close } = await tab(browser, `http://${address}/`);
  check("a dry run says so", await waitFor("DRY RUN", 20_000, async () => (await headline(page)) === "DRY RUN"));
  await waitFor("a chart", 5_000, async () => (await page.locator("path.price").count()) >= 1);
  await sleep(2_000);
  await shoot(page, "dry-run");

  check("safe mode is taken", command("safe-mode", "on", "--reason", "<script>alert(1)</script> looking at a fill") === 0);
  check("safe mode is shown", await waitFor("SAFE MODE", 3_000, async () => (await headline(page)) === "SAFE MODE"));
  const voices = await page.locator("#banner tbody").textContent();
  check("with who and why, as text", voices.includes("<script>alert(1)</script> looking at a fill") && /by|uid \d+/.test(voices), voices);
  await sleep(2_500);
  await shoot(page, "safe-mode");

  check("a kill is taken", command("kill-switch", "trip", "--reason", "quotes run away") === 0);
  check("a kill is shown", await waitFor("KILLED", 3_000, async () => (await headline(page)) === "KILLED"));
  const kill = await page.locator("#banner .kill").textContent();
  check("with who and why", kill.includes("quotes run away") && /uid \d+/.test(kill), kill);
  await sleep(1_500);
  await shoot(page, "killed");
  check("the policy stops nothing here either", seen.blocked.length === 0 && seen.errors.length === 0, [...seen.blocked, ...seen.errors].join("; "));
  await close();
  run.kill("SIGTERM");
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  await running(browser);
  await stopped(browser);
} catch (error) {
  check("no surprise", false, String(error));
} finally {
  await browser.close();
  for (const child of children) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
}
console.log(failed ? `${failed} failed` : "all passed");
process.exit(failed ? 1 : 0);
