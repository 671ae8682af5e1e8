//! Storms, recoveries and restarts against the ladder, and a reference that recomputes each rung from the events.

use super::*;
use crate::core::{Core, Outbox};
use crate::dice::Dice;
use crate::feed::{Access, Feed, FeedLimits};
use crate::ids::Symbol;
use crate::kill::KillId;
use crate::msg::{Declined, FeedEffect, FeedIn, FeedNote};
use crate::record::Record;
use crate::supervisor::{Supervisor, SupervisorEffect, SupervisorIn};
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const LIMITS: BudgetLimits = BudgetLimits {
    reconnects_per_day: 48,
    throttled_per_day: 48,
    is_lifted: false,
};

fn at(ms: i64) -> Timestamp {
    START.plus_ms(ms)
}

/// The steps among findings.
fn steps(found: &[Finding]) -> Vec<(Cause, Rung)> {
    let step = |finding: &Finding| match finding {
        Finding::Show(step) if step.before != step.after => Some((step.cause, step.after)),
        Finding::Show(_) | Finding::Persist(_) => None,
    };
    found.iter().filter_map(step).collect()
}

/// The records among findings, as the journal folds them.
fn fold(memory: &mut Memory, found: &[Finding]) {
    for finding in found {
        if let Finding::Persist(record) = finding {
            let text = serde_json::to_string(record).expect("a record can be written");
            let record: Record = serde_json::from_str(&text).expect("and read");
            memory.take(&record);
        }
    }
}

fn boot(at: Timestamp) -> Record {
    Record::Boot { epoch: 1, at }
}

/// A ladder with the journal beside it, reviewed whenever it asks for it.
struct Rig {
    ladder: Ladder,
    journal: Memory,
    steps: Vec<(i64, Cause, Rung)>,
}

impl Rig {
    fn new() -> Self {
        Self::resume(Memory::default(), LIMITS, 0)
    }

    fn resume(mut journal: Memory, limits: BudgetLimits, ms: i64) -> Self {
        let ladder = Ladder::resume(limits, journal.clone(), at(ms));
        journal.take(&boot(at(ms)));
        let mut rig = Self {
            ladder,
            journal,
            steps: Vec::new(),
        };
        let found = rig.ladder.opening(at(ms));
        rig.note(ms, &found);
        rig
    }

    fn note(&mut self, ms: i64, found: &[Finding]) {
        fold(&mut self.journal, found);
        let new = steps(found).into_iter();
        self.steps
            .extend(new.map(|(cause, rung)| (ms, cause, rung)));
    }

    fn pass(&mut self, ms: i64) -> &mut Self {
        while let Some(due) = self.ladder.deadline().filter(|due| *due <= at(ms)) {
            let found = self.ladder.review(due);
            self.note(due.ms_since(START), &found);
        }
        self
    }

    fn spend(&mut self, ms: i64, what: Spending) -> &mut Self {
        self.pass(ms);
        let found = self.ladder.spend(at(ms), what);
        self.note(ms, &found);
        self
    }

    /// So many events of a kind, evenly spread from one moment to another.
    fn storm(&mut self, from_ms: i64, to_ms: i64, count: i64, what: Spending) -> &mut Self {
        for n in 0..count {
            self.spend(from_ms + (to_ms - from_ms) * n / count, what);
        }
        self
    }

    fn rungs(&self) -> Vec<Rung> {
        self.steps.iter().map(|(_, _, rung)| *rung).collect()
    }
}

/// Feed and supervisor against a server that a script plays, in virtual time.
struct Storm {
    feed: Feed,
    supervisor: Supervisor,
    journal: Memory,
    now: i64,
    up_until: Option<i64>,
    attempts: Vec<i64>,
    counted: Vec<i64>,
    steps: Vec<(i64, Rung)>,
    voices: Vec<(ModeCode, Option<Mode>)>,
}

