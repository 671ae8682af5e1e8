//! Each figure of standing moves when its cause is reported.

use super::*;
use crate::beats::Beat;
use crate::gate::GateOwner;
use crate::metrics::Build;
use engine::answer::UnknownCause;
use engine::ids::{AccountTag, BootTag, ClientId, Symbol};
use engine::intent::{BookStamp, Intent, IntentClass, IntentReason, NewOrder, StrategyKind};
use engine::kill::KillId;
use engine::market::Side;
use engine::mode::{Contribution, ModeCode, Scope};
use engine::money::{Amount, Price, Qty};
use engine::msg::{LimitUse, ModeReport, MoneyReport};
use engine::order::{OrderState, OrderView};
use engine::time::Timestamp;

const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const BUILD: Build = Build {
    version: "0.1.0",
    git_sha: "abc",
    rustc: "1.95",
};

struct Bench {
    observer: Observer,
    clock: Clock,
    lens: Lens,
}

fn pair() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

fn bench() -> Bench {
    let clock = Clock::manual(START);
    let lens = Lens {
        clock: clock.clone(),
        beats: Beats::new(clock.clone()),
        gate: GateOwner::new().gate(),
        links: Links::default(),
    };
    let figures = Figures {
        metrics: Metrics::new(BUILD, &[pair()], START),
        pictures: Pictures::default(),
        dropped_lines: Arc::default(),
        spectators: Vec::new(),
    };
    let (status, eyes) = (SharedStatus::default(), Eyes::default());
    let observer = Observer::new(status, lens.clone(), figures, &eyes, None);
    Bench {
        observer,
        clock,
        lens,
    }
}

impl Bench {
    fn check(&self, series: &str, expected: f64) {
        self.observer.refresh();
        let text = self.observer.metrics.render(self.clock.now());
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let found: f64 = found
            .and_then(|value| value.parse().ok())
            .unwrap_or(f64::NAN);
        assert!((found - expected).abs() < 1e-6, "{series}: {found}");
    }
}

pub(crate) fn client_id(seq: u64) -> ClientId {
    let tag = AccountTag::from_entropy(7);
    ClientId::new(tag, 1, BootTag::from_entropy(1), seq)
}

pub(crate) fn order(state: OrderState, decided: Timestamp, since: Timestamp) -> OrderView {
    let intent = Intent {
        strategy: StrategyKind::MarketMaker,
        symbol: pair(),
        side: Side::Buy,
        qty: Qty::parse("1").expect("a quantity"),
        limit: Price::parse("100").expect("a price"),
        class: IntentClass::Quote,
        reason: IntentReason::QuoteBid,
        at: decided,
        book: BookStamp::default(),
        mid: Price::parse("100").expect("a price"),
        cycle: 1,
    };
    OrderView {
        order: NewOrder {
            client_id: client_id(1),
            intent,
            reserved: Amount::from_whole(100),
            fee_in_base: false,
        },
        state,
        order_id: None,
        filled: Qty::ZERO,
        cancel_asked: false,
        since,
    }
}

pub(crate) fn money(used: LimitUse) -> MoneyReport {
    MoneyReport {
        cash: Amount::from_whole(1_000),
        equity: Some(Amount::parse("1234.5").expect("money")),
        day_pnl: None,
        drawdown_bps: 250,
        exposure: Amount::ZERO,
        exposures: Vec::new(),
        fees: Amount::ZERO,
        fees_today: None,
        positions: Vec::new(),
        foreign: Vec::new(),
        balances: Vec::new(),
        used,
    }
}

#[test]
fn an_order_of_unknown_fate_grows_old_until_it_is_known() {
    let bench = bench();
    bench.check("btcbot_orders_unknown_oldest_seconds", 0.0);
    let mut view = order(OrderState::Unknown(UnknownCause::Timeout), START, START);
    bench.observer.take(&Observed::Order(view));
    bench.clock.advance_ms(61_500);
    bench.check("btcbot_orders_unknown_oldest_seconds", 61.5);
    bench.check("btcbot_unknown_orders", 1.0);
    view.state = OrderState::Absent;
    bench.observer.take(&Observed::Order(view));
    bench.check("btcbot_orders_unknown_oldest_seconds", 0.0);
}

