//! The command: seeds, crash points and planted bugs; a report on stdout, traces on stderr.

use chaos::campaign::Tier;
use chaos::shells::{moves, stops};
use chaos::world::Outcome;
use chaos::{campaign, day, disk, faults, flood, panics, points, process};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Nothing was judged: the command line or the machine does not allow it.
const EXIT_USAGE: u8 = 2;
/// Lines of a replayed seed that are shown.
const TRACE_LINES: usize = 200_000;

/// What is running, for the first line of a run.
const BUILD: &str = if cfg!(debug_assertions) {
    concat!("btcbot-chaos ", env!("CARGO_PKG_VERSION"), ", debug build")
} else {
    concat!(
        "btcbot-chaos ",
        env!("CARGO_PKG_VERSION"),
        ", release build"
    )
};

/// Simulates the whole system from seeds.
#[derive(Parser)]
#[command(name = "btcbot-chaos", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs seeds, or replays one with its trace.
    Core(Core),
    /// The same with the real actors, in paused time: mailboxes, panics and fresh instances, gate and journal.
    Actors(Core),
    /// Asks processes of the real actors to stop at drawn moments, and judges what they leave at the exchange.
    Stops(Stops),
    /// Draws signals, commands and reloads for the real actors: nothing arms, and no kill ends without its reset.
    Hand(Hand),
    /// Lives a day of one world with the cores, and counts what they keep hour by hour.
    Day(Day),
    /// Crashes three short stories before and after every effect.
    CrashPoints(CrashPoints),
    /// Plants bugs and looks for them.
    Planted(Planted),
    /// Cuts the power of the journal's disk at every operation, lets it fail and lets it rot.
    Disk(Disk),
    /// Holds the catalogue of faults against the source tree: every row has its test, every injector its row.
    Faults(Faults),
    /// Plants a panic at every message of every actor and looks at what follows.
    Panics(Panics),
    /// Trips the gate again and again while the stream is flooded and orders are being placed.
    Flood(Flood),
    /// Kills the release binary again and again while it trades, and judges what is left.
    Process(Process),
    /// Lets the release binary trade over links that delay, silence, cut and spoil, and judges what is left.
    Wire(Wire),
}

