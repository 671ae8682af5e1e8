#!/usr/bin/env python3
"""Lets the armed binary trade on the simulated exchange, makes its report, and adds the list up with pandas and polars.

The sums must be those of report.json, of /status, and of the same report once the process has ended. Runs on loopback;
pandas and polars live in a virtual environment below target/ and are fetched once. BTCBOT names another binary.
"""
import contextlib
import datetime
import decimal
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("BTCBOT", ROOT / "target/release/btcbot")).resolve()
VENV = ROOT / "target/report-venv"
PACKAGES = ["pandas==2.3.3", "polars==1.35.2"]
FILLS_MIN = 6
TRADING_SECONDS_MAX = 40
SETTINGS = """
DRY_RUN=false
KILL_SWITCH=false
SAFE_MODE=false
LIVE_TRADING=true
LIVE_TRADING_ACK=I_UNDERSTAND
PROCESS_ROLE=LIVE
BTCTURK_API_KEY_FILE=secrets/btcturk_api_key
BTCTURK_API_SECRET_FILE=secrets/btcturk_api_secret
BTCTURK_API_SCOPES=read,trade
MAX_ORDER_NOTIONAL_TRY=5000
MAX_NOTIONAL_TRY_PER_MINUTE=1000000
MAX_ORDERS_PER_MINUTE=120
MAX_OPEN_ORDERS=10
MAX_OPEN_ORDERS_PER_SYMBOL=4
MAX_POSITION_NOTIONAL_TRY=50000
MAX_GROSS_EXPOSURE_TRY=150000
MAX_DAILY_LOSS_TRY=100000
MAX_DRAWDOWN_BPS=3000
PRICE_COLLAR_BPS=100
MAX_SPREAD_BPS=200
SYMBOLS=BTCTRY,ETHTRY
STRATEGIES=market_maker
INTENT_NOTIONAL_TRY=2000
MM_ORDER_TRY=2000
MM_SAMPLES_MIN=4
MM_VOL_MULTIPLIER_BPS=0
COOLDOWN_SECONDS=0
SLO_LIFT_BUDGETS=true
OBSERVABILITY_PROMETHEUS_PORT=0
LOG_FORMAT=json
"""


