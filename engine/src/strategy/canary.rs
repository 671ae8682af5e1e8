//! One tiny buy far below the market in each cycle: it proves the whole way of an order, and trades nothing.
//!
//! It takes no position and follows no price. The one idea: an order that rests far away shows submit, stream, lists and
//! cancel at work, and is a witness for proofs of absence.

use super::params::CommonParams;
use super::scene::{Decision, Scene, Strategy, Wish, live_orders};
use crate::ids::ClientId;
use crate::intent::{CancelReason, IntentClass, IntentReason, SilentReason, StrategyKind};
use crate::market::Side;
use crate::mode::Mode;
use crate::money::BPS_PER_ONE;
use crate::msg::DeskView;
use crate::order::OrderView;

/// How far below the best bid the order rests, basis points: no ordinary minute comes that far, and the exchange's
/// price limits are much wider (docs/EXCHANGE.md 4.2).
const BELOW_BPS: i64 = 500;

/// Places one order and lets it run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Canary;

impl Strategy for Canary {
    fn kind(&self) -> StrategyKind {
        StrategyKind::Canary
    }

    fn samples_kept(&self, _common: &CommonParams) -> usize {
        1
    }

    fn decide(&self, scene: &Scene<'_>) -> Option<Decision> {
        if scene.desk.mode != Mode::Normal {
            let silent = Decision::silent(SilentReason::Mode);
            let own = self.withdraw(scene.desk).into_iter();
            return Some(own.fold(silent, |decision, id| {
                decision.and_cancel(id, CancelReason::SafeMode)
            }));
        }
        let has_order = scene.desk.orders.iter().any(|o| !o.state.is_terminal());
        let Some(began) = scene.cycle_at.filter(|_| !has_order) else {
            return Some(Decision::silent(SilentReason::OrderWorking));
        };
        if scene.desk.last_entry_at.is_some_and(|at| at >= began) {
            return Some(Decision::silent(SilentReason::CycleDone));
        }
        let far = scene
            .book
            .best_bid()
            .price
            .times_bps(BPS_PER_ONE - BELOW_BPS)?;
        let value = scene.common.intent_notional.min(scene.spendable()?);
        Some(match scene.sized(Side::Buy, far, value) {
            Err(_) => Decision::silent(SilentReason::QuoteTooSmall),
            Ok((limit, qty)) => Decision::wish(Wish {
                side: Side::Buy,
                qty,
                limit,
                class: IntentClass::Entry,
                reason: IntentReason::CanaryBuy,
            }),
        })
    }

    fn withdraw(&self, desk: &DeskView) -> Vec<ClientId> {
        live_orders(desk, Side::Buy)
            .filter(|order| !order.cancel_asked)
            .map(OrderView::client_id)
            .collect()
    }
}
