//! The simulated venue of a dry run: an account of ours on the market that is shown.
//!
//! It speaks to router and reconciler exactly as the exchange does: an outcome for each submit, events, rows, lists.
//! It is no store: what it held before a restart is folded out of the journal, and orders that rested are gone.

mod core;
mod past;
mod rules;
#[cfg(test)]
pub(crate) mod tests;

pub use self::core::{VenueCore, VenueEffect};
pub use past::Past;

use crate::gate::Gate;
use crate::link::{Link, Sent};
use crate::observer::{Call, Eyes, Process};
use crate::params::TAX_BPS_OF_FEE;
use crate::reconciler::ReadPort;
use crate::risk_gate::shut;
use crate::shell::Perform;
use config::settings::Settings;
use engine::approved::Approved;
use engine::book::BookView;
use engine::fill_model::FillParams;
use engine::ids::{ClientId, OrderId};
use engine::instrument::Instrument;
use engine::intent::NewOrder;
use engine::market::PublicTrade;
use engine::money::BPS_PER_ONE;
use engine::msg::{ReadReply, ReadRequest, ReconcileIn, RouterIn};
use engine::time::Timestamp;

/// Messages that may wait; beyond it market data is dropped with a warning, and an order shuts the gate.
pub const MAILBOX: usize = 4_096;
/// An order joins behind everything that rests at its price: the cautious assumption.
const QUEUE_SHARE_BPS: i64 = BPS_PER_ONE;
/// Parts per million in a basis point.
const PPM_PER_BPS: i64 = 100;
/// The simulated venue answers in the turn in which it is asked, milliseconds.
const ANSWER_MS: i64 = 0;

/// What the simulated venue hears.
#[derive(Debug)]
pub enum VenueIn {
    /// The market of a pair.
    Book(BookView),
    /// A public trade.
    Trade(PublicTrade),
    /// Rules of one pair; without them it takes no orders.
    Rules(Instrument),
    /// An order.
    Submit(Approved<NewOrder>),
    /// A cancel.
    Delete(ClientId, OrderId),
    /// A look at one order.
    ReadRow(ClientId, OrderId),
    /// A look at the account.
    Read(ReadRequest),
}

/// Returns how the simulated venue treats orders under these settings.
///
/// The configured fees are all-in, tax included; the venue charges fee and tax apart, as the exchange does. So the fee
/// is `all-in / (1 + tax)`, rounded up to a whole part per million: what is paid is never less than configured, and
/// more by 1.2 millionths of the value at most.
pub fn fill_params(settings: &Settings) -> FillParams {
    FillParams {
        latency_ms: settings.simulation.latency_ms,
        queue_share_bps: QUEUE_SHARE_BPS,
        fee_maker_ppm: fee_ppm(settings.strategy.fee_bps_maker),
        fee_taker_ppm: fee_ppm(settings.strategy.fee_bps_taker),
        tax_of_fee_bps: TAX_BPS_OF_FEE,
    }
}

/// Takes the tax out of an all-in rate.
fn fee_ppm(all_in_bps: i64) -> i64 {
    let scaled = all_in_bps * PPM_PER_BPS * BPS_PER_ONE;
    let with_tax = BPS_PER_ONE + TAX_BPS_OF_FEE;
    scaled.div_euclid(with_tax) + i64::from(scaled.rem_euclid(with_tax) > 0)
}

/// Where the venue's answers go.
pub struct VenuePort {
    /// The router.
    pub router: Link<RouterIn>,
    /// The reconciler.
    pub reconciler: Link<ReconcileIn>,
    /// The gate: an answer that cannot be handed on shuts it.
    pub gate: Gate,
    /// Status and log.
    pub eyes: Eyes,
}

impl VenuePort {
    fn answer(&self, message: RouterIn) {
        if self.router.send(message) != Sent::Delivered {
            shut(&self.gate, &self.eyes, "venue_to_router");
        }
    }
}

impl Perform for VenuePort {
    type Core = VenueCore;

    fn perform(&mut self, _now: Timestamp, effect: VenueEffect) {
        match effect {
            VenueEffect::Outcome(id, outcome) => {
                self.eyes.see(Call::SubmitAnswered(id, ANSWER_MS, None));
                self.answer(RouterIn::Outcome(id, outcome));
            }
            VenueEffect::CancelReply(id, reply) => {
                self.eyes.see(Call::CancelAnswered(id, reply, ANSWER_MS));
                self.answer(RouterIn::CancelReply(id, reply));
            }
            VenueEffect::Private(event) => self.answer(RouterIn::Private(event)),
            VenueEffect::Row(id, row) => self.answer(RouterIn::Row(id, row)),
            VenueEffect::Reply(reply) => {
                // The pass times out and starts over.
                if self.reconciler.send(ReconcileIn::Reply(reply)) != Sent::Delivered {
                    self.eyes.see(Process::LinkTrouble(
                        "venue_to_reconciler",
                        "read reply dropped",
                    ));
                }
            }
        }
    }
}

/// Reads of the simulated account; the venue answers to the reconciler itself.
pub struct SimulatedReads {
    /// The venue.
    pub venue: Link<VenueIn>,
    /// Where a read that cannot be asked is reported as failed.
    pub reconciler: Link<ReconcileIn>,
}

impl ReadPort for SimulatedReads {
    fn read(&self, request: ReadRequest) {
        if self.venue.send(VenueIn::Read(request)) == Sent::Delivered {
            return;
        }
        let failed = ReconcileIn::Reply(ReadReply::Failed(request));
        if self.reconciler.send(failed) != Sent::Delivered {
            tracing::warn!(
                event = "read_reply_dropped",
                msg = "the pass will time out and start over"
            );
        }
    }
}
