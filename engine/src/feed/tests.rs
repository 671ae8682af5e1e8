//! Stories of sessions: what the driver reports, and what the feed does about it.

use super::*;
use crate::market::{MarketEvent, Ticker};
use crate::money::Price;

fn symbol() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn ticker() -> FeedIn {
    FeedIn::Market(MarketEvent::Ticker(Ticker {
        symbol: symbol(),
        bid: Price::from_units(1),
        ask: Price::from_units(2),
        last: Price::from_units(1),
    }))
}

fn login(ok: bool) -> FeedIn {
    FeedIn::Private(PrivateEvent::Login { ok, user_id: 7 })
}

/// A feed, its clock and what it asked for, with times.
struct Wire {
    feed: Feed,
    log: Vec<(i64, FeedEffect)>,
}

impl Wire {
    fn new(access: Access) -> Self {
        let feed = Feed::new(FeedLimits::default(), vec![symbol()], access, Dice::new(5));
        Self {
            feed,
            log: Vec::new(),
        }
    }

    /// Connected at 0 ms, every join answered, log emptied.
    fn up(access: Access) -> Self {
        let mut wire = Self::new(access);
        wire.pass(0).say(0, FeedIn::Connected).acks(1);
        wire.log.clear();
        wire
    }

    fn say(&mut self, ms: i64, input: FeedIn) -> &mut Self {
        self.pass(ms);
        let mut out = Outbox::default();
        self.feed.handle(at(ms), input, &mut out);
        self.log.extend(out.drain().map(|effect| (ms, effect)));
        self
    }

    fn pass(&mut self, ms: i64) -> &mut Self {
        while let Some(due) = self.feed.deadline().filter(|due| *due <= at(ms)) {
            let mut out = Outbox::default();
            self.feed.wake(due, &mut out);
            self.log
                .extend(out.drain().map(|effect| (due.ms(), effect)));
        }
        self
    }

    fn acks(&mut self, ms: i64) -> &mut Self {
        for channel in ["obdiff", "orderbook", "trade", "ticker"] {
            self.ack(ms, true, channel);
        }
        self
    }

    fn ack(&mut self, ms: i64, ok: bool, channel: &str) -> &mut Self {
        let text = format!("join|{channel}:BTCTRY");
        self.say(ms, FeedIn::Ack { ok, text })
    }

    fn effects(&self) -> Vec<FeedEffect> {
        self.log.iter().map(|(_, effect)| effect.clone()).collect()
    }

    fn times_of(&self, wanted: &FeedEffect) -> Vec<i64> {
        self.log
            .iter()
            .filter(|(_, effect)| effect == wanted)
            .map(|(ms, _)| *ms)
            .collect()
    }
}

#[test]
fn a_session_begins_with_the_book_the_joins_and_the_login() {
    let mut wire = Wire::new(Access::Private);
    wire.pass(0).say(3, FeedIn::Connected);
    let join = |channel| FeedEffect::Join(channel, symbol());
    let expected = vec![
        FeedEffect::Note(FeedNote::Connecting(1, Spending::Connect)),
        FeedEffect::Connect,
        FeedEffect::Note(FeedNote::Up(1)),
        FeedEffect::Book(BookIn::SessionUp(1)),
        join(Channel::Diff),
        join(Channel::Book),
        join(Channel::Trade),
        join(Channel::Ticker),
        FeedEffect::Login,
    ];
    assert_eq!(wire.effects(), expected);
}

#[test]
fn a_join_without_an_answer_restarts_the_session() {
    let mut wire = Wire::new(Access::Public);
    wire.pass(0).say(0, FeedIn::Connected);
    for channel in ["obdiff", "orderbook", "trade"] {
        wire.ack(100, true, channel);
    }
    for ms in 1..50 {
        wire.say(ms * 100, ticker());
    }
    wire.log.clear();
    wire.pass(5_000);
    let expected = vec![
        FeedEffect::Book(BookIn::SessionDown),
        FeedEffect::Note(FeedNote::Down(DownReason::AckTimeout)),
        FeedEffect::Close,
    ];
    assert_eq!(wire.effects(), expected);
}

#[test]
fn a_refused_join_is_noted_and_the_session_goes_on() {
    let mut wire = Wire::new(Access::Public);
    wire.pass(0).say(0, FeedIn::Connected).acks(1);
    wire.say(2, FeedIn::Resync(symbol()))
        .ack(3, false, "obdiff");
    wire.say(9_000, ticker());
    assert!(wire.feed.is_up());
    assert_eq!(wire.times_of(&FeedEffect::Note(FeedNote::Refused)), vec![3]);
}

#[test]
fn silence_ends_a_session_and_the_book_hears_it_first() {
    let mut wire = Wire::up(Access::Public);
    wire.say(10_000, FeedIn::Ignored).pass(24_999);
    assert!(wire.log.is_empty());
    wire.pass(25_000);
    let expected = vec![
        FeedEffect::Book(BookIn::SessionDown),
        FeedEffect::Note(FeedNote::Down(DownReason::Idle)),
        FeedEffect::Close,
    ];
    assert_eq!(wire.effects(), expected);
}

#[test]
fn other_limits_hold_for_the_session_that_is_up() {
    let mut wire = Wire::up(Access::Public);
    let limits = FeedLimits {
        idle_ms_max: 3_000,
        ..FeedLimits::default()
    };
    wire.say(3, FeedIn::Limits(limits)).say(4, ticker());
    wire.pass(3_003);
    assert_eq!(wire.times_of(&FeedEffect::Close), Vec::<i64>::new());
    wire.pass(3_004);
    assert_eq!(wire.times_of(&FeedEffect::Close), vec![3_004]);
}

