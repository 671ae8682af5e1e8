//! `man`: the manual pages, made from the one definition of the command line.
//!
//! clap_mangen writes what clap knows; examples and exit codes come from [`manual`].

use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::manual::{self, PAGES, Page};
use crate::out;
use clap::Args;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io;
use std::path::{Path, PathBuf};

/// Date of the pages: a build has none, so that two builds give the same bytes.
const DATE: &str = "2026-11-22";

/// `man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Write the pages of all commands into this directory in place of printing the first; existing ones are replaced
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Prints the page of the program, or writes all pages.
///
/// # Errors
/// Exit 1: standard output failed, or the directory cannot be written.
pub fn man(args: &ManArgs) -> Outcome {
    let pages = pages().map_err(Failed::stdout)?;
    match &args.dir {
        Some(dir) => write(dir, &pages)?,
        None => {
            let first = pages.first().map(|(_, text)| text.as_str());
            out::print_text(first.unwrap_or_default()).map_err(Failed::stdout)?;
        }
    }
    Ok(Exit::Ok)
}

fn write(dir: &Path, pages: &[(String, String)]) -> Result<(), Failed> {
    let failed = |path: &Path, error: io::Error| {
        Failed::new(Exit::Failure, format!("--dir {}: {error}", path.display()))
    };
    std::fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    for (name, text) in pages {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

/// Every page with the name of its file, the program's first.
fn pages() -> io::Result<Vec<(String, String)>> {
    let mut root = manual::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    for (path, command) in manual::visible(&root) {
        let man = Man::new(command.clone())
            .date(DATE)
            .source(format!("btcbot {}", env!("CARGO_PKG_VERSION")));
        let name = man.get_filename();
        let page = PAGES.iter().find(|page| page.path == path);
        pages.push((name, page_text(&man, command, page)?));
    }
    Ok(pages)
}

fn page_text(man: &Man, command: &clap::Command, page: Option<&Page>) -> io::Result<String> {
    let mut bytes = Vec::new();
    man.render_title(&mut bytes)?;
    man.render_name_section(&mut bytes)?;
    man.render_synopsis_section(&mut bytes)?;
    man.render_description_section(&mut bytes)?;
    if command.get_arguments().any(|arg| !arg.is_hide_set()) {
        man.render_options_section(&mut bytes)?;
    }
    if command.get_subcommands().any(|sub| !sub.is_hide_set()) {
        man.render_subcommands_section(&mut bytes)?;
    }
    if let Some(page) = page {
        ends(page).to_writer(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Exit codes and examples.
fn ends(page: &Page) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", ["EXIT STATUS"]);
    for exit in page.exits {
        roff.control("TP", []);
        roff.text([roman(exit.code().to_string())]);
        roff.text([roman(exit.meaning())]);
    }
    roff.control("SH", ["EXAMPLES"]);
    for (line, what) in page.examples {
        roff.control("TP", []);
        roff.text([clap_mangen::roff::bold(*line)]);
        roff.text([roman(*what)]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn every_command_has_a_page_that_a_linter_accepts() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let pages = pages().expect("memory can be written");
        assert_eq!(
            pages.first().map(|(name, _)| name.as_str()),
            Some("btcbot.1")
        );
        assert!(
            pages
                .iter()
                .any(|(name, _)| name == "btcbot-orders-cancel-all.1")
        );
        write(dir.path(), &pages).expect("our own directory");
        let files = pages.iter().map(|(name, _)| dir.path().join(name));
        let linted = Command::new("mandoc")
            .args(["-Tlint", "-Wwarning"])
            .args(files)
            .output();
        match linted {
            Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), "", "mandoc"),
            Err(error) => eprintln!("skipped: the linter mandoc cannot be started: {error}"),
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let failed = write(Path::new("/dev/null/man"), &[]).expect_err("no directory");
        assert!(
            failed.message.starts_with("--dir /dev/null/man: "),
            "{}",
            failed.message
        );
    }
}
