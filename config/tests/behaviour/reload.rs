//! What a reload may change.

use crate::world::{API_KEY, World};
use btcbot_config::reload::{Change, Latitude, ReloadVerdict, changes, compare};

fn check(world: World, expected: &ReloadVerdict) {
    assert_eq!(
        &compare(&World::live().loaded(), &world.loaded(), Latitude::Tighten),
        expected
    );
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
    const RAISE: &str = "may only be raised while OBSERVE_ONLY or stricter";
    const LOWER: &str = "may only be lowered while OBSERVE_ONLY or stricter";
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
        &refuse("risk.max_order_notional_try", RAISE),
    );
    check(
        World::live().env("MAX_OPEN_ORDERS", "9"),
        &refuse("risk.max_open_orders", RAISE),
    );
    check(
        World::live().env("TRY_CASH_TARGET", "1000"),
        &apply(&["risk.try_cash_target"]),
    );
    check(
        World::live().env("TRY_CASH_TARGET", "200"),
        &refuse("risk.try_cash_target", LOWER),
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
    assert_eq!(
        compare(&safe, &free, Latitude::Loosen),
        refuse("safety.safe_mode", SAFER)
    );
}

#[test]
fn limits_loosen_while_nothing_can_be_sent_and_cold_keys_never_do() {
    let old = World::live().loaded();
    let looser = World::live()
        .env("MAX_ORDER_NOTIONAL_TRY", "250")
        .env("TRY_CASH_TARGET", "200")
        .loaded();
    let keys = ["risk.try_cash_target", "risk.max_order_notional_try"];
    assert_eq!(compare(&old, &looser, Latitude::Loosen), apply(&keys));
    let colder = World::live().env("SYMBOLS", "BTCTRY").loaded();
    let refused = refuse("market.symbols", "needs a restart");
    assert_eq!(compare(&old, &colder, Latitude::Loosen), refused);
}

#[test]
fn a_difference_shows_both_values_and_what_a_reload_would_say() {
    let new = World::live()
        .env("LOG_LEVEL", "debug")
        .env("MAX_OPEN_ORDERS", "9")
        .loaded();
    let found = changes(&World::live().loaded(), &new, Latitude::Tighten);
    let change = |key, (before, after): (&str, &str), refusal| Change {
        key,
        before: before.to_owned(),
        after: after.to_owned(),
        refusal,
    };
    let raised = Some("may only be raised while OBSERVE_ONLY or stricter");
    assert_eq!(
        found,
        [
            change("risk.max_open_orders", ("4", "9"), raised),
            change("log.level", ("info", "debug"), None),
        ]
    );
}

#[test]
fn one_refused_key_refuses_all_and_every_refused_key_is_named() {
    let new = World::live()
        .env("LOG_LEVEL", "debug")
        .env("SYMBOLS", "BTCTRY")
        .env("MAX_OPEN_ORDERS", "9")
        .loaded();
    let ReloadVerdict::Refuse { keys } = compare(&World::live().loaded(), &new, Latitude::Tighten)
    else {
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
