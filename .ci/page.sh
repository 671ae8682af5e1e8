#!/usr/bin/env bash
# Looks at the status page in a real browser: what it says with and without scripts, whom it asks, whether it moves, and
# whether it owns up when the process stands still. Takes screenshots into the folder given ($1), else looks and forgets.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

need() { command -v "$1" >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2" >/dev/null; }; }
need chromium chromium
need node nodejs
need npm npm

npm --prefix "$scratch" --silent --no-audit --no-fund install playwright-core@1.65.1
cp .ci/page.mjs "$scratch/"
mkdir -p "${1:-$scratch/shots}"
node "$scratch/page.mjs" "${BTCBOT:-$PWD/target/release/btcbot}" "$(realpath "${1:-$scratch/shots}")" "${2:-6}"
