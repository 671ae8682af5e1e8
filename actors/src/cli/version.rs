//! `version`: what this binary is.

use crate::cli::VersionArgs;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::report::Report;
use crate::metrics::Build;
use serde_json::json;

/// This build, for metrics and bundles. The commit is given to the build by its pipeline.
pub const BUILD: Build = Build {
    version: env!("CARGO_PKG_VERSION"),
    git_sha: match option_env!("BTCBOT_GIT_SHA") {
        Some(sha) => sha,
        None => "unknown",
    },
    rustc: env!("CARGO_PKG_RUST_VERSION"),
};

/// Returns which build this is.
pub fn facts() -> serde_json::Value {
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    json!({"version": BUILD.version, "git_sha": BUILD.git_sha, "target": target, "profile": profile})
}

/// Prints the version.
///
/// # Errors
/// Standard output failed.
pub fn version(args: &VersionArgs) -> Outcome {
    let report = Report {
        command: "version",
        ok: true,
        data: facts(),
        warnings: Vec::new(),
    };
    let data = &report.data;
    let word = |name: &str| data[name].as_str().unwrap_or_default();
    let text = format!(
        "btcbot {} ({}, {})\n",
        word("version"),
        word("target"),
        word("profile")
    );
    report.print(args.json, &text)?;
    Ok(Exit::Ok)
}
