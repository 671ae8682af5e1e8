//! When the process is armed, and everything that says why it is not.

use crate::world::{API_KEY, API_SECRET, NOW, World};
use btcbot_config::arming::{
    BlockReason, KeyAge, Port, Ports, Venue, arm, assess, key_age, unset_limits,
};
use btcbot_config::load::Loaded;
use btcbot_config::names::{KEYS, Key};
use btcbot_config::secrets::credentials_usable;
use engine::time::Timestamp;
use std::collections::BTreeSet;

const DAY_MS: i64 = 86_400_000;

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    assess(loaded, NOW)
        .reasons
        .into_iter()
        .map(BlockReason::code)
        .collect()
}

#[test]
fn every_arming_combination_boots_and_exactly_one_arms() {
    // Name, value that blocks, reason; in the order in which reasons are listed.
    const CONDITIONS: [(&str, &str, &str); 6] = [
        ("PROCESS_ROLE", "MONITOR", "monitor_role"),
        ("KILL_SWITCH", "true", "kill_switch"),
        ("SAFE_MODE", "true", "safe_mode"),
        ("DRY_RUN", "true", "dry_run"),
        ("LIVE_TRADING", "false", "not_armed"),
        ("LIVE_TRADING_ACK", "i understand", "ack_missing"),
    ];
    let mut armed = 0;
    for combination in 0..64 {
        let mut world = World::live();
        let mut expected = Vec::new();
        for (bit, (name, value, reason)) in CONDITIONS.into_iter().enumerate() {
            if combination & (1 << bit) != 0 {
                world = world.env(name, value);
                expected.push(reason);
            }
        }
        let loaded = world.loaded();
        assert_eq!(codes(&loaded), expected, "combination {combination}");
        let assessment = assess(&loaded, NOW);
        assert_eq!(
            assessment.primary().map(BlockReason::code),
            expected.first().copied()
        );
        match arm(&loaded, NOW) {
            Ok(token) => {
                armed += 1;
                assert_eq!(token.base_url(), "https://api.btcturk.com");
                assert!(assessment.check.armed && expected.is_empty());
            }
            Err(refused) => assert_eq!(*refused, assessment),
        }
    }
    assert_eq!(armed, 1);
}

#[test]
fn the_defaults_block_with_the_five_reasons() {
    let loaded = World::new().loaded();
    assert_eq!(
        codes(&loaded),
        [
            "kill_switch",
            "safe_mode",
            "dry_run",
            "not_armed",
            "ack_missing"
        ]
    );
    assert_eq!(assess(&loaded, NOW).venue, Venue::Simulated);
}

#[test]
fn each_missing_precondition_blocks_live_and_is_only_advice_in_a_dry_run() {
    let limit = "MAX_DAILY_LOSS_TRY";
    let worlds: [(&[&str], World); 9] = [
        (
            &["credentials_missing"],
            World::live().without("BTCTURK_API_KEY_FILE"),
        ),
        (
            &["scope_missing"],
            World::live().env("BTCTURK_API_SCOPES", "read"),
        ),
        (
            &["scope_missing"],
            World::live().env("BTCTURK_API_SCOPES", "trade,admin"),
        ),
        (
            &["secret_rotation_unknown"],
            World::live().without("BTCTURK_SECRET_ROTATED_AT"),
        ),
        (
            &["secret_age_expired"],
            World::live().env("BTCTURK_SECRET_ROTATED_AT", "2026-01-01"),
        ),
        (&["secret_file_mode"], World::live().mode("key", 0o640)),
        (
            &["secret_in_environment"],
            World::live()
                .without("BTCTURK_API_KEY_FILE")
                .env("BTCTURK_API_KEY", API_KEY),
        ),
        (
            &["env_file_mode"],
            World::live()
                .dotenv("LOG_LEVEL=info")
                .mode(".env.live", 0o644),
        ),
        (&["limits_not_set"], World::live().without(limit)),
    ];
    for (expected, world) in worlds {
        let loaded = world.loaded();
        assert_eq!(codes(&loaded), expected);
        assert!(arm(&loaded, NOW).is_err());

        let dry = world.env("DRY_RUN", "true").loaded();
        assert_eq!(codes(&dry), ["dry_run"]);
        let advice: Vec<_> = assess(&dry, NOW)
            .live_would_block
            .into_iter()
            .map(BlockReason::code)
            .collect();
        assert_eq!(advice, expected);
    }
}

#[test]
fn every_limit_has_to_come_from_the_operator() {
    let loaded = World::new().loaded();
    assert_eq!(unset_limits(&loaded).len(), 11);
    let world = World::live().without("MAX_OPEN_ORDERS");
    assert_eq!(unset_limits(&world.loaded()), ["risk.max_open_orders"]);
    // The same number as the default counts, once somebody wrote it down.
    let world = world.etc("[risk]\nmax_open_orders = 20\n");
    assert_eq!(codes(&world.loaded()), Vec::<&str>::new());
}

#[test]
fn rotation_has_one_mechanism() {
    let about_age = |key: &&Key| {
        key.path.contains("rotat") || (key.path.starts_with("secrets.") && key.path.contains("age"))
    };
    let paths: Vec<&str> = KEYS.iter().filter(about_age).map(|key| key.path).collect();
    assert_eq!(paths, ["secrets.rotated_at", "secrets.age_days_max"]);
}

