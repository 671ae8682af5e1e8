//! Stories of simulated orders on somebody else's market.

use super::*;
use crate::book::tests::trusted;
use crate::ids::{AccountTag, BootTag, ClientId};
use crate::intent::{Intent, IntentClass, IntentReason, StrategyKind};
use crate::money::UNITS_PER_ONE;
use proptest::prelude::*;

fn symbol() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

fn asset(text: &str) -> Asset {
    Asset::parse(text).expect("an asset")
}

fn price(whole: i64) -> Price {
    Price::from_units(whole * UNITS_PER_ONE)
}

fn qty(whole: i64) -> Qty {
    Qty::from_units(whole * UNITS_PER_ONE)
}

fn rules() -> Instrument {
    Instrument {
        symbol: symbol(),
        base: asset("BTC"),
        quote: asset("TRY"),
        is_trading: true,
        price_step: price(1),
        qty_step: Qty::from_units(1),
        value_min: Amount::ZERO,
        qty_min: None,
        qty_max: None,
        price_min: None,
        price_max: None,
        fee_in_base: false,
    }
}

fn opening(cash: i64, coins: i64) -> Vec<BalanceRow> {
    [("TRY", cash), ("BTC", coins)]
        .map(|(name, whole)| BalanceRow {
            asset: asset(name),
            free: Amount::from_whole(whole),
            locked: Amount::ZERO,
        })
        .to_vec()
}

fn order(side: Side, limit: Price, size: Qty, seq: u64) -> NewOrder {
    NewOrder {
        client_id: ClientId::new(
            AccountTag::from_entropy(1),
            1,
            BootTag::from_entropy(2),
            seq,
        ),
        intent: Intent {
            strategy: StrategyKind::MarketMaker,
            symbol: symbol(),
            side,
            qty: size,
            limit,
            class: IntentClass::Quote,
            reason: IntentReason::QuoteBid,
            at: Timestamp::default(),
            book: Default::default(),
            mid: limit,
            cycle: 0,
        },
        reserved: Amount::ZERO,
        fee_in_base: false,
    }
}

/// 100 x 10, 99 x 20 against 101 x 10, 102 x 20, 105 x 30.
const BIDS: &[(i64, i64)] = &[(100, 10), (99, 20)];
const ASKS: &[(i64, i64)] = &[(101, 10), (102, 20), (105, 30)];

struct Venue {
    model: FillModel,
    now: Timestamp,
    seq: u64,
}

impl Venue {
    fn new() -> Self {
        let params = FillParams {
            latency_ms: 50,
            queue_share_bps: 5_000,
            ..FillParams::default()
        };
        let mut venue = Self {
            model: FillModel::new(params, &[rules()], &opening(100_000, 500), 1),
            now: Timestamp::from_ms(0),
            seq: 0,
        };
        assert_eq!(venue.book(BIDS, ASKS), vec![]);
        venue
    }

