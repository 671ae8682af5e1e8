//! A secret pasted anywhere stays private: no error, no `Debug`, no `config show` holds it in any form.

use crate::world::World;
use btcbot_config::load::{Dotenv, Loaded};
use btcbot_config::names::KEYS;
use btcbot_config::secrets::SecretName;
use std::path::PathBuf;

/// Shapes a real key or secret has: UUID, base64, hex in both cases.
const CANARIES: [&str; 4] = [
    "c4a7b2d9-1e3f-4a5b-8c6d-7e8f9a0b1c2d",
    "Q0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZ",
    "deadbeefcafe4242deadbeefcafe4242",
    "DEADBEEFCAFE4242DEADBEEFCAFE4242",
];
/// Keys whose value is a path: it is shown because it is one.
const PATHS: [&str; 3] = [
    "state.dir",
    "secrets.api_key_file",
    "secrets.api_secret_file",
];

/// Every output of one start.
fn outputs(world: &World) -> String {
    match world.load() {
        Err(errors) => format!("{errors}\n{errors:?}"),
        Ok(loaded) => output_of(&loaded),
    }
}

fn output_of(loaded: &Loaded) -> String {
    let (show, files, warnings) = (loaded.show(), loaded.files(), loaded.warnings());
    format!(
        "{loaded:?}\n{show:?}\n{files:?}\n{warnings:?}\n{}",
        loaded.config_hash()
    )
}

/// The canary, whole or in a telling part, in either case.
fn holds(output: &str, canary: &str) -> bool {
    let (output, canary) = (output.to_lowercase(), canary.to_lowercase());
    canary
        .as_bytes()
        .windows(8)
        .any(|part| output.contains(std::str::from_utf8(part).expect("ASCII")))
}

fn check(world: &World, canary: &str, what: &str) {
    let output = outputs(world);
    assert!(!holds(&output, canary), "{what}: {output}");
}

#[test]
fn startup_errors_never_show_secrets() {
    for canary in CANARIES {
        in_flat_names_and_lines(canary);
        in_toml(canary);
        in_flags_and_file_names(canary);
    }
    // Two shapes are enough where the text is a value; the names above are what differs by shape.
    under_every_key(CANARIES[0]);
    under_every_key(CANARIES[1]);
}

fn under_every_key(canary: &str) {
    for key in KEYS.iter().filter(|key| key.path != "state.dir") {
        check(&World::new().env(key.env, canary), canary, key.env);
        check(
            &World::new().env(&key.generic_env(), canary),
            canary,
            key.env,
        );
        check(
            &World::new().dotenv(&format!("{}={canary}\n", key.env)),
            canary,
            key.env,
        );
        check(
            &World::new().set(&format!("{}={canary}", key.path)),
            canary,
            key.path,
        );
        for value in [
            canary.to_owned(),
            format!("\"{canary}\""),
            format!("[\"{canary}\"]"),
        ] {
            check(
                &World::new().config("b.toml", &format!("{} = {value}\n", key.path)),
                canary,
                key.path,
            );
        }
    }
}

fn in_flat_names_and_lines(canary: &str) {
    let underscored = canary.replace('-', "_");
    for line in [
        canary.to_owned(),
        format!("{canary}=="),
        format!("{underscored}=1"),
        format!("BTCTURK_API_KEY {canary}"),
        format!("BTCTURK_API_KEY = {canary}"),
        format!("BTCTURK_API_KYE={canary}"),
        format!("BTCTURK_{underscored}=1"),
        format!("BTCTURK_API_SECRET='{canary}"),
        format!("BTCTURK_API_SECRET=\"{canary}\" {canary}"),
        format!("BTCTURK_API_SECRET={canary}!"),
        format!("BTCTURK_API_KEY={canary} {canary}"),
        format!("APP_ROLE={canary}"),
        format!("export {canary}"),
    ] {
        check(&World::new().dotenv(&format!("{line}\n")), canary, &line);
        let (name, value) = line.split_once('=').unwrap_or((&line, ""));
        check(&World::new().env(name, value), canary, &line);
    }
    let twice = format!("BTCTURK_API_SECRET={canary}\nBTCTURK_API_SECRET={canary}\n");
    check(&World::new().dotenv(&twice), canary, "twice");
    let conflict = World::new()
        .dotenv(&format!("BTCTURK_API_KEY={canary}\n"))
        .env("BTCTURK_API_KEY", "other");
    check(&conflict, canary, "conflict");
    let both = World::new()
        .env("BTCTURK_API_KEY", canary)
        .env("BTCTURK_API_KEY_FILE", canary);
    check(&both, canary, "name and file");
    check(
        &World::new()
            .env("BTCBOT__STATE__DIR", "")
            .env("BTCTURK_API_KEY", canary),
        canary,
        "loaded",
    );
}

fn in_toml(canary: &str) {
    for text in [
        canary.to_owned(),
        format!("{canary} = 1"),
        format!("\"{canary}\" = 1"),
        format!("[{canary}]\nx = 1"),
        format!("[risk]\n{canary} = 1"),
        format!("[risk]\nmax_open_orders = {canary}"),
        format!("[risk]\nmax_open_orders = \"{canary}"),
        format!("[secrets]\napi_key = \"{canary}\""),
        format!("[secrets]\napi_key = \"{canary}\"\napi_key = \"{canary}\""),
        format!("BTCTURK_API_SECRET = \"{canary}\""),
        format!("BTCTURK_API_SECRET={canary}"),
        format!("risk.max_open_orders.{canary} = 1"),
        format!("risk = \"{canary}\""),
        format!("# {canary}\n[risk"),
        format!("x = \"\\q{canary}\""),
    ] {
        check(&World::new().config("b.toml", &text), canary, &text);
        check(&World::new().etc(&text), canary, &text);
    }
}

fn in_flags_and_file_names(canary: &str) {
    for pair in [
        canary.to_owned(),
        format!("{canary}=1"),
        format!("secrets.api_key={canary}"),
        format!("safety.dry_run={canary}"),
    ] {
        check(&World::new().set(&pair), canary, &pair);
    }
    for (mount, name) in [
        ("run-secrets/btcturk_api_secret", SecretName::ApiSecret),
        ("run-secrets/btcturk_api_key", SecretName::ApiKey),
    ] {
        let world = World::new().file(mount, &format!("{canary} {canary}\n"));
        check(&world, canary, name.env());
        let open = World::new().file(mount, canary).mode(mount, 0o666);
        check(&open, canary, name.env());
    }
    let env_file = World::new()
        .file("other.env", canary)
        .env_file(Dotenv::File(PathBuf::from("other.env")));
    check(&env_file, canary, "env file");
}

#[test]
fn config_show_holds_no_secret_and_says_where_each_is() {
    let canary = CANARIES[0];
    let world = World::new()
        .env("BTCTURK_API_KEY", canary)
        .file("s", "Q0FOQVJZ")
        .env("BTCTURK_API_SECRET_FILE", "s");
    let loaded = world.loaded();
    assert!(!holds(&output_of(&loaded), canary));
    let rows = loaded.show();
    assert_eq!(rows.len(), KEYS.len() + 2);
    let shown: Vec<_> = rows[KEYS.len()..]
        .iter()
        .map(|row| row.value.replace(&world.root(), ""))
        .collect();
    assert_eq!(shown, ["set, environment", "set, s, 0600"]);
    assert!(
        PATHS
            .iter()
            .all(|path| rows.iter().any(|row| row.key == *path))
    );
}
