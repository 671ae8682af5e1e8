//! `version`: what this binary is.

use crate::cli::VersionArgs;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::report::Report;
use serde_json::json;

/// Prints the version.
///
/// # Errors
/// Standard output failed.
pub fn version(args: &VersionArgs) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let data = json!({"version": version, "target": target, "profile": profile});
    let report = Report { command: "version", ok: true, data, warnings: Vec::new() };
    report.print(args.json, &format!("btcbot {version} ({target}, {profile})\n"))?;
    Ok(Exit::Ok)
}
