//! Stories of a whole desk: a scripted market, a strategy, the fill model, and what came of it.

use super::paper::{Paper, Watch};
use super::*;
use crate::answer::BalanceRow;
use crate::book::{BookLimits, Distrust};
use crate::checkpoint::Fold;
use crate::dice::Dice;
use crate::feed::{Access, FeedLimits};
use crate::fill_model::{FillModel, FillParams};
use crate::ids::{AccountTag, Asset, BootTag};
use crate::market::{BookChannel, BookFull, Level, MarketEvent, PublicTrade, Side};
use crate::mode::{Mode, ModeCode, Scope};
use crate::money::{Amount, Price, Qty, UNITS_PER_ONE};
use crate::msg::ReadReply;
use crate::risk::{IdSource, Limits, RiskSettings, Venue};
use crate::router::{Keep, RouterSettings};
use crate::strategy::params::{
    CommonParams, KindParams, MarketMakerParams, MeanReversionParams, StrategyParams,
};
use std::collections::{BTreeMap, BTreeSet};

const START: Timestamp = Timestamp(1_700_000_000_000_000);

fn symbol() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

fn asset(text: &str) -> Asset {
    Asset::parse(text).expect("an asset")
}

fn price(whole: i64) -> Price {
    Price::from_units(whole * UNITS_PER_ONE)
}

fn rules() -> Instrument {
    Instrument {
        symbol: symbol(),
        base: asset("BTC"),
        quote: asset("TRY"),
        is_trading: true,
        price_step: price(1),
        qty_step: Qty::from_units(1),
        value_min: Amount::from_whole(10),
        qty_min: None,
        qty_max: None,
        price_min: None,
        price_max: None,
        fee_in_base: false,
    }
}

fn limits() -> Limits {
    Limits {
        try_cash_target: Amount::ZERO,
        min_order_notional: Amount::from_whole(10),
        max_order_notional: Amount::from_whole(5_000),
        max_notional_per_minute: Amount::from_whole(1_000_000),
        max_orders_per_minute: 600,
        max_open_orders: 20,
        max_open_orders_per_symbol: 5,
        max_position_notional: Amount::from_whole(50_000),
        max_gross_exposure: Amount::from_whole(50_000),
        max_daily_loss: Amount::from_whole(10_000),
        max_drawdown_bps: 1_000,
        price_collar_bps: 500,
        max_spread_bps: 200,
        cooldown_ms: 0,
        intent_max_age_ms: 250,
        reconcile_max_age_ms: 60_000,
        market_data_age_ms: 2_000,
        fee_bps_taker: 11,
        tax_bps_of_fee: 2_000,
    }
}

fn maker() -> KindParams {
    KindParams::MarketMaker(MarketMakerParams {
        order_value: Amount::from_whole(1_000),
        inventory_target: Amount::from_whole(500),
        inventory_limit: Amount::from_whole(10_000),
        vol_multiplier_bps: 0,
        samples_min: 3,
        ..MarketMakerParams::default()
    })
}

fn reverter() -> KindParams {
    KindParams::MeanReversion(MeanReversionParams {
        window_ms: 20_000,
        entry_bps: 70,
        exit_bps: 10,
        stop_bps: 0,
        max_hold_ms: 600_000,
        samples_min: 10,
    })
}

fn desk(kind: KindParams) -> Desk {
    let params = StrategyParams {
        common: CommonParams {
            intent_notional: Amount::from_whole(1_000),
            value_min: Amount::from_whole(10),
            ..CommonParams::default()
        },
        kind,
    };
    let tag = AccountTag::from_entropy(1);
    let gate = RiskGate::new(RiskSettings {
        quote: asset("TRY"),
        limits: limits(),
        venue: Venue::Simulated,
        policy_blocks: Vec::new(),
        owners: [(symbol(), kind.kind())].into(),
        foreign: Default::default(),
        started_at: START,
        ids: IdSource {
            tag,
            epoch: 1,
            boot: BootTag::from_entropy(2),
            seq: 1,
        },
    });
    let router = OrderRouter::new(RouterSettings {
        tag,
        ttl_ms: 120_000,
        cancel_retry_ms: 2_000,
        unknown_settle_ms: 5_000,
        keep: Keep::default(),
    });
    Desk::new(Cores {
        feed: Feed::new(
            FeedLimits::default(),
            vec![symbol()],
            Access::Private,
            Dice::new(3),
        ),
        books: Books::new(BookLimits::default(), &[symbol()]),
        strategies: Strategies::new(vec![(symbol(), params)]).expect("one owner"),
        gate,
        router,
        reconciler: Reconciler::new(15_000, START, START),
    })
}

