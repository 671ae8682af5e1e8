//! Stories of strategies: prices go in, wishes come out.

use super::params::{MarketMakerParams, MeanReversionParams};
use super::*;
use crate::answer::UnknownCause;
use crate::book::Distrust;
use crate::book::tests::trusted;
use crate::ids::{AccountTag, Asset, BootTag};
use crate::intent::{IntentClass, IntentReason, NewOrder};
use crate::money::{Amount, Price, Qty, UNITS_PER_ONE};
use crate::order::{OrderState, OrderView};
use proptest::prelude::*;

fn symbol() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).expect("a quantity")
}

fn rules(pair: Symbol) -> Instrument {
    Instrument {
        symbol: pair,
        base: Asset::parse("BTC").expect("an asset"),
        quote: Asset::parse("TRY").expect("an asset"),
        is_trading: true,
        price_step: price("1"),
        qty_step: qty("0.0001"),
        value_min: Amount::from_whole(100),
        qty_min: None,
        qty_max: None,
        price_min: None,
        price_max: None,
    }
}

fn common() -> CommonParams {
    CommonParams {
        intent_notional: Amount::from_whole(1_000),
        ..CommonParams::default()
    }
}

fn mean_reversion() -> KindParams {
    KindParams::MeanReversion(MeanReversionParams {
        window_ms: 20_000,
        samples_min: 10,
        entry_bps: 100,
        exit_bps: 10,
        stop_bps: 300,
        max_hold_ms: 600_000,
    })
}

fn market_maker() -> KindParams {
    KindParams::MarketMaker(MarketMakerParams {
        order_value: Amount::from_whole(1_000),
        inventory_target: Amount::from_whole(5_000),
        inventory_limit: Amount::from_whole(10_000),
        samples_min: 5,
        skew_bps: 15,
        ..MarketMakerParams::default()
    })
}

/// One owner of one pair with its desk; a second passes with every mark.
struct Bench {
    strategies: Strategies,
    now: Timestamp,
    desk: DeskView,
    ids: u64,
}

impl Bench {
    fn new(kind: KindParams) -> Self {
        let params = StrategyParams {
            common: common(),
            kind,
        };
        let strategies = Strategies::new(vec![(symbol(), params)]).expect("one owner");
        let desk = DeskView {
            symbol: symbol(),
            mode: Mode::Normal,
            position: Qty::ZERO,
            cost: None,
            opened_at: None,
            cash: Amount::from_whole(100_000),
            orders: Vec::new(),
            last_entry_at: None,
        };
        let mut bench = Self {
            strategies,
            now: Timestamp::from_ms(1_000_000),
            desk,
            ids: 0,
        };
        bench.tell(StrategyIn::Rules(rules(symbol())));
        bench.tell_desk();
        bench
    }

    /// With enough samples of 10000 to be warm.
    fn warm(kind: KindParams) -> Self {
        let mut bench = Self::new(kind);
        bench.marks(10_000, 25);
        bench
    }

    fn tell(&mut self, input: StrategyIn) -> Vec<StrategyEffect> {
        let mut out = Outbox::default();
        self.strategies.handle(self.now, input, &mut out);
        out.drain().collect()
    }

    fn tell_desk(&mut self) -> Vec<StrategyEffect> {
        self.now = self.now.plus_ms(500);
        self.tell(StrategyIn::Desk(self.desk.clone()))
    }

    /// A book one unit around the mid, a second later.
    fn mark(&mut self, mid: i64) -> Vec<StrategyEffect> {
        self.spread(mid - 1, mid + 1)
    }

    fn spread(&mut self, bid: i64, ask: i64) -> Vec<StrategyEffect> {
        self.now = self.now.plus_ms(1_000);
        let book = trusted(symbol(), self.now, &[(bid, 50)], &[(ask, 50)]);
        self.tell(StrategyIn::Book(BookView::Trusted(book)))
    }

    fn marks(&mut self, mid: i64, times: usize) {
        for _ in 0..times {
            self.mark(mid);
        }
    }

    fn distrust(&mut self) -> Vec<StrategyEffect> {
        self.tell(StrategyIn::Book(BookView::Untrusted {
            symbol: symbol(),
            why: Distrust::ReceiveAge,
            since: self.now,
        }))
    }

