//! Buys below the mean of recent marks and sells when the price is back.
//!
//! The first step that applies decides: what protects comes before what profits, and nothing is bought without a
//! deviation that pays for both fees.

use super::params::{CommonParams, MeanReversionParams};
use super::scene::{
    Decision, Scene, Strategy, Wish, is_at_least, is_at_most, is_off, is_resting, live_orders,
    times_bps_up,
};
use crate::ids::ClientId;
use crate::intent::{CancelReason, IntentClass, IntentReason, SilentReason, StrategyKind};
use crate::market::Side;
use crate::mode::Mode;
use crate::money::{Amount, BPS_PER_ONE, Price};
use crate::msg::DeskView;
use crate::order::{OrderState, OrderView};

/// Times to live for which a time stop waits at the ask before it crosses the spread.
const TIME_STOP_PATIENCE_TTLS: i64 = 3;

/// Trades deviations from a moving anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeanReversion {
    params: MeanReversionParams,
}

/// A sale that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exit {
    price: Price,
    class: IntentClass,
    reason: IntentReason,
}

impl MeanReversion {
    /// Makes the strategy.
    pub const fn new(params: MeanReversionParams) -> Self {
        Self { params }
    }

    /// Returns the anchor, or `None` while too little of the window is sampled.
    fn anchor(&self, scene: &Scene<'_>) -> Option<Price> {
        if scene.samples.count() < self.params.samples_min.max(1) {
            return None;
        }
        scene.samples.mean()
    }

    /// Returns the first exit that is due; the outer `None` is an overflow.
    fn exit(&self, scene: &Scene<'_>, anchor: Option<Price>) -> Option<Option<Exit>> {
        if !scene.desk.position.is_positive() {
            return Some(None);
        }
        let protective = match self.stop(scene)? {
            Some(stop) => Some(stop),
            None => self.time_stop(scene)?,
        };
        match (protective, anchor, scene.desk.cost) {
            (Some(exit), _, _) => Some(Some(exit)),
            (None, Some(anchor), Some(cost)) => self.profit(scene, anchor, cost),
            (None, None, _) | (None, Some(_), None) => Some(None),
        }
    }

    fn stop(&self, scene: &Scene<'_>) -> Option<Option<Exit>> {
        let Some(cost) = scene.desk.cost.filter(|_| self.params.stop_bps > 0) else {
            return Some(None);
        };
        let bid = scene.book.best_bid().price;
        let is_hit = is_at_most(bid, cost, BPS_PER_ONE.checked_sub(self.params.stop_bps)?)?;
        is_hit
            .then(|| {
                take_bid(
                    scene,
                    IntentClass::Protective,
                    IntentReason::MeanReversionStop,
                )
            })
            .map_or(Some(None), |exit| exit.map(Some))
    }

    fn time_stop(&self, scene: &Scene<'_>) -> Option<Option<Exit>> {
        let Some(opened_at) = scene.desk.opened_at else {
            return Some(None);
        };
        let over_ms = scene
            .now
            .ms_since(opened_at)
            .checked_sub(self.params.max_hold_ms)?;
        let patience_ms = scene.common.ttl_ms.checked_mul(TIME_STOP_PATIENCE_TTLS)?;
        let (class, reason) = (IntentClass::Protective, IntentReason::MeanReversionTimeStop);
        if over_ms <= 0 {
            Some(None)
        } else if over_ms <= patience_ms {
            Some(Some(join_ask(scene, class, reason)))
        } else {
            take_bid(scene, class, reason).map(Some)
        }
    }

    fn profit(&self, scene: &Scene<'_>, anchor: Price, cost: Price) -> Option<Option<Exit>> {
        let (mark, book) = (scene.book.mid(), scene.book);
        let break_even_bps = BPS_PER_ONE
            .checked_add(scene.common.fee_bps_taker)?
            .checked_add(scene.common.slippage_bps)?;
        let break_even = times_bps_up(cost, break_even_bps)?;
        let is_over = is_at_least(mark, anchor, BPS_PER_ONE + self.params.entry_bps)?;
        if is_over && book.best_bid().price >= break_even {
            let reason = IntentReason::MeanReversionSell;
            return take_bid(scene, IntentClass::Exit, reason).map(Some);
        }
        let profit_bps = break_even_bps.checked_add(scene.common.min_profit_bps)?;
        let is_back = is_at_least(mark, anchor, BPS_PER_ONE - self.params.exit_bps)?;
        let is_paid = book.best_ask().price >= times_bps_up(cost, profit_bps)?;
        let reason = IntentReason::MeanReversionExit;
        Some((is_back && is_paid).then(|| join_ask(scene, IntentClass::Exit, reason)))
    }

    fn step(&self, scene: &Scene<'_>) -> Option<Decision> {
        let anchor = self.anchor(scene);
        if let Some(exit) = self.exit(scene, anchor)? {
            return self.sell(scene, exit);
        }
        // A sale whose reason has passed follows the ask like any other.
        if let Some(order) = scene.live(Side::Sell).next() {
            return reprice(scene, order, scene.book.best_ask().price);
        }
        if scene.desk.mode != Mode::Normal {
            return Some(Decision::silent(SilentReason::Mode));
        }
        if let Some(order) = scene.live(Side::Buy).next() {
            return reprice(scene, order, scene.book.best_bid().price);
        }
        match anchor {
            None => Some(Decision::silent(SilentReason::Warming)),
            Some(anchor) => self.enter(scene, anchor),
        }
    }