#[test]
fn a_resync_leaves_joins_and_tells_the_book() {
    let mut wire = Wire::up(Access::Public);
    wire.say(10, FeedIn::Resync(symbol()));
    let expected = vec![
        FeedEffect::Note(FeedNote::Resyncing(symbol())),
        FeedEffect::Leave(Channel::Diff, symbol()),
        FeedEffect::Join(Channel::Diff, symbol()),
        FeedEffect::Book(BookIn::Rejoined(symbol())),
    ];
    assert_eq!(wire.effects(), expected);
    wire.say(20, FeedIn::Disconnected);
    wire.log.clear();
    wire.say(21, FeedIn::Resync(symbol())).say(22, ticker());
    assert!(wire.log.is_empty(), "between sessions nothing is done");
}

#[test]
fn a_refused_login_is_tried_again_while_data_flows() {
    let mut wire = Wire::up(Access::Private);
    wire.say(10, login(false));
    for ms in 1..100 {
        wire.say(ms * 100, ticker());
    }
    assert!(wire.feed.is_up());
    assert_eq!(
        wire.times_of(&FeedEffect::Note(FeedNote::Refused)),
        vec![10]
    );
    let logins = wire.times_of(&FeedEffect::Login);
    assert!(
        logins.len() == 1 && (2_510..=5_010).contains(&logins[0]),
        "{logins:?}"
    );
    wire.log.clear();
    wire.say(9_901, login(true));
    assert_eq!(wire.times_of(&FeedEffect::PrivateUp), vec![9_901]);
}

#[test]
fn a_login_without_an_answer_restarts_the_session() {
    let mut wire = Wire::up(Access::Private);
    wire.say(4_999, ticker()).pass(5_000);
    let down = FeedEffect::Note(FeedNote::Down(DownReason::AckTimeout));
    assert_eq!(wire.times_of(&down), vec![5_000]);
}

#[test]
fn unreadable_frames_first_resync_then_reconnect() {
    let mut wire = Wire::up(Access::Public);
    for ms in 1..=9 {
        wire.say(ms * 10, FeedIn::Unreadable);
    }
    let rejoined = FeedEffect::Book(BookIn::Rejoined(symbol()));
    assert_eq!(wire.times_of(&rejoined), vec![30, 60, 90]);
    wire.say(100, FeedIn::Unreadable);
    let down = FeedEffect::Note(FeedNote::Down(DownReason::Unreadable));
    assert_eq!(wire.times_of(&down), vec![100]);

    let mut wire = Wire::up(Access::Public);
    for ms in 1..=9 {
        wire.say(ms * 10_000, FeedIn::Unreadable)
            .say(ms * 10_000, ticker())
            .acks(ms * 10_000);
    }
    assert!(
        wire.feed.is_up(),
        "one in ten seconds never makes ten in a minute"
    );
}

#[test]
fn a_late_socket_is_closed_and_a_silent_attempt_given_up() {
    let mut wire = Wire::new(Access::Public);
    wire.pass(10_000);
    let close = wire.times_of(&FeedEffect::Close);
    assert_eq!(close, vec![10_000]);
    wire.log.clear();
    wire.say(10_001, FeedIn::Connected);
    assert_eq!(wire.effects(), vec![FeedEffect::Close]);
}

#[test]
fn sessions_count_up() {
    let mut wire = Wire::new(Access::Public);
    wire.pass(0).say(0, FeedIn::Connected);
    wire.say(10, FeedIn::Disconnected).pass(510);
    wire.say(511, FeedIn::Connected);
    assert_eq!(
        wire.times_of(&FeedEffect::Book(BookIn::SessionUp(2))),
        vec![511]
    );
}

#[test]
fn the_connect_budget_holds_whatever_the_dice_say() {
    for seed in 0..20 {
        let mut limits = FeedLimits::default();
        limits.backoff.delay_ms_max = 500;
        let mut wire = Wire::new(Access::Public);
        wire.feed = Feed::new(limits, vec![symbol()], Access::Public, Dice::new(seed));
        for ms in 0..300_000 {
            wire.pass(ms);
            if matches!(wire.feed.phase, Phase::Connecting { .. }) {
                wire.say(ms, FeedIn::Disconnected);
            }
        }
        let connects = wire.times_of(&FeedEffect::Connect);
        assert!(
            connects.len() >= 50,
            "it goes on trying: {}",
            connects.len()
        );
        assert!(
            connects
                .windows(11)
                .all(|eleven| eleven[10] - eleven[0] >= 60_000)
        );
    }
}

#[test]
fn x_19_a_service_restart_costs_no_reconnect_and_is_believed_once_in_four_hours() {
    let mut wire = Wire::up(Access::Public);
    let restart = || FeedIn::Declined(Declined::Maintenance);
    let mut ms = 10_000;
    let mut check = |later_ms: i64, expected: Spending| {
        ms += later_ms;
        wire.log.clear();
        wire.say(ms, FeedIn::Connected).say(ms, restart());
        let down = FeedEffect::Book(BookIn::SessionDown);
        assert!(wire.log.iter().any(|(_, effect)| *effect == down));
        // The usual wait before an attempt is a few seconds at most.
        ms += 5_000;
        wire.pass(ms);
        let cost = wire.log.iter().find_map(|(_, effect)| {
            if let FeedEffect::Note(FeedNote::Connecting(_, cost)) = effect {
                Some(*cost)
            } else {
                None
            }
        });
        assert_eq!(cost, Some(expected), "at {ms} ms");
    };
    check(0, Spending::Connect);
    check(0, Spending::Reconnect);
    check(0, Spending::Reconnect);
}