fn venue() -> FillModel {
    let opening = [("TRY", 100_000), ("BTC", 0)].map(|(name, whole)| BalanceRow {
        asset: asset(name),
        free: Amount::from_whole(whole),
        locked: Amount::ZERO,
    });
    FillModel::new(FillParams::default(), &[rules()], &opening, 1)
}

/// Everything that happened, as text with its moment, and the parts that tests ask for.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    fills: Vec<crate::answer::OwnTrade>,
    records: Vec<Record>,
    orders: Vec<OrderView>,
    views: Vec<(Timestamp, BookView)>,
    money: Vec<Timestamp>,
}

impl Watch for Log {
    fn see(&mut self, at: Timestamp, effect: &DeskEffect) {
        self.lines.push(format!("{at} {effect:?}"));
        match effect {
            DeskEffect::Persist(record, _) => self.records.push(record.clone()),
            DeskEffect::Seen(Seen::Order(order)) => self.orders.push(*order),
            DeskEffect::Seen(Seen::Fill(fill)) => self.fills.push(fill.clone()),
            DeskEffect::Seen(Seen::Book(view)) => self.views.push((at, *view)),
            DeskEffect::Seen(Seen::Money(_)) => self.money.push(at),
            DeskEffect::Connect
            | DeskEffect::Close
            | DeskEffect::Join(..)
            | DeskEffect::Leave(..)
            | DeskEffect::Login
            | DeskEffect::Send { .. }
            | DeskEffect::Delete(..)
            | DeskEffect::ReadRow(..)
            | DeskEffect::Read(_)
            | DeskEffect::Seen(
                Seen::Intent(_)
                | Seen::Silent(..)
                | Seen::Denied(_)
                | Seen::Mode(_)
                | Seen::Feed(_)
                | Seen::Router(_)
                | Seen::Gate(_)
                | Seen::Pass(_),
            ) => {}
        }
    }
}

fn full(change: i64, mid: i64) -> MarketEvent {
    let level = |whole: i64| Level {
        price: price(whole),
        qty: Qty::from_units(2 * UNITS_PER_ONE),
    };
    MarketEvent::Full(BookFull {
        symbol: symbol(),
        channel: BookChannel::Diff,
        change,
        bids: vec![level(mid - 1), level(mid - 2)],
        asks: vec![level(mid + 1), level(mid + 2)],
    })
}

fn trade(at: Timestamp, whole: i64, taker: Side) -> MarketEvent {
    MarketEvent::Trade(PublicTrade {
        symbol: symbol(),
        price: price(whole),
        qty: Qty::from_units(UNITS_PER_ONE),
        taker: Some(taker),
        at,
        id: None,
    })
}

/// The mid of a second: down by 3.6 % and up again, half a minute for each way.
fn mid(second: i64) -> i64 {
    let place = second % 60;
    let fallen = if place < 30 { place } else { 60 - place };
    10_000 - fallen * 12
}

/// Ten minutes in which somebody crosses half a percent of the book on either side, again and again.
fn play(kind: KindParams) -> (Paper, Log) {
    let mut log = Log::default();
    let mut paper = Paper::start(desk(kind), venue(), &[rules()], START, &mut log);
    for second in 0..600 {
        let at = START.plus_ms(second * 1_000);
        paper.take(at, full(second + 1, mid(second)), &mut log);
        let at = at.plus_ms(400);
        let event = match second % 10 {
            3 => trade(at, mid(second) - 50, Side::Sell),
            8 => trade(at, mid(second) + 50, Side::Buy),
            _ => continue,
        };
        paper.take(at, event, &mut log);
    }
    (paper, log)
}

#[test]
fn a_strategy_buys_and_sells_and_the_ledger_equals_the_venue() {
    for kind in [maker(), reverter()] {
        let (paper, log) = play(kind);
        for side in [Side::Buy, Side::Sell] {
            let count = log.fills.iter().filter(|fill| fill.side == side).count();
            assert!(count > 0, "{kind:?} {side:?}");
        }
        assert!(paper.is_balanced(), "{kind:?}");
        assert!(
            paper
                .desk()
                .gate()
                .ledger_matches(&paper.venue().balances()),
            "{kind:?}"
        );
        let total = |side| -> Amount {
            let of_side = log.fills.iter().filter(|fill| fill.side == side);
            of_side.map(|fill| fill.qty.amount()).sum()
        };
        let position = paper.desk().gate().ledger().position(asset("BTC"));
        assert_eq!(position, total(Side::Buy) - total(Side::Sell), "{kind:?}");
    }
}

