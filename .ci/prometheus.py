"""Scrapes a running demo with a real Prometheus and our rules, and follows an alert to a receiver and back.

A rule that nothing feeds, a panel that shows nothing and a route that ends nowhere all look well in a file. Here they are
asked: every signal and every panel has a series, every rule is healthy, a healthy demo fires only Watchdog, and a second
target whose kill latch is set and released reaches the pager and is resolved. Timings of the files are shortened, nothing
else. Run by .ci/prometheus.sh; everything listens on loopback.
"""

import http.server
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

BTCBOT = os.environ.get("BTCBOT", "target/release/btcbot")
DEMO, FAKE, PROMETHEUS, ALERTMANAGER, RECEIVER = 9464, 9465, 9090, 9093, 9099
SIGNALS = ["ws_reconnect_rate", "rest_429_rate", "rest_retry_rate", "stale_market_data_rate", "reconcile_lag_ms",
           "order_submit_latency_ms_count", "cancel_latency_ms_count", "circuit_breaker_state"]
# Names that dashboards elsewhere use, kept although they end in a unit's abbreviation.
LINT = [f"{name} metric names should not contain abbreviated units"
        for name in ("cancel_latency_ms", "order_submit_latency_ms", "reconcile_lag_ms")]
SERIES_MAX = 2000
# Long enough for two scrapes of every histogram inside a minute of rate.
SETTLE_SECONDS = 14
WAIT_SECONDS = 25
CREDENTIAL = "for-this-run-only"


class Target(http.server.BaseHTTPRequestHandler):
    """A second engine, of which only the kill latch is known."""

    latched = 0

    def do_GET(self):
        body = f"# TYPE btcbot_kill_latched gauge\nbtcbot_kill_latched {Target.latched}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps (path, status, alert, credential is right) of what Alertmanager tells."""

    told = []

    def do_POST(self):
        news = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        right = self.headers.get("Authorization") == f"Bearer {CREDENTIAL}"
        for alert in news["alerts"]:
            Receiver.told.append((self.path, alert["status"], alert["labels"]["alertname"], right))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def ask(path, port=PROMETHEUS):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


def query(expression):
    answer = json.loads(ask("/api/v1/query?query=" + urllib.parse.quote(expression)))
    return answer["data"]["result"]