/// What the server does with an attempt.
#[derive(Clone, Copy)]
enum Answer {
    /// Accepts, and drops after this many milliseconds.
    Drops(i64),
    /// Accepts and serves.
    Serves,
    /// Refuses the handshake.
    Declines(Declined),
}

impl Storm {
    fn new(seed: u64) -> Self {
        let pair = Symbol::parse("BTCTRY").expect("a pair");
        let dice = Dice::new(seed);
        let feed = Feed::new(FeedLimits::default(), vec![pair], Access::Public, dice);
        let supervisor = Supervisor::new(seed, LIMITS, Memory::default(), at(0));
        Self {
            feed,
            supervisor,
            journal: Memory::default(),
            now: 0,
            up_until: None,
            attempts: Vec::new(),
            counted: Vec::new(),
            steps: Vec::new(),
            voices: Vec::new(),
        }
    }

    /// Plays until then.
    fn play(&mut self, until_ms: i64, answer: impl Fn(i64) -> Answer) {
        loop {
            let feed_due = self.feed.deadline().map(|due| due.ms_since(START));
            let ladder_due = self.supervisor.deadline().map(|due| due.ms_since(START));
            let frame = self.feed.is_up().then_some(self.now + 300);
            let dues = [feed_due, ladder_due, self.up_until, frame];
            let next = dues.into_iter().flatten().min().unwrap_or(until_ms);
            self.now = next.max(self.now).max(0);
            if self.now >= until_ms {
                self.now = until_ms;
                return;
            }
            self.turn(&answer);
        }
    }

    fn turn(&mut self, answer: &impl Fn(i64) -> Answer) {
        let is_dropped = self.up_until.is_some_and(|until| until <= self.now);
        if is_dropped {
            self.up_until = None;
            self.feed(Some(FeedIn::Disconnected), answer);
        } else if self.feed.is_up() {
            self.feed(Some(FeedIn::Ignored), answer);
        }
        self.feed(None, answer);
        self.tell(None);
    }

    fn feed(&mut self, input: Option<FeedIn>, answer: &impl Fn(i64) -> Answer) {
        let (now, mut out) = (at(self.now), Outbox::default());
        match input {
            Some(input) => self.feed.handle(now, input, &mut out),
            None => self.feed.wake(now, &mut out),
        }
        let effects: Vec<FeedEffect> = out.drain().collect();
        for effect in effects {
            match effect {
                FeedEffect::Connect => self.connected(answer(self.now), answer),
                FeedEffect::Close => self.up_until = None,
                FeedEffect::Join(channel, symbol) => {
                    let name = format!("{channel:?}")
                        .to_lowercase()
                        .replace("diff", "obdiff");
                    let name = if name == "book" {
                        "orderbook".to_owned()
                    } else {
                        name
                    };
                    let text = format!("join|{name}:{symbol}");
                    self.feed(Some(FeedIn::Ack { ok: true, text }), answer);
                }
                FeedEffect::Note(FeedNote::Connecting(_, cost)) => {
                    self.attempts.push(self.now);
                    if cost == Spending::Reconnect {
                        self.counted.push(self.now);
                    }
                    self.tell(Some(SupervisorIn::Spent(cost)));
                }
                FeedEffect::Note(FeedNote::Declined(count)) => {
                    self.tell(Some(SupervisorIn::HandshakesRefused(count)));
                }
                FeedEffect::Note(_)
                | FeedEffect::Leave(..)
                | FeedEffect::Login
                | FeedEffect::Book(_)
                | FeedEffect::Private(_)
                | FeedEffect::PrivateUp => {}
            }
        }
    }

    fn connected(&mut self, reply: Answer, answer: &impl Fn(i64) -> Answer) {
        match reply {
            Answer::Drops(after_ms) => {
                self.up_until = Some(self.now + after_ms);
                self.feed(Some(FeedIn::Connected), answer);
            }
            Answer::Serves => self.feed(Some(FeedIn::Connected), answer),
            Answer::Declines(why) => self.feed(Some(FeedIn::Declined(why)), answer),
        }
    }

