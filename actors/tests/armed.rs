//! `btcbot run` armed against the simulator: orders under our tag, safe mode by signal, a stop that leaves nothing open.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use support::exchange::Simulator;
use support::installation::Installation;
use support::{Bot, SOON, STOP, http, now_ms};

/// A submit that was on the wire when the signal came may still arrive within this time, milliseconds.
const ON_THE_WIRE_MS: i64 = 100;
/// Least time between an on and an off that is granted, milliseconds.
const SETTLE_MS: i64 = 2_000;
/// Time between two requests for off, milliseconds.
const ASK_EVERY_MS: i64 = 500;
/// Cancels of a few orders, with their confirmation.
const CANCELLED: Duration = Duration::from_secs(15);

fn wait_for_posts(bot: &mut Bot, simulator: &Simulator, count: usize) {
    bot.wait("submits at the exchange", SOON, |_| {
        (simulator.posts().len() >= count).then_some(())
    });
}

/// When the log tells of an event for the first time, milliseconds.
fn logged_at(bot: &Bot, event: &str) -> Option<i64> {
    let log = bot.stderr();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = { lines }.find(|line| line["event"] == event)?;
    let ts = line["ts"].as_str()?.parse::<jiff::Timestamp>();
    Some(ts.expect("a time").as_millisecond())
}

/// Asks for the end of safe mode again and again; returns when the granted request was made: the last before the grant.
fn ask_until_safe_mode_ends(bot: &mut Bot) -> i64 {
    let mut asked = Vec::new();
    let ended = bot.wait("the end of safe mode", SOON, |bot| {
        let ended = logged_at(bot, "safe_mode_off");
        let is_due = asked
            .last()
            .is_none_or(|last| now_ms() - last > ASK_EVERY_MS);
        if ended.is_none() && is_due {
            asked.push(now_ms());
            bot.signal(Signal::USR2);
        }
        ended
    });
    let granted = asked.into_iter().rfind(|asked| *asked <= ended);
    granted.expect("nobody else asks")
}

/// What the status document says at a pointer.
fn seen(bot: &Bot, plane: SocketAddr, pointer: &str) -> Value {
    bot.status(plane)
        .pointer(pointer)
        .cloned()
        .unwrap_or(Value::Null)
}

#[test]
fn safe_mode_signal_closes_the_gate_without_mailboxes() {
    let simulator = Simulator::with_own_account(7, &[]);
    let place = Installation::armed(&simulator);
    // Quotes that rest far from the market: there is something to cancel, and nothing else that ends it.
    let mut bot = Bot::start(place.run_command(&[
        "--set",
        "strategy.market_maker.half_spread_bps=40",
        "--set",
        "strategy.market_maker.requote_bps=100",
        "--set",
        "strategy.ttl_seconds=600",
    ]));
    let plane = bot.plane();
    bot.wait("an open order at the exchange", SOON, |_| {
        (!simulator.open_orders().is_empty()).then_some(())
    });

    let deletes_before = simulator.deletes().len();
    let signalled = now_ms();
    bot.signal(Signal::USR1);
    bot.wait_for_text("\"safe_mode_on\"", SOON);
    // An off that comes right behind an on is refused: the two may have crossed.
    bot.signal(Signal::USR2);
    bot.wait_for_text("safe_mode_off_refused", SOON);
    assert!(bot.stderr().contains("just_switched_on"));
    bot.wait("the end of the own orders", CANCELLED, |_| {
        simulator.open_orders().is_empty().then_some(())
    });
    assert!(
        simulator.deletes().len() > deletes_before,
        "they were cancelled, not only filled"
    );
    bot.wait("safe mode in the status", SOON, |bot| {
        let is_shown = seen(bot, plane, "/mode") == "OBSERVE_ONLY";
        let voices = seen(bot, plane, "/contributions").to_string();
        (is_shown && voices.contains("operator_safe_mode")).then_some(())
    });

    let asked = ask_until_safe_mode_ends(&mut bot);
    assert!(asked - signalled >= SETTLE_MS, "{}", asked - signalled);
    let in_safe_mode = signalled + ON_THE_WIRE_MS..asked;
    let mut late = simulator.posts();
    late.retain(|post| in_safe_mode.contains(&post.ts_ms));
    assert!(late.is_empty(), "submits in safe mode: {late:?}");
    bot.wait("submits behind safe mode", SOON, |_| {
        let posts = simulator.posts();
        posts.iter().any(|post| post.ts_ms >= asked).then_some(())
    });
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(simulator.open_orders(), Vec::<String>::new());
}

#[test]
fn orders_carry_our_tag_and_a_stop_leaves_none_open() {
    let simulator = Simulator::with_own_account(8, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    bot.wait("an open order at the exchange", SOON, |_| {
        (!simulator.open_orders().is_empty()).then_some(())
    });
    wait_for_posts(&mut bot, &simulator, 4);
    let account = seen(&bot, plane, "/account");
    let tag = format!("b{}", account.as_str().expect("the account's tag"));
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(" 0 left over"), "{ended:?}");
    assert_eq!(simulator.open_orders(), Vec::<String>::new());
    let ids: Vec<String> = simulator
        .posts()
        .into_iter()
        .map(|post| post.client_id.expect("every order has a client id"))
        .collect();
    assert!(ids.iter().all(|id| id.starts_with(&tag)), "{tag}: {ids:?}");
    assert_eq!(
        ids.iter().collect::<BTreeSet<_>>().len(),
        ids.len(),
        "each id once: {ids:?}"
    );
}