#[derive(Args)]
struct Disk {
    /// How many seeds.
    #[arg(long, default_value_t = disk::SEEDS)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Cuts every n-th operation only.
    #[arg(long, default_value_t = 1)]
    stride: usize,
    /// Cuts this operation only: replays a failure, with `--from` its seed and `--seeds 1`.
    #[arg(long)]
    cut: Option<usize>,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Stops {
    /// How many stops; every world has ten.
    #[arg(long, default_value_t = 1_000)]
    stops: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Hand {
    /// How many sequences of moves.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Day {
    /// Seed of market and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Length of the day, hours.
    #[arg(long, default_value_t = day::HOURS, value_parser = clap::value_parser!(i64).range(day::HOURS..=240))]
    hours: i64,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct CrashPoints {
    /// Takes every n-th boundary only.
    #[arg(long, default_value_t = 1)]
    stride: usize,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Planted {
    /// Searches for each bug, each from another first seed.
    #[arg(long, default_value_t = 3)]
    searches: u64,
    /// Seeds of one search.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Process {
    /// SIGKILLs, over all lanes.
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Seed of the moments and of the exchange's faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The binary to kill.
    #[arg(long, value_name = "PATH", default_value = "target/release/btcbot")]
    binary: PathBuf,
    /// Wipes the journal before each lane's last kill: a planted disaster, which must be found (exit 1).
    #[arg(long)]
    wipe: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Wire {
    /// How many seeds.
    #[arg(long, default_value_t = 60)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// The binary.
    #[arg(long, value_name = "PATH", default_value = "target/release/btcbot")]
    binary: PathBuf,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Faults {
    /// The root of the source tree.
    #[arg(long, value_name = "PATH", default_value = ".")]
    root: PathBuf,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Panics {
    /// Takes every n-th case only.
    #[arg(long, default_value_t = 1)]
    stride: usize,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Flood {
    /// Frames a second.
    #[arg(long, default_value_t = flood::RATE)]
    rate: u64,
    /// Trips of the gate; half of them by a message through the mailbox, half past it.
    #[arg(long, default_value_t = flood::TRIPS)]
    trips: u32,
    /// Seed of the market and of the moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Output {
    /// Prints the report on one line.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Core {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Runs the seed of this commit too: the first 16 digits of its hash.
    #[arg(long, value_name = "HASH", value_parser = commit_seed)]
    seed_from_commit: Option<u64>,
    /// Replays this seed and shows its trace on stderr.
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    output: Output,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Core(core) => run_seeds(campaign::CORES, &core),
        Command::Actors(asked) => run_seeds(campaign::SHELLS, &asked),
        Command::Stops(asked) => {
            let shown = |outcome: &Outcome| show(&again("stops --stops 10", outcome), outcome);
            let found = stops::run(asked.stops, asked.from, shown);
            let schema = "btcbot.chaos-stops/v1";
            report(schema, found.is_ok(), &found, &asked.output)
        }
        Command::Hand(asked) => {
            let shown = |outcome: &Outcome| show(&again("hand --seeds 1", outcome), outcome);
            let seeds: Vec<u64> = (asked.from..asked.from.saturating_add(asked.seeds)).collect();
            let found = moves::run(&seeds, shown);
            let schema = "btcbot.chaos-hand/v1";
            report(schema, found.is_ok(), &found, &asked.output)
        }
        Command::Day(asked) => {
            let found = day::run(asked.seed, asked.hours);
            report("btcbot.chaos-day/v1", found.is_ok(), &found, &asked.output)
        }
        Command::CrashPoints(asked) => {
            let points = points::run(asked.stride, |outcome| show("crash-points", outcome));
            let schema = "btcbot.chaos-points/v1";
            report(schema, points.is_ok(), &points, &asked.output)
        }
        Command::Planted(planted) => {
            let hunts = campaign::hunt(planted.searches, planted.seeds);
            let is_ok = hunts.found == hunts.planted;
            report("btcbot.chaos-planted/v1", is_ok, &hunts, &planted.output)
        }
        Command::Disk(asked) => run_disk(&asked),
        Command::Faults(asked) => run_faults(&asked),
        Command::Panics(asked) => {
            let found = panics::run(asked.stride);
            let schema = "btcbot.chaos-panics/v1";
            report(schema, found.is_ok(), &found, &asked.output)
        }
        Command::Flood(asked) => run_flood(&asked),
        Command::Process(asked) => run_process(asked),
        Command::Wire(asked) => run_wire(asked),
    }
}

fn commit_seed(hash: &str) -> Result<u64, String> {
    campaign::seed_of_commit(hash)
        .ok_or_else(|| "a commit hash has at least 16 hexadecimal digits".to_owned())
}

fn again(command: &str, outcome: &Outcome) -> String {
    format!("{command} --from {}", outcome.seed)
}

fn show(command: &str, outcome: &Outcome) {
    for line in outcome.trace.lines() {
        eprintln!("  {line}");
    }
    for violation in &outcome.violations {
        eprintln!("  {} {}: {}", violation.at, violation.rule, violation.seen);
    }
    let verdict = if outcome.violations.is_empty() {
        "passed"
    } else {
        "failed"
    };
    let seed = outcome.seed;
    eprintln!("seed {seed} {verdict}; replay: btcbot-chaos {command}");
}

fn run_seeds(tier: Tier, core: &Core) -> ExitCode {
    let shown = |outcome: &Outcome| {
        show(&format!("{} --seed {}", tier.name, outcome.seed), outcome);
    };
    if let Some(seed) = core.seed {
        let outcome = (tier.run)(seed, None, TRACE_LINES);
        shown(&outcome);
        eprintln!("{:?}", outcome.figures);
        return ExitCode::from(u8::from(!outcome.violations.is_empty()));
    }
    let last = core.from.saturating_add(core.seeds);
    let seeds: Vec<u64> = (core.from..last).chain(core.seed_from_commit).collect();
    let of_commit = core
        .seed_from_commit
        .map_or_else(String::new, |seed| format!(" and {seed} of the commit"));
    let (from, to) = (core.from, last.saturating_sub(1));
    eprintln!("seeds {from} to {to}{of_commit}; {BUILD}");
    let summary = campaign::run(tier, &seeds, shown);
    let schema = format!("btcbot.chaos-{}/v1", tier.name);
    report(&schema, summary.is_ok(), &summary, &core.output)
}

fn run_disk(asked: &Disk) -> ExitCode {
    // A start that panics is counted as what it is; a damaged file makes some of them.
    std::panic::set_hook(Box::new(|_| ()));
    let options = disk::Options {
        from: asked.from,
        seeds: asked.seeds,
        stride: asked.stride,
        cut: asked.cut,
        plant: None,
    };
    let found = disk::run(&options);
    for failure in &found.failures {
        eprintln!("{failure}");
    }
    let schema = "btcbot.chaos-disk/v1";
    report(schema, found.is_ok(), &found, &asked.output)
}

fn run_faults(asked: &Faults) -> ExitCode {
    match faults::check(&asked.root) {
        Ok(found) => {
            let schema = "btcbot.chaos-faults/v1";
            report(schema, found.is_ok(), &found, &asked.output)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run_flood(asked: &Flood) -> ExitCode {
    let Flood {
        rate, trips, seed, ..
    } = *asked;
    match flood::run(flood::Asked { rate, trips, seed }) {
        Ok(found) => {
            for broken in found.broken() {
                eprintln!("{broken}");
            }
            let schema = "btcbot.chaos-flood/v1";
            report(schema, found.is_ok(), &found, &asked.output)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run_process(asked: Process) -> ExitCode {
    let Process {
        kills,
        seed,
        binary,
        wipe,
        output,
    } = asked;
    eprintln!(
        "process: seed {seed}, {kills} kills of {}",
        binary.display()
    );
    let asked = process::Asked {
        kills,
        seed,
        binary,
        wipe,
    };
    let ran = process::run(&asked).map(|summary| {
        let is_ok = summary.is_ok(&asked);
        (is_ok, summary.findings().to_vec(), summary)
    });
    tell("btcbot.chaos-process/v1", ran, &output)
}

fn run_wire(asked: Wire) -> ExitCode {
    let Wire {
        seeds,
        from,
        binary,
        output,
    } = asked;
    eprintln!("wire: {seeds} seeds from {from} of {}", binary.display());
    let asked = process::wire::Asked {
        seeds,
        from,
        binary,
    };
    let ran = process::wire::run(&asked)
        .map(|summary| (summary.is_ok(), summary.findings().to_vec(), summary));
    tell("btcbot.chaos-wire/v1", ran, &output)
}

/// Reports what a tier of the binary has found, or why it could not run.
fn tell(
    schema: &str,
    ran: Result<(bool, Vec<process::Found>, impl serde::Serialize), String>,
    output: &Output,
) -> ExitCode {
    match ran {
        Ok((is_ok, findings, summary)) => {
            for found in findings {
                eprintln!("{found}");
            }
            report(schema, is_ok, &summary, output)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the report of a command goes to stdout"
)]
fn report(schema: &str, ok: bool, data: &impl serde::Serialize, output: &Output) -> ExitCode {
    let report = serde_json::json!({"schema": schema, "ok": ok, "data": data, "warnings": []});
    if output.json {
        println!("{report}");
    } else {
        println!("{report:#}");
    }
    ExitCode::from(u8::from(!ok))
}