    fn book(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Vec<(i64, i64)> {
        let book = trusted(symbol(), self.now, bids, asks);
        brief(&self.model.see_book(self.now, &book))
    }

    fn trade(&mut self, at: i64, size: i64, taker: Side) -> Vec<(i64, i64)> {
        let trade = PublicTrade {
            symbol: symbol(),
            price: price(at),
            qty: qty(size),
            taker: Some(taker),
            at: self.now,
            id: None,
        };
        brief(&self.model.see_trade(self.now, &trade))
    }

    fn submit(&mut self, side: Side, limit: i64, size: i64) -> SubmitOutcome {
        self.seq += 1;
        let order = order(side, price(limit), qty(size), self.seq);
        self.model.submit(self.now, &order)
    }

    /// Submits and lets the order arrive; returns its number and its fills.
    fn place(&mut self, side: Side, limit: i64, size: i64) -> (OrderId, Vec<(i64, i64)>) {
        let SubmitOutcome::Accepted(id) = self.submit(side, limit, size) else {
            panic!("the order is taken");
        };
        self.now = self.now.plus_ms(50);
        (id, brief(&self.model.advance(self.now)))
    }

    fn balance(&self, name: &str) -> (String, String) {
        let row = self
            .model
            .balances()
            .into_iter()
            .find(|row| row.asset == asset(name))
            .expect("a row");
        (row.free.to_string(), row.locked.to_string())
    }

    fn status(&self, id: OrderId) -> RowStatus {
        self.model.row(id).expect("remembered").status
    }
}

/// Price and quantity in whole units.
fn brief(trades: &[OwnTrade]) -> Vec<(i64, i64)> {
    trades
        .iter()
        .map(|trade| {
            (
                trade.price.units() / UNITS_PER_ONE,
                trade.qty.units() / UNITS_PER_ONE,
            )
        })
        .collect()
}

#[test]
fn a_crossing_order_takes_level_by_level_within_its_limit() {
    let mut venue = Venue::new();
    let (id, fills) = venue.place(Side::Buy, 102, 50);
    assert_eq!(fills, vec![(101, 10), (102, 20)]);
    assert_eq!(venue.status(id), RowStatus::Partial);
    let (_, fills) = venue.place(Side::Sell, 99, 15);
    assert_eq!(fills, vec![(100, 10), (99, 5)]);
}

#[test]
fn the_same_shown_quantity_is_not_taken_twice() {
    let mut venue = Venue::new();
    assert_eq!(venue.place(Side::Buy, 101, 6).1, vec![(101, 6)]);
    assert_eq!(venue.place(Side::Buy, 101, 6).1, vec![(101, 4)]);
    venue.book(BIDS, ASKS);
    assert_eq!(venue.place(Side::Buy, 101, 6).1, vec![(101, 6)]);
}

#[test]
fn an_order_reaches_the_book_only_after_the_latency() {
    let mut venue = Venue::new();
    venue.submit(Side::Buy, 101, 5);
    assert_eq!(venue.model.deadline(), Some(Timestamp::from_ms(50)));
    venue.now = Timestamp::from_ms(49);
    assert_eq!(venue.trade(90, 500, Side::Sell), vec![]);
    venue.now = Timestamp::from_ms(60);
    // It met the book of its arrival, not the one that came after.
    assert_eq!(venue.book(BIDS, &[(103, 10)]), vec![(101, 5)]);
    assert_eq!(venue.model.deadline(), None);
}

#[test]
fn without_a_book_an_order_waits() {
    let mut venue = Venue::new();
    venue.model.lose_book(symbol());
    let (id, fills) = venue.place(Side::Buy, 101, 5);
    assert_eq!((fills, venue.model.deadline()), (vec![], None));
    assert_eq!(venue.status(id), RowStatus::Untouched);
    assert_eq!(venue.book(BIDS, ASKS), vec![(101, 5)]);
}

#[test]
fn a_resting_order_waits_for_the_quantity_ahead() {
    let mut venue = Venue::new();
    // Half of the ten that rest there are ahead.
    let (id, fills) = venue.place(Side::Buy, 100, 8);
    assert_eq!(fills, vec![]);
    assert_eq!(venue.trade(100, 4, Side::Sell), vec![]);
    assert_eq!(venue.trade(100, 3, Side::Sell), vec![(100, 2)]);
    assert_eq!(
        venue.trade(100, 3, Side::Buy),
        vec![],
        "the other side traded"
    );
    assert_eq!(venue.trade(101, 50, Side::Buy), vec![], "not its price");
    assert_eq!(venue.trade(100, 50, Side::Sell), vec![(100, 6)]);
    assert_eq!(venue.status(id), RowStatus::Closed);
}

#[test]
fn a_trade_through_the_price_fills_at_most_what_was_traded() {
    let mut venue = Venue::new();
    let (id, _) = venue.place(Side::Buy, 100, 8);
    assert_eq!(venue.trade(99, 3, Side::Sell), vec![(100, 3)]);
    assert_eq!(venue.status(id), RowStatus::Partial);
    assert_eq!(venue.trade(100, 9, Side::Sell), vec![(100, 5)]);
}

#[test]
fn cancels_of_others_shrink_the_queue_in_proportion() {
    let mut venue = Venue::new();
    venue.place(Side::Buy, 100, 8);
    venue.book(&[(100, 4), (99, 20)], ASKS);
    assert_eq!(venue.trade(100, 2, Side::Sell), vec![]);
    assert_eq!(venue.trade(100, 1, Side::Sell), vec![(100, 1)]);
    // Growth joins behind.
    let mut venue = Venue::new();
    venue.place(Side::Buy, 100, 8);
    venue.book(&[(100, 400), (99, 20)], ASKS);
    assert_eq!(venue.trade(100, 6, Side::Sell), vec![(100, 1)]);
    // A trade that the next book shows too is not counted twice.
    let mut venue = Venue::new();
    venue.place(Side::Buy, 100, 8);
    venue.trade(100, 4, Side::Sell);
    venue.book(&[(100, 6), (99, 20)], ASKS);
    assert_eq!(venue.trade(100, 2, Side::Sell), vec![(100, 1)]);
}

#[test]
fn one_trade_is_shared_by_price_and_age() {
    let mut venue = Venue::new();
    let (low, _) = venue.place(Side::Sell, 103, 4);
    let (old, _) = venue.place(Side::Sell, 102, 4);
    let (young, _) = venue.place(Side::Sell, 102, 4);
    assert_eq!(
        venue.trade(104, 10, Side::Buy),
        vec![(102, 4), (102, 4), (103, 2)]
    );
    assert_eq!(venue.status(old), RowStatus::Closed);
    assert_eq!(venue.status(young), RowStatus::Closed);
    assert_eq!(venue.status(low), RowStatus::Partial);
}

#[test]
fn fees_and_tax_are_rounded_down_to_eight_decimals() {
    let mut venue = Venue::new();
    let order = order(Side::Buy, price(101), Qty::from_units(12_345), 1);
    venue.model.submit(venue.now, &order);
    venue.now = venue.now.plus_ms(50);
    let fills = venue.model.advance(venue.now);
    // 0.00012345 x 101 = 0.01246845; x 0.0009 = 0.000011221605; a fifth of it 0.000002244.
    assert_eq!(fills[0].fee.to_string(), "0.00001122");
    assert_eq!(fills[0].tax.to_string(), "0.00000224");
    assert_eq!(
        venue.balance("TRY").1,
        "0",
        "all that was locked is settled"
    );
}

#[test]
fn what_is_not_there_is_refused() {
    let mut venue = Venue::new();
    let poor = SubmitOutcome::Rejected(Refusal::InsufficientBalance);
    assert_eq!(venue.submit(Side::Sell, 200, 501), poor);
    assert_eq!(
        venue.submit(Side::Buy, 100, 1_000),
        poor,
        "the fee is missing"
    );
    assert!(matches!(
        venue.submit(Side::Buy, 100, 990),
        SubmitOutcome::Accepted(_)
    ));
    assert_eq!(
        venue.submit(Side::Buy, 100, 20),
        poor,
        "locked by the first"
    );
    let huge = order(
        Side::Buy,
        Price::from_units(i64::MAX),
        Qty::from_units(i64::MAX),
        9,
    );
    assert_eq!(
        venue.model.submit(venue.now, &huge),
        SubmitOutcome::Rejected(Refusal::Other)
    );
    let mut foreign = order(Side::Buy, price(1), qty(1), 10);
    foreign.intent.symbol = Symbol::parse("XYZTRY").expect("a pair");
    assert_eq!(
        venue.model.submit(venue.now, &foreign),
        SubmitOutcome::Rejected(Refusal::InsertBlocked)
    );
}

#[test]
fn a_cancel_gives_back_what_is_left() {
    let mut venue = Venue::new();
    let (id, _) = venue.place(Side::Sell, 103, 4);
    assert_eq!(venue.balance("BTC"), ("496".into(), "4".into()));
    venue.trade(104, 1, Side::Buy);
    assert_eq!(venue.model.cancel(venue.now, id), CancelReply::Acknowledged);
    assert_eq!(venue.balance("BTC"), ("499".into(), "0".into()));
    let row = venue.model.row(id).expect("remembered");
    assert_eq!((row.status, row.left), (RowStatus::Canceled, qty(3)));
    assert_eq!(venue.model.cancel(venue.now, id), CancelReply::LookUp);
    assert_eq!(venue.trade(104, 9, Side::Buy), vec![]);
}

#[test]
fn lists_show_open_ended_and_traded() {
    let mut venue = Venue::new();
    let (done, _) = venue.place(Side::Buy, 101, 1);
    let after = venue.now.plus_ms(1);
    let (open, _) = venue.place(Side::Buy, 90, 1);
    let ids = |rows: Vec<OrderRow>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(venue.model.open_rows()), vec![open]);
    assert_eq!(
        ids(venue.model.rows_since(symbol(), Timestamp::default())),
        vec![done, open]
    );
    assert_eq!(ids(venue.model.rows_since(symbol(), after)), vec![]);
    assert_eq!(venue.model.trades_since(Timestamp::default()).len(), 1);
    assert_eq!(venue.model.trades_since(after), vec![]);
}

