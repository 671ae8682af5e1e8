#!/usr/bin/env python3
"""Measures what clients of the read-only plane cost the path from frame to order.

One run of the release binary's demo, in alternating rounds without and with clients. `viewers` are fifty people who look
at the status page: 8 streams of events, and 42 that load the whole page every second. `hostile` are a thousand
connections that say nothing or half a head, and come again a second after they were hung up on. For each histogram it
adds up the rounds of a kind and prints median and 99th percentile, interpolated in their bucket, with the lowest and the
highest median of single rounds, and the ratio; and resident memory at the ends of rounds. It judges nothing: on a busy
machine a ratio is noise. Usage: page_clients.py [rounds of each kind] [seconds a round] [viewers|hostile]
"""
import asyncio
import os
import re
import subprocess
import sys
import urllib.request

BINARY = os.environ.get("BTCBOT", "target/release/btcbot")
STREAMS, LOADERS, INTRUDERS = 8, 42, 1000
HISTOGRAMS = ["btcbot_feed_to_book_seconds", "btcbot_tick_to_order_seconds", "order_submit_latency_ms"]


def scrape(address):
    text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
    buckets = lambda name: re.findall(rf'^{name}_bucket{{le="(\S+)"}} (\S+)$', text, re.M)
    return {name: {float(bound): float(count) for bound, count in buckets(name)} for name in HISTOGRAMS}


def quantile(buckets, part):
    """Of cumulative counts by bound; as if a bucket's values were spread evenly."""
    wanted, low, below = buckets[float("inf")] * part, 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count > 0 and count >= wanted:
            return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
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


async def intruder(address, seen, number):
    host, port = address.split(":")
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
            seen["intrusions"] += 1
            if number % 2:
                writer.write(f"GET /status HTTP/1.1\r\nHost: {address}\r\nX-A: ".encode())
            seen["bytes"] += len(await reader.read(-1))
            writer.close()
        except OSError:
            pass
        await asyncio.sleep(1)


def viewers(address, seen):
    return [loader(address, seen) for _ in range(LOADERS)] + [listener(address, seen) for _ in range(STREAMS)]


def hostile(address, seen):
    return [intruder(address, seen, number) for number in range(INTRUDERS)]


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return int(re.search(r"^VmRSS:\s+(\d+)", status.read(), re.M)[1])


async def measured(address, seconds, clients, seen):
    tasks = [asyncio.create_task(one) for one in clients(address, seen)] if clients else []
    await asyncio.sleep(2)
    before = await asyncio.to_thread(scrape, address)
    await asyncio.sleep(seconds)
    after = await asyncio.to_thread(scrape, address)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    seen["ended"] += sum(not isinstance(one, asyncio.CancelledError) for one in ended)
    return {name: {bound: count - before[name][bound] for bound, count in after[name].items()} for name in after}


async def main(rounds, seconds, clients):
    demo = subprocess.Popen([BINARY, "demo", "--seed", "7", "--http", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        for line in demo.stdout:
            if found := re.search(r"status http://(\S+)/status", line):
                break
        asyncio.get_running_loop().run_in_executor(None, demo.stdout.read)
        address, seen = found[1], {"pages": 0, "events": 0, "bytes": 0, "intrusions": 0, "ended": 0}
        await asyncio.sleep(5)
        results, resident = {False: [], True: []}, {False: [], True: []}
        for turn in range(2 * rounds):
            kind = turn % 2 == 1
            results[kind].append(await measured(address, seconds, clients if kind else None, seen))
            resident[kind].append(resident_kib(demo.pid))
    finally:
        demo.terminate()
        demo.wait(60)
    print(f"{rounds} rounds of {seconds} s each, alternating; " + ", ".join(f"{count} {what}" for what, count in seen.items()))
    for kind, held in resident.items():
        print(f"resident {'with' if kind else 'without'} clients: {min(held)} to {max(held)} KiB, in order {held}")
    for name in HISTOGRAMS:
        found = {}
        for kind in (False, True):
            of_kind = [one[name] for one in results[kind]]
            single = [quantile(one, 0.5) for one in of_kind]
            p50, p99 = (quantile(added(of_kind), part) for part in (0.5, 0.99))
            count = sum(one[float("inf")] for one in of_kind)
            print(f"{name} {'with' if kind else 'without'} clients: {p50:.4g} ({min(single):.4g} to {max(single):.4g}), p99 {p99:.4g}, {count:.0f} values")
            found[kind] = (p50, p99)
        print(f"{name} ratio {found[True][0] / found[False][0]:.3f}, of p99 {found[True][1] / found[False][1]:.3f}")


def number(place, default):
    return int(sys.argv[place]) if len(sys.argv) > place else default


kind = sys.argv[3] if len(sys.argv) > 3 else "viewers"
kinds = {"viewers": viewers, "hostile": hostile}
if kind not in kinds:
    sys.exit(f"clients are viewers or hostile, not {kind}")
asyncio.run(main(number(1, 5), number(2, 12), kinds[kind]))
