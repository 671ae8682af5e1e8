//! A bench for the whole gate: scripts in, verdicts out.
//!
//! One line is one input. An intent adds its verdict (`ok`, or the code of the denial), `mode` adds the global mode.
//! Two pairs: BTCTRY quoted 999 to 1001 and ETHTRY 99.9 to 100.1; the account starts with 10000 TRY and 1 BTC.

mod account;
mod defects;
mod evidence;
mod flows;
mod funds;
mod holds;
mod limits;
mod market;
mod pace;
mod standing;
mod turns;

use super::pair::{Market, Quoted};
use super::*;
use crate::answer::{Refusal, TradeSource, UnknownCause};
use crate::book::Distrust;
use crate::checkpoint::Fold;
use crate::ids::{AccountTag, BootTag, OrderId, TradeId};
use crate::instrument::RuleFacts;
use crate::intent::{BookStamp, IntentClass, IntentReason, StrategyKind};
use crate::money::Price;
use crate::record::Record;
use crate::router::Keep;

/// Noon of a day, so that a few minutes do not change it.
const NOON: i64 = 20_000 * 86_400_000 + 43_200_000;

pub(super) fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("a pair")
}

pub(super) fn asset(text: &str) -> Asset {
    Asset::parse(text).expect("an asset")
}

pub(super) fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

pub(super) fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

pub(super) fn qty(text: &str) -> Qty {
    Qty::parse(text).expect("a quantity")
}

fn base_limits() -> Limits {
    Limits {
        try_cash_target: amount("100"),
        min_order_notional: amount("10"),
        max_order_notional: amount("500"),
        max_notional_per_minute: amount("100000"),
        max_orders_per_minute: 30,
        max_open_orders: 20,
        max_open_orders_per_symbol: 5,
        max_position_notional: amount("5000"),
        max_gross_exposure: amount("8000"),
        max_daily_loss: amount("500"),
        max_drawdown_bps: 1_000,
        price_collar_bps: 100,
        max_spread_bps: 200,
        cooldown_ms: 60_000,
        intent_max_age_ms: 250,
        reconcile_max_age_ms: 60_000,
        market_data_age_ms: 2_000,
        fee_bps_taker: 20,
        tax_bps_of_fee: 2_000,
    }
}

fn base_settings() -> RiskSettings {
    let owner = StrategyKind::MarketMaker;
    RiskSettings {
        quote: asset("TRY"),
        limits: base_limits(),
        venue: Venue::Simulated,
        policy_blocks: Vec::new(),
        owners: [(symbol("BTCTRY"), owner), (symbol("ETHTRY"), owner)].into(),
        foreign: ForeignPolicy::Observe,
        started_at: Timestamp::from_ms(NOON),
        ids: IdSource {
            tag: AccountTag::from_entropy(1),
            epoch: 1,
            boot: BootTag::from_entropy(2),
            seq: 1,
        },
    }
}

fn facts(pair: &str) -> RuleFacts {
    RuleFacts {
        symbol: symbol(pair),
        base: asset(&pair[..3]),
        quote: asset("TRY"),
        is_trading: true,
        has_limit_orders: true,
        qty_scale: 8,
        price_scale: 2,
        has_fraction: true,
        tick: None,
        value_min: Some(amount("5")),
        qty_min: None,
        qty_max: None,
        price_min: None,
        price_max: Some(price("100000")),
        fee_in_base: false,
    }
}

/// A gate, its clock, and everything it ever asked for.
pub(super) struct Bench {
    pub(super) gate: RiskGate,
    pub(super) now: Timestamp,
    pub(super) effects: Vec<RiskEffect>,
    pub(super) verdicts: Vec<String>,
    pub(super) approved: Vec<NewOrder>,
    log: Vec<Record>,
    session: u32,
    trades: i64,
}

impl Bench {
    /// A gate that has heard nothing.
    pub(super) fn bare(change: impl FnOnce(&mut RiskSettings)) -> Self {
        let mut settings = base_settings();
        change(&mut settings);
        Self {
            now: settings.started_at,
            gate: RiskGate::new(settings),
            effects: Vec::new(),
            verdicts: Vec::new(),
            approved: Vec::new(),
            log: Vec::new(),
            session: 1,
            trades: 0,
        }
    }

