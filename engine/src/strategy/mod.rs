//! The host of the strategies: who owns which pair, when it is asked, and in which order its wishes leave.
//!
//! A strategy is asked on a trusted book only, at most once per interval and pair. The host keeps samples, age and
//! order of planning; a strategy is left with its formula. Nothing here can send an order: wishes go to the gate.

pub mod canary;
pub mod market_maker;
pub mod mean_reversion;
pub mod params;
pub mod samples;
pub mod scene;
#[cfg(test)]
mod tests;

use crate::book::{BookView, TrustedBook};
use crate::core::{Core, Outbox};
use crate::ids::{ClientId, Symbol};
use crate::instrument::Instrument;
use crate::intent::{CancelReason, Intent, SilentReason, StrategyKind};
use crate::market::Side;
use crate::mode::Mode;
use crate::msg::{DeskView, StrategyEffect, StrategyIn};
use crate::time::Timestamp;
use canary::Canary;
use market_maker::MarketMaker;
use mean_reversion::MeanReversion;
use params::{CommonParams, KindParams, StrategyParams};
use samples::Samples;
use scene::{Decision, Scene, Strategy, Wish, is_resting};

/// How long a wish or a cancel may go without an echo of the gate before it is repeated, milliseconds.
const ECHO_MS_MAX: i64 = 1_000;
/// Cancels whose echo is awaited; more than a pair can have orders. At the limit the oldest is forgotten.
const CANCELS_AWAITED_MAX: usize = 64;

/// Why the owners were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// Two strategies would trade against each other.
    #[error("{0} has two owners")]
    TwoOwners(Symbol),
}

/// All strategies of the process.
#[derive(Debug)]
pub struct Strategies {
    /// Sorted by symbol; one owner each.
    owners: Vec<Owner>,
    cycle: Cycle,
}

/// One turn of the beat that wishes are counted by.
#[derive(Clone, Copy, Debug, Default)]
struct Cycle {
    number: u32,
    began: Option<Timestamp>,
}

/// One strategy with everything it knows about its pair.
#[derive(Debug)]
struct Owner {
    symbol: Symbol,
    common: CommonParams,
    strategy: Box<dyn Strategy>,
    book: Option<TrustedBook>,
    desk: Option<DeskView>,
    rules: Option<Instrument>,
    samples: Samples,
    is_due: bool,
    decided_at: Option<Timestamp>,
    /// Sides asked for since the gate last told the situation.
    asked: Vec<(Side, Timestamp)>,
    cancelled: Vec<(ClientId, Timestamp)>,
    silent: Option<SilentReason>,
}

impl Strategies {
    /// Gives each pair its owner.
    ///
    /// # Errors
    /// A pair that is named twice.
    pub fn new(mut owners: Vec<(Symbol, StrategyParams)>) -> Result<Self, OwnerError> {
        owners.sort_by_key(|(symbol, _)| *symbol);
        if let Some(pair) = owners.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(OwnerError::TwoOwners(pair[0].0));
        }
        let owners = owners
            .into_iter()
            .map(|(symbol, params)| Owner::new(symbol, params))
            .collect();
        Ok(Self {
            owners,
            cycle: Cycle::default(),
        })
    }

    fn owner(&mut self, symbol: Symbol) -> Option<&mut Owner> {
        let index = self
            .owners
            .binary_search_by_key(&symbol, |owner| owner.symbol)
            .ok()?;
        Some(&mut self.owners[index])
    }

    /// Asks every owner whose turn it is, and lets cancels leave before wishes, wishes in planning order.
    fn decide(&mut self, now: Timestamp, out: &mut Outbox<StrategyEffect>) {
        let mut intents = Vec::new();
        for owner in &mut self.owners {
            if owner.is_due && owner.decides_at().is_none_or(|at| at <= now) {
                owner.decide(now, self.cycle, &mut intents, out);
            }
        }
        intents.sort_by_key(planning_order);
        for intent in intents {
            out.push(StrategyEffect::Intent(intent));
        }
    }
}

