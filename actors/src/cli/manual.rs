//! The manual of every command: its examples and its exit codes, one page each.
//!
//! Arguments and their help stand beside the commands; here is what clap cannot know. Help texts, man pages and the
//! reference are all made from this table, so that none of them can say something else.

pub mod terminal;

use crate::cli::Cli;
use crate::cli::exit::Exit;
use clap::{Command, CommandFactory};
use std::fmt::Write as _;

/// The manual page of one command.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The words behind `btcbot`; empty for the program itself.
    pub path: &'static str,
    /// How it may end, beside a failure (1) and a wrong command line (2).
    pub exits: &'static [Exit],
    /// Whole command lines, each with what it is for.
    pub examples: &'static [(&'static str, &'static str)],
}

/// Ends of a command that reads the configuration.
const READS: &[Exit] = &[Exit::Ok, Exit::Permission, Exit::Config];
/// Ends of a command that only prints what is built in.
const PRINTS: &[Exit] = &[Exit::Ok];
/// Ends of a question to the running process.
const ASKS: &[Exit] = &[Exit::Ok, Exit::NotRunning, Exit::Permission];
/// Ends of a wish that the running process may refuse.
const WISHES: &[Exit] = &[
    Exit::Ok,
    Exit::NotRunning,
    Exit::Refused,
    Exit::Store,
    Exit::Permission,
];
/// Ends of the engine.
const RUNS: &[Exit] = &[
    Exit::Ok,
    Exit::Deadline,
    Exit::Refused,
    Exit::AlreadyRunning,
    Exit::Unreachable,
    Exit::Internal,
    Exit::Store,
    Exit::Permission,
    Exit::Config,
    Exit::Quit,
];

/// Ends of a canary's flight.
const FLIES: &[Exit] = &[
    Exit::Ok,
    Exit::CheckFailed,
    Exit::Deadline,
    Exit::Refused,
    Exit::AlreadyRunning,
    Exit::Unreachable,
    Exit::Internal,
    Exit::Store,
    Exit::Permission,
    Exit::Config,
    Exit::Quit,
];

