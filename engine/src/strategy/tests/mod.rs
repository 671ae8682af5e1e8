//! Stories of strategies: prices go in, wishes come out.

mod canary;
mod host;
mod market_maker;
mod mean_reversion;

use super::params::{MarketMakerParams, MeanReversionParams};
use super::*;
use crate::answer::UnknownCause;
use crate::book::Distrust;
use crate::book::tests::trusted;
use crate::ids::{AccountTag, Asset, BootTag};
use crate::intent::{IntentClass, IntentReason, NewOrder};
use crate::money::{Amount, Price, Qty};
use crate::order::{OrderState, OrderView};

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
        fee_in_base: false,
    }
}

fn common() -> CommonParams {
    CommonParams {
        intent_notional: Amount::from_whole(1_000),
        ..CommonParams::default()
    }
}

fn reverter() -> KindParams {
    KindParams::MeanReversion(MeanReversionParams {
        window_ms: 20_000,
        samples_min: 10,
        entry_bps: 100,
        exit_bps: 10,
        stop_bps: 300,
        max_hold_ms: 600_000,
    })
}

fn maker() -> KindParams {
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
                fee_in_base: false,
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
