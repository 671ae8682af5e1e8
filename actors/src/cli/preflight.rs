//! `preflight`: named checks that must all hold before a start.
//!
//! Most are made of the doctor's rows, which live there; what the journal tells and what it takes the account to judge
//! is judged here.

mod account;
mod past;

use crate::cli::ConfigSource;
use crate::cli::doctor::{self, Found};
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::resolve::{self, Forced};
use crate::clock::Clock;
use crate::locks::{self, AccountLock};
use account::Seen;
use clap::{Args, ValueEnum};
use config::arming::assess;
use config::load::Loaded;
use engine::time::Timestamp;
use past::Past;
use serde_json::{Value, json};

/// What the start is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Real orders: warnings do not pass.
    Live,
    /// Simulated fills: warnings pass.
    DryRun,
}

/// `preflight`.
#[derive(Args, Debug)]
pub struct PreflightArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// What the start is for: live or dry-run
    #[arg(long, value_enum, default_value = "live", hide_possible_values = true)]
    pub profile: Profile,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Who must pass a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Both,
    Live,
}

/// Each check with the doctor's rows that it consists of.
#[rustfmt::skip]
const CHECKS: &[(&str, For, &[&str])] = &[
    ("config_valid", For::Both, &["config/readable", "config/warnings", "config/limits"]),
    ("state_writable", For::Both, &["state/directory", "state/journal", "disk/writable"]),
    ("latches_clear", For::Both, &["policy/kill_latch"]),
    ("credentials_present", For::Live, &["secrets/present", "secrets/source"]),
    ("scopes_ok", For::Live, &["secrets/scopes"]),
    ("rotation_ok", For::Live, &["secrets/age"]),
    ("private_auth", For::Live, &["account/private_read"]),
    ("foreign_orders_known", For::Live, &["account/open_orders"]),
    ("clock_ok", For::Both, &["clock/offset"]),
    ("rules_ok", For::Both, &["exchange/symbols"]),
    ("monitoring", For::Live, &["observability/bind", "observability/exporter"]),
    ("disk_ok", For::Both, &["disk/space"]),
    ("file_permissions", For::Both, &["config/files", "secrets/file_mode", "secrets/dotenv_mode"]),
];

/// A check that was made.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    name: &'static str,
    ok: bool,
    detail: String,
}

impl Made {
    fn yes(name: &'static str, detail: impl Into<String>) -> Self {
        let (ok, detail) = (true, detail.into());
        Self { name, ok, detail }
    }

    fn no(name: &'static str, detail: impl Into<String>) -> Self {
        let (ok, detail) = (false, detail.into());
        Self { name, ok, detail }
    }

    /// Adds what was found elsewhere: both must hold.
    fn and(&mut self, other: Self) {
        self.ok &= other.ok;
        let both = [std::mem::take(&mut self.detail), other.detail];
        let said: Vec<String> = both.into_iter().filter(|part| !part.is_empty()).collect();
        self.detail = said.join("; ");
    }
}

/// Makes every check of the profile.
///
/// # Errors
/// Exit 1 if the system gives no working directory or event queue, or standard output fails.
pub fn preflight(args: &PreflightArgs) -> Outcome {
    let forced = Forced {
        dry_run: args.profile == Profile::DryRun,
        ..Forced::default()
    };
    let rows = doctor::found(&args.source, forced)?;
    let wanted = CHECKS
        .iter()
        .filter(|(_, needs, _)| *needs == For::Both || args.profile == Profile::Live);
    let mut made: Vec<Made> = wanted
        .map(|(name, _, of)| judged(name, of, &rows, args.profile))
        .collect();
    if let Ok(loaded) = resolve::load(&args.source, forced) {
        made.extend(own(&loaded, args.profile));
        told_by_journal(&mut made, &loaded, args.profile);
    }
    concluded(args, &made)
}

fn judged(name: &'static str, of: &[&str], rows: &[Found], profile: Profile) -> Made {
    let passes = |row: &&Found| match row.status {
        "ok" | "skip" => true,
        "warn" => profile == Profile::DryRun,
        _ => false,
    };
    let mine: Vec<&Found> = rows
        .iter()
        .filter(|row| of.contains(&row.name.as_str()))
        .collect();
    let failed = mine.iter().filter(|row| !passes(row));
    let details: Vec<String> = failed
        .map(|row| format!("{}: {}", row.name, row.detail))
        .collect();
    Made {
        name,
        // A row that is not there was not checked.
        ok: details.is_empty() && mine.len() == of.len(),
        detail: details.join("; "),
    }
}

