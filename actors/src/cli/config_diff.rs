//! `config diff`: what the running process would read from disk now, against what it runs with.

use crate::cli::exit::Outcome;
use crate::cli::running::{ANSWER_TIME_MAX, carry_out};
use crate::cli::safe_mode::Common;
use crate::control::wire::{Answer, Request};
use serde_json::Value;

/// Asks the running process.
///
/// # Errors
/// Exit 4 without a process, 6 if the configuration on disk cannot be read, with every problem.
pub fn diff(common: &Common) -> Outcome {
    let place = (&common.source, common.json);
    let request = (&Request::ConfigDiff, ANSWER_TIME_MAX);
    carry_out("config-diff", place, request, text)
}

fn text(answer: &Answer) -> String {
    let rows = answer.data["keys"].as_array();
    let word = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let line = |row: &Value| {
        let [key, running, disk, reload] =
            ["key", "running", "on_disk", "reload"].map(|name| word(row, name));
        format!("{key}: runs with {running}, on disk {disk}; a reload: {reload}\n")
    };
    let mut text: String = rows.into_iter().flatten().map(line).collect();
    if text.is_empty() {
        text.push_str("no key differs\n");
    }
    let credentials = answer.data["credentials"].as_str().unwrap_or("unknown");
    text.push_str(&format!("credentials: {credentials}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::wire::Verdict;
    use serde_json::json;

    #[test]
    fn each_difference_is_a_line_and_credentials_are_never_more_than_a_word() {
        let check = |data: Value, expected: &str| {
            assert_eq!(text(&Answer::new(Verdict::Done, "", data)), expected);
        };
        check(
            json!({"keys": [], "credentials": "same"}),
            "no key differs\ncredentials: same\n",
        );
        let row = json!({"key": "log.level", "running": "info", "on_disk": "debug", "reload": "takes it over"});
        check(
            json!({"keys": [row], "credentials": "different"}),
            "log.level: runs with info, on disk debug; a reload: takes it over\ncredentials: different\n",
        );
    }
}
