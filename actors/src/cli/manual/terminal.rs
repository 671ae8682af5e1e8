//! Help for a terminal: the command line with every text broken to 80 columns.
//!
//! Not for man pages and the reference, which break their own lines. The one idea: clap breaks lines only with a crate
//! that asks the terminal for its width, and a fixed width reads the same everywhere, for a dozen lines.

use super::{PAGES, command};
use clap::builder::StyledStr;
use clap::{Arg, Command};
use std::fmt::Write as _;

/// Columns of every help.
const WIDTH: usize = 80;
/// Columns that stand before the help of an argument.
const ARG_INDENT: usize = 10;
/// Columns that stand before what an example is for.
const WHAT_INDENT: usize = 6;
/// Columns that stand before a command in the list of its parent: two, the longest name, two.
const LIST_INDENT: usize = 18;

/// Returns the whole command line, with the manual in every long help, for a terminal.
pub fn for_terminal() -> Command {
    broken(command(), "")
}

fn broken(command: Command, path: &str) -> Command {
    let about = command.get_about().map(StyledStr::to_string);
    let long = command.get_long_about().map(StyledStr::to_string);
    let mut command = command.mut_args(broken_arg);
    if let Some(long) = long.or_else(|| about.clone()) {
        command = command.long_about(lines(&long, WIDTH));
    }
    if let Some(about) = about {
        command = command.about(lines(&about, WIDTH - LIST_INDENT));
    }
    if !path.is_empty() && command.has_subcommands() {
        command = command.after_long_help(examples_of_group(path));
    }
    command.mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name());
        broken(sub, path.trim())
    })
}

fn broken_arg(arg: Arg) -> Arg {
    let width = WIDTH - ARG_INDENT;
    let help = arg.get_help().map(|text| lines(&text.to_string(), width));
    let long = arg.get_long_help();
    let long = long.map(|text| lines(&text.to_string(), width));
    let arg = match help {
        Some(help) => arg.help(help),
        None => arg,
    };
    match long {
        Some(long) => arg.long_help(long),
        None => arg,
    }
}

/// The first example of each command of a group.
fn examples_of_group(path: &str) -> String {
    let start = format!("{path} ");
    let mut text = String::from("EXAMPLES:\n");
    for page in PAGES.iter().filter(|page| page.path.starts_with(&start)) {
        for (line, what) in page.examples.iter().take(1) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", example(line, what));
        }
    }
    text.trim_end().to_owned()
}

/// A command line, and below it what it is for. A long one goes on behind a backslash, as a shell reads it.
pub(super) fn example(line: &str, what: &str) -> String {
    let mut typed = String::new();
    let mut column = 2;
    for (n, part) in line.split(" --").enumerate() {
        let part = if n == 0 {
            part.to_owned()
        } else {
            format!(" --{part}")
        };
        // Room for the backslash too.
        if column + part.len() + 2 > WIDTH {
            typed.push_str(" \\\n   ");
            column = 3;
        }
        column += part.len();
        typed.push_str(&part);
    }
    let what = lines(what, WIDTH - WHAT_INDENT).replace('\n', "\n      ");
    format!("  {typed}\n      {what}")
}

/// Breaks each line of a text at spaces; a word that is wider stands alone.
pub(super) fn lines(text: &str, width: usize) -> String {
    let mut out: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                out.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        out.push(line);
    }
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::manual::visible;

    #[test]
    fn lines_are_broken_at_spaces_and_paragraphs_stay() {
        let check = |text: &str, expected: &str| assert_eq!(lines(text, 10), expected, "{text}");
        check("", "");
        check("ten signs.", "ten signs.");
        check("eleven sign", "eleven\nsign");
        check("a\n\nb c", "a\n\nb c");
        check("x incomprehensible x", "x\nincomprehensible\nx");
    }

    #[test]
    fn a_long_example_is_one_that_a_shell_reads_as_one_line() {
        let long = format!("btcbot x --one {} --two \"b c\"", "a".repeat(60));
        let expected = format!(
            "  btcbot x --one {} \\\n    --two \"b c\"\n      what",
            "a".repeat(60)
        );
        assert_eq!(example(&long, "what"), expected);
        assert_eq!(
            example("btcbot x --one", "what"),
            "  btcbot x --one\n      what"
        );
    }

    #[test]
    fn every_help_fits_eighty_columns_says_what_it_does_and_shows_an_example() {
        let mut root = for_terminal();
        root.build();
        let (mut wide, mut mute) = (Vec::new(), Vec::new());
        for (path, command) in visible(&root) {
            // Made by clap for each group, and the same everywhere.
            if path.split(' ').any(|word| word == "help") {
                continue;
            }
            let help = command.clone().render_long_help().to_string();
            // A usage line is typed as it stands, so clap does not break it.
            let typed = |line: &str| line.starts_with("Usage: ");
            let too_wide = |line: &&str| line.chars().count() > WIDTH && !typed(line);
            let too_wide = help.lines().filter(too_wide);
            wide.extend(too_wide.map(|line| format!("{path}: {line}")));
            if command.get_about().is_none() || !help.contains("EXAMPLES:\n  btcbot") {
                mute.push(path.clone());
            }
            let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
            let silent = args.filter(|arg| arg.get_help().is_none());
            mute.extend(silent.map(|arg| format!("{path} {}", arg.get_id())));
        }
        assert!(wide.is_empty(), "{}", wide.join("\n"));
        assert!(mute.is_empty(), "no words or no example: {mute:?}");
    }
}
