//! `config`: what would be used, where it came from, and everything that is wrong with it.
//!
//! It only reads. No value of a secret can be printed: `config` hands out none, and no switch asks for one.

use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::resolve::{self, Forced};
use crate::cli::{ConfigAction, ConfigArgs, ConfigView, config_diff, config_keys, schema};
use crate::clock::Clock;
use crate::out;
use config::arming::{Assessment, BlockReason, assess, unset_limits};
use config::errors::{Class, ConfigErrors};
use config::load::{self, Loaded, Row};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Name of the schema.
const COMMAND: &str = "config";
/// Wider values and origins do not widen their column; they push their own line.
const COLUMN_WIDTH_MAX: usize = 48;

/// What a machine reads and what a person reads.
type Answer = (Report, String);

/// Checks or shows the configuration.
///
/// # Errors
/// Exit 78, 77 or 2 with every problem, and 1 if standard output fails.
pub fn config(args: &ConfigArgs) -> Outcome {
    let (view, answer): (&ConfigView, fn(&Loaded) -> Answer) = match &args.action {
        ConfigAction::Check(view) => (view, checked),
        ConfigAction::Show(view) => (view, shown),
        ConfigAction::Diff(common) => return config_diff::diff(common),
        ConfigAction::Schema => return print_schema(),
        ConfigAction::Keys(args) => return config_keys::keys(args),
    };
    match load::load(resolve::sources(&view.source, Forced::default())?) {
        Ok(loaded) => {
            let (report, text) = answer(&loaded);
            report.print(view.json, &text)?;
            Ok(Exit::Ok)
        }
        Err(errors) => refuse(&errors, view.json),
    }
}

/// Prints the schema as it would be saved.
fn print_schema() -> Outcome {
    let text = format!("{:#}\n", schema::schema());
    out::print_text(&text).map_err(Failed::stdout)?;
    Ok(Exit::Ok)
}

/// The list of problems is data for a machine and an error for a person.
fn refuse(errors: &ConfigErrors, as_json: bool) -> Outcome {
    if !as_json {
        return Err(resolve::refused(errors));
    }
    problems(errors).print(true, "")?;
    Ok(resolve::exit(errors))
}

fn problems(errors: &ConfigErrors) -> Report {
    let rows: Vec<Value> = errors
        .problems()
        .iter()
        .map(|problem| {
            json!({
                "place": problem.place(),
                "key": problem.key(),
                "message": problem.message(),
                "suggestion": problem.suggestion(),
                "class": match problem.class() {
                    Class::Config => "config",
                    Class::Permission => "permission",
                },
            })
        })
        .collect();
    Report {
        command: COMMAND,
        ok: false,
        data: json!({"problems": rows}),
        warnings: Vec::new(),
    }
}

fn checked(loaded: &Loaded) -> Answer {
    let assessment = assess(loaded, Clock::start().now());
    let warnings = warnings(loaded, &assessment);
    let text = check_text(loaded, &assessment, &warnings);
    let data = json!({
        "problems": [],
        "hash": loaded.config_hash(),
        "files": loaded.files().iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        "venue": assessment.venue.as_str(),
        "would_arm": assessment.is_armed(),
        "blocked": codes(&assessment.reasons),
        "live_would_block": codes(&assessment.live_would_block),
        "limits_not_set": unset_limits(loaded),
    });
    let report = Report {
        command: COMMAND,
        ok: true,
        data,
        warnings,
    };
    (report, text)
}

fn warnings(loaded: &Loaded, assessment: &Assessment) -> Vec<String> {
    let arming = assessment.warnings.iter().map(|&text| text.to_owned());
    loaded.warnings().iter().cloned().chain(arming).collect()
}

fn codes(reasons: &[BlockReason]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.code()).collect()
}

