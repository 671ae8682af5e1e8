#!/usr/bin/env python3
"""Writes the dashboards from the catalogue of metrics: `make dashboards`; `--check` fails when a file differs.

A panel names metrics; how each is asked for and what its lines are called follows from its row in
actors/src/metrics.rs. A metric that is not in there is an error, so a dashboard cannot show what is never there; one that
is on no panel is another, so nothing is counted that nobody sees.
`--rules FILE` writes every expression as a recording rule, for promtool; `--queries` prints them, one a line, for a test.
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
CATALOGUE = HERE.parent.parent / "actors/src/metrics.rs"
ROW = re.compile(r'^\s+[A-Z0-9_]+ "(\w+)" (Counter|Gauge|HistogramMs|HistogramSeconds) (Labels::\w+)(?:\("(\w+)"[^)]*\))?,', re.M)
LABELS = {"Labels::Symbol": "symbol", "Labels::Actor": "actor", "Labels::DenyCode": "code"}
# Made by Prometheus itself.
OF_PROMETHEUS = {"up": ("Gauge", None), "ALERTS": ("Gauge", "alertname")}
SCOPE = 'instance=~"$instance"'

# Title, unit, metrics. A line that is not in the catalogue's shape is written out: `=EXPRESSION`.
OPERATOR = [
    ("Is it safe", [
        ("Scraped", "short", ["up"]),
        ("Armed", "short", ["btcbot_armed"]),
        ("Safe mode", "short", ["btcbot_safe_mode"]),
        ("Kill latched", "short", ["btcbot_kill_latched"]),
        ("Mode in force", "short", ["btcbot_mode"]),
        ("Who asks for a stricter mode", "short", ["btcbot_mode_contribution"]),
        ("Live trading configured", "short", ["btcbot_live_trading_configured"]),
        ("Arming blocked, by reason", "short", ["btcbot_arming_blocked"]),
        ("Limits used", "percentunit", ["btcbot_limit_used_ratio"]),
        ("Alerts firing", "short", ['=ALERTS{alertstate="firing"}']),
    ]),
    ("Money", [
        ("Equity, lira", "locale", ["btcbot_equity_try"]),
        ("Result of the day, lira", "locale", ["btcbot_day_pnl_try"]),
        ("Drawdown", "percentunit", ["btcbot_drawdown_ratio"]),
        ("Worst-case exposure, lira", "locale", ["btcbot_exposure_try"]),
        ("Trades a minute", "short", ["btcbot_fills_total"]),
    ]),
    ("Orders and market", [
        ("Own orders that have not ended", "short", ["btcbot_open_orders"]),
        ("Orders of unknown fate", "short", ["btcbot_unknown_orders"]),
        ("Oldest order of unknown fate", "s", ["btcbot_orders_unknown_oldest_seconds"]),
        ("Stream connected", "short", ["btcbot_ws_up"]),
        ("Books trusted", "short", ["btcbot_book_trusted"]),
        ("Since a pair's book was confirmed", "s", [f"=time() - btcbot_market_data_timestamp_seconds{{{SCOPE}}}"]),
        ("Frames a minute", "short", ["btcbot_ws_frames_total"]),
        ("Age of the last clean look", "ms", ["reconcile_lag_ms"]),
    ]),
    ("Process", [
        ("Actors running", "short", ["btcbot_actor_up"]),
        ("Since a thread's last sign of life", "s", [f"=time() - btcbot_thread_beat_timestamp_seconds{{{SCOPE}}}"]),
        ("Messages to a full mailbox a minute", "short", ["btcbot_mailbox_full_total"]),
        ("Resident memory", "bytes", ["btcbot_process_resident_memory_bytes"]),
        ("Open descriptors", "short", ["btcbot_process_open_fds"]),
        ("Threads", "short", ["btcbot_process_threads"]),
        ("Processor seconds a minute", "s", ["btcbot_process_cpu_seconds_total"]),
        ("Signals a minute", "short", ["btcbot_signals_total"]),
        ("Requests to the status plane a minute", "short", ["btcbot_http_requests_total"]),
        ("Log lines dropped a minute", "short", ["btcbot_log_lines_dropped_total"]),
        ("Spans and pushes not delivered a minute", "short", ["btcbot_otlp_dropped_total"]),
        ("Events for the webhook that wait", "short", ["btcbot_events_queue_depth"]),
        ("Events told a minute, by outcome", "short", ["btcbot_events_deliveries_total"]),
        ("Events dropped a minute", "short", ["btcbot_events_dropped_total"]),
        ("Build", "short", ["btcbot_build_info"]),
        ("Up for", "s", [f"=time() - btcbot_start_timestamp_seconds{{{SCOPE}}}"]),
    ]),
    ("Configuration and keys", [
        ("Age of the API key, of what is allowed", "percentunit",
         [f"=btcbot_secret_age_seconds{{{SCOPE}}} / btcbot_secret_age_limit_seconds{{{SCOPE}}}"]),
        ("Last reload taken over", "short", ["btcbot_config_last_reload_successful"]),
        ("Since a configuration was read and found good", "s",
         [f"=time() - btcbot_config_last_reload_timestamp_seconds{{{SCOPE}}}"]),
        ("Reloads a minute, by outcome", "short", ["btcbot_config_reloads_total"]),
    ]),
]
EXECUTION = [
    ("Decisions", [
        ("Decisions a minute, by stage", "short", ["btcbot_decisions_total"]),
        ("Denials a minute, by reason", "short", ["btcbot_denials_total"]),
        ("Book frame to book applied", "s", ["btcbot_feed_to_book_seconds"]),
        ("Book to intent", "s", ["btcbot_decision_duration_seconds"]),
    ]),
    ("Orders", [
        ("Orders a minute, by state", "short", ["btcbot_orders_total"]),
        ("Cancels a minute, by answer", "short", ["btcbot_cancels_total"]),
        ("Book to the order's first byte", "s", ["btcbot_tick_to_order_seconds"]),
        ("Approval to outcome of a submit", "ms", ["order_submit_latency_ms"]),
        ("Decision to answer of a cancel", "ms", ["cancel_latency_ms"]),
    ]),
    ("Requests", [
        ("Requests a minute, by outcome", "short", ["btcbot_rest_requests_total"]),
        ("Repeated reads a minute", "short", ["btcbot_rest_retries_total"]),
        ("Breakers: 0 closed, 1 half-open, 2 open", "short", ["circuit_breaker_state"]),
        ("Connects of the stream a minute", "short", ["btcbot_ws_connects_total"]),
    ]),
    ("Account and journal", [
        ("Passes over the account a minute", "short", ["btcbot_reconcile_passes_total"]),
        ("Duration of a pass", "s", ["btcbot_reconcile_duration_seconds"]),
        ("Duration of a commit", "s", ["btcbot_journal_commit_duration_seconds"]),
        ("Commits and records a minute", "short", ["btcbot_journal_commits_total", "btcbot_journal_records_total"]),
        ("Records that wait for the disk", "short", ["btcbot_journal_queue_depth"]),
        ("Size of the journal", "bytes", ["btcbot_state_file_bytes"]),
        ("Free on the disk of the state", "bytes", ["btcbot_state_disk_free_bytes"]),
    ]),
]
SLO = [
    ("The eight signals, with the bound of their page", [
        ("Reconnects a minute", "short", ["ws_reconnect_rate", "=vector(2.4)"]),
        ("429s a minute", "short", ["rest_429_rate", "=vector(1)"]),
        ("Repeated reads a minute", "short", ["rest_retry_rate", "=vector(5)"]),
        ("Books that lost their trust a minute", "short", ["stale_market_data_rate", "=vector(4)"]),
        ("Age of the last clean look", "ms", ["reconcile_lag_ms", "=vector(60000)"]),
        ("Submit, approval to outcome", "ms", ["order_submit_latency_ms", "=vector(2500)"]),
        ("Cancel, decision to answer", "ms", ["cancel_latency_ms", "=vector(5000)"]),
        ("Breakers: 0 closed, 1 half-open, 2 open", "short", ["circuit_breaker_state"]),
    ]),
    ("Budgets of the day", [
        ("Spent", "percentunit", [f"=btcbot_budget_spent{{{SCOPE}}} / btcbot_budget_limit{{{SCOPE}}}"]),
        ("Rung: 2 backs off, 3 observes, 4 has killed", "short", ["btcbot_ladder_rung"]),
        ("Steps a minute", "short", ["btcbot_ladder_steps_total"]),
        ("Changes of the mode a minute", "short", ["btcbot_mode_changes_total"]),
    ]),
    ("What must stay at zero", [
        ("Offset to the exchange's clock", "s", ["btcbot_clock_offset_seconds"]),
        ("Failed commits a minute", "short", ["btcbot_journal_errors_total"]),
        ("Panics a minute", "short", ["btcbot_panics_total"]),
        ("Restarts of actors a minute", "short", ["btcbot_actor_restarts_total"]),
    ]),
]
DASHBOARDS = {"operator": OPERATOR, "execution": EXECUTION, "slo": SLO}
WIDTH, HEIGHT, ACROSS = 8, 7, 3


def catalogue():
    """Name to kind and label, as the engine registers them."""
    rows = {name: (kind, label or LABELS.get(labels)) for name, kind, labels, label in ROW.findall(CATALOGUE.read_text())}
    assert len(rows) > 40, f"{CATALOGUE}: only {len(rows)} metrics were read"
    return rows | OF_PROMETHEUS


def named(line):
    """The metrics of one line of a panel."""
    if not line.startswith("="):
        return [line]
    return re.findall(r"\b((?:btcbot|ws|rest|stale|reconcile|order|cancel|circuit)_\w+|ALERTS|up)\b", line)


def unseen(known):
    """What the engine counts and nobody can see."""
    seen = {name for rows in DASHBOARDS.values() for _, members in rows for *_, lines in members for line in lines for name in named(line)}
    return sorted(set(known) - seen)


def queries(line, known):
    """(expression, legend) of one line of a panel."""
    if line.startswith("="):
        expression = line[1:]
        for name in named(line):
            assert name in known, f"{name} is not in the catalogue"
        return [(expression, "bound" if expression.startswith("vector") else "{{alertname}}{{budget}}{{thread}}{{symbol}}")]
    assert line in known, f"{line} is not in the catalogue"
    kind, label = known[line]
    series, legend = f"{line}{{{SCOPE}}}", f"{{{{{label}}}}}" if label else "{{instance}}"
    if kind == "Gauge":
        return [(series, legend)]
    if kind == "Counter":
        by = f"instance, {label}" if label else "instance"
        return [(f"60 * sum by ({by}) (rate({series}[$__rate_interval]))", legend)]
    buckets = f"sum by (instance, le) (rate({line}_bucket{{{SCOPE}}}[$__rate_interval]))"
    return [(f"histogram_quantile({share}, {buckets})", f"{name} {{{{instance}}}}") for share, name in ((0.5, "half"), (0.95, "19 of 20"), (0.99, "99 of 100"))]


def panel(number, title, unit, lines, known, top):
    source = {"type": "prometheus", "uid": "prometheus"}
    asked = [query for line in lines for query in queries(line, known)]
    at = number % ACROSS
    return {
        "id": number + 1,
        "title": title,
        "type": "timeseries",
        "datasource": source,
        "gridPos": {"x": at * WIDTH, "y": top, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "custom": {"lineWidth": 1, "fillOpacity": 5}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"datasource": source, "expr": expression, "legendFormat": legend, "refId": chr(ord("A") + at)}
            for at, (expression, legend) in enumerate(asked)
        ],
    }


def dashboard(name, rows, known):
    panels, top, number = [], 0, 0
    for title, members in rows:
        panels.append({"id": 1000 + len(panels), "type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}})
        top += 1
        for index, (what, unit, lines) in enumerate(members):
            made = panel(number, what, unit, lines, known, top + HEIGHT * (index // ACROSS))
            made["gridPos"]["x"] = index % ACROSS * WIDTH
            panels.append(made)
            number += 1
        top += HEIGHT * -(-len(members) // ACROSS)
    return {
        "uid": f"btcbot-{name}",
        "title": f"btcbot: {name}",
        "tags": ["btcbot"],
        "editable": False,
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{
            "name": "instance", "type": "query", "label": "instance", "includeAll": True, "multi": True, "refresh": 2,
            "allValue": ".*", "current": {"text": "All", "value": "$__all"},
            "datasource": {"type": "prometheus", "uid": "prometheus"},
            "query": 'label_values(up{job="btcbot"}, instance)',
        }]},
        "panels": panels,
    }


def text(name, rows, known):
    return json.dumps(dashboard(name, rows, known), indent=1, sort_keys=True) + "\n"


def plain(known):
    """(dashboard, panel, expression) of every query, with the variables filled in as Grafana would."""
    for name, rows in DASHBOARDS.items():
        for made in dashboard(name, rows, known)["panels"]:
            for target in made.get("targets", []):
                yield name, made["title"], target["expr"].replace("$instance", ".*").replace("$__rate_interval", "1m")


def main():
    known = catalogue()
    if missing := unseen(known):
        sys.exit(f"on no panel: {', '.join(missing)}")
    if sys.argv[1:2] == ["--rules"]:
        rules = [{"record": f"dashboard:panel:{number}", "expr": asked[2]} for number, asked in enumerate(plain(known))]
        pathlib.Path(sys.argv[2]).write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
        return
    if sys.argv[1:] == ["--queries"]:
        print(*(json.dumps(asked) for asked in plain(known)), sep="\n")
        return
    for name, rows in DASHBOARDS.items():
        path, made = HERE / f"{name}.json", text(name, rows, known)
        if sys.argv[1:] != ["--check"]:
            path.write_text(made)
        elif not path.is_file() or path.read_text() != made:
            sys.exit(f"{path.name} is not what the catalogue makes: make dashboards")


if __name__ == "__main__":
    main()
