//! One lane: an exchange, an installation, and life after life of the binary, each ended by SIGKILL.
//!
//! What a life left behind is judged at once, from a copy of its journal and the exchange's own log; the next life
//! must open the file as the kill left it. A lane stops at its first finding and keeps everything.

use super::judge::{Ending, Facts, Finding, Rule, after_kill, at_end, is_equal};
use super::link::Link;
use super::moment::{Moment, Phase};
use super::past::{self, Past};
use super::picture::Picture;
use super::report::{Figures, Found};
use super::venue::Exchange;
use super::weather::Weather;
use engine::dice::Dice;
use installation::bot::Bot;
use installation::pace::Pace;
use installation::place::{Access, Place};
use simulator::clock::Clock;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// Longest time until a start is ready while the exchange fails, milliseconds: L3 is 30 s with a healthy one.
const READY_MS_MAX: i64 = 60_000;
/// Longest time until the ledger equals the exchange and every open order is found, milliseconds (L2).
const EQUAL_MS_MAX: i64 = 60_000;
/// Longest time until no order's fate is unknown once the exchange is healthy, milliseconds (L2).
const KNOWN_MS_MAX: i64 = 60_000;
/// Longest wait for an order; a life that sends none is killed all the same.
const ORDER_MS_MAX: i64 = 20_000;
/// Longest graceful stop, milliseconds: the configured deadline and some more.
const STOP_MS_MAX: i64 = 100_000;
/// Age of an open order from which the status page must show it, milliseconds: the page is a picture, taken once a
/// second, of what lists showed 200 ms late.
const RESTING_MS: i64 = 2_000;
/// Time between two looks at a start.
const POLL: Duration = Duration::from_millis(5);
/// Time between two looks at the status page.
pub(super) const PAGE: Duration = Duration::from_millis(50);
/// Directory for logs and copies, below the lane's own.
const SCRATCH: &str = "scratch";
/// Short lives: an order every few hundred milliseconds.
const PACE: Pace = Pace {
    decision_min_interval_ms: 100,
    cycle_interval_ms: 500,
    sample_period_ms: 100,
    ttl_seconds: 20,
    requote_bps: 3,
    min_quote_life_ms: 300,
    reconcile_interval_seconds: 2,
    max_orders_per_minute: 300,
    max_daily_loss_try: 20_000,
};

/// What a lane does.
pub struct Plan {
    /// Its number.
    pub lane: u64,
    /// Its seed.
    pub seed: u64,
    /// How many kills.
    pub kills: u32,
    /// Wipe the journal after this kill: a planted disaster that must be found.
    pub wipe_after: Option<u32>,
    /// Whether a link that can fail lies between process and exchange.
    pub is_linked: bool,
    /// Its directory; made, and removed unless something is found.
    pub dir: PathBuf,
    /// The binary.
    pub binary: PathBuf,
}

/// How a lane ended.
pub struct Outcome {
    /// What it has seen.
    pub figures: Figures,
    /// What it has found.
    pub found: Vec<Found>,
}

pub(super) struct Lane {
    plan: Plan,
    clock: Clock,
    pub(super) dice: Dice,
    exchange: Exchange,
    pub(super) link: Option<Link>,
    place: Place,
    pub(super) figures: Figures,
    life: u32,
    /// Orders that an earlier kill had left without an answer.
    unanswered: BTreeSet<String>,
}

/// Runs a lane to its end or to its first finding.
///
/// # Errors
/// The lane could not be set up: text for people.
pub fn run(plan: Plan) -> Result<Outcome, String> {
    let mut lane = Lane::set_up(plan)?;
    let findings = lane.campaign();
    Ok(lane.end(findings))
}

/// A key that no other process of this machine has.
fn key(lane: u64) -> String {
    let process = std::process::id();
    format!("{process:08x}-0000-4000-8000-{lane:012x}")
}

/// Text of a failure of the tier itself.
fn broken(error: String) -> Vec<Finding> {
    vec![Finding::new(Rule::Ended, error)]
}

impl Lane {
    /// Starts the exchange and makes an installation that reaches it, by a link if the plan has one.
    pub(super) fn set_up(plan: Plan) -> Result<Self, String> {
        std::fs::create_dir_all(plan.dir.join(SCRATCH)).map_err(|error| error.to_string())?;
        let requests = plan.dir.join("requests");
        let exchange = Exchange::start(plan.seed, key(plan.lane), &requests)?;
        let link = match plan.is_linked {
            true => Some(Link::start(exchange.access().addr, plan.seed)?),
            false => None,
        };
        let direct = exchange.access();
        let access = Access {
            addr: link.as_ref().map_or(direct.addr, Link::addr),
            ..direct
        };
        let (dir, binary, clock) = (plan.dir.clone(), plan.binary.clone(), Clock::start());
        let place = Place::make(dir, binary, access, PACE, clock.now())?;
        Ok(Self {
            clock,
            dice: Dice::new(plan.seed),
            exchange,
            link,
            place,
            figures: Figures::default(),
            life: 0,
            unanswered: BTreeSet::new(),
            plan,
        })
    }

