//! `metrics list`: the catalogue with its labels, and how many series each metric has with this configuration.

use crate::cli::ConfigSource;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::report::Report;
use crate::cli::running::settings;
use crate::metrics::{CATALOGUE, Metric};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// `metrics`.
#[derive(Args, Debug)]
pub struct MetricsArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: MetricsAction,
}

/// What to do with metrics.
#[derive(Debug, Subcommand)]
pub enum MetricsAction {
    /// List every metric with its labels and its number of series; needs no process
    List(ListArgs),
}

/// `metrics list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Carries out `metrics`.
///
/// # Errors
/// Exit 78, 77 or 2 for a configuration that cannot be read: the number of pairs is part of the answer.
pub fn metrics(args: &MetricsArgs) -> Outcome {
    let MetricsAction::List(args) = &args.action;
    let pairs = settings(&args.source)?.settings().market.symbols.len();
    let total: usize = CATALOGUE.iter().map(|metric| metric.series(pairs)).sum();
    let rows: Vec<Value> = CATALOGUE.iter().map(|metric| row(metric, pairs)).collect();
    let mut text: String = CATALOGUE.iter().map(|metric| line(metric, pairs)).collect();
    text.push_str(&format!("{total} series\n"));
    let report = Report {
        command: "metrics-list",
        ok: true,
        data: json!({"metrics": rows, "series": total}),
        warnings: Vec::new(),
    };
    report.print(args.json, &text)?;
    Ok(Exit::Ok)
}

fn row(metric: &Metric, pairs: usize) -> Value {
    let (label, values) = metric.label();
    json!({
        "name": metric.name,
        "type": metric.kind.as_str(),
        "label": label,
        "values": values,
        "series": metric.series(pairs),
        "help": metric.help,
    })
}

fn line(metric: &Metric, pairs: usize) -> String {
    let (label, values) = metric.label();
    let labels = match (label, values.is_empty()) {
        (None, _) => String::new(),
        (Some(label), true) => format!(" {label}"),
        (Some(label), false) => format!(" {label}={}", values.join("|")),
    };
    let (name, kind) = (metric.name, metric.kind.as_str());
    format!("{:5} {kind:9} {name}{labels}\n", metric.series(pairs))
}
