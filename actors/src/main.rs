//! The `btcbot` binary: signals first, then arguments, then one command.

#![forbid(unsafe_code)]

use actors::cli;
use actors::signals::Signals;
use clap::error::ErrorKind;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A signal that comes before its handler exists would end the process, so nothing may stand before this line.
    let signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            say(&format!("btcbot: cannot listen to signals: {error}"));
            return ExitCode::from(cli::exit::Exit::Internal.code());
        }
    };
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cli::dispatch(cli, signals) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failed) => {
            say(&format!("btcbot: {}", failed.message));
            ExitCode::from(failed.exit.code())
        }
    }
}

/// Help is data and succeeds; a wrong command line is exit 2. A closed pipe is neither.
fn usage(error: &clap::Error) -> ExitCode {
    let is_help = !error.use_stderr();
    let printed = error.print();
    if error.kind() == ErrorKind::InvalidSubcommand {
        say(&format!(
            "commands: {}",
            cli::commands_beside(std::env::args_os())
        ));
    }
    match printed {
        Ok(()) if is_help => ExitCode::SUCCESS,
        Err(io) if io.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(()) | Err(_) => ExitCode::from(cli::exit::Exit::Usage.code()),
    }
}

/// Writes a line to standard error; the exit code stands even if nobody reads it.
fn say(line: &str) {
    let _unread = writeln!(std::io::stderr(), "{line}");
}