    /// A gate with rules, trusted books and balances.
    pub(super) fn ready(change: impl FnOnce(&mut RiskSettings)) -> Self {
        let mut bench = Self::bare(change);
        bench.play(&[
            "rules BTCTRY",
            "rules ETHTRY",
            "book BTCTRY 999 1001",
            "book ETHTRY 99.9 100.1",
        ]);
        bench.play(&["balances TRY=10000 BTC=1"]);
        bench
    }

    pub(super) fn play(&mut self, script: &[&str]) {
        for line in script {
            self.line(line);
        }
    }

    pub(super) fn tell(&mut self, input: RiskIn) {
        if let RiskIn::Fill(trade) = &input {
            self.log.push(Record::Fill(trade.clone()));
        }
        if let RiskIn::Order(view) = &input
            && view.state.is_terminal()
        {
            self.log.push(Record::Ended {
                client_id: view.client_id(),
                state: view.state,
                at: self.now,
            });
        }
        let mut out = Outbox::default();
        self.gate.handle(self.now, input, &mut out);
        self.take(out);
    }

    pub(super) fn wake(&mut self) {
        let mut out = Outbox::default();
        self.gate.wake(self.now, &mut out);
        self.take(out);
    }

    fn take(&mut self, mut out: Outbox<RiskEffect>) {
        for effect in out.drain() {
            if let RiskEffect::Decided(decision) = &effect {
                self.log.push(Record::Decided(decision.clone()));
            }
            if let RiskEffect::Submit(approved) = &effect {
                self.approved.push(*approved.get());
                self.log.push(Record::Sending {
                    order: *approved.get(),
                    stamp_max: approved.expires_at(),
                });
                self.verdicts.push("ok".to_owned());
            }
            if let RiskEffect::Denied(denial) = &effect {
                assert!(!denial.seen.is_empty() && !denial.allowed.is_empty());
                self.verdicts.push(denial.code.as_str().to_owned());
            }
            if let RiskEffect::Persist(record) = &effect {
                self.log.push(record.clone());
            }
            self.effects.push(effect);
        }
    }

    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "buy" | "sell" => {
                let intent = self.intent(&words);
                self.tell(RiskIn::Intent(intent));
            }
            "held" => {
                let ms = words[1].parse().expect("milliseconds");
                self.tell(RiskIn::SubmitsHeld(self.now.plus_ms(ms)));
            }
            "wait" => self.wait(words[1].parse().expect("milliseconds")),
            "age" => self.now = self.now.plus_ms(words[1].parse().expect("milliseconds")),
            "rules" => self.tell(RiskIn::Rules(facts(words[1]).instrument().expect("rules"))),
            "halted" => {
                let halted = RuleFacts {
                    is_trading: false,
                    ..facts(words[1])
                };
                self.tell(RiskIn::Rules(halted.instrument().expect("rules")));
            }
            "book" => self.book(&words),
            "distrust" => self.see(words[1], Market::Untrusted(Distrust::Anomaly)),
            "raise" => self.tell(RiskIn::Raise(
                ModeCode::ClockSkew,
                scope(&words),
                mode(words[1]),
            )),
            "calm" => self.tell(RiskIn::Clear(ModeCode::ClockSkew, scope(&words))),
            "reconciled" => self.tell(RiskIn::Reconciled {
                clean: words.get(1) != Some(&"unclean"),
            }),
            "unpend" => self.tell(RiskIn::Clear(
                ModeCode::StartupReconcilePending,
                Scope::Global,
            )),
            "balances" => self.balances(&words),
            "fill" => self.fill(&words),
            "foreign" => self.foreign(&words),
            "mode" => self
                .verdicts
                .push(self.gate.board().global().as_str().to_owned()),
            "free" => self.verdicts.push(self.gate.investable().to_string()),
            "open" | "unknown" | "cancel" | "reject" | "absent" => {
                self.order_moves(words[0], words[1])
            }
            other => panic!("no line {other}"),
        }
    }

    /// Lets time pass; the books are heard again, so that they do not age.
    fn wait(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
        for pair in ["BTCTRY", "ETHTRY"] {
            if let Some(quoted) = self
                .gate
                .pairs
                .get(&symbol(pair))
                .and_then(|pair| pair.quoted())
            {
                self.see(
                    pair,
                    Market::Trusted(Quoted {
                        received: self.now,
                        ..quoted
                    }),
                );
            }
        }
    }

    fn see(&mut self, pair: &str, market: Market) {
        self.gate.see(self.now, symbol(pair), market);
        self.wake();
    }

    /// `book BTCTRY 999 1001 [session 2] [last 990 ago 60000]`.
    fn book(&mut self, words: &[&str]) {
        let (bid, ask) = (price(words[2]), price(words[3]));
        if let Some(session) = after(words, "session") {
            self.session = session.parse().expect("a session");
        }
        let ago: i64 = after(words, "ago").map_or(0, |ms| ms.parse().expect("milliseconds"));
        let quoted = Quoted {
            bid,
            bid_qty: qty("2"),
            ask,
            ask_qty: qty("3"),
            mid: Price::from_units((bid.units() + ask.units()) / 2),
            stamp: BookStamp {
                session: self.session,
                change: 1,
            },
            received: self.now,
            last_trade: after(words, "last").map(|text| (price(text), self.now.plus_ms(-ago))),
        };
        self.see(words[1], Market::Trusted(quoted));
    }

    /// `buy BTCTRY 0.1 @ 1000 [entry|exit|protective] [by STRATEGY] [late MS] [session N]`.
    pub(super) fn intent(&self, words: &[&str]) -> Intent {
        let late: i64 = after(words, "late").map_or(0, |ms| ms.parse().expect("milliseconds"));
        let has = |word: &str| words.contains(&word);
        let class = match (has("entry"), has("exit"), has("protective")) {
            (true, _, _) => IntentClass::Entry,
            (_, true, _) => IntentClass::Exit,
            (_, _, true) => IntentClass::Protective,
            _ => IntentClass::Quote,
        };
        Intent {
            strategy: after(words, "by").map_or(StrategyKind::MarketMaker, |name| {
                StrategyKind::parse(name).expect("a strategy")
            }),
            symbol: symbol(words[1]),
            side: if words[0] == "buy" {
                Side::Buy
            } else {
                Side::Sell
            },
            qty: qty(words[2]),
            limit: price(words[4]),
            class,
            reason: IntentReason::QuoteBid,
            at: self.now.plus_ms(-late),
            book: BookStamp {
                session: after(words, "session")
                    .map_or(self.session, |n| n.parse().expect("a session")),
                change: 1,
            },
            mid: price("1000"),
            cycle: 1,
        }
    }

    /// `balances TRY=10000 BTC=1/0.5 [ago MS]`: total, of which locked.
    fn balances(&mut self, words: &[&str]) {
        let ago: i64 = after(words, "ago").map_or(0, |ms| ms.parse().expect("milliseconds"));
        let rows = words
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(name, text)| {
                let (total, locked) = text.split_once('/').unwrap_or((text, "0"));
                let locked = amount(locked);
                BalanceRow {
                    asset: asset(name),
                    free: amount(total) - locked,
                    locked,
                }
            });
        let asked_at = self.now.plus_ms(-ago);
        let rows = rows.collect();
        self.tell(RiskIn::Balances { asked_at, rows });
    }

    /// Returns the view of the n-th approved order, counted from 1.
    pub(super) fn view(&self, number: &str) -> OrderView {
        let index: usize = number.parse().expect("a number");
        let order = self.approved[index - 1];
        let living = self
            .gate
            .orders()
            .find(|view| view.client_id() == order.client_id);
        living.copied().unwrap_or(OrderView {
            order,
            state: OrderState::Canceled,
            order_id: None,
            filled: Qty::ZERO,
            cancel_asked: false,
            since: self.now,
        })
    }

    fn order_moves(&mut self, word: &str, number: &str) {
        let mut view = self.view(number);
        view.order_id = Some(OrderId(number.parse().expect("a number")));
        view.state = match word {
            "open" => OrderState::Open,
            "unknown" => OrderState::Unknown(UnknownCause::Timeout),
            "cancel" => OrderState::Canceled,
            "absent" => OrderState::Absent,
            _ => OrderState::Rejected(Refusal::MinTotal),
        };
        self.tell(RiskIn::Order(view));
    }

    /// `fill 1 0.05 [@ PRICE] [fee F] [tax T]`: the trade, then the view that counts it.
    fn fill(&mut self, words: &[&str]) {
        let mut view = self.view(words[1]);
        let intent = view.order.intent;
        let at = after(words, "@").map_or(intent.limit, price);
        let trade = self.trade(intent.symbol, intent.side, qty(words[2]), at, words);
        let trade = OwnTrade {
            client_id: Some(view.client_id()),
            ..trade
        };
        self.tell(RiskIn::Fill(trade));
        view.filled += qty(words[2]);
        let is_full = view.filled >= intent.qty;
        view.state = if is_full {
            OrderState::Filled
        } else {
            OrderState::Partial
        };
        self.tell(RiskIn::Order(view));
    }

    /// `foreign buy BTCTRY 0.1 @ 1000`: a trade of the account that is no order of ours.
    fn foreign(&mut self, words: &[&str]) {
        let side = if words[1] == "buy" {
            Side::Buy
        } else {
            Side::Sell
        };
        let trade = self.trade(
            symbol(words[2]),
            side,
            qty(words[3]),
            price(words[5]),
            words,
        );
        self.tell(RiskIn::Fill(trade));
    }

    fn trade(
        &mut self,
        pair: Symbol,
        side: Side,
        qty: Qty,
        price: Price,
        words: &[&str],
    ) -> OwnTrade {
        self.trades += 1;
        OwnTrade {
            source: TradeSource::Rest,
            id: TradeId(self.trades),
            order_id: OrderId(self.trades),
            client_id: None,
            base: asset(&pair.as_str()[..3]),
            quote: asset("TRY"),
            side,
            price,
            qty,
            fee: amount(after(words, "fee").unwrap_or("0")),
            tax: amount(after(words, "tax").unwrap_or("0")),
            at: self.now,
            fee_in_base: false,
        }
    }

    /// Returns what is on record, in order: the gate's own records, and what the router would write.
    pub(super) fn journal(&self) -> &[Record] {
        &self.log
    }

    /// Lets the gate take over what records of an earlier start add up to.
    pub(super) fn recall<'a>(&mut self, records: impl IntoIterator<Item = &'a Record>) {
        let past = Fold::of(asset("TRY"), Keep::default(), records);
        self.gate.recall(past.sum().money().clone());
    }
}

fn after<'a>(words: &[&'a str], word: &str) -> Option<&'a str> {
    words
        .iter()
        .position(|w| *w == word)
        .map(|at| words[at + 1])
}

/// `raise reduce [BTCTRY]`, `calm [BTCTRY]`: the last word, if it is a pair.
fn scope(words: &[&str]) -> Scope {
    match words.last() {
        Some(word) if word.ends_with("TRY") => Scope::Symbol(symbol(word)),
        _ => Scope::Global,
    }
}

fn mode(word: &str) -> Mode {
    match word {
        "reduce" => Mode::ReduceRiskOnly,
        "observe" => Mode::ObserveOnly,
        "kill" => Mode::KillSwitch,
        other => panic!("no mode {other}"),
    }
}

/// Plays a script on a ready gate and compares the verdicts; `change` sets the limits of the case.
pub(super) fn check(change: impl FnOnce(&mut RiskSettings), script: &[&str], expected: &[&str]) {
    let mut bench = Bench::ready(change);
    bench.play(script);
    assert_eq!(bench.verdicts, expected, "{script:?}");
}