#[test]
fn money_shows_drawdown_and_the_used_share_of_each_limit() {
    let bench = bench();
    let used = LimitUse {
        day_loss: 8_100,
        drawdown: 2_500,
        position: 1_000,
        gross_exposure: 2_000,
        open_orders: 500,
        orders_per_minute: 3_000,
        notional_per_minute: 4_000,
    };
    bench.observer.take(&Standing::Money(money(used)).into());
    bench.check("btcbot_equity_try", 1_234.5);
    bench.check("btcbot_drawdown_ratio", 0.025);
    let check = |limit: &str, expected| {
        bench.check(
            &format!("btcbot_limit_used_ratio{{limit=\"{limit}\"}}"),
            expected,
        );
    };
    check("day_loss", 0.81);
    check("drawdown", 0.25);
    check("position", 0.1);
    check("gross_exposure", 0.2);
    check("open_orders", 0.05);
    check("orders_per_minute", 0.3);
    check("notional_per_minute", 0.4);
}

#[test]
fn each_source_shows_the_strictest_mode_it_asks_for() {
    let bench = bench();
    let voice = |code, scope, mode| Contribution {
        code,
        scope,
        mode,
        since: START,
    };
    let report = |voices: Vec<Contribution>| {
        Observed::Standing(Standing::Mode(ModeReport {
            mode: Mode::ObserveOnly,
            voices,
            holds: Default::default(),
        }))
    };
    bench.observer.take(&report(vec![
        voice(ModeCode::OperatorSafeMode, Scope::Global, Mode::ObserveOnly),
        voice(
            ModeCode::UnknownOrders,
            Scope::Symbol(pair()),
            Mode::ReduceRiskOnly,
        ),
    ]));
    let safe = "btcbot_mode_contribution{source=\"operator_safe_mode\"}";
    let unknown = "btcbot_mode_contribution{source=\"unknown_orders\"}";
    bench.check(safe, 2.0);
    bench.check(unknown, 1.0);
    bench.observer.take(&report(Vec::new()));
    bench.check(safe, 0.0);
    bench.check(unknown, 0.0);
}

#[test]
fn a_thread_that_stops_beating_stays_behind_and_one_that_is_not_watched_does_not() {
    let bench = bench();
    bench.lens.beats.beat(Beat::Trade);
    bench.clock.advance_ms(12_000);
    bench.check(
        "btcbot_thread_beat_timestamp_seconds{thread=\"trade\"}",
        1_700_000_000.0,
    );
    bench.check(
        "btcbot_thread_beat_timestamp_seconds{thread=\"killer\"}",
        1_700_000_012.0,
    );
}

#[test]
fn a_message_that_a_full_mailbox_does_not_take_is_counted() {
    struct Still;
    impl Actor for Still {
        type Context = Context<Self>;
        fn started(&mut self, ctx: &mut Self::Context) {
            ctx.set_mailbox_capacity(1);
        }
    }
    impl Handler<Tell<engine::msg::RouterIn>> for Still {
        type Result = ();
        fn handle(&mut self, _: Tell<engine::msg::RouterIn>, _: &mut Self::Context) {}
    }
    actix_rt::System::new().block_on(async {
        let bench = bench();
        let router = bench.lens.links.router.clone();
        router.publish(
            Still::create(|ctx| {
                ctx.set_mailbox_capacity(1);
                Still
            })
            .recipient(),
        );
        let cancel = || engine::msg::RouterIn::CancelAll(engine::intent::CancelReason::Kill);
        let fulls = (0..8)
            .filter(|_| router.send(cancel()) == Sent::Full)
            .count();
        assert!(fulls > 0, "nobody reads it");
        let expected = u32::try_from(fulls).expect("a few");
        bench.check(
            "btcbot_mailbox_full_total{actor=\"order_router\"}",
            f64::from(expected),
        );
    });
}

#[test]
fn a_decision_is_measured_and_a_reset_kill_asks_for_a_restart() {
    let bench = bench();
    bench.observer.take(&Decision::IntentOut(700).into());
    bench.check("btcbot_decision_duration_seconds_count", 1.0);
    bench.check(
        "btcbot_decision_duration_seconds_bucket{le=\"0.0005\"}",
        0.0,
    );
    bench.check("btcbot_decision_duration_seconds_bucket{le=\"0.001\"}", 1.0);
    bench.check("btcbot_arming_blocked{reason=\"restart_needed\"}", 0.0);
    bench.observer.take(&Standing::KillReset(KillId(3)).into());
    bench.check("btcbot_arming_blocked{reason=\"restart_needed\"}", 1.0);
}