    /// Puts an order of ours on the desk, open since now.
    fn rest(&mut self, side: Side, limit: &str, size: &str) -> ClientId {
        self.ids += 1;
        let client_id = ClientId::new(
            AccountTag::from_entropy(1),
            1,
            BootTag::from_entropy(2),
            self.ids,
        );
        let intent = Intent {
            strategy: StrategyKind::MarketMaker,
            symbol: symbol(),
            side,
            qty: qty(size),
            limit: price(limit),
            class: IntentClass::Quote,
            reason: IntentReason::QuoteBid,
            at: self.now,
            book: Default::default(),
            mid: price(limit),
            cycle: 0,
        };
        self.desk.orders.push(OrderView {
            order: NewOrder {
                client_id,
                intent,
                reserved: Amount::ZERO,
            },
            state: OrderState::Open,
            order_id: None,
            filled: Qty::ZERO,
            cancel_asked: false,
            since: self.now,
        });
        self.tell(StrategyIn::Desk(self.desk.clone()));
        client_id
    }

    fn hold(&mut self, size: &str, cost: &str) {
        self.desk.position = qty(size);
        self.desk.cost = Some(price(cost));
        self.desk.opened_at = Some(self.now);
        self.tell(StrategyIn::Desk(self.desk.clone()));
    }

    fn set_mode(&mut self, mode: Mode) -> Vec<StrategyEffect> {
        self.desk.mode = mode;
        self.tell_desk()
    }
}

fn intents(effects: &[StrategyEffect]) -> Vec<(Side, String, String, &'static str)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            StrategyEffect::Intent(i) => Some((
                i.side,
                i.limit.to_string(),
                i.qty.to_string(),
                i.reason.as_str(),
            )),
            StrategyEffect::Cancel(..) | StrategyEffect::Silent(..) => None,
        })
        .collect()
}

fn cancels(effects: &[StrategyEffect]) -> Vec<(ClientId, CancelReason)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            StrategyEffect::Cancel(id, reason) => Some((*id, *reason)),
            StrategyEffect::Intent(_) | StrategyEffect::Silent(..) => None,
        })
        .collect()
}

fn silent(effects: &[StrategyEffect]) -> Vec<SilentReason> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            StrategyEffect::Silent(_, _, reason) => Some(*reason),
            StrategyEffect::Intent(_) | StrategyEffect::Cancel(..) => None,
        })
        .collect()
}

fn want(
    side: Side,
    limit: &str,
    size: &str,
    reason: &'static str,
) -> Vec<(Side, String, String, &'static str)> {
    vec![(side, limit.into(), size.into(), reason)]
}

// ---- Host ----

#[test]
fn a_symbol_has_exactly_one_owner() {
    let owner = |kind| {
        (
            symbol(),
            StrategyParams {
                common: common(),
                kind,
            },
        )
    };
    let both = vec![owner(mean_reversion()), owner(market_maker())];
    assert_eq!(
        Strategies::new(both).err(),
        Some(OwnerError::TwoOwners(symbol()))
    );
}

#[test]
fn the_book_of_an_unowned_pair_moves_nothing() {
    let mut bench = Bench::warm(market_maker());
    let other = Symbol::parse("ETHTRY").expect("a pair");
    bench.now = bench.now.plus_ms(5_000);
    let book = trusted(other, bench.now, &[(5, 1)], &[(6, 1)]);
    assert_eq!(
        bench.tell(StrategyIn::Book(BookView::Trusted(book))),
        vec![]
    );
}

#[test]
fn decisions_keep_their_distance_and_none_is_lost() {
    let mut bench = Bench::warm(mean_reversion());
    let (start, mut decided) = (bench.now, Vec::new());
    for step in 1..=100 {
        bench.now = start.plus_ms(step * 10);
        let mid = if step < 80 { 10_000 } else { 9_800 };
        let book = trusted(symbol(), bench.now, &[(mid - 1, 5)], &[(mid + 1, 5)]);
        let mut effects = bench.tell(StrategyIn::Book(BookView::Trusted(book)));
        if bench
            .strategies
            .deadline()
            .is_some_and(|due| due <= bench.now)
        {
            let mut out = Outbox::default();
            bench.strategies.wake(bench.now, &mut out);
            effects.extend(out.drain());
        }
        if !intents(&effects).is_empty() {
            decided.push(step * 10);
        }
    }
    assert_eq!(
        decided,
        vec![1_000],
        "the fall at 800 ms waits for the next decision"
    );
}

