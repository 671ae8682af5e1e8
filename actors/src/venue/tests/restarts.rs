//! Restarts of a dry run: what one venue did is written down, and the next one starts from it.

use super::*;
use engine::checkpoint::Fold;
use engine::order::OrderState;
use engine::record::Record;
use engine::router::Keep;

/// The journal that a router keeps of these effects.
struct Log(Vec<Record>);

impl Log {
    fn opened(cash: &str) -> Self {
        let mut log = Self(Vec::new());
        log.write(Record::Boot {
            epoch: 1,
            at: START,
        });
        log.write(Record::Opening {
            asset: asset("TRY"),
            amount: amount(cash),
            price: None,
            at: START,
        });
        log
    }

    fn write(&mut self, record: Record) {
        self.0.push(record);
    }

    fn sending(&mut self, order: &NewOrder) {
        self.write(Record::Sending {
            order: *order,
            stamp_max: START,
        });
    }

    fn note(&mut self, effects: &[VenueEffect]) {
        for effect in effects {
            match effect {
                VenueEffect::Outcome(client_id, outcome) => self.write(Record::Outcome {
                    client_id: *client_id,
                    outcome: *outcome,
                    at: START,
                }),
                VenueEffect::Private(PrivateEvent::Trade(trade)) => {
                    self.write(Record::Fill(trade.clone()));
                }
                VenueEffect::Private(_)
                | VenueEffect::CancelReply(..)
                | VenueEffect::Row(..)
                | VenueEffect::Reply(_) => {}
            }
        }
    }

    fn past(&self) -> Past {
        let journal = Fold::of(asset("TRY"), Keep::default(), &self.0);
        let now = START.plus_ms(1_000);
        Past::of(journal.sum(), asset("TRY"), amount("777"), now)
    }
}

/// Places an order and lets it meet the book, everything written down.
fn place(story: &mut Story, log: &mut Log, order: &NewOrder) -> OrderId {
    log.sending(order);
    let effects = story.submit(order);
    log.note(&effects);
    let SubmitOutcome::Accepted(number) = outcome(&effects) else {
        panic!("the order is accepted: {effects:?}");
    };
    story.now = story.now.plus_ms(LATENCY_MS);
    let mut out = Outbox::default();
    story.venue.wake(story.now, &mut out);
    log.note(out.effects());
    number
}

#[test]
fn a_restart_goes_on_with_the_ledgers_balances() {
    let (mut story, mut log) = (Story::of(fresh("10000")), Log::opened("10000"));
    place(&mut story, &mut log, &order(1, Side::Buy, 101, 10));
    place(&mut story, &mut log, &order(2, Side::Buy, 50, 4));
    let (free, locked) = story.balance("TRY");
    assert!(locked.is_positive(), "the second order rests");
    let mut again = Story::of(log.past());
    assert_eq!(again.balance("TRY"), (free + locked, Amount::ZERO));
    assert_eq!(again.balance("BTC"), story.balance("BTC"));
}

#[test]
fn an_account_that_was_never_opened_starts_with_the_configured_cash() {
    let mut log = Log(Vec::new());
    log.write(Record::Boot {
        epoch: 1,
        at: START,
    });
    let row = BalanceRow {
        asset: asset("TRY"),
        free: amount("777"),
        locked: Amount::ZERO,
    };
    assert_eq!(log.past().balances, vec![row]);
}

#[test]
fn orders_that_rested_are_cancelled_by_the_restart() {
    let (mut story, mut log) = (Story::of(fresh("10000")), Log::opened("10000"));
    let number = place(&mut story, &mut log, &order(1, Side::Buy, 101, 15));
    let mut again = Story::of(log.past());
    let row = again.row(number).expect("the journal knows it");
    assert_eq!((row.status, row.left), (RowStatus::Canceled, qty(5)));
    assert_eq!((row.client_id, row.side), (Some(id_of(1)), Side::Buy));
    assert_eq!(
        again.read(ReadRequest::OpenOrders),
        ReadReply::OpenOrders(vec![])
    );
    let history = again.read(ReadRequest::History(symbol(), START));
    assert_eq!(history, ReadReply::History(symbol(), START, vec![row]));
    assert_eq!(
        again.tell(VenueIn::Delete(id_of(1), number)),
        vec![VenueEffect::CancelReply(id_of(1), CancelReply::LookUp)]
    );
}

#[test]
fn a_fill_whose_end_was_not_written_has_ended_all_the_same() {
    let (mut story, mut log) = (Story::of(fresh("10000")), Log::opened("10000"));
    let number = place(&mut story, &mut log, &order(1, Side::Buy, 101, 10));
    let past = log.past();
    assert!(past.gone.is_empty(), "its trades add up: {:?}", past.gone);
    assert!(past.id_first > number.0, "its number is not given again");
}

#[test]
fn ended_refused_and_unanswered_orders_leave_no_row() {
    let mut log = Log::opened("10000");
    let outcomes = [
        Some(SubmitOutcome::Accepted(OrderId(41))),
        Some(SubmitOutcome::Rejected(Refusal::MinTotal)),
        Some(SubmitOutcome::NotSent(NotSent::Expired)),
        None,
    ];
    for (outcome, seq) in outcomes.into_iter().zip(1..) {
        log.sending(&order(seq, Side::Buy, 50, 4));
        if let Some(outcome) = outcome {
            log.note(&[VenueEffect::Outcome(id_of(seq), outcome)]);
        }
    }
    log.write(Record::Ended {
        client_id: id_of(1),
        state: OrderState::Canceled,
        at: START,
    });
    let past = log.past();
    assert!(past.gone.is_empty(), "{:?}", past.gone);
    assert_eq!(past.id_first, 42);
}

#[test]
fn numbers_are_never_given_twice() {
    let (mut story, mut log) = (Story::of(fresh("10000")), Log::opened("10000"));
    // The fill takes a number too, above its order's.
    let first = place(&mut story, &mut log, &order(1, Side::Buy, 101, 10));
    let mut again = Story::of(log.past());
    let second = place(&mut again, &mut log, &order(2, Side::Buy, 101, 2));
    assert!(second.0 > first.0 + 1, "{first} {second}");
    let mut third = Story::of(log.past());
    assert!(third.accept(&order(3, Side::Buy, 100, 5)).0 > second.0 + 1);
}
