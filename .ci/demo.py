#!/usr/bin/env python3
"""Runs the release binary's demo, calm and with faults, and judges its verdicts, field by field.

Where a network of its own can be had it has nothing but loopback, and it may leave no file in any case.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# The end with faults waits until every order's fate is known: up to 180 s.
CALM = ["--for", "20s", "--seed", "7"]
FAULTS = ["--for", "60s", "--seed", "7", "--faults"]


BINARY = pathlib.Path(os.environ.get("BTCBOT", "target/release/btcbot")).resolve()
ALONE = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
if subprocess.run([*ALONE, "true"], capture_output=True).returncode:
    print("note: no network of its own is to be had here")
    ALONE = []


def judge(arguments):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [*ALONE, str(BINARY), "demo", *arguments, "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300,
            cwd=folder, env=os.environ | {"TMPDIR": folder},
        )
        left = os.listdir(folder)
    lines = run.stdout.strip().splitlines()
    data = json.loads(lines[-1])["data"] if lines else {}
    print(json.dumps(data))
    checks = {
        f"no file left {left or ''}": not left,
        "exit 0": run.returncode == 0,
        "frames": data.get("frames", 0) > 0,
        "orders_submitted": data.get("orders_submitted", 0) > 0,
        "fills": data.get("fills", 0) >= 1,
        "open_orders_at_exit": data.get("open_orders_at_exit") == 0,
        "unknown_orders": data.get("unknown_orders") == 0,
        "duplicate_client_ids": data.get("duplicate_client_ids") == 0,
        "ledger_matches_exchange": data.get("ledger_matches_exchange") is True,
        "restarts": data.get("restarts") == 0,
    }
    if "--faults" in arguments:
        unknowns = data.get("unknowns", {})
        checks["unknowns seen"] = unknowns.get("seen", 0) >= 1
        checks["unknowns resolved"] = unknowns.get("still_unknown") == 0
    else:
        checks["no faults"] = data.get("faults") == {}
    for name, ok in checks.items():
        print(("ok   " if ok else "FAIL ") + name)
    failed = sum(not ok for ok in checks.values())
    if failed:
        print(run.stderr[-4000:], file=sys.stderr)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed


sys.exit(1 if judge(CALM) + judge(FAULTS) else 0)
