//! `btcbot orders` against the simulator: shown, cancelled one by one, all at once, and without a process.

mod support;

use btcturk::rest::request;
use engine::ids::Symbol;
use engine::market::Side;
use engine::money::{Price, Qty};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;
use support::exchange::Simulator;
use support::installation::{CONFIG, Installation, RESTING};
use support::{Bot, Finished, SOON, STOP, run};

/// Longest command: the default deadline of `cancel-all`, and some more.
const COMMAND: Duration = Duration::from_secs(90);

fn command(place: &Installation, args: &[&str]) -> Command {
    place.command(&[args, &["--config", CONFIG, "--json"]].concat())
}

fn asked(place: &Installation, args: &[&str]) -> Finished {
    run(command(place, args), COMMAND)
}

fn ids(data: &Value, list: &str) -> BTreeSet<String> {
    let orders = data[list].as_array().expect("a list");
    let id = |order: &Value| order["client_id"].as_str().map(str::to_owned);
    orders.iter().filter_map(id).collect()
}

/// An order of the account that no btcbot made; returns its number.
fn foreign_order(simulator: &Simulator) -> String {
    let pair = Symbol::parse("BTCTRY").expect("a pair");
    let price = Price::parse("300000").expect("a price far below the market");
    let qty = Qty::parse("0.001").expect("a quantity");
    let order = request::submit("by-hand", pair, Side::Buy, price, qty);
    let answer = simulator.signed(
        "POST",
        &order.path,
        order.body.as_deref().unwrap_or_default(),
    );
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let id = answer["data"]["id"]
        .as_i64()
        .unwrap_or_else(|| panic!("accepted: {answer}"));
    id.to_string()
}

/// The orders that are not btcbot's.
fn strangers(simulator: &Simulator) -> Vec<String> {
    let open = simulator.open_orders().into_iter();
    open.filter(|id| id == "by-hand").collect()
}