/// Protective, exits, quotes, entries; inside by pair, sales first, strategy.
fn planning_order(intent: &Intent) -> impl Ord + use<> {
    let buys_last = match intent.side {
        Side::Sell => 0,
        Side::Buy => 1,
    };
    (intent.class, intent.symbol, buys_last, intent.strategy)
}

impl Owner {
    fn new(symbol: Symbol, params: StrategyParams) -> Self {
        let common = params.common;
        let strategy: Box<dyn Strategy> = match params.kind {
            KindParams::MarketMaker(params) => Box::new(MarketMaker::new(params)),
            KindParams::MeanReversion(params) => Box::new(MeanReversion::new(params)),
            KindParams::Canary => Box::new(Canary),
        };
        let samples = Samples::new(common.sample_period_ms, strategy.samples_kept(&common));
        Self {
            symbol,
            common,
            strategy,
            book: None,
            desk: None,
            rules: None,
            samples,
            is_due: false,
            decided_at: None,
            asked: Vec::new(),
            cancelled: Vec::new(),
            silent: None,
        }
    }

    fn kind(&self) -> StrategyKind {
        self.strategy.kind()
    }

    fn decides_at(&self) -> Option<Timestamp> {
        let at = self
            .decided_at?
            .plus_ms(self.common.decision_min_interval_ms);
        self.is_due.then_some(at)
    }

    fn deadline(&self) -> Option<Timestamp> {
        let sample_at = self.book.and_then(|_| self.samples.next_at());
        [self.decides_at(), sample_at].into_iter().flatten().min()
    }

    fn take_book(&mut self, now: Timestamp, view: BookView, out: &mut Outbox<StrategyEffect>) {
        match view {
            BookView::Trusted(book) => {
                self.book = Some(book);
                self.samples.offer(now, book.mid());
                self.is_due = true;
            }
            BookView::Untrusted { .. } => {
                self.book = None;
                self.withdraw(now, CancelReason::Untrusted, out);
            }
        }
    }

    fn take_desk(&mut self, now: Timestamp, desk: DeskView, out: &mut Outbox<StrategyEffect>) {
        self.asked.clear();
        self.cancelled
            .retain(|(id, _)| desk.orders.iter().any(|order| order.client_id() == *id));
        self.desk = Some(desk);
        if self.book.is_none() {
            self.withdraw(now, CancelReason::Untrusted, out);
        }
        self.is_due = true;
    }

    fn withdraw(&mut self, now: Timestamp, reason: CancelReason, out: &mut Outbox<StrategyEffect>) {
        let Some(desk) = &self.desk else {
            return;
        };
        for id in self.strategy.withdraw(desk) {
            self.cancel(now, id, reason, out);
        }
    }

    /// Asks for the end of an order, once until the gate has had time to show it.
    fn cancel(
        &mut self,
        now: Timestamp,
        id: ClientId,
        reason: CancelReason,
        out: &mut Outbox<StrategyEffect>,
    ) {
        self.cancelled
            .retain(|(_, at)| now.ms_since(*at) < ECHO_MS_MAX);
        if self.cancelled.iter().any(|(asked, _)| *asked == id) {
            return;
        }
        if self.cancelled.len() == CANCELS_AWAITED_MAX {
            self.cancelled.remove(0);
        }
        self.cancelled.push((id, now));
        out.push(StrategyEffect::Cancel(id, reason));
    }

    fn decide(
        &mut self,
        now: Timestamp,
        cycle: Cycle,
        intents: &mut Vec<Intent>,
        out: &mut Outbox<StrategyEffect>,
    ) {
        self.is_due = false;
        self.decided_at = Some(now);
        self.cancel_aged(now, out);
        let Some(book) = self.book else {
            return;
        };
        let decision = self.ask(now, cycle, &book);
        for (id, reason) in decision.cancels {
            self.cancel(now, id, reason, out);
        }
        let mut silent = decision.silent;
        let before = intents.len();
        for wish in decision.wishes {
            if self.is_echo_due(now, wish.side) {
                silent = Some(SilentReason::OrderWorking);
            } else {
                self.asked.push((wish.side, now));
                intents.push(self.intent(now, cycle.number, &book, wish));
            }
        }
        if intents.len() > before {
            silent = None;
        }
        self.tell_silence(silent, out);
    }