    fn campaign(&mut self) -> Vec<Finding> {
        for _ in 0..self.plan.kills {
            if let Err(findings) = self.live_and_die() {
                return findings;
            }
        }
        self.live_and_stop()
    }

    pub(super) fn end(mut self, findings: Vec<Finding>) -> Outcome {
        self.figures.orders = self.exchange.accepted().len();
        self.figures.traded = self.exchange.traded().len();
        let kept = self.place.dir().to_owned();
        let found = |finding| Found {
            lane: self.plan.lane,
            lane_seed: self.plan.seed,
            kill: self.life,
            finding,
            kept: kept.clone(),
        };
        let found: Vec<Found> = findings.into_iter().map(found).collect();
        if found.is_empty() {
            self.place.remove();
        }
        Outcome {
            figures: self.figures,
            found,
        }
    }

    /// One life, one death, one judgement.
    fn live_and_die(&mut self) -> Result<(), Vec<Finding>> {
        let weather = Weather::draw(&mut self.dice);
        let moment = Moment::draw(&mut self.dice);
        self.exchange.set(weather);
        let sent_before = self.exchange.posted().len();
        let mut bot = self.start()?;
        let lived = match moment {
            Moment::Clock(ms) => wait(&mut bot, ms),
            Moment::Orders(orders, behind_ms) => {
                self.live_behind_orders(&mut bot, weather, orders, behind_ms)
            }
        };
        lived.map_err(|finding| vec![finding])?;
        let ready_ms = bot.ready_ms;
        self.note_times(&bot, weather);
        let is_up = bot.up_ms.is_some();
        bot.kill_9();
        let in_flight = self.judge()?;
        let phase = match (is_up, ready_ms) {
            _ if in_flight => Phase::InFlight,
            (false, _) => Phase::Starting,
            (true, None) => Phase::Reconciling,
            (true, Some(_)) if self.exchange.posted().len() > sent_before => Phase::Trading,
            (true, Some(_)) => Phase::Ready,
        };
        self.figures.kills += 1;
        *self.figures.by_phase.entry(phase).or_insert(0) += 1;
        *self.figures.by_weather.entry(weather).or_insert(0) += 1;
        if self.plan.wipe_after == Some(self.life) {
            self.wipe().map_err(broken)?;
        }
        Ok(())
    }

    pub(super) fn start(&mut self) -> Result<Bot, Vec<Finding>> {
        self.life += 1;
        let log = format!("{SCRATCH}/life-{}", self.life);
        Bot::start(&self.place, self.clock, &log).map_err(broken)
    }

    /// Loses the journal and makes an empty one in its place, as a broken backup would.
    fn wipe(&self) -> Result<(), String> {
        std::fs::remove_dir_all(self.place.journal()).map_err(|error| error.to_string())?;
        self.place.init()
    }

    /// What the journal holds.
    fn past(&self) -> Result<Past, Vec<Finding>> {
        past::read(&self.place.journal(), &self.place.dir().join(SCRATCH)).map_err(broken)
    }

    fn note_times(&mut self, bot: &Bot, weather: Weather) {
        self.figures.up_ms.extend(bot.up_ms);
        self.figures.ready_ms.extend(bot.ready_ms);
        if weather == Weather::Calm {
            self.figures.ready_calm_ms.extend(bot.ready_ms);
        }
    }

    /// Recovers, trades, and returns a moment behind an order.
    fn live_behind_orders(
        &mut self,
        bot: &mut Bot,
        weather: Weather,
        orders: usize,
        behind_ms: i64,
    ) -> Result<(), Finding> {
        let unknown = self.recover(bot)?;
        if unknown > 0 {
            self.exchange.set(Weather::Calm);
            self.resolve(bot)?;
            self.exchange.set(weather);
        }
        if !self.trade(bot, orders)? {
            return Ok(());
        }
        let until_ms = bot.age_ms() + behind_ms;
        wait(bot, until_ms)
    }

