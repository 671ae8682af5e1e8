#!/usr/bin/env bash
# A stock third-party client trades a whole session against the simulated exchange of the release binary.
# Needs ../shared for the session's script; says that it was skipped where that folder is absent.
# BTCBOT names another binary, for trying this by hand.
set -euo pipefail
cd "$(dirname "$0")/.."

session="../shared/tools/ccxt_session.py"
if [ ! -f "$session" ]; then
  echo "skipped: $session is not here"
  exit 0
fi

version="4.5.90"
venv="target/ccxt-venv"
btcbot="${BTCBOT:-target/release/btcbot}"

# A virtual environment is complete only once its own pip has worked: a half-made one is made again.
make_venv() { python3 -m venv --clear "$venv" && "$venv/bin/pip" --version >/dev/null; }

if ! "$venv/bin/python" -c "import ccxt; assert ccxt.__version__ == '$version'" >/dev/null 2>&1; then
  mkdir -p target
  make_venv || { apt-get update -qq && apt-get install -y -qq python3-venv && make_venv; }
  "$venv/bin/pip" install --quiet --disable-pip-version-check "ccxt==$version"
fi

work="$(mktemp -d)"
simulator=""
finish() {
  if [ -n "$simulator" ]; then kill "$simulator" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

"$btcbot" simulator --log "$work/requests.ndjson" --for 10m >"$work/ready.json" 2>"$work/errors" &
simulator=$!
for _ in $(seq 100); do
  if [ -s "$work/ready.json" ] || ! kill -0 "$simulator" 2>/dev/null; then break; fi
  sleep 0.1
done
if [ ! -s "$work/ready.json" ]; then
  echo "the simulator did not become ready:" >&2
  cat "$work/errors" >&2
  exit 1
fi

field() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["data"][sys.argv[2]])' "$work/ready.json" "$1"; }

verdict=0
"$venv/bin/python" "$session" --base-url "$(field rest_url)" --key "$(field api_key)" --secret "$(field api_secret)" || verdict=$?
if [ "$verdict" -ne 0 ]; then
  echo "the last requests:" >&2
  tail -n 40 "$work/requests.ndjson" >&2 || true
fi

stopped=0
kill -TERM "$simulator"
wait "$simulator" || stopped=$?
simulator=""
if [ "$stopped" -ne 0 ]; then
  echo "the simulator ended with $stopped after TERM" >&2
  exit 1
fi
exit "$verdict"
