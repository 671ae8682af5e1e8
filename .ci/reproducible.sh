#!/usr/bin/env bash
# Builds the released binary twice, in two folders with two targets and two homes of crates, and compares the bytes.
# `reproducible.sh OUT` keeps the binary in OUT: the release publishes what was built twice, and nothing else.
# Takes two full builds with fat LTO; nightly and release run it, the gate does not. PROFILE names another profile.
set -euo pipefail
cd "$(dirname "$0")/.."
profile="${PROFILE:-dist}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

epoch="$(git log -1 --format=%ct)"
commit="$(git rev-parse HEAD)"
registry="${CARGO_HOME:-$HOME/.cargo}/registry"
[ -z "$(git status --porcelain)" ] || { echo "commit first: what is built is HEAD"; exit 1; }

build() { # NAME: a folder of another length each time, so that a path that is left in the binary shows
  local at="$scratch/$1" sources
  mkdir -p "$at/home" && git archive HEAD | tar -x -C "$at"
  ln -s "$registry" "$at/home/registry"
  sources="$at/home/registry"
  (cd "$at" && env -u RUSTC_WRAPPER CARGO_HOME="$at/home" CARGO_TARGET_DIR="$at/out" CARGO_INCREMENTAL=0 SOURCE_DATE_EPOCH="$epoch" BTCBOT_GIT_SHA="$commit" \
    RUSTFLAGS="--remap-path-prefix=$at=/btcbot --remap-path-prefix=$sources=/cargo/registry --remap-path-prefix=$registry=/cargo/registry" \
    CFLAGS="-ffile-prefix-map=$at=/btcbot -ffile-prefix-map=$registry=/cargo/registry" \
    cargo build --locked --profile "$profile" -p btcbot)
  sha256sum <"$at/out/$profile/btcbot" | cut -d' ' -f1
}

first="$(build one)"
second="$(build another)"
echo "$first  first build"
echo "$second  second build"
[ "$first" = "$second" ] || { echo "FAIL the two builds differ"; exit 1; }
if grep -qaF "$scratch" "$scratch/one/out/$profile/btcbot"; then echo "FAIL a path of this machine is in the binary"; exit 1; fi
if [ "$#" -gt 0 ]; then install -D -m 0755 "$scratch/one/out/$profile/btcbot" "$1"; fi
echo "2 passed, 0 failed"