/// What a start would take: the locks, and for live the arming.
fn own(loaded: &Loaded, profile: Profile) -> Vec<Made> {
    let holder = locks::holder(&loaded.settings().state.dir);
    let mut made = vec![Made {
        name: "state_lock_free",
        ok: holder.is_none(),
        detail: holder.unwrap_or_default(),
    }];
    if profile == Profile::DryRun {
        return made;
    }
    let reasons = assess(loaded, Clock::start().now()).reasons;
    let reasons: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
    made.push(Made {
        name: "armed",
        ok: reasons.is_empty(),
        detail: reasons.join(", "),
    });
    if let Some(fingerprint) = loaded.secrets().fingerprint() {
        // Taken and given back at once.
        let taken = AccountLock::take(&fingerprint).map(drop);
        made.push(Made {
            name: "account_lock_free",
            ok: taken.is_ok(),
            detail: taken
                .err()
                .map_or_else(String::new, |error| error.to_string()),
        });
    }
    made
}

/// What the journal and, for live, the account say.
fn told_by_journal(made: &mut Vec<Made>, loaded: &Loaded, profile: Profile) {
    let clock = Clock::start();
    let now = clock.now();
    let past = Past::read(loaded);
    for latches in made.iter_mut().filter(|made| made.name == "latches_clear") {
        latches.and(latches_of(&past, now));
    }
    if profile == Profile::DryRun {
        return;
    }
    made.push(match &past {
        Ok(Some(past)) => past.no_unknown_orders(now),
        Ok(None) => Made::yes("no_unknown_orders", "no journal yet"),
        Err(why) => Made::no("no_unknown_orders", why),
    });
    made.extend(told_by_account(loaded, &clock, &past));
}

fn latches_of(past: &Result<Option<Past>, String>, now: Timestamp) -> Made {
    let name = "latches_clear";
    match past {
        Ok(None) => Made::yes(name, ""),
        Err(why) => Made::no(name, why),
        Ok(Some(past)) => {
            let latches = past.latches(now);
            let (ok, detail) = (latches.is_empty(), latches.join("; "));
            Made { name, ok, detail }
        }
    }
}

fn told_by_account(
    loaded: &Loaded,
    clock: &Clock,
    past: &Result<Option<Past>, String>,
) -> [Made; 3] {
    let seen = match Seen::read(loaded, clock) {
        Ok(seen) => seen,
        Err(why) => {
            return ["trade_right", "limits_fit", "no_drift"].map(|name| Made::no(name, &why));
        }
    };
    let drift = match past {
        Ok(Some(past)) => account::no_drift(&seen.balances, past.sum().money().ledger()),
        Ok(None) => Made::yes("no_drift", "no journal yet"),
        Err(why) => Made::no("no_drift", why),
    };
    [
        account::trade_right(seen.cancel),
        account::limits_fit(loaded.settings(), &seen),
        drift,
    ]
}

fn concluded(args: &PreflightArgs, made: &[Made]) -> Result<Exit, Failed> {
    let ok = made.iter().all(|made| made.ok);
    let rows: Vec<Value> = made
        .iter()
        .map(|made| json!({"check": made.name, "ok": made.ok, "detail": made.detail}))
        .collect();
    let line = |made: &Made| {
        let word = if made.ok { "ok" } else { "FAIL" };
        format!("{word:5} {} {}", made.name, made.detail)
            .trim_end()
            .to_owned()
            + "\n"
    };
    let text: String = made.iter().map(line).collect();
    let report = Report {
        command: "preflight",
        ok,
        data: json!({"checks": rows}),
        warnings: Vec::new(),
    };
    report.print(args.json, &text)?;
    Ok(if ok { Exit::Ok } else { Exit::CheckFailed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, status: &'static str) -> Found {
        Found {
            name: name.to_owned(),
            status,
            detail: "why".to_owned(),
        }
    }

    #[test]
    fn a_warning_passes_a_dry_run_only_and_a_missing_row_passes_nothing() {
        let check = |status: &'static str, profile: Profile, expected: bool| {
            let made = judged("x", &["a/b"], &[row("a/b", status)], profile);
            assert_eq!(made.ok, expected, "{status} {profile:?}");
        };
        for profile in [Profile::Live, Profile::DryRun] {
            check("ok", profile, true);
            check("skip", profile, true);
            check("fail", profile, false);
        }
        check("warn", Profile::DryRun, true);
        check("warn", Profile::Live, false);
        assert!(!judged("x", &["a/b"], &[], Profile::DryRun).ok);
    }

    #[test]
    fn every_row_that_is_named_is_one_of_the_doctor() {
        for name in CHECKS.iter().flat_map(|(_, _, rows)| rows.iter()) {
            assert!(doctor::has_row(name), "{name}");
        }
    }
}