    fn ask(&self, now: Timestamp, cycle: Cycle, book: &TrustedBook) -> Decision {
        let Some(desk) = &self.desk else {
            return Decision::silent(SilentReason::Mode);
        };
        match desk.mode {
            Mode::Normal | Mode::ReduceRiskOnly => {}
            Mode::ObserveOnly => return self.stand_down(desk, CancelReason::SafeMode),
            Mode::KillSwitch => return self.stand_down(desk, CancelReason::Kill),
        }
        let Some(rules) = self.rules.as_ref().filter(|rules| rules.is_trading) else {
            return Decision::silent(SilentReason::NoRules);
        };
        let scene = Scene {
            now,
            cycle_at: cycle.began,
            book,
            desk,
            rules,
            samples: &self.samples,
            common: &self.common,
        };
        self.strategy
            .decide(&scene)
            .unwrap_or_else(|| Decision::silent(SilentReason::Arithmetic))
    }

    fn stand_down(&self, desk: &DeskView, reason: CancelReason) -> Decision {
        let silent = Decision::silent(SilentReason::Mode);
        self.strategy
            .withdraw(desk)
            .into_iter()
            .fold(silent, |decision, id| decision.and_cancel(id, reason))
    }

    /// Ends every own order of the pair that has outlived its time, whichever run placed it.
    fn cancel_aged(&mut self, now: Timestamp, out: &mut Outbox<StrategyEffect>) {
        let Some(desk) = &self.desk else {
            return;
        };
        let aged: Vec<ClientId> = desk
            .orders
            .iter()
            .filter(|order| is_resting(order))
            .filter(|order| now.ms_since(order.order.intent.at) > self.common.ttl_ms)
            .map(|order| order.client_id())
            .collect();
        for id in aged {
            self.cancel(now, id, CancelReason::Ttl, out);
        }
    }

    /// Returns whether the gate has not yet answered an earlier wish of that side.
    fn is_echo_due(&mut self, now: Timestamp, side: Side) -> bool {
        self.asked.retain(|(_, at)| now.ms_since(*at) < ECHO_MS_MAX);
        self.asked.iter().any(|(asked, _)| *asked == side)
    }

    fn intent(&self, now: Timestamp, cycle: u32, book: &TrustedBook, wish: Wish) -> Intent {
        Intent {
            strategy: self.kind(),
            symbol: self.symbol,
            side: wish.side,
            qty: wish.qty,
            limit: wish.limit,
            class: wish.class,
            reason: wish.reason,
            at: now,
            book: book.stamp(),
            mid: book.mid(),
            cycle,
        }
    }

    fn tell_silence(&mut self, reason: Option<SilentReason>, out: &mut Outbox<StrategyEffect>) {
        if let Some(reason) = reason
            && self.silent != Some(reason)
        {
            out.push(StrategyEffect::Silent(self.kind(), self.symbol, reason));
        }
        self.silent = reason;
    }
}

impl Core for Strategies {
    type In = StrategyIn;
    type Effect = StrategyEffect;

    fn handle(&mut self, now: Timestamp, input: StrategyIn, out: &mut Outbox<StrategyEffect>) {
        match input {
            StrategyIn::Book(view) => {
                if let Some(owner) = self.owner(view.symbol()) {
                    owner.take_book(now, view, out);
                }
            }
            StrategyIn::Desk(desk) => {
                if let Some(owner) = self.owner(desk.symbol) {
                    owner.take_desk(now, desk, out);
                }
            }
            StrategyIn::Rules(rules) => {
                if let Some(owner) = self.owner(rules.symbol) {
                    owner.rules = Some(rules);
                }
            }
            StrategyIn::Cycle(cycle) => {
                self.cycle = Cycle {
                    number: cycle,
                    began: Some(now),
                };
                for owner in &mut self.owners {
                    owner.silent = None;
                    owner.is_due = true;
                }
            }
        }
        self.decide(now, out);
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.owners.iter().filter_map(Owner::deadline).min()
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<StrategyEffect>) {
        for owner in &mut self.owners {
            if let Some(book) = owner.book {
                owner.samples.offer(now, book.mid());
            }
        }
        self.decide(now, out);
    }
}