fn check_text(loaded: &Loaded, assessment: &Assessment, warnings: &[String]) -> String {
    let mut text = String::from("configuration ok\n");
    line(&mut text, "hash", loaded.config_hash());
    for file in loaded.files() {
        line(&mut text, "file", &file.path);
    }
    for warning in warnings {
        line(&mut text, "warning", warning);
    }
    let venue = assessment.venue.as_str();
    if assessment.is_armed() {
        text.push_str("it would arm: orders reach the exchange\n");
    } else {
        text.push_str(&format!("it would not arm (venue {venue}), because of:\n"));
        reasons(&mut text, &assessment.reasons);
    }
    if !assessment.live_would_block.is_empty() {
        text.push_str("a live run would also be held back by:\n");
        reasons(&mut text, &assessment.live_would_block);
    }
    let unset = unset_limits(loaded);
    if !unset.is_empty() {
        line(
            &mut text,
            "limits that are still examples",
            &unset.join(" "),
        );
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {name}: {value}");
}

fn reasons(text: &mut String, reasons: &[BlockReason]) {
    for reason in reasons {
        let _ = writeln!(text, "  {:24} {}", reason.code(), reason.meaning());
    }
}

fn shown(loaded: &Loaded) -> Answer {
    let rows = loaded.show();
    let data = json!({
        "hash": loaded.config_hash(),
        "settings": rows.iter().map(row_json).collect::<Vec<_>>(),
    });
    let report = Report {
        command: COMMAND,
        ok: true,
        data,
        warnings: loaded.warnings().to_vec(),
    };
    (report, table(&rows))
}

fn row_json(row: &Row) -> Value {
    json!({"key": row.key, "value": row.value, "origin": row.origin, "overrode": row.overrode})
}

/// Three columns, and behind them what was overridden.
fn table(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &str| {
        let widths = rows.iter().map(|row| of(row).chars().count());
        widths.max().unwrap_or(0).min(COLUMN_WIDTH_MAX)
    };
    let (keys, values) = (width(|row| row.key), width(|row| &row.value));
    let mut text = String::new();
    for row in rows {
        let (key, value, origin) = (row.key, row.value.as_str(), row.origin.as_str());
        let mut one = format!("{key:keys$}  {value:values$}  {origin}");
        if !row.overrode.is_empty() {
            one.push_str(&format!(" (over {})", row.overrode.join(", ")));
        }
        text.push_str(one.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ConfigSource;
    use config::load::Sources;
    use std::ffi::OsString;

    /// Base64 of nothing anybody uses.
    const SECRET: &str = "c29tZSBzZWNyZXQgdGV4dA==";

    fn loaded(env: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
        let source = ConfigSource {
            no_env_file: true,
            ..ConfigSource::default()
        };
        let sources = resolve::sources(&source, Forced::default()).expect("a directory");
        let env = env
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        load::load(Sources {
            env: env.collect(),
            etc_file: None,
            run_secrets: None,
            ..sources
        })
    }

    #[test]
    fn a_good_configuration_says_why_it_would_not_arm() {
        let (report, text) = checked(&loaded(&[]).expect("the defaults are valid"));
        assert!(report.ok);
        assert_eq!(report.data["would_arm"], json!(false));
        assert_eq!(report.data["blocked"][0], json!("kill_switch"));
        assert!(text.starts_with("configuration ok\n"), "{text}");
        assert!(text.contains("credentials_missing"), "{text}");
        assert!(text.contains("risk.max_daily_loss_try"), "{text}");
    }

    #[test]
    fn every_problem_is_a_row_with_its_suggestion() {
        let errors = loaded(&[("DRYRUN", "true"), ("SAFE_MODE", "yes")]).expect_err("two mistakes");
        let report = problems(&errors);
        assert!(!report.ok);
        let rows = report.data["problems"].as_array().expect("a list");
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().any(|row| row["suggestion"] == json!("DRY_RUN")));
        assert!(rows.iter().all(|row| row["place"] == json!("environment")));
    }

    #[test]
    fn a_secret_shows_its_source_and_nothing_else() {
        let env = [
            ("BTCTURK_API_KEY", "k-1234-abcd"),
            ("BTCTURK_API_SECRET", SECRET),
        ];
        let loaded = loaded(&env).expect("valid");
        for (report, text) in [shown(&loaded), checked(&loaded)] {
            let all = format!("{text}{}", report.to_json());
            assert!(
                !all.contains("k-1234-abcd") && !all.contains(SECRET),
                "{all}"
            );
        }
        let (_, text) = shown(&loaded);
        assert!(text.contains("set, environment"), "{text}");
    }

    #[test]
    fn each_setting_shows_its_value_and_place() {
        let (report, text) = shown(&loaded(&[("LOG_LEVEL", "debug")]).expect("valid"));
        let rows = report.data["settings"].as_array().expect("a list");
        let row = rows.iter().find(|row| row["key"] == json!("log.level"));
        let row = row.expect("the key is shown");
        assert_eq!(row["value"], json!("debug"));
        assert_eq!(row["origin"], json!("environment LOG_LEVEL"));
        let line = text.lines().find(|line| line.starts_with("log.level "));
        assert!(line.is_some_and(|line| line.ends_with("environment LOG_LEVEL")));
    }
}