    fn tell(&mut self, input: Option<SupervisorIn>) {
        let (now, mut out) = (at(self.now), Outbox::default());
        match input {
            Some(input) => self.supervisor.handle(now, input, &mut out),
            None => self.supervisor.wake(now, &mut out),
        }
        for effect in out.drain() {
            match effect {
                SupervisorEffect::Persist(record) => self.journal.take(&record),
                SupervisorEffect::Show(step) if step.before != step.after => {
                    self.steps.push((self.now, step.after));
                }
                SupervisorEffect::Raise(code, mode) => self.voices.push((code, Some(mode))),
                SupervisorEffect::Clear(code) => self.voices.push((code, None)),
                SupervisorEffect::Pace(pace) => {
                    let (now, mut none) = (at(self.now), Outbox::default());
                    self.feed.handle(now, FeedIn::Pace(pace), &mut none);
                }
                SupervisorEffect::Show(_)
                | SupervisorEffect::Start(..)
                | SupervisorEffect::Renew(_)
                | SupervisorEffect::Fatal(_) => {}
            }
        }
    }

    fn rungs(&self) -> Vec<Rung> {
        self.steps.iter().map(|(_, rung)| *rung).collect()
    }

    fn most_in(&self, window_ms: i64) -> usize {
        let starts = self.attempts.iter();
        let count = |start: &i64| {
            let is_in = |at: &&i64| (*start..start + window_ms).contains(at);
            self.attempts.iter().filter(is_in).count()
        };
        starts.map(count).max().unwrap_or(0)
    }
}

#[test]
fn accept_then_drop_server_is_backed_off() {
    for seed in 0..8 {
        let mut storm = Storm::new(seed);
        storm.play(DAY_MS, |_| Answer::Drops(5));
        let ladder = [Rung::Restart, Rung::Backoff, Rung::Observe, Rung::Killed];
        assert_eq!(storm.rungs(), ladder, "seed {seed}: {:?}", storm.steps);
        assert!(storm.most_in(60_000) <= 10, "seed {seed}");
        let killed_at = storm.steps[3].0;
        let before = storm.counted.iter().filter(|at| **at <= killed_at);
        assert_eq!(before.count(), 48, "the budget, and not one more");
        // The budget outlasts the first hour of a fault.
        assert!(killed_at > HOUR_MS, "seed {seed}: {killed_at}");
        assert_eq!(
            storm.voices,
            [
                (ModeCode::ReconnectBudget, Some(Mode::ObserveOnly)),
                (ModeCode::ReconnectBudget, Some(Mode::KillSwitch)),
            ]
        );
        let mut probes = storm.attempts.clone();
        probes.retain(|at| *at > killed_at);
        assert!(probes.windows(2).all(|two| two[1] - two[0] >= 60_000));
        assert!(probes.len() > 100, "it goes on looking");
    }
}

#[test]
fn a_fault_that_heals_inside_the_budget_leads_back_by_itself() {
    let mut storm = Storm::new(3);
    // Long enough to observe, and far from spent.
    storm.play(6 * HOUR_MS, |ms| {
        if ms < 600_000 {
            Answer::Drops(5)
        } else {
            Answer::Serves
        }
    });
    let rungs = [Rung::Restart, Rung::Backoff, Rung::Observe, Rung::Normal];
    assert_eq!(storm.rungs(), rungs, "{:?}", storm.steps);
    assert_eq!(
        storm.voices.last(),
        Some(&(ModeCode::ReconnectBudget, None))
    );
    assert!(storm.steps[3].0 < 600_000 + HOUR_MS + 2 * CALM_MS);
}

