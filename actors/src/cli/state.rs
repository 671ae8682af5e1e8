//! `state`: the journal as a file: look at it, check it, copy it, bring a copy back.
//!
//! What only looks never writes. What writes holds the directory's lock, verifies first, and replaces nothing.

pub mod backup;
pub mod check;
pub mod export;
pub mod facts;
pub mod files;
pub mod info;
pub mod place;
mod recover;
pub mod restore;

use crate::cli::ConfigSource;
use crate::cli::exit::Outcome;
use crate::signals::Signals;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `state`.
#[derive(Args, Debug)]
pub struct StateArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: StateAction,
}

/// What to do with the journal.
#[derive(Debug, Subcommand)]
pub enum StateAction {
    /// Show whose journal it is, how far it goes, and what a start would find
    Info(LookArgs),
    /// Verify every page and every record in a process of its own; the file is not changed (exit 74 if damaged)
    Check(LookArgs),
    /// Print the records, one JSON object a line
    Export(ExportArgs),
    /// Make a verified copy with a manifest beside it; overwrites nothing
    Backup(BackupArgs),
    /// Put a backup in place of a journal that is not there; the next start is in safe mode
    Restore(RestoreArgs),
    /// Make the live journal again out of what the exchange shows, where the old one is lost or damaged; shows what it
    /// would do, --confirm does it
    Recover(RecoverArgs),
    /// Verify a file in this process and print what it holds; `check` starts it
    #[command(hide = true)]
    Verify(VerifyArgs),
}

/// `state info` and `state check`.
#[derive(Args, Debug)]
pub struct LookArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// Look at this journal or backup in place of the configured one
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `state export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// Read this journal or backup in place of the configured one
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Number of the first record
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    pub from: u64,
}

/// `state backup`.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// The copy; its manifest gets the same name with .json behind it
    #[arg(value_name = "FILE")]
    pub to: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `state restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// The backup
    #[arg(value_name = "FILE")]
    pub from: PathBuf,
    /// Move the journal that is there aside, under a name with the date; it is never deleted
    #[arg(long)]
    pub replace: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `state recover`.
#[derive(Args, Debug)]
pub struct RecoverArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// Why, in your words; it is written into the new journal
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
    /// The four characters of our client ids behind the b, if the exchange shows several
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// Do it: the old file is moved aside, the new one takes its place
    #[arg(long)]
    pub confirm: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `state verify`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Carries out one of them.
///
/// # Errors
/// What the command says on stderr, with its exit code.
pub fn state(args: &StateArgs, signals: Signals) -> Outcome {
    drop(signals);
    match &args.action {
        StateAction::Info(args) => info::info(args),
        StateAction::Check(args) => check::check(args),
        StateAction::Export(args) => export::export(args),
        StateAction::Backup(args) => backup::backup(args),
        StateAction::Restore(args) => restore::restore(args),
        StateAction::Recover(args) => recover::recover(args),
        StateAction::Verify(args) => check::verify_here(args),
    }
}