/// Every page, in the order of the commands.
#[rustfmt::skip]
pub const PAGES: &[Page] = &[
    Page { path: "", exits: &Exit::ALL, examples: &[
        ("btcbot demo", "trade on an embedded exchange: no keys, no network"),
        ("btcbot replay recording.ndjson.gz", "run a strategy over a recorded order book"),
        ("btcbot config check", "read all configuration, say everything that is wrong"),
        ("btcbot run", "the engine, as configured"),
    ] },
    Page { path: "demo", exits: &[Exit::Ok, Exit::CheckFailed, Exit::Deadline, Exit::Internal, Exit::Store], examples: &[
        ("btcbot demo", "until Ctrl-C"),
        ("btcbot demo --for 20s --json", "20 seconds, one JSON verdict at the end"),
        ("btcbot demo --for 5m --faults", "on an exchange that fails, loses and refuses"),
    ] },
    Page { path: "run", exits: RUNS, examples: &[
        ("btcbot run", "as configured, until TERM or Ctrl-C"),
        ("btcbot run --config bot.toml --for 10m", "ten minutes with this file"),
        ("btcbot run --once --dry-run --json", "one cycle with simulated fills, for cron"),
    ] },
    Page { path: "stage4-run", exits: RUNS, examples: &[
        ("btcbot stage4-run --once --dry-run", "one cycle of the stage, simulated"),
    ] },
    Page { path: "stage7-run", exits: RUNS, examples: &[
        ("btcbot stage7-run --dry-run --for 1h", "an hour on the simulated venue"),
    ] },
    Page { path: "canary once", exits: FLIES, examples: &[
        ("btcbot canary once --symbol BTCTRY", "armed: one real order of 150 TRY far below the market, cancelled after 30 s"),
        ("btcbot canary once --symbol BTCTRY --dry-run --allow-warn --json", "simulated, for a script"),
    ] },
    Page { path: "canary loop", exits: FLIES, examples: &[
        ("btcbot canary loop --symbol BTCTRY --max-cycles 30 --cycle-seconds 60", "half an hour, one order a minute"),
    ] },
    Page { path: "status", exits: ASKS, examples: &[
        ("btcbot status", "one screen"),
        ("btcbot status --watch", "again every two seconds"),
        ("btcbot status --json", "for jq and scripts"),
    ] },
    Page { path: "safe-mode on", exits: ASKS_OR_STORES, examples: &[
        ("btcbot safe-mode on --reason \"exchange announces maintenance\"", "no new order from this moment on"),
    ] },
    Page { path: "safe-mode off", exits: WISHES, examples: &[
        ("btcbot safe-mode off --reason \"maintenance is over\"", "asks for its end"),
    ] },
    Page { path: "safe-mode status", exits: ASKS, examples: &[
        ("btcbot safe-mode status", "the mode, and who asks for it"),
    ] },
    Page { path: "kill-switch status", exits: &[Exit::Ok, Exit::Permission], examples: &[
        ("btcbot kill-switch status", "what is latched, and what a reset needs"),
    ] },
    Page { path: "kill-switch trip", exits: &[Exit::Ok, Exit::Store, Exit::Permission], examples: &[
        ("btcbot kill-switch trip --reason \"runaway orders\"", "works without a process, too"),
    ] },
    Page { path: "kill-switch reset", exits: WISHES, examples: &[
        ("btcbot kill-switch reset --latch 1700000000000 --reason \"cause found and removed\"", "the id is in `status`; the third of a day needs --forgive"),
    ] },
    Page { path: "freeze on", exits: ASKS_OR_STORES, examples: &[
        ("btcbot freeze on BTCTRY --reason \"the book looks wrong\"", "no new risk on it, and its orders are cancelled"),
    ] },
    Page { path: "freeze status", exits: ASKS, examples: &[
        ("btcbot freeze status", "which pairs, who, why, since when"),
    ] },
    Page { path: "freeze clear", exits: ENDS, examples: &[
        ("btcbot freeze clear BTCTRY --reason \"the exchange has explained it\"", "the pair trades again"),
    ] },
    Page { path: "degrade status", exits: ASKS, examples: &[
        ("btcbot degrade status", "every contribution to the mode: source, code, since"),
    ] },
    Page { path: "degrade override", exits: WISHES, examples: &[
        ("btcbot degrade override REDUCE_RISK_ONLY --for 2h --reason \"the central bank speaks\"", "only what reduces a position"),
        ("btcbot degrade override OBSERVE_ONLY --for 30m --reason \"the exchange is slow\"", "no new order"),
    ] },
    Page { path: "degrade clear", exits: ENDS, examples: &[
        ("btcbot degrade clear --reason \"it is over\"", "before its time; other contributions stay"),
    ] },
    Page { path: "deadman", exits: READS, examples: &[
        ("btcbot deadman --config bot.toml --env-file deadman.env", "with a key pair of its own, which may trade"),
    ] },
    Page { path: "orders list", exits: &[Exit::Ok, Exit::NotRunning, Exit::Store, Exit::Permission], examples: &[
        ("btcbot orders list", "own orders that have not ended"),
        ("btcbot orders list --all --json", "beside them what the exchange lists"),
    ] },
    Page { path: "orders cancel", exits: &[Exit::Ok, Exit::CheckFailed, Exit::NotRunning, Exit::Deadline, Exit::Refused,
        Exit::Unreachable, Exit::Permission], examples: &[
        ("btcbot orders cancel bv1oc000001k3jd8s0000000007", "an own order"),
        ("btcbot orders cancel 4711 --foreign --reason \"left by hand\"", "a stranger's, by its number"),
    ] },
    Page { path: "orders cancel-all", exits: &[Exit::Ok, Exit::NotRunning, Exit::Deadline, Exit::AlreadyRunning,
        Exit::Unreachable, Exit::Store, Exit::Permission], examples: &[
        ("btcbot orders cancel-all --reason \"not what I meant\"", "safe mode on, then every own order"),
        ("btcbot orders cancel-all --offline", "without a process: own REST, under the locks"),
    ] },
    Page { path: "orders resolve", exits: &[Exit::Ok, Exit::CheckFailed, Exit::NotRunning, Exit::Deadline, Exit::Refused,
        Exit::Unreachable, Exit::Store, Exit::Permission], examples: &[
        ("btcbot orders resolve bv1oc000001k3jd8s0000000007 --as absent --reason \"asked support\"", "shows what it would mean"),
        ("btcbot orders resolve bv1oc000001k3jd8s0000000007 --as absent --reason \"asked support\" --confirm", "does it"),
    ] },
    Page { path: "health", exits: &[Exit::Ok, Exit::CheckFailed, Exit::NotRunning, Exit::Unreachable, Exit::Config], examples: &[
        ("btcbot health", "is it alive"),
        ("btcbot health --ready --url http://127.0.0.1:9464", "may it trade"),
    ] },
    Page { path: "doctor", exits: &[Exit::Ok, Exit::Failure, Exit::Usage], examples: &[
        ("btcbot doctor", "everything; 0 pass, 1 warnings, 2 failures"),
        ("btcbot doctor --pre --strict", "before the first start: no network, warnings count"),
    ] },
    Page { path: "preflight", exits: &[Exit::Ok, Exit::CheckFailed], examples: &[
        ("btcbot preflight --profile live", "before real orders; a warning does not pass"),
        ("btcbot preflight --profile dry-run --json", "before simulated fills"),
    ] },
    Page { path: "support-bundle", exits: PRINTS, examples: &[
        ("btcbot support-bundle --out bundle.json", "beside a running process, or without one"),
    ] },
    Page { path: "init", exits: &[Exit::Ok, Exit::Failure, Exit::Store, Exit::Permission], examples: &[
        ("btcbot init --live live", "files on the safe side, and the live journal"),
    ] },
    Page { path: "reload", exits: &[Exit::Ok, Exit::NotRunning, Exit::Refused, Exit::Permission], examples: &[
        ("btcbot reload --reason \"tighter limits\"", "after the file was changed"),
    ] },
    Page { path: "logs level", exits: ASKS_OR_STORES, examples: &[
        ("btcbot logs level actors::driver=debug --for 10m", "reverts by itself"),
    ] },
    Page { path: "logs tail", exits: ASKS, examples: &[
        ("btcbot logs tail", "the last 1,000 lines"),
    ] },
    Page { path: "metrics list", exits: READS, examples: &[
        ("btcbot metrics list", "names, labels, series"),
    ] },
    Page { path: "why", exits: &[Exit::Ok, Exit::CheckFailed, Exit::NotRunning, Exit::Store, Exit::Permission], examples: &[
        ("btcbot why --last", "the latest order"),
        ("btcbot why bv1oc000001k3jd8s0000000007 --json", "this one, for a script"),
    ] },
    Page { path: "report", exits: &[Exit::Ok, Exit::CheckFailed, Exit::NotRunning, Exit::AlreadyRunning, Exit::Store,
        Exit::Permission, Exit::Config], examples: &[
        ("btcbot report --from today", "the sums of today, UTC"),
        ("btcbot report --from 2026-01-01 --to 2026-12-31 --out 2026", "a year: trades.csv, report.json, report.html"),
        ("btcbot report --file journal.bak --json", "out of a backup, for a script"),
    ] },
    Page { path: "state info", exits: STATE, examples: &[
        ("btcbot state info", "whose journal, how far, what a start would find"),
    ] },
    Page { path: "state check", exits: STATE, examples: &[
        ("btcbot state check --file journal.bak", "verify a backup"),
    ] },
    Page { path: "state export", exits: STATE, examples: &[
        ("btcbot state export --from 1", "every record, one JSON object a line"),
    ] },
    Page { path: "state backup", exits: &[Exit::Ok, Exit::NotRunning, Exit::Refused, Exit::Store, Exit::Permission, Exit::Config], examples: &[
        ("btcbot state backup journal.bak", "a verified copy and its manifest, also while it runs"),
    ] },
    Page { path: "state restore", exits: &[Exit::Ok, Exit::Refused, Exit::AlreadyRunning, Exit::Store, Exit::Permission, Exit::Config], examples: &[
        ("btcbot state restore journal.bak --replace", "the journal that is there is moved aside"),
    ] },
    Page { path: "state recover", exits: &[Exit::Ok, Exit::Refused, Exit::AlreadyRunning, Exit::Unreachable, Exit::Store, Exit::Permission, Exit::Config], examples: &[
        ("btcbot state recover --reason \"disk lost\"", "shows which own orders it would adopt"),
        ("btcbot state recover --reason \"disk lost\" --confirm", "makes the new journal"),
    ] },
    Page { path: "replay", exits: &[Exit::Ok, Exit::CheckFailed, Exit::Interrupted], examples: &[
        ("btcbot replay recording.ndjson.gz --strategy market_maker", "with the exchange's ordinary rules"),
        ("btcbot replay recording.ndjson.gz --json", "one object, for comparing runs"),
    ] },
    Page { path: "simulator", exits: &[Exit::Ok, Exit::Quit], examples: &[
        ("btcbot simulator --listen 127.0.0.1:8390", "a faithful exchange"),
        ("btcbot simulator --fault reply_lost=0.05 --fault ws_reset=0.05 --log requests.log", "one that misbehaves"),
    ] },
    Page { path: "config check", exits: READS, examples: &[
        ("btcbot config check", "every problem at once, and whether it would arm"),
    ] },
    Page { path: "config show", exits: READS, examples: &[
        ("btcbot config show", "every key, its value and where it came from"),
    ] },
    Page { path: "config diff", exits: &[Exit::Ok, Exit::NotRunning, Exit::Refused, Exit::Permission], examples: &[
        ("btcbot config diff", "before a reload or a restart"),
    ] },
    Page { path: "config schema", exits: PRINTS, examples: &[
        ("btcbot config schema", "save it, and name it in the first line: #:schema btcbot.schema.json"),
    ] },
    Page { path: "config keys", exits: PRINTS, examples: &[
        ("btcbot config keys --hot", "what a reload may change"),
    ] },
    Page { path: "completions", exits: PRINTS, examples: &[
        ("btcbot completions bash", "save it as /etc/bash_completion.d/btcbot"),
    ] },
    Page { path: "man", exits: PRINTS, examples: &[
        ("btcbot man", "the page of the program"),
        ("btcbot man --dir /usr/local/share/man/man1", "a page for each command"),
    ] },
    Page { path: "version", exits: PRINTS, examples: &[
        ("btcbot version --json", "which build this is"),
    ] },
];

