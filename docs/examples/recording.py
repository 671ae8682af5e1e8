"""Writes a small recording for `btcbot replay`: ten minutes of a price that swings by half a percent.

Usage: python3 docs/examples/recording.py > swing.ndjson
Needs Python alone. One JSON object a line: the moment of receipt in nanoseconds, and the frame as BTCTurk sends it.
"""

import json
import math

START_MS = 1_767_614_400_000  # 2026-01-05 12:00 UTC
SECONDS = 600
DEPTH = 20
AMOUNT = "0.05"


def line(at_ms, kind, body):
    frame = [kind, {"type": kind, "event": "BTCTRY", "PS": "BTCTRY", **body}]
    print(json.dumps({"ts_ns": at_ms * 1_000_000, "frame": frame}))


def side(middle, sign):
    """The prices of one side, best first."""
    return [middle + sign * 10 * step for step in range(1, DEPTH + 1)]


def changes(before, after):
    """Every level that left (CP 3) or came (CP 1), in the order of the prices."""
    moved = sorted(set(before) ^ set(after))
    return [{"CP": 1 if price in after else 3, "P": str(price), "A": AMOUNT} for price in moved]


held = None
for second in range(SECONDS):
    at_ms = START_MS + second * 1_000
    middle = 10 * round(59_000 + 300 * math.sin(second / 30))
    asks, bids = side(middle, 1), side(middle, -1)
    book = {"channel": "obdiff", "CS": 1_000 + 2 * second}
    if held is None:
        full = {"AO": [{"P": str(p), "A": AMOUNT} for p in asks], "BO": [{"P": str(p), "A": AMOUNT} for p in bids]}
        line(at_ms, 431, {**book, **full})
    else:
        line(at_ms, 432, {**book, "AO": changes(held[0], asks), "BO": changes(held[1], bids)[::-1]})
    held = (asks, bids)
    # A trade a second; S is the taker's side: 0 bought, 1 sold. It crosses the book by 0.02 %, so resting orders fill.
    seller = second % 2
    price = middle + (-120 if seller else 120)
    trade = {"D": str(at_ms + 500), "I": str(9_000_000 + second), "P": str(price), "A": "0.4", "S": seller}
    line(at_ms + 500, 422, {"channel": "trade", **trade})