#[test]
fn x_20_attempts_are_five_minutes_apart_at_most_and_probes_a_minute() {
    let mut storm = Storm::new(5);
    storm.play(DAY_MS, |_| Answer::Drops(5));
    let gaps = storm.attempts.windows(2).map(|two| two[1] - two[0]);
    assert!(gaps.max().is_some_and(|gap| gap <= 300_010));
    // A reset does not wait for the day to pass: it gives the budget back.
    storm.journal.take(&Record::Reset {
        id: KillId(1),
        reason: "the exchange is back".to_owned(),
        by: "an operator".to_owned(),
        at: at(storm.now),
    });
    storm.tell(Some(SupervisorIn::Forgive));
    assert_eq!(storm.rungs().last(), Some(&Rung::Normal));
    let fresh = Ladder::resume(LIMITS, storm.journal.clone(), at(storm.now));
    assert_eq!(fresh.rung(Cause::Reconnects), Rung::Normal);
}

#[test]
fn x_19_maintenance_spends_one_attempt_and_refused_handshakes_kill() {
    let mut calm = Storm::new(7);
    calm.play(2 * HOUR_MS, |ms| match ms {
        0 => Answer::Drops(60_000),
        _ => Answer::Declines(Declined::Maintenance),
    });
    assert_eq!(calm.counted.len(), 1, "the attempt that learnt of it");
    assert!(calm.attempts.len() > 100, "polls go on");
    assert!(calm.most_in(60_000) <= 3);
    assert!(!calm.rungs().contains(&Rung::Observe), "{:?}", calm.steps);

    let mut refused = Storm::new(7);
    refused.play(600_000, |_| Answer::Declines(Declined::Busy(None)));
    assert_eq!(refused.attempts[..3], [0, 60_000, 120_000]);
    let kill = (ModeCode::HandshakesRefused, Some(Mode::KillSwitch));
    assert_eq!(refused.voices, [kill]);
}

#[test]
fn throttled_answers_go_up_the_same_rungs_and_heal_the_same_way() {
    let mut rig = Rig::new();
    rig.storm(0, 40 * 60_000, 48, Spending::Throttled);
    let ladder = [Rung::Restart, Rung::Backoff, Rung::Observe, Rung::Killed];
    assert_eq!(rig.rungs(), ladder);

    let mut healed = Rig::new();
    healed.storm(0, 20 * 60_000, 14, Spending::Throttled);
    healed.pass(4 * HOUR_MS);
    let rungs = [Rung::Restart, Rung::Backoff, Rung::Observe, Rung::Normal];
    assert_eq!(healed.rungs(), rungs);
    assert_eq!(
        healed.ladder.deadline(),
        None,
        "nothing is left to wait for"
    );
}

#[test]
fn x_21_few_events_never_observe_and_quiet_hours_take_nothing_back() {
    let mut rig = Rig::resume(
        Memory::default(),
        BudgetLimits {
            reconnects_per_day: 16,
            ..LIMITS
        },
        0,
    );
    // A quarter of 16 are 4; it takes ten all the same.
    rig.storm(0, 9 * 60_000, 9, Spending::Reconnect);
    assert!(!rig.rungs().contains(&Rung::Observe), "{:?}", rig.steps);
    rig.spend(9 * 60_000, Spending::Reconnect);
    assert_eq!(rig.rungs().last(), Some(&Rung::Observe));
    // Left after the hour is below half and a quarter of an hour more, by itself.
    rig.pass(3 * HOUR_MS);
    assert_eq!(rig.rungs().last(), Some(&Rung::Normal));
    rig.storm(20 * HOUR_MS, 21 * HOUR_MS, 5, Spending::Reconnect);
    assert_ne!(rig.rungs().last(), Some(&Rung::Killed));
    rig.spend(21 * HOUR_MS, Spending::Reconnect);
    assert_eq!(rig.rungs().last(), Some(&Rung::Killed), "sixteen in a day");
}

