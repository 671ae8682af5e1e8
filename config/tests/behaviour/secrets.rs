//! Where credentials may lie, which source wins, and which are refused.

use crate::world::{API_KEY, API_SECRET, World};
use btcbot_config::errors::Class;
use btcbot_config::secrets::SecretName;

const SECRET: SecretName = SecretName::ApiSecret;

/// Builds a world with the secret in some of the sources, best one first.
fn in_sources(environment: bool, dotenv: bool, systemd: bool, container: bool) -> World {
    let mut world = World::new();
    let credentials = format!("{}creds", world.root());
    world = world.env("CREDENTIALS_DIRECTORY", &credentials);
    if environment {
        world = world.env("BTCTURK_API_SECRET", API_SECRET);
    }
    if dotenv {
        world = world.dotenv(&format!("# one\nBTCTURK_API_SECRET={API_SECRET}\n"));
    }
    if systemd {
        world = world
            .file("creds/btcturk_api_secret", API_SECRET)
            .mode("creds/btcturk_api_secret", 0o440);
    }
    if container {
        world = world.file("run-secrets/btcturk_api_secret", &format!("{API_SECRET}\n"));
    }
    world
}

#[test]
fn secret_and_setting_sources_follow_the_order() {
    for (sources, expected) in [
        ([true, true, true, true], "set, environment"),
        ([false, true, true, true], "set, .env.live:2"),
        (
            [false, false, true, true],
            "set, creds/btcturk_api_secret, 0440",
        ),
        (
            [false, false, false, true],
            "set, run-secrets/btcturk_api_secret, 0600",
        ),
        ([false, false, false, false], "not set"),
    ] {
        let [environment, dotenv, systemd, container] = sources;
        let world = in_sources(environment, dotenv, systemd, container);
        let shown = world
            .loaded()
            .secrets()
            .shown(SECRET)
            .replace(&world.root(), "");
        assert_eq!(shown, expected);
    }
    let world = in_sources(false, false, true, true)
        .file("s", API_SECRET)
        .env("BTCTURK_API_SECRET_FILE", "s");
    let shown = world
        .loaded()
        .secrets()
        .shown(SECRET)
        .replace(&world.root(), "");
    assert_eq!(shown, "set, s, 0600");

    let settings = World::new()
        .dotenv("LOG_LEVEL=debug\nTTL_SECONDS=60\n")
        .env("LOG_LEVEL", "warn")
        .loaded();
    let show = settings.show();
    let row = |key| show.iter().find(|row| row.key == key).expect("a row");
    assert_eq!(
        (
            row("log.level").value.as_str(),
            row("log.level").origin.as_str()
        ),
        ("warn", "environment LOG_LEVEL")
    );
    assert_eq!(row("log.level").overrode, [".env.live:1"]);
    assert_eq!(row("strategy.ttl_seconds").origin, ".env.live:2");
}

#[test]
fn two_sources_with_different_values_are_refused() {
    let world =
        in_sources(true, false, false, true).file("run-secrets/btcturk_api_secret", "b3RoZXI=");
    let expected = "environment | BTCTURK_API_SECRET | secret_source_conflict: run-secrets/btcturk_api_secret holds a different value; keep one | -";
    assert_eq!(world.problems(), [expected]);
    assert_eq!(world.load().expect_err("a conflict").class(), Class::Config);
}

#[test]
fn a_name_and_its_file_twin_are_refused() {
    let world = World::new()
        .env("BTCTURK_API_KEY", API_KEY)
        .file("key", API_KEY)
        .config("b.toml", "secrets.api_key_file = \"key\"\n");
    let expected =
        "b.toml:1:9 | BTCTURK_API_KEY_FILE | BTCTURK_API_KEY is set too; keep one of the two | -";
    assert_eq!(world.problems(), [expected]);
}

fn named() -> World {
    World::new()
        .file("s", API_SECRET)
        .env("BTCTURK_API_SECRET_FILE", "s")
}

#[test]
fn secret_files_are_checked_where_they_lie() {
    for (mode, too_open) in [
        (0o400, false),
        (0o600, false),
        (0o640, true),
        (0o604, true),
        (0o620, true),
    ] {
        let loaded = named().mode("s", mode).loaded();
        assert_eq!(loaded.secrets().file_too_open(), too_open, "{mode:o}");
    }
    for (mode, too_open) in [(0o400, false), (0o440, false), (0o444, true), (0o460, true)] {
        let world =
            in_sources(false, false, false, true).mode("run-secrets/btcturk_api_secret", mode);
        assert_eq!(
            world.loaded().secrets().file_too_open(),
            too_open,
            "{mode:o}"
        );
    }
}

#[test]
fn a_secret_that_is_not_ours_is_refused_with_the_remedy() {
    let world = named().foreign("s");
    let errors = world.load().expect_err("not ours");
    assert_eq!(
        (errors.class(), errors.class().exit_code()),
        (Class::Permission, 77)
    );
    let (path, uid) = (world.path("s").display().to_string(), world.uid);
    let remedy = format!("run: chown {uid} {path} && chmod 0400 {path}");
    assert!(errors.to_string().contains(&remedy), "{errors}");
}

