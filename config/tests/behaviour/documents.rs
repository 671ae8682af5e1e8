//! The files we ship: the embedded defaults and the two examples say what the code does.

use crate::world::{API_KEY, API_SECRET, NOW, World};
use btcbot_config::arming::{BlockReason, arm, assess};
use btcbot_config::load::{DEFAULT_TOML, Sources, load};
use btcbot_config::names::{KEYS, LIMITS_FOR_LIVE, Reload};
use btcbot_config::settings::Settings;
use engine::intent::StrategyKind;
use std::collections::BTreeMap;

/// Key lines of `default.toml` with the comment line above each.
fn documented() -> Vec<(String, String)> {
    let mut section = String::new();
    let mut comment = String::new();
    let mut found = Vec::new();
    for line in DEFAULT_TOML.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some(text) = line.strip_prefix("# ") {
            comment = text.to_owned();
        } else if let Some((name, _)) = line.split_once(" = ") {
            found.push((format!("{section}.{name}"), std::mem::take(&mut comment)));
        }
    }
    found
}

#[test]
fn every_key_stands_in_the_defaults_with_its_comment_and_nothing_else_does() {
    let documented = documented();
    let in_file: Vec<_> = documented.iter().map(|(path, _)| path.as_str()).collect();
    let in_table: Vec<_> = KEYS.iter().map(|key| key.path).collect();
    let sorted = |mut paths: Vec<&str>| {
        paths.sort_unstable();
        paths.join("\n")
    };
    assert_eq!(sorted(in_file), sorted(in_table));
    for key in KEYS {
        let (_, comment) = documented
            .iter()
            .find(|(path, _)| path == key.path)
            .expect("compared above");
        let start = format!("{}: ", key.env);
        assert!(
            comment.starts_with(&start),
            "{} wants `# {start}…` above it",
            key.path
        );
        let tightens = matches!(key.reload, Reload::TightenDown | Reload::TightenUp);
        assert_eq!(
            comment.contains("(hot)"),
            key.reload == Reload::Hot,
            "{}",
            key.path
        );
        assert_eq!(
            comment.contains("tightens while running"),
            tightens,
            "{}",
            key.path
        );
        let required = LIMITS_FOR_LIVE.contains(&key.path);
        assert_eq!(
            comment.contains("required for live"),
            required,
            "{}",
            key.path
        );
    }
}

#[test]
fn a_field_without_a_default_and_a_default_without_a_field_are_noticed() {
    // Loading proves both at once: the settings refuse unknown fields and have no built-in defaults.
    let settings: Settings = World::new().loaded().settings().clone();
    assert!(settings.safety.dry_run && settings.safety.safe_mode && settings.safety.kill_switch);
    assert_eq!(settings.market.symbols.len(), 3);
    assert!(
        settings.runs(StrategyKind::MeanReversion) && !settings.runs(StrategyKind::MarketMaker)
    );
    assert!(World::new().loaded().warnings().is_empty());
}

#[test]
fn the_hash_names_the_configuration_and_not_its_sources() {
    let by_env = World::new().env("TTL_SECONDS", "60").loaded();
    let by_file = World::new()
        .etc("strategy.ttl_seconds = 60\n")
        .env("BTCTURK_API_KEY", API_KEY)
        .loaded();
    assert_eq!(by_env.config_hash(), by_file.config_hash());
    assert_eq!(by_env.config_hash().len(), 64);
    assert_ne!(by_env.config_hash(), World::new().loaded().config_hash());
}

fn example(name: &str) -> String {
    let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the example is part of the repository")
}

#[test]
fn the_safe_example_is_the_default_behaviour() {
    let world = World::new().dotenv(&example(".env.example"));
    let loaded = world.loaded();
    let reasons: Vec<_> = assess(&loaded, NOW)
        .reasons
        .into_iter()
        .map(BlockReason::code)
        .collect();
    assert_eq!(
        reasons,
        [
            "kill_switch",
            "safe_mode",
            "dry_run",
            "not_armed",
            "ack_missing"
        ]
    );
    assert_eq!(loaded.config_hash(), World::new().loaded().config_hash());
}

#[test]
fn the_pilot_example_arms_once_its_placeholders_are_filled() {
    let text = example(".env.pilot.example");
    let loaded = World::new().dotenv(&text).loaded();
    let reasons: Vec<_> = assess(&loaded, NOW)
        .reasons
        .into_iter()
        .map(BlockReason::code)
        .collect();
    assert_eq!(reasons, ["credentials_missing", "secret_rotation_unknown"]);

    let filled = text
        .replace("BTCTURK_API_KEY_FILE=\n", "BTCTURK_API_KEY_FILE=key\n")
        .replace(
            "BTCTURK_API_SECRET_FILE=\n",
            "BTCTURK_API_SECRET_FILE=secret\n",
        )
        .replace("=YYYY-MM-DD", "=2026-11-20");
    let filled = World::new()
        .file("key", API_KEY)
        .file("secret", API_SECRET)
        .dotenv(&filled)
        .loaded();
    assert!(arm(&filled, NOW).is_ok());
    assert!(filled.warnings().is_empty(), "{:?}", filled.warnings());
}

#[test]
fn the_demo_reads_no_file_and_takes_only_how_to_show_itself() {
    let world = World::new().dotenv("nonsense").env("X", "");
    let env = [
        ("DRY_RUN", "false"),
        ("BTCTURK_API_KEY", API_KEY),
        ("DRYRUN", "1"),
        ("LOG_LEVEL", "debug"),
        ("BTCBOT__OPS__ADDRESS", "0.0.0.0"),
    ];
    let env: BTreeMap<_, _> = env
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let loaded = load(Sources::demo(env, world.path("."), NOW)).expect("valid");
    assert!(loaded.files().is_empty() && !loaded.secrets().any());
    assert!(loaded.settings().safety.dry_run);
    assert_eq!(loaded.settings().log.level.as_str(), "debug");
    assert!(!loaded.settings().ops.address.is_loopback());
}