#[test]
fn a_reason_is_told_when_it_changes_and_once_a_cycle() {
    let mut bench = Bench::new(mean_reversion());
    assert_eq!(silent(&bench.mark(10_000)), vec![SilentReason::Warming]);
    assert_eq!(silent(&bench.mark(10_000)), vec![]);
    bench.now = bench.now.plus_ms(500);
    assert_eq!(
        silent(&bench.tell(StrategyIn::Cycle(1))),
        vec![SilentReason::Warming]
    );
    bench.marks(10_000, 7);
    assert_eq!(silent(&bench.mark(10_000)), vec![SilentReason::InsideBand]);
}

#[test]
fn intents_carry_cycle_book_and_mid() {
    let mut bench = Bench::warm(mean_reversion());
    bench.tell(StrategyIn::Cycle(7));
    let effects = bench.mark(9_800);
    let Some(StrategyEffect::Intent(intent)) = effects.first() else {
        panic!("an intent, not {effects:?}");
    };
    assert_eq!((intent.cycle, intent.at), (7, bench.now));
    assert_eq!(intent.mid, price("9800"));
    assert_eq!((intent.book.session, intent.book.change), (1, 1));
    assert_eq!(intent.class, IntentClass::Entry);
}

#[test]
fn wishes_of_one_turn_leave_in_planning_order() {
    let names = ["AAATRY", "BBBTRY", "CCCTRY"].map(|name| Symbol::parse(name).expect("a pair"));
    let kinds = [mean_reversion(), market_maker(), mean_reversion()];
    let owners = names
        .iter()
        .zip(kinds)
        .map(|(pair, kind)| {
            (
                *pair,
                StrategyParams {
                    common: common(),
                    kind,
                },
            )
        })
        .collect();
    let mut strategies = Strategies::new(owners).expect("one owner each");
    let mut out = Outbox::default();
    let mut now = Timestamp::from_ms(0);
    let position = [Qty::ZERO, qty("0.5"), qty("0.5")];
    for (pair, position) in names.iter().zip(position) {
        strategies.handle(now, StrategyIn::Rules(rules(*pair)), &mut out);
        let desk = DeskView {
            symbol: *pair,
            mode: Mode::ObserveOnly,
            position,
            cost: position.is_positive().then(|| price("20000")),
            opened_at: position.is_positive().then_some(now),
            cash: Amount::from_whole(100_000),
            orders: Vec::new(),
            last_entry_at: None,
        };
        for second in 0..25 {
            now = Timestamp::from_ms(second * 1_000);
            let mid = if second < 24 { 10_000 } else { 9_800 };
            let book = trusted(*pair, now, &[(mid - 1, 9)], &[(mid + 1, 9)]);
            strategies.handle(now, StrategyIn::Book(BookView::Trusted(book)), &mut out);
        }
        let desk = DeskView {
            mode: Mode::Normal,
            ..desk
        };
        strategies.handle(now, StrategyIn::Desk(desk), &mut out);
    }
    out.drain().for_each(drop);
    strategies.wake(now.plus_ms(250), &mut out);
    let order: Vec<(Symbol, IntentClass, Side)> = out
        .drain()
        .filter_map(|effect| match effect {
            StrategyEffect::Intent(i) => Some((i.symbol, i.class, i.side)),
            StrategyEffect::Cancel(..) | StrategyEffect::Silent(..) => None,
        })
        .collect();
    let expected = vec![
        (names[2], IntentClass::Protective, Side::Sell),
        (names[1], IntentClass::Quote, Side::Sell),
        (names[1], IntentClass::Quote, Side::Buy),
        (names[0], IntentClass::Entry, Side::Buy),
    ];
    assert_eq!(order, expected);
}

#[test]
fn a_wish_without_an_echo_is_not_repeated_at_once() {
    let mut bench = Bench::warm(mean_reversion());
    assert_eq!(intents(&bench.mark(9_800)).len(), 1);
    bench.now = bench.now.plus_ms(-500);
    let effects = bench.mark(9_800);
    assert_eq!(silent(&effects), vec![SilentReason::OrderWorking]);
    assert_eq!(
        intents(&bench.mark(9_800)).len(),
        1,
        "a second is patience enough"
    );
}