def in_venv():
    """Goes on in an environment with the packages; without polars it goes on without polars."""
    python = VENV / "bin/python"
    if pathlib.Path(sys.prefix) == VENV:
        return
    if subprocess.run([python, "-c", "import pandas"], capture_output=True).returncode if python.exists() else True:
        make = [sys.executable, "-m", "venv", "--clear", VENV]
        if subprocess.run(make).returncode:
            subprocess.run("apt-get update -qq && apt-get install -y -qq python3-venv", shell=True, check=True)
            subprocess.run(make, check=True)
        for package in PACKAGES:
            pip = [VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", package]
            if subprocess.run(pip).returncode:
                print(f"note: {package} is not to be had here")
    os.execv(python, [python, __file__])


def until(what, probe, seconds):
    """Waits for something to hold, and returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError, StopIteration):
            if seen := probe():
                return seen
        time.sleep(0.1)
    sys.exit(f"not within {seconds} s: {what}")


def install(place, exchange):
    """An operator's directory, armed against the simulated exchange."""
    subprocess.run([BINARY, "init", "--live", "."], cwd=place, check=True, capture_output=True)
    for name, member in (("btcturk_api_key", "api_key"), ("btcturk_api_secret", "api_secret")):
        path = place / "secrets" / name
        path.unlink(missing_ok=True)
        path.write_text(exchange[member])
        path.chmod(0o400)
    day = datetime.datetime.now(datetime.timezone.utc).date()
    urls = f"BTCTURK_BASE_URL={exchange['rest_url']}\nBTCTURK_WS_URL={exchange['ws_url']}\n"
    path = place / ".env.live"
    path.unlink(missing_ok=True)
    path.write_text(f"{SETTINGS}BTCTURK_SECRET_ROTATED_AT={day}\n{urls}")
    path.chmod(0o600)


def command(place, *words):
    """Runs a command of the operator's and returns the one object it prints."""
    run = subprocess.run([BINARY, *words, "--json"], cwd=place, capture_output=True, text=True, timeout=60)
    if run.returncode:
        sys.exit(f"{words}: exit {run.returncode}: {run.stdout}{run.stderr[-2000:]}")
    return json.loads(run.stdout.strip().splitlines()[-1])


def listed_by_pandas(path):
    import pandas
    frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    return frame.to_dict("records")


def listed_by_polars(path):
    import polars
    return polars.read_csv(path, infer_schema=False).fill_null("").to_dicts()


def summed(rows):
    """What the list says of each pair: exact decimals."""
    pairs = {}
    for row in rows:
        sums = pairs.setdefault(row["base"] + row["quote"], {})
        number = lambda name: decimal.Decimal(row[name] or "0")
        side = "bought" if row["side"] == "buy" else "sold"
        for name, value in (
            ("trades", 1), (f"{side} quantity", number("quantity (base)")), (f"{side} notional", number("value (quote)")),
            (f"fees {row['charged in']}", number("fee (charged in)")), (f"tax {row['charged in']}", number("tax (charged in)")),
            ("realised", number("realised net (TRY)")),
        ):
            sums[name] = sums.get(name, 0) + value
    return {pair: {name: value for name, value in sums.items() if value} for pair, sums in pairs.items()}


def reported(data):
    """What report.json says of each pair, in the same words."""
    pairs = {}
    for pair in data["pairs"]:
        sums = {"trades": pair["trades"], "realised": decimal.Decimal(pair["realised_net"])}
        for side in ("bought", "sold"):
            for name in ("quantity", "notional"):
                sums[f"{side} {name}"] = decimal.Decimal(pair[side][name])
        for kind in ("fees", "tax"):
            sums |= {f"{kind} {asset}": decimal.Decimal(value) for asset, value in pair[kind].items()}
        pairs[pair["pair"]] = {name: value for name, value in sums.items() if value}
    return pairs


def trade(place, work):
    """Trades, makes the report beside the process and behind it; returns the figures that must agree."""
    with open(work / "log", "w") as log, open(work / "said", "w") as said:
        bot = subprocess.Popen([BINARY, "run"], cwd=place, stdout=said, stderr=log)
    try:
        plane = until("a plane", lambda: next(
            line.split()[1] for line in (work / "said").read_text().splitlines() if line.startswith("status http")), 20)
        status = lambda: json.load(urllib.request.urlopen(plane))
        until(f"{FILLS_MIN} fills", lambda: status()["counts"]["fills"] >= FILLS_MIN, TRADING_SECONDS_MAX)
        command(place, "safe-mode", "on", "--reason", "a report")
        until("no open order", lambda: not status()["orders"], 30)
        time.sleep(1)
        shown = status()
        command(place, "report", "--out", "beside")
        bot.send_signal(signal.SIGTERM)
        bot.wait(60)
    finally:
        bot.kill()
    command(place, "report", "--out", "behind")
    return shown


def main():
    in_venv()
    checks = {}
    with tempfile.TemporaryDirectory(prefix="btcbot-report-") as folder:
        work = pathlib.Path(folder)
        place = work / "place"
        place.mkdir()
        simulator = subprocess.Popen(
            [BINARY, "simulator", "--log", work / "requests"], stdout=subprocess.PIPE, text=True)
        try:
            install(place, json.loads(simulator.stdout.readline())["data"])
            shown = trade(place, work)
        except SystemExit:
            print((work / "log").read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            simulator.kill()
        data = json.loads((place / "beside/report.json").read_text())
        for name in ("trades.csv", "report.json", "report.html"):
            same = (place / "beside" / name).read_bytes() == (place / "behind" / name).read_bytes()
            checks[f"{name}: the same beside the process and behind it"] = same
        checks["the page names no host"] = "http" not in (place / "beside/report.html").read_text()
        for reader in (listed_by_pandas, listed_by_polars):
            try:
                sums = summed(reader(place / "beside/trades.csv"))
            except ImportError:
                if reader is listed_by_pandas:
                    raise
                print("note: without polars")
                continue
            checks[f"{reader.__name__}: the sums of report.json"] = sums == reported(data)
    costs = sum(decimal.Decimal(pair[kind]["TRY"]) for pair in data["pairs"] for kind in ("fees", "tax"))
    checks |= {
        "as many trades as fills": data["trades"] == shown["counts"]["fills"],
        "fees and tax as on /status": costs == decimal.Decimal(shown["money"]["fees"]),
        "complete": data["is_complete"] is True,
        "history and books agree": data["agrees_with_books"] is True,
        "two pairs": len(data["pairs"]) == 2,
    }
    print(json.dumps({"trades": data["trades"], "costs": str(costs), "realised_net": data["realised_net"]}))
    for name, ok in checks.items():
        print(("ok   " if ok else "FAIL ") + name)
    failed = sum(not ok for ok in checks.values())
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed


sys.exit(1 if main() else 0)