/// Ends of a wish that is never refused, but may not get onto the disk.
const ASKS_OR_STORES: &[Exit] = &[Exit::Ok, Exit::NotRunning, Exit::Store, Exit::Permission];
/// Ends of a wish to end what may not be there.
const ENDS: &[Exit] = &[
    Exit::Ok,
    Exit::CheckFailed,
    Exit::NotRunning,
    Exit::Refused,
    Exit::Permission,
];
/// Ends of a look at the journal's file.
const STATE: &[Exit] = &[
    Exit::Ok,
    Exit::AlreadyRunning,
    Exit::Store,
    Exit::Permission,
    Exit::Config,
];

impl Page {
    /// Returns the exit codes, one a line.
    pub fn exit_lines(&self) -> Vec<String> {
        let line = |exit: &Exit| format!("{:<4} {}", exit.code(), exit.meaning());
        self.exits.iter().map(line).collect()
    }

    fn help(&self) -> String {
        let mut text = String::from("EXAMPLES:\n");
        for (line, what) in self.examples {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", terminal::example(line, what));
        }
        text.push_str("\nEXIT CODES:\n");
        for line in self.exit_lines() {
            let _ = writeln!(text, "  {line}");
        }
        text.trim_end().to_owned()
    }
}

/// Returns the whole command line, with the manual in every long help.
pub fn command() -> Command {
    let mut root = Cli::command();
    for page in PAGES {
        let words: Vec<&str> = page.path.split_whitespace().collect();
        root = with_page(root, &words, page);
    }
    root
}

