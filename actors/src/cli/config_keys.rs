//! `config keys`: every key with its names, type, default, and what a reload may do with it.

use crate::cli::exit::{Exit, Outcome};
use crate::cli::report::Report;
use clap::Args;
use config::manual::{self, Page};
use config::names::Reload;
use serde_json::{Value, json};

/// `config keys`.
#[derive(Args, Debug)]
pub struct KeysArgs {
    /// Only those that a reload may change
    #[arg(long)]
    pub hot: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Lists the keys.
///
/// # Errors
/// Standard output failed.
pub fn keys(args: &KeysArgs) -> Outcome {
    let pages = manual::pages().into_iter();
    let pages: Vec<Page> = pages
        .filter(|page| !args.hot || page.key.reload != Reload::Cold)
        .collect();
    let report = Report {
        command: "config-keys",
        ok: true,
        data: json!({"keys": pages.iter().map(row).collect::<Vec<_>>()}),
        warnings: Vec::new(),
    };
    report.print(args.json, &pages.iter().map(line).collect::<String>())?;
    Ok(Exit::Ok)
}

fn row(page: &Page) -> Value {
    json!({
        "key": page.key.path,
        "env": page.key.env,
        "type": page.key.kind.type_name(),
        "default": page.default,
        "allowed": page.key.kind.expectation(),
        "reload": page.reload(),
        "required_for_live": page.is_required_for_live(),
        "about": page.about,
    })
}

fn line(page: &Page) -> String {
    let (key, reload) = (page.key, page.reload());
    format!("{:42} {:32} {reload}\n", key.path, key.env)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line_and_one_object() {
        let pages = manual::pages();
        let page = pages
            .iter()
            .find(|page| page.key.env == "LOG_LEVEL")
            .expect("a key");
        assert!(line(page).starts_with("log.level "), "{}", line(page));
        assert!(line(page).ends_with(" hot\n"));
        assert_eq!(row(page)["type"], json!("word"));
        assert_eq!(
            row(page)["allowed"],
            json!("expected one of error, warn, info, debug, trace")
        );
    }
}
