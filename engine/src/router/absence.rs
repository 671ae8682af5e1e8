//! The proof that an order with an unknown fate was never accepted.
//!
//! A time-out proves nothing. Absence needs the stamp's horizon to have passed on the exchange's clock, time for the
//! queues behind it to settle, and several complete, consistent looks that do not show the order (I4, X-02), each with
//! a witness: another own order that is shown with its client id, so that ours would have been shown too.

use crate::ids::OrderId;
use crate::time::Timestamp;

/// Age at which the exchange refuses a signed request, milliseconds.
///
/// Source: docs/EXCHANGE.md 3.1 (FAQ, one source); tripled by the settle time in case it is 15 s.
pub const STAMP_HORIZON_MS: i64 = 5_000;
/// Looks that must agree.
pub const LOOKS_NEEDED: u32 = 3;
/// Least time between two looks that count, milliseconds.
pub const LOOK_SPACING_MS: i64 = 5_000;
/// How far before the stamp a history must reach to count, milliseconds.
pub const HISTORY_MARGIN_MS: i64 = 60_000;
/// How far back a history is widened to hold a witness, milliseconds; an account that traded nothing for longer has
/// none, and its operator resolves.
pub const WITNESS_BACK_MS_MAX: i64 = 86_400_000;

/// Why a look that did not show an order proves nothing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// It missed an own order that must be visible: it comes from a late replica.
    Inconsistent,
    /// Its history of the pair begins after the order may have been sent.
    ShortHistory,
    /// It showed no own order with its client id.
    NoWitness,
    /// It showed a stranger's order with the same pair, side, price and size that changed since the order was sent:
    /// perhaps ours without its client id, never taken for it (X-03, D36).
    Lookalike(OrderId),
}

impl Unproven {
    /// Returns the stable code, without the number.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inconsistent => "inconsistent",
            Self::ShortHistory => "short_history",
            Self::NoWitness => "no_witness",
            Self::Lookalike(_) => "lookalike",
        }
    }
}

/// How far the proof has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AbsenceProof {
    looks: u32,
    last_at: Option<Timestamp>,
}

impl AbsenceProof {
    /// Returns the first moment of the exchange's clock at which a look may count.
    pub(crate) fn opens_at(stamp_max: Timestamp, settle_ms: i64) -> Timestamp {
        stamp_max.plus_ms(STAMP_HORIZON_MS + settle_ms)
    }

    /// Adds a complete and consistent look that did not show the order; returns whether the proof is complete.
    ///
    /// `asked_at` is when the look began, in exchange time.
    pub(crate) fn look(&mut self, asked_at: Timestamp, opens_at: Timestamp) -> bool {
        let is_early = asked_at < opens_at;
        let is_close = self
            .last_at
            .is_some_and(|last| asked_at.ms_since(last) < LOOK_SPACING_MS);
        if is_early || is_close {
            return false;
        }
        self.last_at = Some(asked_at);
        self.looks += 1;
        self.looks >= LOOKS_NEEDED
    }

    /// Starts over: a look proved nothing, so what was seen before it may come from the same late replica.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settle_ms: i64, looks_ms: &[i64], proven_at: Option<usize>) {
        let mut proof = AbsenceProof::default();
        let opens_at = AbsenceProof::opens_at(Timestamp(0), settle_ms);
        let got = looks_ms
            .iter()
            .position(|ms| proof.look(Timestamp::from_ms(*ms), opens_at));
        assert_eq!(got, proven_at, "{looks_ms:?}");
    }

    #[test]
    fn three_spaced_looks_behind_horizon_and_settle_time_prove_absence() {
        check(10_000, &[15_000, 20_000, 25_000], Some(2));
    }

    #[test]
    fn x_02_looks_before_queue_and_lag_have_settled_do_not_count() {
        // Accepted 15 s after its stamp, in the book 5 s later, in the lists 10 s later still: looks up to 25.5 s miss
        // it, and with the whole of that as settle time none of them counts.
        check(25_000, &[15_500, 20_500, 25_500, 29_999], None);
        check(10_000, &[0, 5_000, 14_999, 15_000, 20_000], None);
    }

    #[test]
    fn crowded_looks_do_not_count() {
        check(10_000, &[15_000, 16_000, 17_000, 19_999], None);
    }

    #[test]
    fn a_look_that_proves_nothing_starts_the_proof_over() {
        let mut proof = AbsenceProof::default();
        let opens_at = Timestamp(0);
        assert!(!proof.look(Timestamp::from_ms(0), opens_at));
        assert!(!proof.look(Timestamp::from_ms(5_000), opens_at));
        proof.restart();
        assert!(!proof.look(Timestamp::from_ms(10_000), opens_at));
    }
}
