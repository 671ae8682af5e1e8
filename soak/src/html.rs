//! The report as one page: verdict first, gates, latencies, charts. No script, nothing from elsewhere.

use crate::chart::{Chart, Floor};
use crate::judge::Verdict;
use crate::report::{Latency, Report};
use crate::sample::Sample;
use std::collections::BTreeMap;
use std::fmt::Write;

const STYLE: &str = "
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2128;--dim:#5b6572;--line:#d8dee6;--card:#f6f8fa;--ok:#1a7f37;--bad:#c62828;--open:#8a6100;--a:#1f6feb;--b:#c4560b;--t:#f3b54a44;--w:#8b949e2b}
@media(prefers-color-scheme:dark){:root{--bg:#0f141a;--fg:#e4e9ef;--dim:#98a4b3;--line:#2c3540;--card:#171d25;--ok:#4ac26b;--bad:#ff7b72;--open:#e3b341;--a:#6cb0ff;--b:#ffa657;--t:#f3b54a2e;--w:#8b949e26}}
body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:0 auto;padding:24px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 8px}p{margin:4px 0;color:var(--dim)}
.verdict{border-left:6px solid;padding:10px 16px;background:var(--card);margin:14px 0}.verdict b{font-size:19px}
.pass{color:var(--ok)}.fail{color:var(--bad)}.not_judged{color:var(--open)}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:6px 10px;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:600}td:first-child{white-space:nowrap}td.n{font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:14px}
figure{margin:0;background:var(--card);padding:10px 12px;border-radius:6px}figcaption{font-weight:600;font-size:14px}
figcaption i{font-style:normal;font-weight:400;margin-left:10px}svg{width:100%;height:auto;display:block}
svg text{fill:var(--dim);font-size:11px}.grid{stroke:var(--line)}polyline{fill:none;stroke-width:1.6}
.trouble{fill:var(--t)}.warm{fill:var(--w)}polyline.l0{stroke:var(--a)}polyline.l1{stroke:var(--b)}i.l0{color:var(--a)}i.l1{color:var(--b)}
.key{display:inline-block;width:12px;height:12px;margin:0 4px 0 12px;vertical-align:-1px}";

/// Writes the page.
pub fn page(report: &Report) -> String {
    let (word, class) = if report.is_ok() {
        ("Passed", "pass")
    } else {
        ("Failed", "fail")
    };
    let open = report.warnings().len();
    let failed = |gate: &&crate::judge::Gate| gate.verdict == Verdict::Fail;
    let failed = report.gates.iter().filter(failed).count();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>btcbot soak: {word}</title><style>{STYLE}</style></head><body>\
         <h1>btcbot soak</h1><p>{} s at {} book frames/s, seed {}; warm-up {} s before them; ready after {} ms</p>\
         <div class=\"verdict {class}\"><b>{word}</b><br>{} gates, {failed} failed, {open} not judged</div>\
         <h2>Gates</h2>{}<h2>Figures</h2>{}<h2>Latencies</h2>{}<h2>Over time</h2>\
         <p><span class=\"key warm\" style=\"background:var(--w)\"></span>warm-up, not judged\
         <span class=\"key\" style=\"background:var(--t)\"></span>trouble on purpose</p>\
         <div class=\"charts\">{}</div></body></html>\n",
        report.seconds,
        report.rate,
        report.seed,
        report.warm_up_s,
        report.ready_ms,
        report.gates.len(),
        gates(report),
        figures(report),
        latencies(&report.latencies),
        charts(report)
    )
}

fn gates(report: &Report) -> String {
    let mut table =
        "<table><tr><th>gate</th><th>seen</th><th>allowed</th><th>verdict</th></tr>".to_owned();
    for gate in &report.gates {
        let (class, word) = match gate.verdict {
            Verdict::Pass => ("pass", "pass"),
            Verdict::Fail => ("fail", "FAIL"),
            Verdict::NotJudged => ("not_judged", "not judged"),
        };
        let _ = write!(
            table,
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"{class}\">{word}</td></tr>",
            gate.name, gate.value, gate.limit
        );
    }
    table + "</table>"
}

