#!/usr/bin/env bash
# A real Prometheus scrapes a running demo with our rules, and a real Alertmanager tells a receiver: .ci/prometheus.py, in
# a network of its own where that can be had. Takes less than a minute. BTCBOT names another binary.
set -euo pipefail
cd "$(dirname "$0")/.."
need() { command -v "$1" >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2" >/dev/null; }; }
need prometheus prometheus
need amtool prometheus-alertmanager
need ip iproute2
PATH="$PATH:/usr/sbin:/sbin"
if unshare -rn ip link set lo up 2>/dev/null; then
  exec unshare -rn sh -c 'ip link set lo up && exec python3 .ci/prometheus.py'
fi
exec python3 .ci/prometheus.py
