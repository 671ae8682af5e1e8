//! Every message that an actor with a core can hear, by name, and one of each to send.
//!
//! The list cannot lag behind the enums: one table makes the names, the samples and a match that the compiler wants
//! complete. A message that only the RiskGate can make (an approval) is not sent but waited for.

use super::samples::Samples;
use engine::answer::{CancelReply, PrivateEvent, SubmitOutcome, UnknownCause};
use engine::budget::{ConnectPace, Spending};
use engine::feed::FeedLimits;
use engine::intent::CancelReason;
use engine::market::MarketEvent;
use engine::mode::{Mode, ModeCode, Scope};
use engine::money::Amount;
use engine::msg::{
    BookIn, Declined, FeedIn, ReadReply, ReadRequest, ReconcileIn, RiskIn, RouterIn, StrategyIn,
};
use engine::order::Resolution;
use engine::supervisor::{ActorName, SupervisorIn};

/// A message of an actor.
pub(super) trait Message: Sized + Send + 'static {
    /// Who hears it.
    const ACTOR: ActorName;
    /// The names of all variants.
    const KINDS: &'static [&'static str];

    /// Returns the name of its variant.
    fn kind(&self) -> &'static str;

    /// Makes one of a variant; `None` where only the living system can.
    fn sample(kind: &str, of: &Samples) -> Option<Self>;
}

macro_rules! messages {
    ($actor:ident hears $in:ty: $($variant:ident => $make:expr;)*) => {
        impl Message for $in {
            const ACTOR: ActorName = ActorName::$actor;
            const KINDS: &'static [&'static str] = &[$(stringify!($variant)),*];

            fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($variant),)*
                }
            }

            fn sample(kind: &str, of: &Samples) -> Option<Self> {
                let makers: &[(&str, fn(&Samples) -> Option<Self>)] =
                    &[$((stringify!($variant), $make)),*];
                makers.iter().find(|(name, _)| *name == kind).and_then(|(_, make)| make(of))
            }
        }
    };
}

messages! { MarketFeed hears FeedIn:
    Connected => |_| Some(Self::Connected);
    Disconnected => |_| Some(Self::Disconnected);
    Declined => |_| Some(Self::Declined(Declined::Busy(None)));
    Pace => |_| Some(Self::Pace(ConnectPace::Usual));
    Limits => |_| Some(Self::Limits(FeedLimits::default()));
    Version => |_| Some(Self::Version);
    Ack => |_| Some(Self::Ack { ok: true, text: "join|trade:BTCTRY".to_owned() });
    Market => |of| Some(Self::Market(MarketEvent::Ticker(of.ticker())));
    Private => |_| Some(Self::Private(PrivateEvent::BalanceHint));
    Ignored => |_| Some(Self::Ignored);
    Unreadable => |_| Some(Self::Unreadable);
    Resync => |of| Some(Self::Resync(of.symbol()));
}

messages! { OrderBook hears BookIn:
    SessionUp => |_| Some(Self::SessionUp(1));
    SessionDown => |_| Some(Self::SessionDown);
    Market => |of| Some(Self::Market(MarketEvent::Ticker(of.ticker())));
    Rejoined => |of| Some(Self::Rejoined(of.symbol()));
}

messages! { Strategy hears StrategyIn:
    Book => |of| Some(Self::Book(of.view()));
    Desk => |of| Some(Self::Desk(of.desk()));
    Rules => |of| Some(Self::Rules(of.rules));
    Cycle => |_| Some(Self::Cycle(1));
}

messages! { RiskGate hears RiskIn:
    Book => |of| Some(Self::Book(of.view()));
    Intent => |of| Some(Self::Intent(of.intent()));
    Cancel => |of| Some(Self::Cancel(of.id, CancelReason::Operator));
    Order => |of| Some(Self::Order(of.order()));
    Fill => |of| Some(Self::Fill(of.trade()));
    Balances => |of| Some(Self::Balances { asked_at: of.now, rows: of.balances() });
    Transfers => |_| Some(Self::Transfers(Vec::new()));
    Adjust => |of| Some(Self::Adjust {
        asset: of.rules.quote,
        amount: Amount::ZERO,
        reason: "a sample".to_owned(),
    });
    Foreign => |_| Some(Self::Foreign(Vec::new()));
    Reconciled => |_| Some(Self::Reconciled { clean: true });
    Rules => |of| Some(Self::Rules(of.rules));
    Raise => |_| Some(Self::Raise(ModeCode::ClockSkew, Scope::Global, Mode::ObserveOnly));
    Clear => |_| Some(Self::Clear(ModeCode::ClockSkew, Scope::Global));
    Hold => |of| Some(Self::Hold(Box::new(of.hold())));
    LetGo => |of| Some(Self::LetGo(Some(of.symbol())));
    LiftKills => |_| Some(Self::LiftKills);
    Confirm => |_| Some(Self::Confirm(0));
    SubmitsHeld => |of| Some(Self::SubmitsHeld(of.now));
    Resend => |_| Some(Self::Resend);
    Limits => |of| Some(Self::Limits(Box::new(of.limits.clone())));
}

messages! { OrderRouter hears RouterIn:
    Submit => |_| None;
    Durable => |of| Some(Self::Durable(of.id));
    Outcome => |of| Some(Self::Outcome(of.id, SubmitOutcome::Unknown(UnknownCause::Timeout)));
    Cancel => |of| Some(Self::Cancel(of.id, CancelReason::Operator));
    CancelAll => |_| Some(Self::CancelAll(CancelReason::Operator));
    CancelReply => |of| Some(Self::CancelReply(of.id, CancelReply::Failed));
    Private => |_| Some(Self::Private(PrivateEvent::BalanceHint));
    Row => |of| Some(Self::Row(of.id, None));
    Snapshot => |of| Some(Self::Snapshot(of.snapshot()));
    Offset => |_| Some(Self::Offset(0));
    Opened => |of| Some(Self::Opened(of.now));
    Resolve => |of| Some(Self::Resolve {
        client_id: of.id,
        resolution: Resolution::Stuck,
        reason: "a sample".to_owned(),
    });
}

messages! { Reconciler hears ReconcileIn:
    Now => |_| Some(Self::Now);
    Every => |_| Some(Self::Every(15_000));
    LookUp => |of| Some(Self::LookUp(vec![(of.symbol(), of.now)]));
    Explain => |_| Some(Self::Explain);
    Reply => |_| Some(Self::Reply(ReadReply::Failed(ReadRequest::Balances)));
}

messages! { Supervisor hears SupervisorIn:
    Ended => |_| Some(Self::Ended(ActorName::Strategy));
    Spent => |_| Some(Self::Spent(Spending::Throttled));
    HandshakesRefused => |_| Some(Self::HandshakesRefused(1));
    CredentialsRefused => |_| Some(Self::CredentialsRefused(1));
    Offset => |_| Some(Self::Offset(0));
    Forgive => |_| Some(Self::Forgive);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<M: Message>() {
        let samples = Samples::example();
        for kind in M::KINDS {
            if let Some(sample) = M::sample(kind, &samples) {
                assert_eq!(sample.kind(), *kind);
            } else {
                assert_eq!((M::ACTOR, *kind), (ActorName::OrderRouter, "Submit"));
            }
        }
    }

    #[test]
    fn every_sample_is_of_its_variant_and_only_approvals_have_none() {
        check::<FeedIn>();
        check::<BookIn>();
        check::<StrategyIn>();
        check::<RiskIn>();
        check::<RouterIn>();
        check::<ReconcileIn>();
        check::<SupervisorIn>();
    }
}
