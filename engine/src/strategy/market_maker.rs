//! Quotes both sides around a reservation price that leans against its inventory.
//!
//! One quote a side. A quote is moved by ending it; the new one is asked for when the old one is seen to have
//! ended, so that two quotes of a side never rest together.

use super::params::{CommonParams, MarketMakerParams};
use super::scene::{
    Decision, Scene, Strategy, Wish, is_off, is_resting, live_orders, times_bps_up,
};
use crate::ids::ClientId;
use crate::intent::{CancelReason, IntentClass, IntentReason, SilentReason, StrategyKind};
use crate::market::Side;
use crate::mode::Mode;
use crate::money::{Amount, BPS_PER_ONE, Price};
use crate::msg::DeskView;
use crate::order::OrderView;

/// Changes of the mark that volatility looks back on.
const VOL_CHANGES: usize = 60;
/// Turns the mean change of a second into about the move of a minute.
const VOL_SCALE: i64 = 8;
/// A full inventory signal, basis points.
const SIGNAL_FULL: i64 = BPS_PER_ONE;

/// Quotes both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketMaker {
    params: MarketMakerParams,
}

/// Where one side should be and what it should be worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    side: Side,
    price: Price,
    value: Amount,
}

/// What became of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Quote(Wish),
    Move(ClientId),
    Silent(SilentReason),
}

impl MarketMaker {
    /// Makes the strategy.
    pub const fn new(params: MarketMakerParams) -> Self {
        Self { params }
    }

    /// Returns how full the inventory is: 0 at the target, 10000 at the limit, -10000 without inventory.
    fn signal(&self, value: Amount) -> Option<i64> {
        let (target, limit) = (self.params.inventory_target, self.params.inventory_limit);
        let (distance, span) = if value >= target {
            (value - target, limit - target)
        } else {
            (value - target, target)
        };
        if !span.is_positive() {
            return Some(if distance.is_positive() {
                SIGNAL_FULL
            } else {
                0
            });
        }
        let signal = distance.times_ratio(i128::from(SIGNAL_FULL), span.units())?;
        let clamped = signal
            .units()
            .clamp(i128::from(-SIGNAL_FULL), i128::from(SIGNAL_FULL));
        i64::try_from(clamped).ok()
    }

    fn half_spread(&self, scene: &Scene<'_>) -> Option<i64> {
        let vol = scene.samples.volatility_bps(VOL_CHANGES, VOL_SCALE)?;
        let leaned = vol
            .checked_mul(self.params.vol_multiplier_bps)?
            .div_euclid(BPS_PER_ONE);
        let above_fee = scene.common.fee_bps_maker.checked_add(1)?;
        Some(self.params.half_spread_bps.max(above_fee).max(leaned))
    }

    /// Returns the wanted bid and ask. Neither crosses: each keeps a tick from the other side's best price.
    fn targets(&self, scene: &Scene<'_>) -> Option<[Target; 2]> {
        let (mid, step) = (scene.book.mid(), scene.rules.price_step);
        let signal = self.signal(mid.value(scene.desk.position))?;
        let reservation = reservation(mid, self.params.skew_bps, signal)?;
        let half = self.half_spread(scene)?;
        let below = reservation.times_bps(BPS_PER_ONE.checked_sub(half)?)?;
        let above = times_bps_up(reservation, BPS_PER_ONE.checked_add(half)?)?;
        let highest_bid = scene.book.best_ask().price.minus_or_zero(step);
        let lowest_ask = scene.book.best_bid().price.checked_add(step)?;
        let order = self.params.order_value;
        let bid = Target {
            side: Side::Buy,
            price: below.min(highest_bid).floor_to(step),
            value: order.times_bps(SIGNAL_FULL - signal.max(0))?,
        };
        let ask = Target {
            side: Side::Sell,
            price: above.max(lowest_ask).ceil_to(step)?,
            value: order.times_bps(SIGNAL_FULL + signal.min(0))?,
        };
        Some([bid, ask])
    }

    fn side(&self, scene: &Scene<'_>, target: Target) -> Option<Outcome> {
        let mut live = scene.live(target.side);
        let Some(order) = live.next() else {
            return quote(scene, target);
        };
        // A second quote of a side can only be left over from an earlier life.
        if let Some(extra) = live.find(|extra| is_resting(extra)) {
            return Some(Outcome::Move(extra.client_id()));
        }
        let is_unwanted = target.value < scene.value_min();
        let lived_ms = scene.now.ms_since(order.order.intent.at);
        let may_move = is_resting(order) && lived_ms >= self.params.min_quote_life_ms;
        if may_move && (is_unwanted || self.is_misplaced(scene, order, target)?) {
            return Some(Outcome::Move(order.client_id()));
        }
        Some(Outcome::Silent(SilentReason::OrderWorking))
    }

