//! What commands print: one JSON object with `--json`, or text for people; nothing else goes to stdout.

use crate::cli::exit::Failed;
use crate::out;
use serde_json::{Value, json};

/// The answer of a command.
#[derive(Clone, Debug)]
pub struct Report {
    /// Name of the schema: `btcbot.<command>/v1`.
    pub command: &'static str,
    /// The command's own verdict.
    pub ok: bool,
    /// The data; decimals as text.
    pub data: Value,
    /// Things to look at that change nothing.
    pub warnings: Vec<String>,
}

impl Report {
    /// Returns the one object that `--json` prints.
    pub fn to_json(&self) -> Value {
        json!({
            "schema": format!("btcbot.{}/v1", self.command),
            "ok": self.ok,
            "data": self.data,
            "warnings": self.warnings,
        })
    }

    /// Returns the report for a voice: the object as a line, or `text`.
    pub fn shown(&self, as_json: bool, text: &str) -> String {
        if as_json {
            format!("{}\n", self.to_json())
        } else {
            text.to_owned()
        }
    }

    /// Prints the report: the object as the last line with `--json`, else `text`.
    ///
    /// # Errors
    /// Standard output failed.
    pub fn print(&self, as_json: bool, text: &str) -> Result<(), Failed> {
        let printed = if as_json {
            out::print_line(&self.to_json().to_string())
        } else {
            out::print_text(text)
        };
        printed.map_err(Failed::stdout)
    }
}