def firing():
    alerts = json.loads(ask("/api/v1/alerts"))["data"]["alerts"]
    return sorted({alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"})


def until(holds, seconds=WAIT_SECONDS):
    """Waits until something holds; a server that does not answer yet is no answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():
                return True
        except OSError:
            pass
        time.sleep(0.25)
    return False


def prepare(work):
    """Our files, with addresses of this machine, a credential, and seconds in place of minutes."""
    made = pathlib.Path("deploy/prometheus/prometheus.yml").read_text()
    made = made.replace('["btcbot:9464"]', f'["127.0.0.1:{DEMO}", "127.0.0.1:{FAKE}"]').replace("alertmanager:9093", f"127.0.0.1:{ALERTMANAGER}")
    # The demo is armed, on an exchange of its own: here that is meant.
    made = made.replace('live_allowed: "false"', 'live_allowed: "true"').replace("interval: 5s", "interval: 1s")
    (work / "prometheus.yml").write_text(made)
    (work / "btcbot.rules.yml").write_text(pathlib.Path("deploy/prometheus/btcbot.rules.yml").read_text())
    (work / "credential").write_text(CREDENTIAL)
    made = pathlib.Path("deploy/alertmanager/alertmanager.yml").read_text()
    made = made.replace("/etc/alertmanager/credential", str(work / "credential"))
    made = made.replace("group_wait: 10s", "group_wait: 1s").replace("group_interval: 1m", "group_interval: 2s")
    (work / "alertmanager.yml").write_text(made)


def start(work):
    """The three processes; what they say goes to files. What is told before its hearer is up is told again soon."""
    commands = {
        "demo": [BTCBOT, "demo", "--for", "5m", "--seed", "7", "--http", f"127.0.0.1:{DEMO}"],
        "alertmanager": ["prometheus-alertmanager", f"--config.file={work}/alertmanager.yml", f"--storage.path={work}/alerts",
                         f"--web.listen-address=127.0.0.1:{ALERTMANAGER}", "--cluster.listen-address="],
        "prometheus": ["prometheus", f"--config.file={work}/prometheus.yml", f"--storage.tsdb.path={work}/tsdb",
                       f"--web.listen-address=127.0.0.1:{PROMETHEUS}", "--rules.alert.resend-delay=2s"],
    }
    children = []
    for name, command in commands.items():
        children.append(subprocess.Popen(command, stdout=(work / f"{name}.out").open("w"), stderr=subprocess.STDOUT))
        if name == "alertmanager":
            until(lambda: ask("/-/ready", ALERTMANAGER))
    return children


def checks():
    """(what, whether it holds), in order; later ones change what the earlier ones saw."""
    target = f'{{instance="127.0.0.1:{DEMO}"}}'
    yield "the demo is scraped", until(lambda: [row["value"][1] for row in query(f"up{target}")] == ["1"])
    time.sleep(SETTLE_SECONDS)
    for name in SIGNALS:
        yield f"{name} has a series", bool(query(name + target))
    yield "a name that nothing has gives no series", not query("btcbot_no_such_metric")
    rules = [rule for group in json.loads(ask("/api/v1/rules"))["data"]["groups"] for rule in group["rules"]]
    bad = [rule["name"] for rule in rules if rule["health"] != "ok"]
    yield f"{len(rules)} rules are healthy {bad or ''}", not bad and len(rules) > 20
    yield f"a healthy demo fires only Watchdog: {firing()}", firing() == ["Watchdog"]
    asked = subprocess.run([sys.executable, "deploy/grafana/generate.py", "--queries"], capture_output=True, text=True, check=True)
    panels = [json.loads(line) for line in asked.stdout.splitlines()]
    empty = [f"{dashboard}: {title}" for dashboard, title, expression in panels if not query(expression)]
    yield f"{len(panels)} queries of the dashboards have a series {empty or ''}", panels and not empty
    scraped = ask("/metrics", DEMO)
    lint = subprocess.run(["promtool", "check", "metrics"], input=scraped, capture_output=True, text=True)
    said = sorted((lint.stdout + lint.stderr).splitlines())
    yield f"promtool says what is known and nothing else {said if said != LINT else ''}", said == LINT
    series = sum(1 for line in scraped.splitlines() if line and not line.startswith("#"))
    yield f"{series} series, at most {SERIES_MAX}", 100 < series <= SERIES_MAX
    yield "the watchdog reaches the dead-man's receiver", until(lambda: ("/alive", "firing", "Watchdog", True) in Receiver.told)
    Target.latched = 1
    yield "a latched kill reaches the pager, with the credential", until(lambda: ("/page", "firing", "BtcbotKillLatched", True) in Receiver.told)
    Target.latched = 0
    yield "and is resolved there", until(lambda: ("/page", "resolved", "BtcbotKillLatched", True) in Receiver.told)
    strangers = sorted({(path, name) for path, _, name, _ in Receiver.told} - {("/alive", "Watchdog"), ("/page", "BtcbotKillLatched")})
    yield f"nothing else was told {strangers or ''}", not strangers


def main():
    began, failed, passed = time.monotonic(), 0, 0
    for port, handler in ((FAKE, Target), (RECEIVER, Receiver)):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="btcbot-prometheus-") as folder:
        work = pathlib.Path(folder)
        prepare(work)
        children = start(work)
        try:
            for what, holds in checks():
                print(f"{'ok  ' if holds else 'FAIL'} {what}", flush=True)
                passed, failed = passed + bool(holds), failed + (not holds)
        finally:
            for child in children:
                child.send_signal(signal.SIGTERM)
            for child in children:
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    child.kill()
            if failed:
                for path in work.glob("*.out"):
                    print(f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:]))
    print(f"{passed} passed, {failed} failed")
    print(f"took {time.monotonic() - began:.0f} s")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
