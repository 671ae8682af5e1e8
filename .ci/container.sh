#!/usr/bin/env bash
# Builds the image around target/release/btcbot and lives with it in a real engine, shut in as docker-compose.yml shuts it
# in: who it runs as, what it can write, what its health check says, how it ends, what its volume keeps. The runtime's
# layer is made of Debian's packages, so no registry is needed. A machine that cannot run any container says so.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
passed=0
here=localhost/btcbot:container-check
runtime=localhost/cc:container-check

ok() { passed=$((passed + 1)); printf 'ok   %s\n' "$1"; }
fail() { printf 'FAIL %s\n' "$1"; podman logs "$name" 2>&1 | tail -20; exit 1; }
need() { command -v "$1" >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2" >/dev/null; }; }

need podman podman
need runc runc

# Without systemd podman cannot plan health checks and says so at every start; they are asked for by hand here.
podman() { command podman --runtime "$(command -v runc)" "$@" 2> >(grep -v 'systemd connection' >&2); }
name=btcbot-check-$$
trap 'podman rm --force --volumes "$name" >/dev/null 2>&1; podman volume rm --force "$name" >/dev/null 2>&1; rm -rf "$scratch"' EXIT

mkdir -p "$scratch/packages" "$scratch/root/etc/ssl/certs" "$scratch/root/tmp"
(cd "$scratch/packages" && apt-get download -qq libc6 libgcc-s1 2>/dev/null)
for package in "$scratch"/packages/*.deb; do dpkg-deb -x "$package" "$scratch/root"; done
cp /etc/ssl/certs/ca-certificates.crt "$scratch/root/etc/ssl/certs/"
install -D /bin/true "$scratch/root/bin/true"
limits=(--network none --read-only --cap-drop all --security-opt no-new-privileges --pids-limit 128 --memory 512m
  --ulimit core=0:0 --ulimit nofile=1024:1024 --ulimit nproc=1024:1024)
runs_true() { tar -C "$scratch/root" -cf - . | podman import --quiet - "$runtime" && podman run --rm "${limits[@]}" "$runtime" /bin/true; }
if ! runs_true >"$scratch/out" 2>&1; then
  printf 'no container can run here, so the image was not tried: %s\n' "$(tail -1 "$scratch/out")"
  exit 0
fi
podman build --quiet --isolation chroot --format docker --build-arg BUILDER="$runtime" --build-arg RUNTIME="$runtime" \
  --build-arg BINARY=prebuilt --tag "$here" . >/dev/null
ok "the Dockerfile builds an image"

shut_in() { # OPTIONS... -- COMMAND...
  local options=()
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  podman run --detach --name "$name" "${limits[@]}" "${options[@]}" "$here" "$@" >/dev/null
}
health() { podman healthcheck run "$name" >/dev/null 2>&1; }
until_healthy() {
  for _ in $(seq 150); do
    if health; then return; fi
    sleep 0.2
  done
  fail "$1: not healthy within 30 s"
}
ended() { podman wait "$name"; }
gone() { podman rm --force "$name" >/dev/null; }

shut_in -- demo
until_healthy "a demo"
ok "a demo is healthy: no network, no rights, nothing writable"
[ "$(podman top "$name" huser | tail -1)" = 10001 ] || fail "it does not run as uid 10001"
ok "it runs as uid 10001"
if podman exec "$name" /bin/sh -c true >/dev/null 2>&1; then fail "the image has a shell"; fi
ok "the image has no shell"
podman kill --signal STOP "$name" >/dev/null
if health; then fail "a process that stands still is called healthy"; fi
podman kill --signal CONT "$name" >/dev/null
until_healthy "a demo that goes on"
ok "its health check fails while it stands still, and passes when it goes on"
podman stop --time 60 "$name" >/dev/null
[ "$(ended)" = 0 ] || fail "TERM ended the demo with $(ended)"
[ -z "$(podman diff "$name" | grep -v ' /\(data\|dev\|etc\|proc\|run\|sys\|tmp\|var\)\(/\|$\)' || true)" ] || fail "it wrote: $(podman diff "$name")"
ok "TERM ends it with 0, and it wrote nothing"
gone

shut_in --env BTCBOT__STATE__DIR=/elsewhere --
code=$(ended)
[ "$code" != 0 ] || fail "a start without a place for its state ended with 0"
podman logs "$name" 2>&1 | grep -q '/elsewhere' || fail "it does not name the folder that it cannot write"
ok "a folder that cannot be written is named, exit $code"
gone

# Engines and drivers differ in the mode of a new volume; Kubernetes with fsGroup gives this one.
podman volume create "$name" >/dev/null
kept=$(podman volume inspect --format '{{.Mountpoint}}' "$name")
chown 10001:10001 "$kept" && chmod 2775 "$kept"
shut_in --volume "$name:/data" --
until_healthy "the engine"
ok "the engine is healthy with its state in a volume, blocked for want of keys and network"
# As a machine that fails: what the volume holds is what the next one finds.
podman kill --signal KILL "$name" >/dev/null
ended >/dev/null
gone
[ -z "$(find "$kept" -mindepth 1 -not -uid 10001 -not -name README)" ] || fail "a file of another owner: $(ls -lR "$kept")"
find "$kept" -name btcbot.redb | grep -q . || fail "no journal in the volume: $(ls -R "$kept")"
[ -z "$(find "$kept" -mindepth 1 -not -name README -perm /077)" ] || fail "others may read: $(ls -lR "$kept")"
ok "its journal is in the volume; uid 10001 owns it, and nobody else may read it"
shut_in --volume "$name:/data" --
until_healthy "the engine after a kill"
podman stop --time 60 "$name" >/dev/null
[ "$(ended)" = 0 ] || fail "TERM ended the engine with $(ended)"
ok "after a KILL the next one takes the volume over; TERM ends it with 0"

printf '%s passed, 0 failed\n' "$passed"
