#!/usr/bin/env python3
"""Measures what fifty people who look at the status page cost the path from frame to order.

One run of the release binary's demo, in alternating rounds without and with 50 clients: 8 streams of events, and 42
that load the whole page every second. Prints the median over the rounds of each histogram's mean, and their ratio. It
judges nothing: on a busy machine the ratio is noise. Usage: page_clients.py [rounds of each kind] [seconds a round]
"""
import asyncio
import os
import re
import statistics
import subprocess
import sys
import urllib.request

BINARY = os.environ.get("BTCBOT", "target/release/btcbot")
STREAMS, LOADERS = 8, 42
HISTOGRAMS = ["btcbot_feed_to_book_seconds", "order_submit_latency_ms"]


def scrape(address):
    text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
    value = lambda name: re.search(rf"^{name} (\S+)$", text, re.M)
    pairs = {name: (value(f"{name}_sum"), value(f"{name}_count")) for name in HISTOGRAMS}
    return {name: (float(s[1]), float(c[1])) for name, (s, c) in pairs.items() if s and c}


async def ask(address, path):
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
    return reader, writer


async def loader(address, seen):
    while True:
        reader, writer = await ask(address, "/")
        seen["pages"] += 1
        size = len(await reader.read(-1))
        seen["bytes"] += size
        writer.close()
        await asyncio.sleep(1)


async def listener(address, seen):
    while True:
        reader, writer = await ask(address, "/events")
        try:
            while part := await reader.read(65536):
                seen["events"] += part.count(b"event: picture")
                seen["bytes"] += len(part)
        finally:
            writer.close()


async def measured(address, seconds, has_clients, seen):
    loaders = [loader(address, seen) for _ in range(LOADERS)] + [listener(address, seen) for _ in range(STREAMS)]
    tasks = [asyncio.create_task(one) for one in loaders] if has_clients else []
    if not has_clients:
        for one in loaders:
            one.close()
    await asyncio.sleep(2)
    before = await asyncio.to_thread(scrape, address)
    await asyncio.sleep(seconds)
    after = await asyncio.to_thread(scrape, address)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    seen["ended"] += sum(not isinstance(one, asyncio.CancelledError) for one in ended)
    rises = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}
    return {name: total / count for name, (total, count) in rises.items() if count > 0}


async def main(rounds, seconds):
    demo = subprocess.Popen([BINARY, "demo", "--seed", "7", "--http", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        for line in demo.stdout:
            if found := re.search(r"status http://(\S+)/status", line):
                break
        asyncio.get_running_loop().run_in_executor(None, demo.stdout.read)
        address, seen = found[1], {"pages": 0, "events": 0, "bytes": 0, "ended": 0}
        await asyncio.sleep(5)
        results = {False: [], True: []}
        for turn in range(2 * rounds):
            results[turn % 2 == 1].append(await measured(address, seconds, turn % 2 == 1, seen))
    finally:
        demo.terminate()
        demo.wait(60)
    print(f"{rounds} rounds of {seconds} s each, alternating; {seen['pages']} pages, {seen['events']} events, {seen['bytes'] / 1e6:.1f} MB")
    for name in HISTOGRAMS:
        without, with_ = ([one[name] for one in results[kind] if name in one] for kind in (False, True))
        if without and with_:
            a, b = statistics.median(without), statistics.median(with_)
            print(f"{name}: without {a:.6g}, with {b:.6g}, ratio {b / a if a else float('nan'):.3f}")


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 12))