    /// Decides about the sale that is due, given a sale that may already be working.
    fn sell(&self, scene: &Scene<'_>, exit: Exit) -> Option<Decision> {
        if let Some(order) = scene.live(Side::Sell).next() {
            return reprice(scene, order, exit.price);
        }
        // Selling into an own purchase would only pay fees; one of unknown fate must not hold a stop back.
        if let Some(order) = scene.live(Side::Buy).find(|order| is_known(order)) {
            let decision = Decision::silent(SilentReason::OrderWorking);
            return Some(if order.cancel_asked {
                decision
            } else {
                decision.and_cancel(order.client_id(), CancelReason::Reprice)
            });
        }
        let sized = scene.quantise(Side::Sell, exit.price, scene.free_position());
        Some(match sized {
            Err(_) => Decision::silent(SilentReason::Dust),
            Ok((limit, qty)) => Decision::wish(Wish {
                side: Side::Sell,
                qty,
                limit,
                class: exit.class,
                reason: exit.reason,
            }),
        })
    }

    fn enter(&self, scene: &Scene<'_>, anchor: Price) -> Option<Decision> {
        let (mark, bid) = (scene.book.mid(), scene.book.best_bid().price);
        let is_below = |steps: i64| {
            let distance = self.params.entry_bps.checked_mul(steps)?;
            is_at_most(mark, anchor, BPS_PER_ONE.checked_sub(distance)?)
        };
        if !is_below(1)? {
            return Some(Decision::silent(idle(scene)));
        }
        let edge_bps = BPS_PER_ONE
            .checked_add(scene.common.fee_bps_maker)?
            .checked_add(scene.common.fee_bps_taker)?
            .checked_add(scene.common.min_profit_bps)?;
        if !is_at_least(anchor, bid, edge_bps)? {
            return Some(Decision::silent(SilentReason::EdgeTooSmall));
        }
        let clips = if is_below(2)? { 2 } else { 1 };
        let value = scene.common.intent_notional.times_ratio(clips, 1)?;
        Some(buy(scene, bid, value.min(scene.spendable()?)))
    }
}

fn buy(scene: &Scene<'_>, price: Price, value: Amount) -> Decision {
    match scene.sized(Side::Buy, price, value) {
        Err(_) => Decision::silent(SilentReason::QuoteTooSmall),
        Ok((limit, qty)) => Decision::wish(Wish {
            side: Side::Buy,
            qty,
            limit,
            class: IntentClass::Entry,
            reason: IntentReason::MeanReversionBuy,
        }),
    }
}

const fn is_known(order: &OrderView) -> bool {
    match order.state {
        OrderState::Open | OrderState::Partial => true,
        OrderState::Reserved
        | OrderState::Sending
        | OrderState::Unknown(_)
        | OrderState::NotSent(_)
        | OrderState::Rejected(_)
        | OrderState::Absent
        | OrderState::Canceled
        | OrderState::Filled => false,
    }
}

/// Cancels an order that is too far from where it is wanted; leaves it working otherwise.
fn reprice(scene: &Scene<'_>, order: &OrderView, wanted: Price) -> Option<Decision> {
    let decision = Decision::silent(SilentReason::OrderWorking);
    let limit = order.order.intent.limit;
    let is_far = is_off(limit, wanted, wanted, scene.common.reprice_bps)?;
    Some(if is_resting(order) && is_far {
        decision.and_cancel(order.client_id(), CancelReason::Reprice)
    } else {
        decision
    })
}

/// Sells at once: a little below the best bid. `None` on overflow.
fn take_bid(scene: &Scene<'_>, class: IntentClass, reason: IntentReason) -> Option<Exit> {
    let bps = BPS_PER_ONE.checked_sub(scene.common.slippage_bps)?;
    let price = scene.book.best_bid().price.times_bps(bps)?;
    Some(Exit {
        price,
        class,
        reason,
    })
}

/// Sells patiently: at the best ask.
fn join_ask(scene: &Scene<'_>, class: IntentClass, reason: IntentReason) -> Exit {
    let price = scene.book.best_ask().price;
    Exit {
        price,
        class,
        reason,
    }
}

fn idle(scene: &Scene<'_>) -> SilentReason {
    if scene.desk.position.is_positive() {
        SilentReason::Holding
    } else {
        SilentReason::InsideBand
    }
}

impl Strategy for MeanReversion {
    fn kind(&self) -> StrategyKind {
        StrategyKind::MeanReversion
    }

    fn samples_kept(&self, common: &CommonParams) -> usize {
        let count = self.params.window_ms / common.sample_period_ms.max(1);
        usize::try_from(count)
            .unwrap_or(usize::MAX)
            .max(self.params.samples_min)
    }

    fn decide(&self, scene: &Scene<'_>) -> Option<Decision> {
        let mut decision = self.step(scene)?;
        for id in self.withdraw(scene.desk) {
            decision.cancels.retain(|(cancelled, _)| *cancelled != id);
            decision.cancels.push((id, CancelReason::SafeMode));
        }
        Some(decision)
    }

    /// Own purchases do not stay while only reducing is allowed; everything else runs out by age.
    fn withdraw(&self, desk: &DeskView) -> Vec<ClientId> {
        let is_reducing = desk.mode == Mode::ReduceRiskOnly;
        live_orders(desk, Side::Buy)
            .filter(|order| is_reducing && !order.cancel_asked)
            .map(OrderView::client_id)
            .collect()
    }
}