#[test]
fn orders_that_outlive_their_time_are_cancelled_with_or_without_a_book() {
    for is_trusted in [true, false] {
        let mut bench = Bench::warm(mean_reversion());
        let id = bench.rest(Side::Buy, "9999", "0.05");
        bench.marks(10_000, 120);
        if !is_trusted {
            bench.distrust();
        }
        bench.now = bench.now.plus_ms(1_000);
        let effects = bench.tell(StrategyIn::Cycle(2));
        assert_eq!(
            cancels(&effects),
            vec![(id, CancelReason::Ttl)],
            "{is_trusted}"
        );
    }
}

#[test]
fn without_rules_or_a_desk_nothing_is_wanted() {
    let params = StrategyParams {
        common: common(),
        kind: market_maker(),
    };
    let mut bench = Bench::new(market_maker());
    bench.strategies = Strategies::new(vec![(symbol(), params)]).expect("one owner");
    assert_eq!(silent(&bench.mark(10_000)), vec![SilentReason::Mode]);
    assert_eq!(silent(&bench.tell_desk()), vec![SilentReason::NoRules]);
    bench.tell(StrategyIn::Rules(Instrument {
        is_trading: false,
        ..rules(symbol())
    }));
    assert_eq!(silent(&bench.mark(10_000)), vec![]);
}

#[test]
fn a_hole_in_the_marks_starts_the_warming_anew() {
    let mut bench = Bench::warm(mean_reversion());
    bench.distrust();
    bench.now = bench.now.plus_ms(61_000);
    assert_eq!(silent(&bench.mark(9_000)), vec![SilentReason::Warming]);
}

// ---- Mean reversion ----

#[test]
fn mean_reversion_round_trips_on_a_swing() {
    let mut bench = Bench::warm(mean_reversion());
    assert_eq!(
        intents(&bench.mark(9_890)),
        want(Side::Buy, "9889", "0.1011", "mean_reversion_buy")
    );
    bench.hold("0.1011", "9899");
    assert_eq!(silent(&bench.mark(9_950)), vec![SilentReason::Holding]);
    assert_eq!(
        intents(&bench.mark(9_999)),
        want(Side::Sell, "10000", "0.1011", "mean_reversion_exit")
    );
    bench.desk.position = Qty::ZERO;
    bench.desk.cost = None;
    bench.desk.opened_at = None;
    bench.tell_desk();
    assert_eq!(silent(&bench.mark(9_999)), vec![]);
}

