//! What a reload may change.

use crate::world::{API_KEY, World};
use btcbot_config::reload::{ReloadVerdict, compare};

fn check(world: World, expected: &ReloadVerdict) {
    assert_eq!(&compare(&World::live().loaded(), &world.loaded()), expected);
}

fn apply(keys: &[&'static str]) -> ReloadVerdict {
    ReloadVerdict::Apply {
        keys: keys.to_vec(),
        secrets: false,
    }
}

fn refuse(key: &'static str, reason: &'static str) -> ReloadVerdict {
    ReloadVerdict::Refuse {
        keys: vec![(key, reason)],
    }
}

#[test]
fn a_reload_lowers_risk_and_never_raises_it() {
    const LOWER: &str = "may only be lowered without a restart";
    const HIGHER: &str = "may only be raised without a restart";
    const SAFER: &str = "may only be made safer without a restart";
    // The secret files lie in another directory, but only their names are compared.
    check(World::live(), &ReloadVerdict::Unchanged);
    check(
        World::live().env("LOG_LEVEL", "debug"),
        &apply(&["log.level"]),
    );
    check(
        World::live().env("MAX_ORDER_NOTIONAL_TRY", "150"),
        &apply(&["risk.max_order_notional_try"]),
    );
    check(
        World::live().env("MAX_ORDER_NOTIONAL_TRY", "200.00"),
        &ReloadVerdict::Unchanged,
    );
    check(
        World::live().env("MAX_ORDER_NOTIONAL_TRY", "200.01"),
        &refuse("risk.max_order_notional_try", LOWER),
    );
    check(
        World::live().env("MAX_OPEN_ORDERS", "9"),
        &refuse("risk.max_open_orders", LOWER),
    );
    check(
        World::live().env("TRY_CASH_TARGET", "1000"),
        &apply(&["risk.try_cash_target"]),
    );
    check(
        World::live().env("TRY_CASH_TARGET", "200"),
        &refuse("risk.try_cash_target", HIGHER),
    );
    check(
        World::live().env("SYMBOLS", "BTCTRY"),
        &refuse("market.symbols", "needs a restart"),
    );
    check(
        World::live().env("KILL_SWITCH", "true"),
        &apply(&["safety.kill_switch"]),
    );
    check(
        World::live().env("LIVE_TRADING_ACK", ""),
        &apply(&["safety.live_trading_ack"]),
    );
    check(
        World::live().env("PROCESS_ROLE", "MONITOR"),
        &apply(&["safety.process_role"]),
    );
    let (safe, free) = (
        World::live().env("SAFE_MODE", "true").loaded(),
        World::live().loaded(),
    );
    assert_eq!(compare(&safe, &free), refuse("safety.safe_mode", SAFER));
}

#[test]
fn one_refused_key_refuses_all_and_every_refused_key_is_named() {
    let new = World::live()
        .env("LOG_LEVEL", "debug")
        .env("SYMBOLS", "BTCTRY")
        .env("MAX_OPEN_ORDERS", "9")
        .loaded();
    let ReloadVerdict::Refuse { keys } = compare(&World::live().loaded(), &new) else {
        panic!("a cold key changed");
    };
    let names: Vec<_> = keys.iter().map(|(key, _)| *key).collect();
    assert_eq!(names, ["market.symbols", "risk.max_open_orders"]);
}

#[test]
fn changed_credentials_are_announced() {
    let new = World::live().file("key", &API_KEY.replace('5', "6"));
    check(
        new,
        &ReloadVerdict::Apply {
            keys: Vec::new(),
            secrets: true,
        },
    );
}