#[test]
fn own_orders_are_listed_and_cancelled_one_by_one_and_strangers_only_on_purpose() {
    let simulator = Simulator::with_own_account(31, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.resting(&simulator);
    let foreign = foreign_order(&simulator);
    let listed = bot.wait("one order, listed here and there", SOON, |_| {
        let open: BTreeSet<String> = simulator.open_orders().into_iter().collect();
        let data = asked(&place, &["orders", "list"]).data();
        let own = ids(&data, "orders");
        let is_same = own.iter().any(|id| open.contains(id));
        is_same
            .then(|| own.into_iter().find(|id| open.contains(id)))
            .flatten()
    });
    let all = asked(&place, &["orders", "list", "--all"]).data();
    let extra = all["exchange_only"].as_array().expect("a list");
    assert!(
        extra
            .iter()
            .any(|row| row["order_id"] == foreign.as_str() && row["whose"] == "foreign"),
        "{all}"
    );

    let cancelled = asked(&place, &["orders", "cancel", &listed]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert!(!simulator.open_orders().contains(&listed));
    assert_eq!(
        asked(&place, &["orders", "cancel", &listed]).code,
        Some(3),
        "it has ended"
    );
    assert_eq!(asked(&place, &["orders", "cancel", "1"]).code, Some(3));
    assert_eq!(asked(&place, &["orders", "cancel", "mine"]).code, Some(2));
    assert_eq!(asked(&place, &["orders", "cancel", &foreign]).code, Some(6));
    let needs = asked(&place, &["orders", "cancel", &foreign, "--foreign"]);
    assert!(
        needs.code == Some(2) && needs.stderr.contains("--reason"),
        "{needs:?}"
    );
    assert!(simulator.open_orders().contains(&"by-hand".to_owned()));
    let done = asked(
        &place,
        &[
            "orders",
            "cancel",
            &foreign,
            "--foreign",
            "--reason",
            "left over",
        ],
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!simulator.open_orders().contains(&"by-hand".to_owned()));
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn cancel_all_leaves_none_of_ours_open_and_safe_mode_on() {
    let simulator = Simulator::with_own_account(32, &["reply_lost=0.2"]);
    let place = Installation::armed(&simulator);
    let bot = place.resting(&simulator);
    foreign_order(&simulator);
    // An answer that was lost had the order asked for again.
    let by_hand = strangers(&simulator);
    let kept = asked(
        &place,
        &["orders", "cancel-all", "--keep-mode", "--deadline", "60"],
    );
    assert_eq!(kept.code, Some(0), "{kept:?}");
    let mode = asked(&place, &["safe-mode", "status"]).data();
    assert!(!mode["gate"].to_string().contains("safe"), "{mode}");

    let all = asked(&place, &["orders", "cancel-all", "--reason", "a drill"]);
    assert_eq!(all.code, Some(0), "{all:?}");
    assert_eq!(all.data()["left"], Value::Array(Vec::new()));
    assert_eq!(simulator.open_orders(), by_hand, "strangers stay");
    let mode = asked(&place, &["safe-mode", "status"]).data();
    assert!(mode["gate"].to_string().contains("safe"), "{mode}");
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn what_a_killed_engine_left_is_cancelled_without_it() {
    let simulator = Simulator::with_own_account(33, &[]);
    let place = Installation::armed(&simulator);
    let bot = place.resting(&simulator);
    foreign_order(&simulator);
    let beside = asked(&place, &["orders", "cancel-all", "--offline"]);
    assert_eq!(beside.code, Some(7), "{beside:?}");
    bot.kill_9();
    let open: BTreeSet<String> = simulator.open_orders().into_iter().collect();
    let listed = asked(&place, &["orders", "list"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let data = listed.data();
    assert_eq!(data["source"], "journal");
    let known = ids(&data, "orders");
    let own: BTreeSet<String> = open.into_iter().filter(|id| id != "by-hand").collect();
    assert!(
        !own.is_empty() && own.is_subset(&known),
        "{own:?} in {known:?}"
    );

    let swept = asked(&place, &["orders", "cancel-all", "--offline"]);
    assert_eq!(swept.code, Some(0), "{swept:?}");
    let data = swept.data();
    assert_eq!(
        (&data["confirmed"], &data["others"]),
        (&Value::from(true), &Value::from(1)),
        "{data}"
    );
    assert_eq!(simulator.open_orders(), ["by-hand"]);
    // The next start finds its orders ended, and stops with nothing left over.
    let mut next = place.start();
    let plane = next.plane();
    next.wait("every order to be known", SOON, |bot| {
        let status = bot.status(plane);
        (status["unknown_orders"] == 0 && status["not_ready"] == Value::Array(Vec::new()))
            .then_some(())
    });
    next.signal(Signal::TERM);
    assert_eq!(next.finish(STOP).code, Some(0));
}

#[test]
fn a_damaged_journal_does_not_keep_orders_open() {
    let simulator = Simulator::with_own_account(34, &[]);
    let place = Installation::armed(&simulator);
    let bot = place.resting(&simulator);
    foreign_order(&simulator);
    bot.kill_9();
    let journal = place.path().join("btcbot-data/live/btcbot.redb");
    fs::write(&journal, b"redb, but nothing else").expect("our own file");
    assert_eq!(asked(&place, &["orders", "list"]).code, Some(74));
    let swept = asked(&place, &["orders", "cancel-all", "--offline"]);
    assert_eq!(swept.code, Some(0), "{swept:?}");
    assert!(swept.stdout.contains("does not tell our tag"), "{swept:?}");
    assert_eq!(simulator.open_orders(), ["by-hand"]);
    assert_eq!(
        fs::read(&journal).expect("readable"),
        b"redb, but nothing else"
    );
}

#[test]
fn without_the_exchange_nothing_is_claimed() {
    let simulator = Simulator::with_own_account(35, &[]);
    let place = Installation::armed(&simulator);
    let dotenv = fs::read_to_string(place.path().join(".env.live")).expect("readable");
    let (gone, _) = (simulator.rest_url.clone(), drop(simulator));
    let nobody = dotenv.replace(&gone, "http://127.0.0.1:9");
    place.write_with_mode(".env.live", &nobody, 0o600);
    let swept = asked(
        &place,
        &["orders", "cancel-all", "--offline", "--deadline", "2"],
    );
    assert_eq!(swept.code, Some(69), "{swept:?}");
    assert_eq!(swept.data()["confirmed"], Value::from(false));
}

#[test]
fn a_start_under_the_kill_switch_cancels_what_rests() {
    let simulator = Simulator::with_own_account(36, &[]);
    let place = Installation::armed(&simulator);
    place.resting(&simulator).kill_9();
    let mut command = place.run_command(&[]);
    command.env("KILL_SWITCH", "true");
    let mut bot = Bot::start(command);
    bot.wait("no open order", SOON, |_| {
        simulator.open_orders().is_empty().then_some(())
    });
    let status = asked(&place, &["status"]).data();
    assert_eq!(status["mode"], "KILL_SWITCH", "{status}");
    let off = asked(&place, &["safe-mode", "off", "--reason", "no"]);
    assert_eq!(off.code, Some(6), "{off:?}");
    assert!(
        off.data()["reasons"].to_string().contains("restart_needed"),
        "{off:?}"
    );
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn an_order_of_unknown_fate_is_settled_in_two_steps_and_not_too_early() {
    // Every submit ends in an error page, and none reaches the book: nothing the exchange lists can prove that.
    let simulator = Simulator::with_own_account(37, &["internal_error_refused=1"]);
    let place = Installation::armed(&simulator);
    let mut bot = Bot::start(place.run_command(&RESTING));
    let unknown = |place: &Installation| {
        let listed = asked(place, &["orders", "list"]);
        // Between lock and socket of a start there is no answer.
        let data = (listed.code == Some(0)).then(|| listed.data())?;
        let orders = data["orders"].as_array().cloned()?;
        orders.into_iter().find(|order| order["state"] == "unknown")
    };
    let order = bot.wait("an order of unknown fate", SOON, |_| unknown(&place));
    let id = order["client_id"].as_str().expect("an id").to_owned();
    let resolve = |what: &str, more: &[&str]| {
        let args = [
            "orders", "resolve", &id, "--as", what, "--reason", "a drill",
        ];
        asked(&place, &[&args, more].concat())
    };
    assert_eq!(asked(&place, &["safe-mode", "on"]).code, Some(0));
    let shown = resolve("absent", &[]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let evidence = &shown.data()["evidence"];
    assert_eq!(
        (&evidence["read"], &evidence["listed"]),
        (&Value::from(true), &Value::Null)
    );
    assert!(unknown(&place).is_some(), "nothing was changed");
    assert_eq!(resolve("filled", &[]).code, Some(2));
    let other = resolve("accepted:1", &["--confirm"]);
    assert_eq!(other.code, Some(6), "{other:?}");
    assert!(
        other.data()["reasons"]
            .to_string()
            .contains("the_number_is_not_shown"),
        "{other:?}"
    );

    let settled = |bot: &mut Bot, what: &str| {
        bot.wait("a resolution that is granted", SOON, |_| {
            let ended = resolve(what, &["--confirm"]);
            assert!(matches!(ended.code, Some(0 | 6)), "{ended:?}");
            (ended.code == Some(0)).then_some(())
        });
    };
    let off = |reason: &str| {
        let ended = asked(
            &place,
            &["safe-mode", "off", "--reason", "the drill goes on"],
        );
        ended.data()["reasons"].to_string().contains(reason)
    };
    assert!(off("unknown_orders"));
    settled(&mut bot, "stuck");
    let stuck = unknown(&place).expect("it is still unknown");
    assert_eq!(stuck["stuck"], Value::from(true), "{stuck}");
    // Stopped and started, it is still called stuck, and holds up nothing.
    bot.kill_9();
    let mut bot = place.start();
    bot.wait("the order after a restart", SOON, |_| {
        unknown(&place).filter(|order| order["stuck"] == true)
    });
    assert_eq!(asked(&place, &["safe-mode", "on"]).code, Some(0));
    assert!(
        !off("unknown_orders"),
        "one that is stuck does not keep safe mode on (X-24)"
    );
    assert_eq!(asked(&place, &["safe-mode", "on"]).code, Some(0));
    settled(&mut bot, "absent");
    bot.wait("its end", SOON, |_| {
        (asked(&place, &["orders", "list"]).data()["orders"] == Value::Array(Vec::new()))
            .then_some(())
    });
    assert_eq!(
        resolve("absent", &["--confirm"]).code,
        Some(3),
        "its fate is known"
    );
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_dry_runs_orders_are_taken_back_as_well() {
    let simulator = Simulator::with_own_account(38, &[]);
    let place = Installation::dry(&simulator);
    let mut bot = Bot::start(place.run_command(&RESTING));
    bot.wait("a simulated order", SOON, |_| {
        let listed = asked(&place, &["orders", "list", "--all"]);
        (!ids_or_none(&listed).is_empty()).then_some(())
    });
    let all = asked(&place, &["orders", "cancel-all"]);
    assert_eq!(all.code, Some(0), "{all:?}");
    assert!(ids_or_none(&asked(&place, &["orders", "list"])).is_empty());
    assert!(
        simulator
            .requests()
            .iter()
            .all(|request| request.method == "GET")
    );
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

/// Before the process answers there is nothing to list.
fn ids_or_none(ended: &Finished) -> BTreeSet<String> {
    if ended.code == Some(0) {
        ids(&ended.data(), "orders")
    } else {
        BTreeSet::new()
    }
}
