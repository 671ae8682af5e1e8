#!/usr/bin/env python3
"""Runs the release binary's demo for 20 seconds and judges its verdict, field by field."""
import json
import subprocess
import sys

run = subprocess.run(
    ["target/release/btcbot", "demo", "--for", "20s", "--seed", "7", "--json"],
    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120,
)
lines = run.stdout.strip().splitlines()
data = json.loads(lines[-1])["data"] if lines else {}
print(json.dumps(data))
checks = {
    "exit 0": run.returncode == 0,
    "frames": data.get("frames", 0) > 0,
    "orders_submitted": data.get("orders_submitted", 0) > 0,
    "fills": data.get("fills", 0) >= 1,
    "open_orders_at_exit": data.get("open_orders_at_exit") == 0,
    "unknown_orders": data.get("unknown_orders") == 0,
    "ledger_matches_exchange": data.get("ledger_matches_exchange") is True,
    "restarts": data.get("restarts") == 0,
}
for name, ok in checks.items():
    print(("ok   " if ok else "FAIL ") + name)
failed = sum(not ok for ok in checks.values())
if failed:
    print(run.stderr[-4000:], file=sys.stderr)
print(f"{len(checks) - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
