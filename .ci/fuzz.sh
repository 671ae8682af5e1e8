#!/usr/bin/env bash
# Builds the fuzz targets of the decoders with their sanitizer and runs each for a short while.
# The pinned toolchain is a stable one: RUSTC_BOOTSTRAP lets it use the sanitizer flags that cargo-fuzz needs.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${FUZZ_SECONDS:-20}"
command -v cargo-fuzz >/dev/null 2>&1 || cargo install cargo-fuzz --locked --quiet
sh exchange/btcturk/fuzz/seed.sh
for target in ws_frame rest_body; do
  RUSTC_BOOTSTRAP=1 cargo fuzz run "$target" --fuzz-dir exchange/btcturk/fuzz -- -max_total_time="$seconds" -print_final_stats=1 2>&1 | tail -12
done