#[test]
fn links_to_secrets_are_followed_only_inside_a_mount() {
    let outside = World::new()
        .file("real", API_SECRET)
        .link("s", "real")
        .env("BTCTURK_API_SECRET_FILE", "s");
    let expected = "environment | BTCTURK_API_SECRET_FILE | the file is a symbolic link; name the file itself | -";
    assert_eq!(outside.problems(), [expected]);
    assert_eq!(
        outside.load().expect_err("a link").class(),
        Class::Permission
    );

    let kubernetes = World::new()
        .file("run-secrets/..2026/btcturk_api_secret", API_SECRET)
        .link("run-secrets/..data", "..2026")
        .link(
            "run-secrets/btcturk_api_secret",
            "..data/btcturk_api_secret",
        );
    assert!(kubernetes.loaded().secrets().any());
    let by_name = format!("{}run-secrets/btcturk_api_secret", kubernetes.root());
    assert!(
        kubernetes
            .env("BTCTURK_API_SECRET_FILE", &by_name)
            .loaded()
            .secrets()
            .any()
    );

    let escaping = World::new()
        .file("run-secrets/x", "")
        .file("real", API_SECRET)
        .link("run-secrets/btcturk_api_secret", "../real");
    let expected = "run-secrets/btcturk_api_secret | BTCTURK_API_SECRET | a symbolic link leads out of the secret mount | -";
    assert_eq!(escaping.problems(), [expected]);
}

#[test]
fn values_that_cannot_be_credentials_are_refused() {
    for (name, value, expected) in [
        ("BTCTURK_API_SECRET", "not base64!", "expected base64 text"),
        ("BTCTURK_API_SECRET", "YWJj\nYWJj", "expected base64 text"),
        (
            "BTCTURK_API_KEY",
            "with space",
            "expected visible ASCII characters without spaces",
        ),
    ] {
        let world = World::new().env(name, value);
        assert_eq!(
            world.problems(),
            [format!("environment | {name} | {expected} | -")]
        );
        assert_eq!(
            world.load().expect_err("refused").class(),
            Class::Permission
        );
    }
    for (text, expected) in [
        ("", "s | BTCTURK_API_SECRET | the file is empty | -"),
        ("\n", "s | BTCTURK_API_SECRET | the file is empty | -"),
    ] {
        let world = World::new()
            .file("s", text)
            .env("BTCTURK_API_SECRET_FILE", "s");
        assert_eq!(world.problems(), [expected]);
    }
    let missing = World::new().env("BTCTURK_API_SECRET_FILE", "nowhere");
    assert_eq!(
        missing.problems(),
        ["environment | BTCTURK_API_SECRET_FILE | the file does not exist | -"]
    );
}

#[test]
fn missing_credentials_are_no_error_and_half_a_pair_is_none() {
    assert!(World::new().loaded().secrets().credentials().is_none());
    let half = World::new().env("BTCTURK_API_KEY", API_KEY).loaded();
    assert!(half.secrets().any() && half.secrets().credentials().is_none());
    assert_eq!(
        half.secrets().fingerprint().map(|print| print.len()),
        Some(6)
    );
    assert!(
        World::new()
            .env("BTCTURK_API_KEY", "")
            .loaded()
            .secrets()
            .fingerprint()
            .is_none()
    );
}

#[test]
fn the_signer_sees_the_pair_and_the_decoded_key() {
    let world = World::live();
    let credentials = world.loaded().secrets().credentials().expect("a pair");
    let copy = credentials.clone();
    copy.with(|pair| {
        assert_eq!(pair.api_key, API_KEY);
        assert_eq!(pair.secret_base64, API_SECRET);
        assert_eq!(pair.secret_bytes, b"not-a-real-secret-of-anybody");
    });
    assert_eq!(format!("{credentials:?}"), "Credentials([REDACTED])");
}

#[test]
fn the_redactor_knows_every_form_of_both_parts() {
    let redactor = World::live().loaded().secrets().redactor();
    for form in [
        API_KEY,
        API_SECRET,
        "not-a-real-secret-of-anybody",
        "bm90LWEtcmVhbC1zZWNyZXQtb2YtYW55Ym9keQ%3D%3D",
        "6e6f742d612d7265616c2d7365637265742d6f662d616e79626f6479",
    ] {
        assert!(redactor.finds(form), "{form}");
        assert_eq!(redactor.redact(&format!("<{form}>")), "<[REDACTED]>");
    }
    let mut forms = 0;
    redactor.each_form(|form| forms += usize::from(!form.is_empty()));
    assert!(forms >= 12, "{forms}");
}

#[test]
fn a_dotenv_file_that_others_can_reach_is_noticed() {
    let too_open = |world: World| world.loaded().env_file_too_open();
    assert!(!too_open(World::new()));
    assert!(!too_open(World::new().dotenv("LOG_LEVEL=info")));
    assert!(too_open(
        World::new()
            .dotenv("LOG_LEVEL=info")
            .mode(".env.live", 0o640)
    ));
    assert!(too_open(
        World::new().dotenv("LOG_LEVEL=info").foreign(".env.live")
    ));
    assert!(too_open(
        World::new()
            .file("real", "LOG_LEVEL=info")
            .link(".env.live", "real")
    ));
}