#[test]
fn degrade_recovers_in_bounded_time_and_escalates_any_time() {
    let mut rig = Rig::new();
    rig.storm(0, 600_000, 12, Spending::Throttled);
    let observed_at = rig.steps.last().expect("it observes").0;
    assert_eq!(rig.rungs().last(), Some(&Rung::Observe));
    // Hard triggers and the rest of the budget do not wait for anything.
    let mut worse = Rig::resume(rig.journal.clone(), LIMITS, 610_000);
    worse.storm(610_000, 620_000, 36, Spending::Throttled);
    assert_eq!(worse.rungs().last(), Some(&Rung::Killed));
    rig.pass(observed_at + HOUR_MS + CALM_MS + 60_000);
    assert_eq!(rig.rungs().last(), Some(&Rung::Normal));
}

#[test]
fn a_second_throttled_cancel_within_ten_minutes_kills() {
    let check = |apart_ms: i64, expected: Rung| {
        let mut rig = Rig::new();
        rig.spend(0, Spending::CancelThrottled);
        assert_eq!(rig.ladder.rung(Cause::CancelThrottled), Rung::Observe);
        // Over a restart too.
        let mut rig = Rig::resume(rig.journal.clone(), LIMITS, 1_000);
        rig.spend(1_000 + apart_ms, Spending::CancelThrottled);
        assert_eq!(rig.ladder.rung(Cause::CancelThrottled), expected);
    };
    check(500_000, Rung::Killed);
    check(601_000, Rung::Observe);
}

#[test]
fn a_crash_leaves_the_budget_spent() {
    let mut rig = Rig::new();
    rig.storm(0, HOUR_MS, 48, Spending::Reconnect);
    for n in 0..3 {
        rig = Rig::resume(rig.journal.clone(), LIMITS, HOUR_MS + n);
        assert_eq!(rig.ladder.rung(Cause::Reconnects), Rung::Killed);
        assert_eq!(rig.ladder.pace(), ConnectPace::Probe);
    }
    let lifted = BudgetLimits {
        is_lifted: true,
        ..LIMITS
    };
    let rig = Rig::resume(rig.journal.clone(), lifted, HOUR_MS + 9);
    assert_eq!(rig.ladder.rung(Cause::Reconnects), Rung::Normal);
}

#[test]
fn x_23_the_fourth_quick_start_observes_and_the_fifth_kills() {
    let mut journal = Memory::default();
    let rungs: Vec<Rung> = (0..5)
        .map(|n| {
            let rig = Rig::resume(journal.clone(), LIMITS, n * 100_000);
            journal = rig.journal;
            rig.ladder.rung(Cause::Boots)
        })
        .collect();
    let normal = Rung::Normal;
    assert_eq!(rungs, [normal, normal, normal, Rung::Observe, Rung::Killed]);
    let lifted = BudgetLimits {
        is_lifted: true,
        ..LIMITS
    };
    let drill = Rig::resume(journal.clone(), lifted, 500_000);
    assert_eq!(drill.ladder.rung(Cause::Boots), normal);

    // Orderly ends, or time between them, are no quick starts.
    let mut orderly = Memory::default();
    for n in 0..9 {
        orderly = Rig::resume(orderly, LIMITS, n).journal;
        let (at, leftovers) = (at(n), 0);
        orderly.take(&Record::Stop { at, leftovers });
    }
    assert_eq!(orderly.boots(), 0);
    let mut slow = Memory::default();
    for n in 0..9 {
        slow = Rig::resume(slow, LIMITS, n * 250_000).journal;
    }
    assert_eq!(slow.boots(), 3);
}

/// A process stops after one event; the next starts with these clocks further on. Expects the budgets' time passed,
/// and whether that was unclear.
fn check_pause(wall_ms: i64, exchange_ms: Option<i64>, passed_ms: i64, is_unclear: bool) {
    let mut first = Rig::new();
    if exchange_ms.is_some() {
        let found = first.ladder.offset(at(0), 0);
        first.note(0, &found);
    }
    first.spend(0, Spending::Reconnect);
    let mut next = Rig::resume(first.journal, LIMITS, wall_ms);
    let offset_ms = exchange_ms.unwrap_or(wall_ms) - wall_ms;
    let found = next.ladder.offset(at(wall_ms), offset_ms);
    let observes = vec![(Cause::Downtime, Rung::Observe)];
    let expected = if is_unclear { observes } else { Vec::new() };
    assert_eq!(steps(&found), expected, "{wall_ms} {exchange_ms:?}");
    next.spend(wall_ms, Spending::Reconnect);
    let last = next.journal.last().expect("a stamp");
    assert_eq!(last.budget_ms, passed_ms, "{wall_ms} {exchange_ms:?}");
}