#[test]
fn equal_inputs_give_equal_effects() {
    for kind in [maker(), reverter()] {
        let (first, second) = (play(kind).1, play(kind).1);
        assert!(first.lines.len() > 1_000);
        assert_eq!(first.lines, second.lines, "{kind:?}");
    }
}

#[test]
fn a_fill_that_is_reported_again_by_the_list_is_booked_once() {
    let (paper, log) = play(maker());
    let listed = log.lines.iter().filter(|l| l.contains("DuplicateFill"));
    assert!(listed.count() > 0, "the passes show the trades again");
    assert_eq!(
        log.fills.len(),
        paper.venue().trades_since(Timestamp(0)).len()
    );
}

#[test]
fn what_falls_due_in_a_hole_happens_at_its_own_moment() {
    let mut log = Log::default();
    let mut paper = Paper::start(desk(maker()), venue(), &[rules()], START, &mut log);
    paper.take(START, full(1, 10_000), &mut log);
    let at = START.plus_ms(400);
    paper.take(at, trade(at, 10_001, Side::Buy), &mut log);
    paper.advance(START.plus_ms(10_000), &mut log);
    let stale = log.views.iter().find(|(_, view)| {
        matches!(
            view,
            BookView::Untrusted {
                why: Distrust::ReceiveAge,
                ..
            }
        )
    });
    assert_eq!(
        stale.map(|(at, _)| *at),
        Some(START.plus_ms(2_000)),
        "{:?}",
        log.views
    );
    assert!(
        log.money.windows(2).all(|pair| pair[0] < pair[1]),
        "one money report a moment: {:?}",
        log.money
    );
    assert_eq!(paper.now(), START.plus_ms(10_000));
}

#[test]
fn time_never_runs_backwards() {
    let mut paper = Paper::start(desk(maker()), venue(), &[rules()], START, &mut ());
    paper.advance(START.plus_ms(5_000), &mut ());
    paper.take(START, full(1, 10_000), &mut ());
    assert_eq!(paper.now(), START.plus_ms(5_000));
    match paper.desk().books().view(symbol()) {
        Some(BookView::Trusted(book)) => assert_eq!(book.received(), START.plus_ms(5_000)),
        other => panic!("a full book is trusted: {other:?}"),
    }
}

#[test]
fn an_operator_s_safe_mode_ends_every_quote() {
    let mut log = Log::default();
    let mut paper = Paper::start(desk(maker()), venue(), &[rules()], START, &mut log);
    for second in 0..20 {
        paper.take(
            START.plus_ms(second * 1_000),
            full(second + 1, 10_000),
            &mut log,
        );
    }
    assert_eq!(paper.venue().open_rows().len(), 1, "one bid rests");
    let safe = RiskIn::Raise(ModeCode::OperatorSafeMode, Scope::Global, Mode::ObserveOnly);
    paper.tell(DeskIn::Risk(safe), &mut log);
    for second in 20..25 {
        paper.take(
            START.plus_ms(second * 1_000),
            full(second + 1, 10_000),
            &mut log,
        );
    }
    assert_eq!(paper.venue().open_rows(), []);
    assert_eq!(paper.desk().router().living().count(), 0);
}

#[test]
fn a_crash_loses_nothing_that_was_written_down() {
    let (paper, log) = play(maker());
    let (before, living) = (paper.desk().gate().ledger(), paper.desk().router().living());
    let living: Vec<ClientId> = living.map(OrderView::client_id).collect();
    let mut reborn = desk(maker());
    let mut out = Outbox::default();
    let past = Fold::of(asset("TRY"), Keep::default(), &log.records);
    reborn.recall(past.sum());
    reborn.recover(paper.now(), &mut out);
    for name in ["TRY", "BTC"] {
        let held = reborn.gate().ledger().balance(asset(name));
        assert_eq!(held, before.balance(asset(name)), "{name}");
    }
    let again: Vec<ClientId> = reborn.router().living().map(OrderView::client_id).collect();
    assert_eq!(again, living);
    assert_eq!(reborn.gate().orders().count(), living.len());
    assert!(
        reborn.deadline().is_some_and(|at| at <= paper.now()),
        "the account is looked at"
    );
}

/// A desk whose outside connects and reads, and whose disk reports only what a test lets it.
struct Diskless {
    desk: Desk,
    written: Vec<ClientId>,
    sent: Vec<ClientId>,
}