#[test]
fn missing_or_bad_rotation_date_blocks_live_risk() {
    for (date, blocked) in [
        (None, true),
        (Some(""), true),
        (Some("last tuesday"), true),
        (Some("2026-02-30"), true),
        (Some("2026-11-21T00:05:01Z"), true),
        (Some("2026-11-21T00:05:00Z"), false),
        (Some("2026-11-20"), false),
        (Some("2026-11-20T22:00:00+03:00"), false),
    ] {
        let world = World::live().without("BTCTURK_SECRET_ROTATED_AT");
        let world = match date {
            Some(text) => world.env("BTCTURK_SECRET_ROTATED_AT", text),
            None => world,
        };
        let expected: &[&str] = if blocked {
            &["secret_rotation_unknown"]
        } else {
            &[]
        };
        assert_eq!(codes(&world.loaded()), expected, "{date:?}");
        // A dry run goes on: the date is advice there.
        assert!(world.env("DRY_RUN", "true").load().is_ok());
    }
}

#[test]
fn expired_secret_blocks_risk_not_commands() {
    let loaded = World::live()
        .env("BTCTURK_SECRET_MAX_AGE_DAYS", "10")
        .loaded();
    assert_eq!(codes(&loaded), ["secret_age_expired"]);
    let ports = assess(&loaded, NOW).ports;
    assert_eq!(
        ports,
        Ports {
            private_reads: Port::Live,
            cancel: Port::Live,
            submit: Port::Absent
        }
    );
    assert!(credentials_usable(loaded.settings(), loaded.secrets()).is_ok());
}

#[test]
fn the_age_of_the_key_is_judged_at_its_bounds() {
    let loaded = World::live()
        .env("BTCTURK_SECRET_MAX_AGE_DAYS", "10")
        .loaded();
    let made = Timestamp::from_ms(1_793_491_200_000);
    for (age_ms, expected) in [
        (0, KeyAge::Fresh),
        (8 * DAY_MS, KeyAge::Fresh),
        (8 * DAY_MS + 1, KeyAge::Ageing),
        (10 * DAY_MS, KeyAge::Ageing),
        (10 * DAY_MS + 1, KeyAge::Expired),
    ] {
        assert_eq!(key_age(&loaded, made.plus_ms(age_ms)), expected, "{age_ms}");
    }
}

#[test]
fn ports_exist_as_the_table_says() {
    use Port::{Absent, Live, Simulated};
    let ports = |private_reads, cancel, submit| Ports {
        private_reads,
        cancel,
        submit,
    };
    for (world, venue, expected) in [
        (World::live(), Venue::Live, ports(Live, Live, Live)),
        (
            World::live().env("SAFE_MODE", "true"),
            Venue::Live,
            ports(Live, Live, Absent),
        ),
        (
            World::live().env("KILL_SWITCH", "true"),
            Venue::Live,
            ports(Live, Live, Absent),
        ),
        (
            World::live().env("PROCESS_ROLE", "MONITOR"),
            Venue::Live,
            ports(Live, Absent, Absent),
        ),
        (
            World::live().without("BTCTURK_API_KEY_FILE"),
            Venue::Live,
            ports(Absent, Absent, Absent),
        ),
        (
            World::live().env("DRY_RUN", "true"),
            Venue::Simulated,
            ports(Absent, Simulated, Simulated),
        ),
        (
            World::new(),
            Venue::Simulated,
            ports(Absent, Simulated, Simulated),
        ),
    ] {
        let assessment = assess(&world.loaded(), NOW);
        assert_eq!((assessment.venue, assessment.ports), (venue, expected));
    }
}

#[test]
fn an_allowed_secret_in_the_environment_arms_and_is_shown_for_ever() {
    let world = World::live()
        .without("BTCTURK_API_SECRET_FILE")
        .env("BTCTURK_API_SECRET", API_SECRET)
        .env("BTCBOT__SECRETS__ALLOW_ENVIRONMENT", "true");
    let loaded = world.loaded();
    assert!(arm(&loaded, NOW).is_ok());
    assert_eq!(assess(&loaded, NOW).warnings.len(), 1);
    assert!(assess(&World::live().loaded(), NOW).warnings.is_empty());
}

#[test]
fn a_key_that_may_withdraw_is_refused_for_run_only() {
    for (scopes, usable) in [("read,trade", true), ("read,trade,WithDraw", false)] {
        let loaded = World::live().env("BTCTURK_API_SCOPES", scopes).loaded();
        let check = credentials_usable(loaded.settings(), loaded.secrets());
        assert_eq!(check.is_ok(), usable, "{scopes}");
    }
    let without_key = World::new().env("BTCTURK_API_SCOPES", "withdraw").loaded();
    assert!(credentials_usable(without_key.settings(), without_key.secrets()).is_ok());
}

#[test]
fn block_reasons_have_different_codes_and_meanings() {
    let codes: BTreeSet<_> = BlockReason::ALL
        .iter()
        .map(|reason| reason.code())
        .collect();
    let meanings: BTreeSet<_> = BlockReason::ALL
        .iter()
        .map(|reason| reason.meaning())
        .collect();
    assert_eq!((codes.len(), meanings.len()), (14, 14));
    assert!(BlockReason::ALL.is_sorted());
}
