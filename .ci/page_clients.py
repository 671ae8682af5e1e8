#!/usr/bin/env python3
"""Measures what fifty people who look at the status page cost the path from frame to order.

One run of the release binary's demo, in alternating rounds without and with 50 clients: 8 streams of events, and 42
that load the whole page every second. For each histogram it adds up the rounds of a kind and prints their medians,
interpolated in their bucket, with the lowest and the highest of single rounds, and the ratio. It judges nothing: on a
busy machine the ratio is noise. Usage: page_clients.py [rounds of each kind] [seconds a round]
"""
import asyncio
import os
import re
import subprocess
import sys
import urllib.request

BINARY = os.environ.get("BTCBOT", "target/release/btcbot")
STREAMS, LOADERS = 8, 42
HISTOGRAMS = ["btcbot_feed_to_book_seconds", "btcbot_tick_to_order_seconds", "order_submit_latency_ms"]


def scrape(address):
    text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
    buckets = lambda name: re.findall(rf'^{name}_bucket{{le="(\S+)"}} (\S+)$', text, re.M)
    return {name: {float(bound): float(count) for bound, count in buckets(name)} for name in HISTOGRAMS}


def median(buckets):
    """Of cumulative counts by bound; as if a bucket's values were spread evenly."""
    half, low, below = buckets[float("inf")] / 2, 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count > 0 and count >= half:
            return low if bound == float("inf") else low + (bound - low) * (half - below) / (count - below)
        low, below = bound, count
    return float("nan")


def added(rounds):
    return {bound: sum(one[bound] for one in rounds) for bound in rounds[0]}


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
    return {name: {bound: count - before[name][bound] for bound, count in after[name].items()} for name in after}


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
        medians = []
        for kind in (False, True):
            rounds = [one[name] for one in results[kind]]
            single = [median(one) for one in rounds]
            medians.append(median(added(rounds)))
            count = sum(one[float("inf")] for one in rounds)
            print(f"{name} {'with' if kind else 'without'} clients: {medians[-1]:.4g} ({min(single):.4g} to {max(single):.4g}), {count:.0f} values")
        print(f"{name} ratio {medians[1] / medians[0]:.3f}")


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 12))
