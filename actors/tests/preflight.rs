//! `btcbot preflight` on an armed installation: what the exchange and the journal say before real orders.

mod support;

use actors::store::{self, Store, Venue};
use engine::ids::Asset;
use engine::kill::Kill;
use engine::mode::ModeCode;
use engine::money::Amount;
use engine::record::Record;
use engine::time::Timestamp;
use std::collections::BTreeMap;
use support::exchange::Simulator;
use support::installation::Installation;
use support::{START, run};

const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

/// Every check with its verdict and what it says.
fn checks(place: &Installation) -> BTreeMap<String, (bool, String)> {
    let ended = run(
        place.command(&["preflight", "--json", "--config", "bot.toml"]),
        START,
    );
    let data = ended.data();
    let rows = data["checks"].as_array().expect("a list");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let row = |row: &serde_json::Value| (row["ok"] == true, text(&row["detail"]));
    rows.iter()
        .map(|one| (text(&one["check"]), row(one)))
        .collect()
}

fn write(place: &Installation, record: Record) {
    let dir = place.path().join("btcbot-data/live");
    assert!(dir.join(store::FILE_NAME).exists());
    let (mut store, _) = Store::open(&dir, Venue::Live).expect("it opens");
    store.append(&[(AT, record)]).expect("room on the disk");
    store.close();
}

/// Expects exactly these checks to fail beside the one that names a test exchange, each with this in what it says.
fn check(place: &Installation, expected: &[(&str, &str)]) {
    let made = checks(place);
    let failed: Vec<&str> = made
        .iter()
        .filter(|(name, (ok, _))| !ok && *name != "config_valid")
        .map(|(name, _)| name.as_str())
        .collect();
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(failed, names, "{made:?}");
    for (name, part) in expected {
        assert!(made[*name].1.contains(part), "{name} {:?}", made[*name]);
    }
}

#[test]
fn each_fault_of_account_and_journal_fails_its_own_check() {
    let simulator = Simulator::with_own_account(71, &[]);
    let place = Installation::armed(&simulator);
    check(&place, &[]);
    assert!(checks(&place).contains_key("trade_right"));
    let deletes = simulator.deletes();
    assert!(
        deletes
            .iter()
            .all(|one| one.path.contains(&i64::MAX.to_string())),
        "{deletes:?}"
    );
    assert!(simulator.posts().is_empty());

    let asset = Asset::parse("TRY").expect("an asset");
    let amount = Amount::from_whole(999_999);
    write(
        &place,
        Record::Opening {
            asset,
            amount,
            price: None,
            at: AT,
        },
    );
    let drift = "TRY 999999 in the books, 1000000 there";
    check(&place, &[("no_drift", drift)]);
    let kill = Kill::new(None, ModeCode::OperatorKill, ("a drill", "uid 0"), AT);
    write(&place, Record::Kill(kill));
    check(&place, &[("latches_clear", "a drill"), ("no_drift", drift)]);
}

#[test]
fn a_size_that_makes_no_order_fails_before_it_is_denied_every_time() {
    let simulator = Simulator::with_own_account(72, &[]);
    let place = Installation::armed(&simulator);
    place.configure("MM_ORDER_TRY=999999\n");
    check(
        &place,
        &[(
            "limits_fit",
            "MM_ORDER_TRY 999999 is above MAX_ORDER_NOTIONAL_TRY",
        )],
    );
}