#[derive(Clone, Debug)]
enum Step {
    Place(Side, i64, i64),
    Cancel(usize),
    Trade(i64, i64, Side),
    Book(i64, i64),
    Wait(i64),
}

fn side() -> impl Strategy<Value = Side> {
    any::<bool>().prop_map(|is_buy| if is_buy { Side::Buy } else { Side::Sell })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (side(), 90i64..112, 1i64..40).prop_map(|(s, p, q)| Step::Place(s, p, q)),
        (0usize..20).prop_map(Step::Cancel),
        (90i64..112, 1i64..60, side()).prop_map(|(p, q, s)| Step::Trade(p, q, s)),
        (95i64..106, 1i64..50).prop_map(|(mid, q)| Step::Book(mid, q)),
        (0i64..120).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Neither cash nor coins come from nowhere: balances are the opening plus every reported trade, exactly.
    #[test]
    fn simulated_cash_is_conserved(steps in prop::collection::vec(step(), 1..150)) {
        let mut venue = Venue::new();
        let mut ids = Vec::new();
        for step in steps {
            match step {
                Step::Place(side, limit, size) => {
                    if let SubmitOutcome::Accepted(id) = venue.submit(side, limit, size) {
                        ids.push(id);
                    }
                }
                Step::Cancel(index) => if let Some(id) = ids.get(index) {
                    venue.model.cancel(venue.now, *id);
                },
                Step::Trade(at, size, taker) => { venue.trade(at, size, taker); }
                Step::Book(mid, size) => {
                    venue.book(&[(mid - 1, size), (mid - 3, 9)], &[(mid + 1, size), (mid + 4, 9)]);
                }
                Step::Wait(ms) => venue.now = venue.now.plus_ms(ms),
            }
            let (mut cash, mut coins) = (Amount::from_whole(100_000), Amount::from_whole(500));
            let trades = venue.model.trades_since(Timestamp::default());
            for trade in &trades {
                let value = trade.price.value(trade.qty);
                match trade.side {
                    Side::Buy => { cash -= value; coins += trade.qty.amount(); }
                    Side::Sell => { cash += value; coins -= trade.qty.amount(); }
                }
                cash -= trade.fee + trade.tax;
                let row = venue.model.row(trade.order_id).expect("remembered");
                let is_within = match trade.side {
                    Side::Buy => trade.price <= row.price,
                    Side::Sell => trade.price >= row.price,
                };
                prop_assert!(is_within);
            }
            for row in venue.model.balances() {
                let expected = if row.asset == asset("TRY") { cash } else { coins };
                prop_assert_eq!(row.total(), expected);
                prop_assert!(!row.free.is_negative() && !row.locked.is_negative());
            }
            for row in ids.iter().filter_map(|id| venue.model.row(*id)) {
                let filled: Qty = trades.iter().filter(|t| t.order_id == row.id).map(|t| t.qty).sum();
                prop_assert_eq!(row.left + filled, row.qty);
            }
            if venue.model.open_rows().is_empty() {
                prop_assert!(venue.model.balances().iter().all(|row| row.locked == Amount::ZERO));
            }
        }
    }
}