    /// Waits until so many more orders were sent; returns whether they were in time.
    pub(super) fn trade(&mut self, bot: &mut Bot, orders: usize) -> Result<bool, Finding> {
        let (before, started_ms) = (self.exchange.posted().len(), bot.age_ms());
        while self.exchange.posted().len() < before + orders {
            bot.look()?;
            if bot.age_ms() - started_ms > ORDER_MS_MAX {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(true)
    }

    /// Follows a start until its ledger equals the exchange and it knows every open order; returns how many orders it
    /// does not know the fate of.
    pub(super) fn recover(&mut self, bot: &mut Bot) -> Result<u64, Finding> {
        while bot.ready_ms.is_none() {
            bot.look()?;
            if bot.age_ms() > READY_MS_MAX {
                return Err(Finding::new(Rule::NotReady, page(bot)));
            }
            thread::sleep(POLL);
        }
        let ready_ms = bot.age_ms();
        let mut rule = Rule::Ledger;
        while bot.age_ms() - ready_ms < EQUAL_MS_MAX {
            bot.look()?;
            if let Some(picture) = Picture::of(bot) {
                let is_equal = self.exchange.was(|sums| is_equal(&picture.balances, sums));
                rule = if is_equal {
                    Rule::LostOrder
                } else {
                    Rule::Ledger
                };
                let mut resting = self.exchange.open(RESTING_MS).into_iter();
                if is_equal && resting.all(|id| picture.found.contains(&id)) {
                    self.figures.recoveries += 1;
                    return Ok(picture.unknown);
                }
            }
            thread::sleep(PAGE);
        }
        let (theirs, page) = (self.exchange.balances(), page(bot));
        let open = self.exchange.open(RESTING_MS);
        let seen = format!("the exchange: {theirs:?}, open {open:?}; {page}");
        Err(Finding::new(rule, seen))
    }

    /// Waits until no order's fate is unknown; the exchange is healthy.
    fn resolve(&mut self, bot: &mut Bot) -> Result<(), Finding> {
        let healed_ms = bot.age_ms();
        while bot.age_ms() - healed_ms < KNOWN_MS_MAX {
            bot.look()?;
            if Picture::of(bot).is_some_and(|picture| picture.unknown == 0) {
                return Ok(());
            }
            thread::sleep(PAGE);
        }
        let left = Picture::of(bot).map_or(0, |picture| picture.unknown);
        self.figures.unknown_forever += left;
        Err(Finding::new(Rule::UnknownForever, page(bot)))
    }

    /// Judges what the kill left; returns whether an order was in flight.
    fn judge(&mut self) -> Result<bool, Vec<Finding>> {
        let past = self.past()?;
        let facts = Facts {
            posted: self.exchange.posted().to_vec(),
            accepted: self.exchange.accepted(),
            journalled: past.sending,
        };
        let findings = after_kill(&facts);
        if !findings.is_empty() {
            return Err(findings);
        }
        let in_flight = past.unanswered.difference(&self.unanswered);
        for id in in_flight.clone() {
            self.figures.in_flight += 1;
            self.figures.in_flight_accepted += u32::from(facts.accepted.contains(id));
        }
        let is_in_flight = in_flight.count() > 0;
        self.unanswered = past.unanswered;
        Ok(is_in_flight)
    }

    /// The last life: everything comes right, and TERM leaves nothing behind.
    fn live_and_stop(&mut self) -> Vec<Finding> {
        self.exchange.set(Weather::Calm);
        match self.last_life() {
            Ok(ending) => at_end(&ending),
            Err(findings) => findings,
        }
    }

    fn last_life(&mut self) -> Result<Ending, Vec<Finding>> {
        let bot = self.start()?;
        self.come_right_and_stop(bot)
    }

    /// The exchange is healthy: the ledger becomes equal, every fate known, and TERM leaves nothing behind.
    pub(super) fn come_right_and_stop(&mut self, mut bot: Bot) -> Result<Ending, Vec<Finding>> {
        let one = |finding| vec![finding];
        self.recover(&mut bot).map_err(one)?;
        self.resolve(&mut bot).map_err(one)?;
        if let Some(mode) = Picture::of(&bot).and_then(|picture| picture.mode()) {
            *self.figures.ended_in.entry(mode).or_insert(0) += 1;
        }
        self.note_times(&bot, Weather::Calm);
        let exit = bot.stop(STOP_MS_MAX);
        self.judge()?;
        let past = self.past()?;
        self.figures.records = past.records;
        Ok(Ending {
            exit,
            open: self.exchange.open(0),
            traded: self.exchange.traded(),
            booked: past.booked,
        })
    }
}

/// Lets it live up to an age, and looks how far it comes.
pub(super) fn wait(bot: &mut Bot, age_ms: i64) -> Result<(), Finding> {
    while bot.age_ms() < age_ms {
        bot.look()?;
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// What the process itself says, for a finding.
fn page(bot: &Bot) -> String {
    Picture::of(bot).map_or_else(
        || "no status page".to_owned(),
        |picture| picture.page.to_string(),
    )
}
