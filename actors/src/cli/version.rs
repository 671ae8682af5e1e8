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

/// Prints the version.
///
/// # Errors
/// Standard output failed.
pub fn version(args: &VersionArgs) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let data =
        json!({"version": version, "git_sha": BUILD.git_sha, "target": target, "profile": profile});
    let report = Report {
        command: "version",
        ok: true,
        data,
        warnings: Vec::new(),
    };
    report.print(
        args.json,
        &format!("btcbot {version} ({target}, {profile})\n"),
    )?;
    Ok(Exit::Ok)
}