    fn is_misplaced(&self, scene: &Scene<'_>, order: &OrderView, target: Target) -> Option<bool> {
        let intent = &order.order.intent;
        let is_half_gone = order.filled > order.remaining();
        let mid = scene.book.mid();
        let off = is_off(intent.limit, target.price, mid, self.params.requote_bps)?;
        Some(is_half_gone || off)
    }
}

/// Returns `mid x (10000 - skew x signal / 10000) / 10000`, rounded down: long leans lower, short of target higher.
fn reservation(mid: Price, skew_bps: i64, signal: i64) -> Option<Price> {
    let whole = i128::from(BPS_PER_ONE) * i128::from(BPS_PER_ONE);
    let lean = i128::from(skew_bps).checked_mul(i128::from(signal))?;
    let scaled = i128::from(mid.units()).checked_mul(whole.checked_sub(lean)?)?;
    i64::try_from(scaled.div_euclid(whole))
        .ok()
        .map(Price::from_units)
}

fn crosses_own(scene: &Scene<'_>, target: Target) -> bool {
    scene
        .live(target.side.opposite())
        .any(|other| match target.side {
            Side::Buy => target.price >= other.order.intent.limit,
            Side::Sell => target.price <= other.order.intent.limit,
        })
}

fn quote(scene: &Scene<'_>, target: Target) -> Option<Outcome> {
    if crosses_own(scene, target) {
        return Some(Outcome::Silent(SilentReason::OrderWorking));
    }
    let sized = match target.side {
        Side::Buy => {
            let value = target.value.min(scene.spendable()?);
            scene.sized(Side::Buy, target.price, value)
        }
        Side::Sell => scene
            .sized(Side::Sell, target.price, target.value)
            .and_then(|(price, qty)| {
                scene.quantise(Side::Sell, price, qty.min(scene.free_position()))
            }),
    };
    Some(match sized {
        Err(_) => Outcome::Silent(SilentReason::QuoteTooSmall),
        Ok((limit, qty)) => Outcome::Quote(Wish {
            side: target.side,
            qty,
            limit,
            class: IntentClass::Quote,
            reason: match target.side {
                Side::Buy => IntentReason::QuoteBid,
                Side::Sell => IntentReason::QuoteAsk,
            },
        }),
    })
}

impl Strategy for MarketMaker {
    fn kind(&self) -> StrategyKind {
        StrategyKind::MarketMaker
    }

    fn samples_kept(&self, _common: &CommonParams) -> usize {
        self.params.samples_min.max(VOL_CHANGES + 1)
    }

    fn decide(&self, scene: &Scene<'_>) -> Option<Decision> {
        if scene.desk.mode != Mode::Normal {
            let mut decision = Decision::silent(SilentReason::Mode);
            for id in self.withdraw(scene.desk) {
                decision = decision.and_cancel(id, CancelReason::SafeMode);
            }
            return Some(decision);
        }
        if scene.samples.count() < self.params.samples_min.max(2) {
            return Some(Decision::silent(SilentReason::Warming));
        }
        let mut decision = Decision::default();
        let mut reasons = Vec::with_capacity(2);
        for target in self.targets(scene)? {
            match self.side(scene, target)? {
                Outcome::Quote(wish) => decision.wishes.push(wish),
                Outcome::Move(id) => decision.cancels.push((id, CancelReason::Reprice)),
                Outcome::Silent(reason) => reasons.push(reason),
            }
        }
        if decision.wishes.is_empty() {
            let is_working = reasons.is_empty() || reasons.contains(&SilentReason::OrderWorking);
            decision.silent = Some(if is_working {
                SilentReason::OrderWorking
            } else {
                SilentReason::QuoteTooSmall
            });
        }
        Some(decision)
    }

    fn withdraw(&self, desk: &DeskView) -> Vec<ClientId> {
        let keeps_asks = desk.mode == Mode::ReduceRiskOnly && desk.position.is_positive();
        let asks = live_orders(desk, Side::Sell).filter(|_| !keeps_asks);
        live_orders(desk, Side::Buy)
            .chain(asks)
            .filter(|order| !order.cancel_asked)
            .map(OrderView::client_id)
            .collect()
    }
}