impl Diskless {
    fn tell(&mut self, now: Timestamp, input: DeskIn) {
        let mut out = Outbox::default();
        self.desk.handle(now, input, &mut out);
        self.carry_out(now, &mut out);
    }

    fn wake(&mut self, now: Timestamp) {
        let mut out = Outbox::default();
        while self.desk.deadline().is_some_and(|at| at <= now) {
            self.desk.wake(now, &mut out);
            self.carry_out(now, &mut out);
        }
    }

    fn carry_out(&mut self, now: Timestamp, out: &mut Outbox<DeskEffect>) {
        let effects: Vec<DeskEffect> = out.drain().collect();
        for effect in effects {
            if let DeskEffect::Send { order, .. } = &effect {
                self.sent.push(order.get().client_id);
            }
            if let DeskEffect::Persist(_, Some(id)) = &effect {
                self.written.push(*id);
            }
            if effect == DeskEffect::Connect {
                self.tell(now, DeskIn::Feed(FeedIn::Connected));
            }
            if let DeskEffect::Read(request) = effect {
                let reply = match request {
                    ReadRequest::OpenOrders => ReadReply::OpenOrders(Vec::new()),
                    ReadRequest::Trades(at) => ReadReply::Trades(at, Vec::new()),
                    ReadRequest::History(pair, at) => ReadReply::History(pair, at, Vec::new()),
                    ReadRequest::Transfers(at) => ReadReply::Transfers(at, Vec::new()),
                    ReadRequest::Balances => ReadReply::Balances(venue().balances()),
                };
                self.tell(now, DeskIn::Reconcile(ReconcileIn::Reply(reply)));
            }
        }
    }
}

#[test]
fn no_order_leaves_before_its_record_is_durable() {
    let mut bare = Diskless {
        desk: desk(maker()),
        written: Vec::new(),
        sent: Vec::new(),
    };
    bare.desk.learn(START, rules(), &mut Outbox::default());
    let mut now = START;
    // Shorter than the wait for the joins' answers, which nobody gives here.
    for change in 1..40 {
        bare.wake(now);
        bare.tell(now, DeskIn::Feed(FeedIn::Market(full(change, 10_000))));
        now = now.plus_ms(100);
    }
    assert_eq!(bare.sent, []);
    assert_eq!(bare.written.len(), 1, "one bid waits for the disk");
    let id = bare.written[0];
    bare.tell(now, DeskIn::Router(RouterIn::Durable(id)));
    assert_eq!(bare.sent, [id]);
}

#[test]
fn every_planned_action_has_an_outcome() {
    for kind in [maker(), reverter()] {
        let (paper, log) = play(kind);
        let count = |what: &str| log.lines.iter().filter(|line| line.contains(what)).count();
        let (wished, refused) = (count(" Seen(Intent("), count(" Seen(Denied("));
        let sent = count(" Send {");
        assert!(sent > 0, "{kind:?}");
        assert_eq!(wished, refused + sent, "{kind:?}");
        let last: BTreeMap<ClientId, OrderView> = log
            .orders
            .iter()
            .map(|view| (view.client_id(), *view))
            .collect();
        assert_eq!(last.len(), sent, "{kind:?}: of each something is told");
        let open = last.values().filter(|view| !view.state.is_terminal());
        let living = paper.desk().router().living();
        assert!(open.eq(living), "{kind:?}: the others have ended");
    }
}

#[test]
fn quotes_of_a_whole_run_are_replaced_one_at_a_time() {
    let (_, log) = play(maker());
    let mut living: BTreeMap<ClientId, Side> = BTreeMap::new();
    for view in &log.orders {
        if view.state.is_terminal() {
            living.remove(&view.client_id());
        } else {
            living.insert(view.client_id(), view.order.intent.side);
        }
        for side in [Side::Buy, Side::Sell] {
            let count = living.values().filter(|own| **own == side).count();
            assert!(count <= 1, "{count} quotes on one side: {living:?}");
        }
    }
    let replaced: BTreeSet<ClientId> = log
        .records
        .iter()
        .filter_map(|record| {
            let Record::CancelAsked { client_id, .. } = record else {
                return None;
            };
            Some(*client_id)
        })
        .collect();
    assert!(replaced.len() > 50, "{} replacements", replaced.len());
    let unfinished = replaced.iter().filter(|id| living.contains_key(id)).count();
    assert!(unfinished <= 2, "only the last ones may be under way");
}