fn with_page(command: Command, words: &[&str], page: &Page) -> Command {
    match words {
        [] => command.after_long_help(page.help()),
        [first, rest @ ..] => {
            // A page of a command that does not exist shows in the tests; help must not fail for it.
            let is_there = command.find_subcommand(first).is_some();
            if is_there {
                command.mut_subcommand(first, |sub| with_page(sub, rest, page))
            } else {
                command
            }
        }
    }
}

/// Returns each visible command with its path, parents before children.
pub fn visible(root: &Command) -> Vec<(String, &Command)> {
    let mut found = vec![(String::new(), root)];
    let mut at = 0;
    while let Some((path, command)) = found.get(at).cloned() {
        at += 1;
        let subs = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        let children: Vec<_> = subs
            .map(|sub| (format!("{path} {}", sub.get_name()).trim().to_owned(), sub))
            .collect();
        found.splice(at..at, children);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    /// Splits a line as a shell does, with double quotes only.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (n, part) in line.split('"').enumerate() {
            if n % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        words
    }

    #[test]
    fn every_command_that_does_something_has_a_page_and_every_page_a_command() {
        let root = command();
        let visible = visible(&root);
        let leaves = visible
            .iter()
            .filter(|(path, command)| path.is_empty() || !command.has_subcommands());
        let leaves: Vec<&str> = leaves.map(|(path, _)| path.as_str()).collect();
        let pages: Vec<&str> = PAGES.iter().map(|page| page.path).collect();
        assert_eq!(pages, leaves);
    }

    #[test]
    fn every_example_is_a_command_line_of_its_own_page() {
        for page in PAGES {
            assert!(!page.examples.is_empty(), "{}", page.path);
            for (line, _) in page.examples {
                let start = format!("btcbot {}", page.path);
                assert!(line.starts_with(start.trim()), "{line}");
                let parsed = command().try_get_matches_from(words(line));
                let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches));
                assert!(
                    parsed.is_ok(),
                    "{line}: {}",
                    parsed.err().map_or(String::new(), |e| e.to_string())
                );
            }
        }
    }

    #[test]
    fn every_long_help_ends_in_its_examples_and_exit_codes() {
        let root = command();
        for (path, command) in visible(&root) {
            let help = command.clone().render_long_help().to_string();
            assert!(
                command.has_subcommands()
                    || (help.contains("EXAMPLES:") && help.contains("EXIT CODES:")),
                "{path}"
            );
        }
    }
}