#[test]
fn sigterm_at_any_time_stops_cleanly() {
    type Until = fn(&mut Bot, &Simulator);
    let moments: [(&str, Until); 4] = [
        ("as soon as it can hear", |_, _| ()),
        ("before the first look at the account", |bot, _| {
            bot.wait_for_text("status http", SOON)
        }),
        ("with the stream up", |bot, _| {
            bot.wait_for_text("feed_up", SOON)
        }),
        ("with the first order on the wire", |bot, simulator| {
            let before = simulator.posts().len();
            wait_for_posts(bot, simulator, before + 1);
        }),
    ];
    let simulator = Simulator::with_own_account(9, &[]);
    let place = Installation::armed(&simulator);
    for (moment, until) in moments {
        let mut bot = place.start();
        bot.wait_for_handlers();
        until(&mut bot, &simulator);
        bot.signal(Signal::TERM);
        let ended = bot.finish(STOP);
        assert_eq!(ended.code, Some(0), "{moment}: {ended:?}");
        assert_eq!(simulator.open_orders(), Vec::<String>::new(), "{moment}");
    }
}

#[test]
fn release_binary_uses_every_actor() {
    // Armed on the example account: no other test of this file may be, nor a process beside the tests.
    let simulator = Simulator::process(10);
    let place = Installation::armed(&simulator);
    let mut bot = place.start();
    let plane = bot.plane();
    wait_for_posts(&mut bot, &simulator, 1);
    bot.signal(Signal::HUP);
    bot.wait_for_text("config_unchanged", SOON);
    let actors = [
        "market_feed",
        "order_book",
        "strategy",
        "risk_gate",
        "order_router",
        "reconciler",
        "secrets",
        "metrics",
        "supervisor",
    ];
    for actor in actors {
        let line = format!("btcbot_actor_up{{actor=\"{actor}\"}} 1");
        bot.wait(&line, SOON, |_| {
            let (code, text) = http::get(plane, "/metrics").ok()?;
            (code == 200 && text.lines().any(|found| found == line)).then_some(())
        });
    }
    let at_work = [
        "btcbot_ws_up 1",
        "btcbot_book_trusted{symbol=\"BTCTRY\"} 1",
        "btcbot_mode{mode=\"NORMAL\"} 1",
        "btcbot_armed 1",
        "btcbot_signals_total{signal=\"hup\"} 1",
        "btcbot_panics_total 0",
    ];
    for line in at_work {
        bot.wait(line, SOON, |_| {
            let (_, text) = http::get(plane, "/metrics").ok()?;
            text.lines().any(|found| found == line).then_some(())
        });
    }
    for name in [
        "btcbot_ws_frames_total{type=\"book\"}",
        "btcbot_decisions_total{stage=\"intended\"}",
        "btcbot_decisions_total{stage=\"approved\"}",
        "btcbot_decisions_total{stage=\"sent\"}",
        "btcbot_orders_total{state=\"accepted\"}",
        "btcbot_reconcile_passes_total{outcome=\"clean\"}",
        "btcbot_journal_commits_total",
        "btcbot_feed_to_book_seconds_count",
        "btcbot_tick_to_order_seconds_count",
    ] {
        bot.wait(&format!("{name} above 0"), SOON, |_| {
            let (_, text) = http::get(plane, "/metrics").ok()?;
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
            (value? > 0).then_some(())
        });
    }
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn secrets_never_enter_the_environment() {
    let simulator = Simulator::with_own_account(11, &[]);
    let place = Installation::armed(&simulator);
    // In the dotenv file itself: loaders of such files tend to export what they read.
    let dotenv = std::fs::read_to_string(place.path().join(".env.live")).expect("it was written");
    let inline: String = dotenv
        .lines()
        .filter(|line| !line.contains("_FILE="))
        .map(|line| format!("{line}\n"))
        .collect();
    let keys = format!(
        "BTCTURK_API_KEY={}\nBTCTURK_API_SECRET={}\n",
        simulator.key, simulator.secret
    );
    place.write_with_mode(".env.live", &format!("{inline}{keys}"), 0o600);
    let mut bot = place.start();
    wait_for_posts(&mut bot, &simulator, 1);
    let process = std::path::PathBuf::from(format!("/proc/{}", bot.pid().as_raw_nonzero()));
    for name in ["environ", "cmdline"] {
        let text = String::from_utf8_lossy(&support::bytes_of(&process.join(name))).into_owned();
        assert!(
            !text.contains(&simulator.key) && !text.contains(&simulator.secret),
            "{name}"
        );
        assert!(!text.contains("BTCTURK_API"), "{name}: {text}");
    }
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}
