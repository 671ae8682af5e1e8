#!/usr/bin/env python3
"""Replays both recordings of ../shared with the release binary and compares the figures with those of their README.

Says that it was skipped where that folder is absent. BTCBOT names another binary, for trying this by hand.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
BTCBOT = os.environ.get("BTCBOT", str(ROOT / "target/release/btcbot"))
TIME_OUT_S = 300

# Figures of the frames themselves; each is the same whatever strategy runs.
RECORDINGS = {
    "ethusdt_spot_fused.ndjson.gz": {
        "strategy": "market_maker",
        "figures": {
            "frames.432": 65_071,
            "frames.422": 14_515,
            "level_changes": 213_155,
            "lines": 80_421,
            "book.bids": 100,
            "book.asks": 100,
            "book.crossed": 0,
            "book.resyncs": 0,
            "book.best_bid": ["2677.6", "14.1133"],
            "book.best_ask": ["2677.61", "4.8966"],
            "book.sha256": "ee59961feb0544569f3ad321459254e41b4a86d7d4f8a21eaa7bfb21e2539da5",
            "complete": True,
            "ledger_equals_venue": True,
        },
        "fills_min": 1,
    },
    "btcusdt_spot_60s_with_orderbook431.ndjson.gz": {
        "strategy": "mean_reversion",
        "figures": {
            "frames.432": 5_936,
            "frames.422": 1_380,
            "lines": 7_469,
            "level_changes": 18_236,
            "full_frames": 76,
            "mismatches": 0,
            "book.crossed": 0,
            "book.resyncs": 0,
            "book.best_bid": ["61837.88", "2.98948"],
            "book.best_ask": ["61837.89", "1.50154"],
            "book.sha256": "5b5ee517e4d22ee1df33a3e3f856bfb3405af6216f33d4f640c9e70d07c8394f",
            "complete": True,
            "ledger_equals_venue": True,
        },
        "fills_min": 0,
    },
}

passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print(f"{'ok  ' if ok else 'FAIL'} {name} {detail}".rstrip(), flush=True)


def find(value, path):
    """Returns what stands at a dotted path, at whatever depth the path begins; None where there is no such path."""
    if not isinstance(value, dict):
        return None
    head, _, rest = path.partition(".")
    if head in value:
        found = find(value[head], rest) if rest else value[head]
        if found is not None:
            return found
    return next((found for inner in value.values() if (found := find(inner, path)) is not None), None)


def replay(path, strategy):
    """Returns the data of one replay, and None if it failed."""
    command = [BTCBOT, "replay", str(path), "--strategy", strategy, "--json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=TIME_OUT_S, check=False)
    lines = run.stdout.strip().splitlines()
    if run.returncode != 0 or not lines:
        print(f"exit {run.returncode}: {run.stderr[-2000:]}", file=sys.stderr)
        return None
    return json.loads(lines[-1])["data"]


def judge(name, expected):
    path = DATA / name
    first = replay(path, expected["strategy"])
    check(f"{name} replays", first is not None)
    first = first or {}
    for key, figure in expected["figures"].items():
        got = find(first, key)
        check(f"{name} {key}", got == figure, f"{got}" if got == figure else f"{got}, expected {figure}")
    fills = find(first, "fills")
    least = expected["fills_min"]
    check(f"{name} fills", isinstance(fills, int) and fills >= least, f"{fills}, at least {least}")
    once, twice = (find(data or {}, "decision_hash") for data in (first, replay(path, expected["strategy"])))
    check(f"{name} decides the same twice", bool(once) and once == twice, f"{once}" if once == twice else f"{once} {twice}")


def main():
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not here")
        return 0
    for name, expected in RECORDINGS.items():
        judge(name, expected)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