#[test]
fn a_pause_counts_only_as_far_as_wall_clock_and_exchange_agree() {
    check_pause(3_600_000, Some(3_600_000), 3_600_000, false);
    check_pause(3_600_000, Some(3_590_000), 3_590_000, false);
    check_pause(3_600_000, Some(3_650_000), 3_600_000, false);
    // Stepped a day ahead, and a day back: nothing has passed, and nothing is risked.
    check_pause(DAY_MS + 10_000, Some(10_000), 0, true);
    check_pause(10_000 - DAY_MS, Some(10_000), 0, true);
    // A stamp without the exchange's time proves no pause.
    check_pause(3_600_000, None, 0, false);
}

/// The reference: the rung of a budget at each moment, from nothing but the list of events, in whole buckets.
fn oracle(events_s: &[i64], total: usize, until_s: i64) -> Vec<(i64, Rung)> {
    let (mut rung, mut calm, mut told) = (Rung::Normal, None, Vec::new());
    for bucket in 0..=until_s / 10 {
        let seen = |w: i64| {
            events_s
                .iter()
                .filter(|s| (bucket - w..=bucket).contains(&(**s / 10)))
                .count()
        };
        let (day, hour, five) = (seen(8_640), seen(360), seen(30));
        let wanted = match (day >= total, hour, five) {
            (true, ..) => Rung::Killed,
            (_, h, m) if h >= (total.div_ceil(4)).max(10) && m >= total.div_ceil(48) => {
                Rung::Observe
            }
            (_, h, m) if h >= (total.div_ceil(8)).max(5) && m > 0 => Rung::Backoff,
            (.., m) => {
                if m > 0 {
                    Rung::Restart
                } else {
                    Rung::Normal
                }
            }
        };
        let is_calm = hour * 2 < total.div_ceil(4).max(10) && five * 2 < total.div_ceil(48);
        calm = if is_calm { calm.or(Some(bucket)) } else { None };
        let stays = rung == Rung::Killed
            || (rung == Rung::Observe && calm.is_none_or(|since| bucket - since < 90));
        let next = if stays { wanted.max(rung) } else { wanted };
        if next != rung {
            told.push((bucket * 10, next));
            rung = next;
        }
    }
    told
}

proptest! {
    #[test]
    fn the_ladder_neither_misses_nor_invents_a_rung(
        gaps in proptest::collection::vec((1i64..6, 0u8..10), 1..90),
        total in 11u32..120,
    ) {
        // Whole buckets, one event in each at most; now and then a pause of half an hour.
        let mut second = 0;
        let events: Vec<i64> = gaps.iter().map(|(gap, dice)| {
            second += gap * 10 + if *dice == 0 { 1_800 } else { 0 };
            second
        }).collect();
        let until_s = second + 3 * 3_600;
        let limits = BudgetLimits { throttled_per_day: total, ..LIMITS };
        let mut rig = Rig::resume(Memory::default(), limits, 0);
        for event in &events {
            rig.spend(event * 1_000, Spending::Throttled);
            // The same moment twice: the reference sees a bucket after its event.
            let found = rig.ladder.review(at(event * 1_000));
            rig.note(event * 1_000, &found);
        }
        rig.pass(until_s * 1_000);
        let told: Vec<(i64, Rung)> = rig.steps.iter().map(|(ms, _, rung)| (ms / 1_000, *rung)).collect();
        let total = usize::try_from(total).expect("small");
        prop_assert_eq!(told, oracle(&events, total, until_s));
    }
}