/// One mark after a warm anchor of 10000, perhaps with a position at a cost.
fn check_mean_reversion(
    position: Option<(&str, &str)>,
    (bid, ask): (i64, i64),
    expected: Result<(Side, &str, &str, &'static str), SilentReason>,
) {
    let mut bench = Bench::warm(mean_reversion());
    if let Some((size, cost)) = position {
        bench.hold(size, cost);
    }
    bench.tell(StrategyIn::Cycle(1));
    let effects = bench.spread(bid, ask);
    let case = format!("{position:?} at {bid}/{ask}");
    match expected {
        Ok((side, limit, size, reason)) => {
            assert_eq!(intents(&effects), want(side, limit, size, reason), "{case}");
        }
        Err(reason) => assert_eq!(
            (intents(&effects), silent(&effects)),
            (vec![], vec![reason]),
            "{case}"
        ),
    }
}

#[test]
fn entries_need_a_deviation_and_an_edge() {
    let check = check_mean_reversion;
    // The mark itself is one of twenty samples: the anchor is 9995, 9994.55 and 9989.45.
    check(None, (9_899, 9_901), Err(SilentReason::InsideBand));
    check(
        None,
        (9_890, 9_892),
        Ok((Side::Buy, "9890", "0.1011", "mean_reversion_buy")),
    );
    check(
        None,
        (9_788, 9_790),
        Ok((Side::Buy, "9788", "0.2043", "mean_reversion_buy")),
    );
    let dear = KindParams::MeanReversion(MeanReversionParams {
        window_ms: 20_000,
        samples_min: 10,
        entry_bps: 20,
        exit_bps: 10,
        stop_bps: 0,
        max_hold_ms: 600_000,
    });
    let mut bench = Bench::warm(dear);
    assert_eq!(silent(&bench.mark(9_960)), vec![SilentReason::EdgeTooSmall]);
}

#[test]
fn exits_take_the_first_reason_that_holds() {
    let check = check_mean_reversion;
    let held = Some(("0.5", "10000"));
    check(
        held,
        (9_700, 9_710),
        Ok((Side::Sell, "9691", "0.5", "mean_reversion_stop")),
    );
    // Not stopped: the fall is deep enough for an entry.
    check(
        held,
        (9_701, 9_711),
        Ok((Side::Buy, "9701", "0.2061", "mean_reversion_buy")),
    );
    check(
        held,
        (10_200, 10_202),
        Ok((Side::Sell, "10190", "0.5", "mean_reversion_sell")),
    );
    check(
        held,
        (10_050, 10_060),
        Ok((Side::Sell, "10060", "0.5", "mean_reversion_exit")),
    );
    check(held, (10_040, 10_054), Err(SilentReason::Holding));
    check(
        Some(("0.005", "10000")),
        (9_600, 9_610),
        Err(SilentReason::Dust),
    );
}

#[test]
fn an_old_position_is_sold_first_patiently_then_at_once() {
    let mut bench = Bench::warm(mean_reversion());
    bench.hold("0.5", "10100");
    bench.desk.opened_at = Some(bench.now.plus_ms(-600_000));
    bench.tell(StrategyIn::Desk(bench.desk.clone()));
    let patient = bench.mark(10_000);
    assert_eq!(
        intents(&patient),
        want(Side::Sell, "10001", "0.5", "mean_reversion_time_stop")
    );
    bench.desk.opened_at = Some(bench.now.plus_ms(-961_000));
    bench.tell(StrategyIn::Desk(bench.desk.clone()));
    let at_once = bench.mark(10_000);
    assert_eq!(
        intents(&at_once),
        want(Side::Sell, "9990", "0.5", "mean_reversion_time_stop")
    );
}

#[test]
fn stops_need_no_anchor() {
    let mut bench = Bench::new(mean_reversion());
    bench.hold("0.5", "10000");
    assert_eq!(
        intents(&bench.mark(9_600)),
        want(Side::Sell, "9590", "0.5", "mean_reversion_stop")
    );
}

#[test]
fn reprice_uses_the_orders_own_price_and_side() {
    let mut bench = Bench::warm(mean_reversion());
    let id = bench.rest(Side::Buy, "9890", "0.1");
    assert_eq!(cancels(&bench.mark(9_911)), vec![]);
    assert_eq!(
        cancels(&bench.mark(9_940)),
        vec![(id, CancelReason::Reprice)]
    );
    let mut bench = Bench::warm(mean_reversion());
    bench.hold("0.5", "10100");
    let id = bench.rest(Side::Sell, "10100", "0.5");
    // Best bid is 25 bps from the order, best ask is not: a sale is compared with the ask.
    assert_eq!(cancels(&bench.spread(10_050, 10_090)), vec![]);
    assert_eq!(
        cancels(&bench.spread(10_050, 10_070)),
        vec![(id, CancelReason::Reprice)]
    );
}

#[test]
fn reprice_uses_the_orders_own_symbol() {
    let other = Symbol::parse("ETHTRY").expect("a pair");
    let params = StrategyParams {
        common: common(),
        kind: mean_reversion(),
    };
    let mut bench = Bench::new(mean_reversion());
    bench.strategies =
        Strategies::new(vec![(symbol(), params), (other, params)]).expect("one owner each");
    bench.tell(StrategyIn::Rules(rules(symbol())));
    bench.tell(StrategyIn::Rules(rules(other)));
    bench.tell(StrategyIn::Desk(DeskView {
        symbol: other,
        ..bench.desk.clone()
    }));
    bench.marks(10_000, 25);
    bench.rest(Side::Buy, "9999", "0.1");
    for mid in [500, 400, 300] {
        bench.now = bench.now.plus_ms(1_000);
        let book = trusted(other, bench.now, &[(mid - 1, 5)], &[(mid + 1, 5)]);
        let effects = bench.tell(StrategyIn::Book(BookView::Trusted(book)));
        assert_eq!(cancels(&effects), vec![]);
    }
}

#[test]
fn orders_of_unknown_fate_are_not_cancelled_by_age_or_price() {
    let mut bench = Bench::warm(mean_reversion());
    bench.rest(Side::Buy, "9000", "0.1");
    bench.desk.orders[0].state = OrderState::Unknown(UnknownCause::Timeout);
    bench.tell_desk();
    for _ in 0..200 {
        assert_eq!(cancels(&bench.mark(10_000)), vec![]);
    }
}

#[test]
fn a_stop_waits_for_its_own_purchase_to_end() {
    let mut bench = Bench::warm(mean_reversion());
    bench.hold("0.5", "10000");
    let id = bench.rest(Side::Buy, "9600", "0.1");
    let effects = bench.mark(9_600);
    assert_eq!(
        (intents(&effects), cancels(&effects)),
        (vec![], vec![(id, CancelReason::Reprice)])
    );
    bench.desk.orders[0].state = OrderState::Unknown(UnknownCause::Timeout);
    bench.tell(StrategyIn::Desk(bench.desk.clone()));
    assert_eq!(intents(&bench.mark(9_600)).len(), 1);
}

#[test]
fn modes_let_exits_pass_and_nothing_else() {
    let mut bench = Bench::warm(mean_reversion());
    let id = bench.rest(Side::Buy, "9999", "0.1");
    let effects = bench.set_mode(Mode::ReduceRiskOnly);
    assert_eq!(cancels(&effects), vec![(id, CancelReason::SafeMode)]);
    bench.desk.orders.clear();
    bench.tell_desk();
    assert_eq!(intents(&bench.mark(9_500)), vec![]);
    bench.hold("0.5", "10000");
    assert_eq!(intents(&bench.mark(9_500)).len(), 1);
    bench.set_mode(Mode::ObserveOnly);
    assert_eq!(intents(&bench.mark(9_500)), vec![]);
    bench.set_mode(Mode::KillSwitch);
    assert_eq!(intents(&bench.mark(9_500)), vec![]);
}

#[test]
fn entries_stay_within_the_cash() {
    let mut bench = Bench::warm(mean_reversion());
    bench.desk.cash = Amount::from_whole(500);
    bench.tell_desk();
    assert_eq!(
        intents(&bench.mark(9_890)),
        want(Side::Buy, "9889", "0.0504", "mean_reversion_buy")
    );
    bench.desk.cash = Amount::from_whole(-5);
    bench.tell_desk();
    assert_eq!(intents(&bench.mark(9_890)), vec![]);
}

#[test]
fn an_entry_of_exactly_the_minimum_is_not_lost_to_rounding() {
    let params = StrategyParams {
        common: CommonParams::default(),
        kind: mean_reversion(),
    };
    let mut bench = Bench::new(mean_reversion());
    bench.strategies = Strategies::new(vec![(symbol(), params)]).expect("one owner");
    bench.tell(StrategyIn::Rules(rules(symbol())));
    bench.tell_desk();
    bench.marks(10_000, 25);
    assert_eq!(
        intents(&bench.mark(9_890)),
        want(Side::Buy, "9889", "0.0102", "mean_reversion_buy")
    );
}

// ---- Market maker ----

#[test]
fn nothing_is_quoted_while_warming() {
    let mut bench = Bench::new(market_maker());
    for _ in 0..4 {
        assert_eq!(intents(&bench.mark(10_000)), vec![]);
    }
    assert_eq!(intents(&bench.mark(10_000)).len(), 1);
}

/// The quotes of a warm market maker at 10000 with this position.
fn quotes(position: &str) -> Vec<(Side, String, String, &'static str)> {
    let mut bench = Bench::new(market_maker());
    bench.hold(position, "10000");
    bench.marks(10_000, 4);
    intents(&bench.mark(10_000))
}

#[test]
fn quotes_lean_with_inventory() {
    let check = |position: &str, bid: Option<(&str, &str)>, ask: Option<(&str, &str)>| {
        let own = |text: (&str, &str)| (text.0.to_string(), text.1.to_string());
        let expected: Vec<_> = ask
            .map(|text| (Side::Sell, own(text), "quote_ask"))
            .into_iter()
            .chain(bid.map(|text| (Side::Buy, own(text), "quote_bid")))
            .map(|(side, (limit, size), reason)| (side, limit, size, reason))
            .collect();
        assert_eq!(quotes(position), expected, "holding {position}");
    };
    // Without inventory it only bids, and leans up by the whole skew.
    check("0", Some(("9994", "0.1")), None);
    // Half of the target: half of the ask, half of the lean.
    check("0.25", Some(("9987", "0.1001")), Some(("10028", "0.0498")));
    // At the target both sides are full and even.
    check("0.5", Some(("9980", "0.1002")), Some(("10020", "0.0998")));
    // Half way to the limit: half of the bid, leaning down.
    check("0.75", Some(("9972", "0.0501")), Some(("10013", "0.0998")));
    // At the limit and beyond only the ask is left.
    check("1", None, Some(("10005", "0.0999")));
    check("7", None, Some(("10005", "0.0999")));
}

#[test]
fn quotes_widen_with_volatility() {
    let mut bench = Bench::new(market_maker());
    bench.hold("0.5", "10000");
    for n in 0..30 {
        bench.mark(if n % 2 == 0 { 10_000 } else { 10_005 });
    }
    // Five a second is 4.99 bps; times eight, 39 bps.
    let effects = bench.mark(10_000);
    assert_eq!(
        intents(&effects),
        vec![
            (Side::Sell, "10040".into(), "0.0996".into(), "quote_ask"),
            (Side::Buy, "9960".into(), "0.1004".into(), "quote_bid"),
        ]
    );
}

#[test]
fn quotes_never_cross_the_book() {
    let mut bench = Bench::new(market_maker());
    bench.hold("0.5", "10000");
    for _ in 0..5 {
        bench.spread(9_000, 11_000);
    }
    // The price was 10000 for long; the spread has come down to one side.
    let effects = bench.spread(9_000, 9_001);
    for (side, limit, _, _) in intents(&effects) {
        let limit = price(&limit);
        match side {
            Side::Buy => assert!(limit < price("9001"), "{limit}"),
            Side::Sell => assert!(limit > price("9000"), "{limit}"),
        }
    }
}

#[test]
fn a_quote_moves_only_when_it_is_off_and_has_lived() {
    let mut bench = Bench::warm(market_maker());
    let id = bench.rest(Side::Buy, "9994", "0.1");
    assert_eq!(cancels(&bench.mark(10_000)), vec![]);
    assert_eq!(cancels(&bench.mark(10_004)), vec![]);
    assert_eq!(
        cancels(&bench.mark(10_012)),
        vec![(id, CancelReason::Reprice)]
    );
    let mut bench = Bench::warm(market_maker());
    bench.rest(Side::Buy, "9000", "0.1");
    bench.now = bench.now.plus_ms(-500);
    assert_eq!(cancels(&bench.mark(10_000)), vec![], "too young");
}

#[test]
fn a_new_quote_waits_for_the_old_one_to_end() {
    let mut bench = Bench::warm(market_maker());
    bench.rest(Side::Buy, "9900", "0.1");
    let effects = bench.mark(10_000);
    assert_eq!((intents(&effects), cancels(&effects).len()), (vec![], 1));
    bench.desk.orders[0].cancel_asked = true;
    bench.tell_desk();
    let effects = bench.mark(10_000);
    assert_eq!((intents(&effects), cancels(&effects)), (vec![], vec![]));
    bench.desk.orders[0].state = OrderState::Canceled;
    bench.tell_desk();
    assert_eq!(
        intents(&bench.mark(10_000)),
        want(Side::Buy, "9994", "0.1", "quote_bid")
    );
}

#[test]
fn a_quote_that_is_mostly_filled_is_renewed() {
    let mut bench = Bench::warm(market_maker());
    let id = bench.rest(Side::Buy, "9994", "0.1");
    bench.desk.orders[0].filled = qty("0.05");
    bench.tell_desk();
    assert_eq!(cancels(&bench.mark(10_000)), vec![]);
    bench.desk.orders[0].filled = qty("0.0501");
    bench.tell_desk();
    assert_eq!(
        cancels(&bench.mark(10_000)),
        vec![(id, CancelReason::Reprice)]
    );
}

#[test]
fn a_quote_never_meets_an_own_order() {
    let mut bench = Bench::warm(market_maker());
    bench.hold("0.5", "10000");
    bench.rest(Side::Sell, "9980", "0.1");
    for _ in 0..5 {
        for (side, limit, _, _) in intents(&bench.mark(10_000)) {
            assert!(side == Side::Sell || price(&limit) < price("9980"));
        }
    }
}

#[test]
fn an_untrusted_book_ends_the_quotes_at_once() {
    let mut bench = Bench::warm(market_maker());
    bench.hold("0.5", "10000");
    let bid = bench.rest(Side::Buy, "9980", "0.1");
    let ask = bench.rest(Side::Sell, "10020", "0.0998");
    assert_eq!(
        cancels(&bench.distrust()),
        vec![
            (bid, CancelReason::Untrusted),
            (ask, CancelReason::Untrusted)
        ]
    );
    assert_eq!(cancels(&bench.distrust()), vec![], "asked for already");
}

#[test]
fn no_quotes_when_the_mode_is_not_normal() {
    for (mode, reason, keeps_ask) in [
        (Mode::ReduceRiskOnly, CancelReason::SafeMode, true),
        (Mode::ObserveOnly, CancelReason::SafeMode, false),
        (Mode::KillSwitch, CancelReason::Kill, false),
    ] {
        let mut bench = Bench::warm(market_maker());
        bench.hold("0.5", "10000");
        let bid = bench.rest(Side::Buy, "9980", "0.1");
        let ask = bench.rest(Side::Sell, "10020", "0.0998");
        let mut expected = vec![(bid, reason)];
        if !keeps_ask {
            expected.push((ask, reason));
        }
        let effects = bench.set_mode(mode);
        assert_eq!(cancels(&effects), expected, "{mode:?}");
        assert_eq!(silent(&effects), vec![SilentReason::Mode]);
        bench.desk.orders.clear();
        bench.tell_desk();
        for _ in 0..3 {
            assert_eq!(intents(&bench.mark(10_000)), vec![], "{mode:?}");
        }
    }
}

#[test]
fn a_quote_too_small_to_place_is_a_reason() {
    let mut bench = Bench::warm(market_maker());
    bench.desk.cash = Amount::from_whole(50);
    bench.tell_desk();
    assert_eq!(
        silent(&bench.mark(10_000)),
        vec![],
        "told with the desk already"
    );
    bench.now = bench.now.plus_ms(1_000);
    assert_eq!(
        silent(&bench.tell(StrategyIn::Cycle(3))),
        vec![SilentReason::QuoteTooSmall]
    );
}

proptest! {
    /// Whatever the numbers are, a strategy answers or stays silent; it never panics and never crosses with a quote.
    #[test]
    fn strategies_survive_any_market(
        is_maker in any::<bool>(),
        mids in prop::collection::vec(2i64..90_000_000_000, 1..40),
        position in 0i64..i64::MAX,
        cost in 1i64..i64::MAX,
        cash in any::<i64>(),
    ) {
        let mut bench = Bench::new(if is_maker { market_maker() } else { mean_reversion() });
        bench.desk.position = Qty::from_units(position);
        bench.desk.cost = Some(Price::from_units(cost));
        bench.desk.opened_at = Some(Timestamp::default());
        bench.desk.cash = Amount::from_whole(cash);
        bench.tell_desk();
        for mid in mids {
            let effects = bench.mark(mid);
            for effect in effects {
                if let StrategyEffect::Intent(intent) = effect {
                    prop_assert!(intent.limit.is_positive() && intent.qty.is_positive());
                    prop_assert!(intent.limit.value(intent.qty) >= Amount::from_whole(100));
                    prop_assert_eq!(intent.limit.units() % UNITS_PER_ONE, 0);
                    if intent.side == Side::Sell {
                        prop_assert!(intent.qty.units() <= position);
                    }
                    if intent.class == IntentClass::Quote {
                        let crosses = match intent.side {
                            Side::Buy => intent.limit.units() > mid * UNITS_PER_ONE,
                            Side::Sell => intent.limit.units() < mid * UNITS_PER_ONE,
                        };
                        prop_assert!(!crosses);
                    }
                }
            }
        }
    }
}