fn figures(report: &Report) -> String {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for trouble in &report.troubles {
        *kinds.entry(trouble.name).or_insert(0) += trouble.to_s - trouble.from_s;
    }
    let troubles: Vec<String> = kinds
        .iter()
        .map(|(name, s)| format!("{name} {s} s"))
        .collect();
    format!(
        "<table><tr><td>orders accepted</td><td class=\"n\">{}</td><td>trades</td><td class=\"n\">{}</td></tr>\
         <tr><td>frames for load</td><td class=\"n\">{}</td><td>connections of the stream</td><td class=\"n\">{}</td></tr>\
         <tr><td>mode at the end</td><td>{}</td><td>trouble</td><td>{}</td></tr></table>",
        report.orders_accepted,
        report.fills,
        report.frames_pumped,
        report.connections,
        report.mode.as_deref().unwrap_or("not seen"),
        troubles.join(", ")
    )
}

fn latencies(latencies: &[Latency]) -> String {
    let mut table = "<table><tr><th>what</th><th>p50, ms</th><th>p99, ms</th><th>count</th><th>metric</th></tr>".to_owned();
    let bound = |ms: Option<f64>| ms.map_or("beyond".to_owned(), |ms| format!("\u{2264} {ms}"));
    for one in latencies {
        let _ = write!(
            table,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{:.0}</td><td>{}</td></tr>",
            one.what,
            bound(one.p50_ms),
            bound(one.p99_ms),
            one.count,
            one.metric
        );
    }
    table + "</table>"
}

fn charts(report: &Report) -> String {
    let samples = &report.samples;
    let bands: Vec<(f64, f64)> = (report.troubles.iter())
        .map(|one| (float(one.from_s), float(one.to_s)))
        .collect();
    let chart = |title, lines, from| {
        let warm_up = float(report.warm_up_s);
        let x_max = warm_up + float(report.seconds);
        Chart {
            title,
            lines,
            bands: &bands,
            warm_up,
            x_max,
            from,
        }
        .to_svg()
    };
    let line = |of: fn(&Sample) -> f64| samples.iter().map(|one| (one.at_s, of(one))).collect();
    [
        chart(
            "Resident memory, MiB",
            vec![
                ("rss", line(|one| one.rss_kib / 1_024.0)),
                ("of it, own", line(|one| one.anon_kib / 1_024.0)),
            ],
            Floor::Values,
        ),
        chart(
            "Frames read, per second",
            vec![("frames", rate(samples, |one| one.frames))],
            Floor::Zero,
        ),
        chart(
            "Processor time, percent of a core",
            vec![("cpu", rate(samples, |one| one.cpu_s * 100.0))],
            Floor::Zero,
        ),
        chart(
            "Descriptors and threads",
            vec![
                ("descriptors", line(|one| one.fds)),
                ("threads", line(|one| one.threads)),
            ],
            Floor::Zero,
        ),
        chart(
            "Records waiting for the disk",
            vec![("depth", line(|one| one.journal_depth))],
            Floor::Zero,
        ),
        chart(
            "Own orders",
            vec![
                ("open", line(|one| one.open_orders)),
                ("unknown", line(|one| one.unknown_orders)),
            ],
            Floor::Zero,
        ),
        chart(
            "Orders and trades since the start",
            vec![
                ("accepted", line(|one| one.accepted)),
                ("trades", line(|one| one.fills)),
            ],
            Floor::Zero,
        ),
        chart(
            "Age of the last clean look at the account, ms",
            vec![("age", line(|one| one.reconcile_lag_ms))],
            Floor::Zero,
        ),
    ]
    .concat()
}

/// What a counter grew by, per second.
fn rate(samples: &[Sample], of: fn(&Sample) -> f64) -> Vec<(f64, f64)> {
    let step = |pair: &[Sample]| {
        let passed = pair[1].at_s - pair[0].at_s;
        (passed > 0.0).then(|| (pair[1].at_s, (of(&pair[1]) - of(&pair[0])) / passed))
    };
    samples.windows(2).filter_map(step).collect()
}

fn float(seconds: u64) -> f64 {
    f64::from(u32::try_from(seconds).unwrap_or(u32::MAX))
}
