//! One function for each page that is made from a table of the program.

use actors::cli::exit::Exit;
use actors::cli::manual::{self, PAGES, Page};
use actors::metrics::{CATALOGUE, Kind, Labels, Metric};
use clap::{Arg, Command};
use std::fmt::Write as _;

/// First line of every page.
const MADE: &str = "<!-- Made by `make reference`; do not edit. -->\n\n";

/// Adds a line; writing to a string cannot fail.
fn line(text: &mut String, line: impl AsRef<str>) {
    let _ = writeln!(text, "{}", line.as_ref());
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The pages.
pub fn index() -> String {
    format!(
        "{MADE}# Reference\n\n\
         | page | what |\n|---|---|\n\
         | [cli.md](cli.md) | every command with its options, examples and exits |\n\
         | [exit-codes.md](exit-codes.md) | what each exit code means, and who gives it |\n\
         | [configuration.md](configuration.md) | every key: names, type, default, range, what a reload may do |\n\
         | [metrics.md](metrics.md) | every metric with its labels |\n\
         | [reasons.md](reasons.md) | every stable code that logs, metrics, `/status` and the journal carry |\n"
    )
}

/// Every command.
pub fn cli() -> String {
    let mut text = format!("{MADE}# Commands\n\n`btcbot <command> --help` says the same.\n");
    let root = manual::command();
    for (path, command) in manual::visible(&root) {
        let page = PAGES.iter().find(|page| page.path == path);
        if let (false, Some(page)) = (path.is_empty(), page) {
            command_page(&mut text, page, command);
        }
    }
    text
}

fn command_page(text: &mut String, page: &Page, command: &Command) {
    line(text, format!("\n## {}\n", page.path));
    let about = command.get_long_about().or(command.get_about());
    line(text, about.map(ToString::to_string).unwrap_or_default());
    let args: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .collect();
    if !args.is_empty() {
        line(text, "\n| option | |\n|---|---|");
    }
    for arg in args {
        line(text, argument(arg));
    }
    line(text, "\n```sh");
    for (example, what) in page.examples {
        line(text, format!("{example}   # {what}"));
    }
    line(text, "```");
    let exits: Vec<String> = page
        .exits
        .iter()
        .map(|exit| exit.code().to_string())
        .collect();
    line(text, format!("\nExits: {}.", exits.join(", ")));
}

fn argument(arg: &Arg) -> String {
    let value = arg.get_value_names().unwrap_or_default().first();
    let takes = arg.get_action().takes_values();
    let value = value.map(|value| format!("<{value}>")).filter(|_| takes);
    let name = match arg.get_long() {
        Some(long) => format!("--{long} {}", value.unwrap_or_default()),
        None => format!("<{}>", arg.get_id().as_str().to_uppercase()),
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    let default = match defaults.join(",") {
        none if none.is_empty() || !takes => String::new(),
        some => format!(" (default {some})"),
    };
    format!("| `{}` | {}{default} |", cell(name.trim()), cell(&help))
}

/// Every exit code with the commands that give it.
pub fn exit_codes() -> String {
    let mut text = format!("{MADE}# Exit codes\n\nEvery command may also end with 1 and 2.\n\n");
    line(&mut text, "| code | meaning | given by |\n|---|---|---|");
    for exit in Exit::ALL {
        let by = PAGES
            .iter()
            .filter(|page| !page.path.is_empty() && page.exits.contains(&exit));
        let by: Vec<String> = by.map(|page| format!("`{}`", page.path)).collect();
        let by = if exit == Exit::Ok {
            "every command".to_owned()
        } else {
            by.join(", ")
        };
        line(
            &mut text,
            format!("| {} | {} | {by} |", exit.code(), exit.meaning()),
        );
    }
    text
}

/// Every key of the configuration.
pub fn configuration() -> String {
    let mut text = format!(
        "{MADE}# Configuration\n\n\
         Layers, lowest first: the defaults, systemd's `STATE_DIRECTORY`, `/etc/btcbot/btcbot.toml`, `--config` files, \
         `.env.live` or `--env-file`, environment, flags.\nEvery key is also `BTCBOT__SECTION__KEY` in the environment. \
         *Reload* says what HUP and `btcbot reload` do with a changed value. Keys in **bold** must be set before live \
         trading arms.\n"
    );
    let mut section = String::new();
    for page in config::manual::pages() {
        let (table, name) = page.key.path.rsplit_once('.').unwrap_or_default();
        if section != table {
            table.clone_into(&mut section);
            line(&mut text, format!("\n## {table}\n"));
            line(
                &mut text,
                "| key | environment | type | default | allowed | reload | what |\n|---|---|---|---|---|---|---|",
            );
        }
        let name = if page.is_required_for_live() {
            format!("**`{name}`**")
        } else {
            format!("`{name}`")
        };
        let (kind, env) = (page.key.kind, page.key.env);
        let allowed = kind.expectation();
        let allowed = cell(allowed.trim_start_matches("expected "));
        let (default, about) = (cell(&page.default), cell(&page.about));
        line(
            &mut text,
            format!(
                "| {name} | `{env}` | {} | `{default}` | {allowed} | {} | {about} |",
                kind.type_name(),
                page.reload()
            ),
        );
    }
    text
}

/// Every metric.
pub fn metrics() -> String {
    let mut text = format!(
        "{MADE}# Metrics\n\n`/metrics` on the plane, Prometheus text. Every series is there from the first scrape on: \
         one that is missing means a broken scrape.\n\n| name | type | labels | what |\n|---|---|---|---|\n"
    );
    for metric in CATALOGUE {
        let (name, help) = (metric.name, cell(metric.help));
        line(
            &mut text,
            format!(
                "| `{name}` | {} | {} | {help} |",
                type_of(metric),
                labels_of(metric)
            ),
        );
    }
    text
}

fn type_of(metric: &Metric) -> &'static str {
    match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::HistogramMs => "histogram, ms",
        Kind::HistogramSeconds => "histogram, s",
    }
}

fn labels_of(metric: &Metric) -> String {
    match metric.labels {
        Labels::None => String::new(),
        Labels::Of(name, values) => format!("`{name}`: {}", values.join(", ")),
        Labels::Symbol => "`symbol`: one for each configured pair".to_owned(),
        Labels::Actor => "`actor`: one for each actor".to_owned(),
        Labels::DenyCode => "`code`: [deny codes](reasons.md)".to_owned(),
        Labels::Once => "`version`, `git_sha`, `rustc`".to_owned(),
    }
}
