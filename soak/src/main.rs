//! The command: one run, a verdict on stdout, a page for people on request.

use clap::Parser;
use soak::report::Report;
use soak::run::{Asked, run};
use std::path::PathBuf;
use std::process::ExitCode;

/// Nothing was judged: the command line or the machine does not allow it.
const EXIT_USAGE: u8 = 2;
/// Shortest run: one turn of calm and trouble with its samples.
const SECONDS_MIN: u64 = 20;
/// Longest run: a week.
const SECONDS_MAX: u64 = 604_800;

/// Runs the release binary against the simulated exchange under load and light faults, and judges what grew and what
/// was lost.
#[derive(Parser)]
#[command(name = "btcbot-soak", version)]
struct Cli {
    /// How long, such as 30s, 10m or 2h; a warm-up of the same length, seven minutes at most, comes before it.
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = seconds)]
    seconds: u64,
    /// Book frames per second over all pairs, besides the market's own.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    rate: u64,
    /// Seed of the market and of the faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The binary.
    #[arg(long, value_name = "PATH", default_value = "target/release/btcbot")]
    binary: PathBuf,
    /// Writes the report as an HTML page.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Prints the report on one line, every sample included.
    #[arg(long)]
    json: bool,
}

/// Reads a length with its unit.
fn seconds(text: &str) -> Result<u64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3_600)];
    let read = units.iter().find_map(|(unit, factor)| {
        let count: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        count.checked_mul(*factor)
    });
    read.filter(|seconds| (SECONDS_MIN..=SECONDS_MAX).contains(seconds))
        .ok_or_else(|| "a number with s, m or h, from 20s to 168h".to_owned())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let Cli {
        seconds,
        rate,
        seed,
        binary,
        ..
    } = &cli;
    let asked = Asked {
        seconds: *seconds,
        rate: *rate,
        seed: *seed,
        binary: binary.clone(),
    };
    eprintln!(
        "soak: seed {seed}, {} s of warm-up and {seconds} s at {rate} frames/s, {}",
        asked.warm_up_s(),
        binary.display()
    );
    match run(&asked).and_then(|report| show(&cli, &report).map(|()| report.is_ok())) {
        Ok(is_ok) => ExitCode::from(u8::from(!is_ok)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// The end of a bucket, for people.
fn bound(ms: Option<f64>) -> String {
    ms.map_or("beyond the last bucket".to_owned(), |ms| {
        format!("<= {ms} ms")
    })
}

#[expect(
    clippy::print_stdout,
    reason = "the report of a command goes to stdout"
)]
fn show(cli: &Cli, report: &Report) -> Result<(), String> {
    if let Some(path) = &cli.report {
        std::fs::write(path, report.to_html())
            .map_err(|error| format!("--report {}: {error}", path.display()))?;
    }
    if cli.json {
        let (schema, ok) = ("btcbot.soak/v1", report.is_ok());
        let warnings = report.warnings();
        let data = serde_json::to_value(report).map_err(|error| error.to_string())?;
        println!(
            "{}",
            serde_json::json!({"schema": schema, "ok": ok, "data": data, "warnings": warnings})
        );
        return Ok(());
    }
    for gate in &report.gates {
        println!(
            "{:10} {}: {} (allowed: {})",
            format!("{:?}", gate.verdict),
            gate.name,
            gate.value,
            gate.limit
        );
    }
    for one in &report.latencies {
        println!(
            "{}: p50 {}, p99 {}, {} times",
            one.what,
            bound(one.p50_ms),
            bound(one.p99_ms),
            one.count
        );
    }
    if let Some(kept) = &report.kept {
        println!("kept: {}", kept.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_a_unit_and_bounds() {
        let check =
            |text: &str, expected: Option<u64>| assert_eq!(seconds(text).ok(), expected, "{text}");
        check("30s", Some(30));
        check("10m", Some(600));
        check("2h", Some(7_200));
        check("19s", None);
        check("600", None);
        check("1d", None);
        check("-5m", None);
    }
}
