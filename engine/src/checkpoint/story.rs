//! Journals of lives that could have been, drawn from a seed: what tests of checkpoints are played on.
//!
//! Every story is legal: ids count up, an order ends once, a fill belongs to an order that exists or to a stranger.

use crate::answer::{
    NotSent, OwnTrade, Rail, Refusal, SubmitOutcome, TradeSource, TransferId, UnknownCause,
};
use crate::budget::{Cause, Rung, Spending, Stamp, Step};
use crate::dice::Dice;
use crate::hold::Hold;
use crate::ids::{AccountTag, Asset, BootTag, ClientId, OrderId, Symbol, TradeId};
use crate::intent::{
    BookStamp, CancelReason, Intent, IntentClass, IntentReason, NewOrder, StrategyKind,
};
use crate::kill::Kill;
use crate::market::Side;
use crate::mode::{Mode, ModeCode};
use crate::money::{Amount, Price, Qty};
use crate::order::{OrderState, Resolution};
use crate::record::{Record, RestoredFrom};
use crate::supervisor::ActorName;
use crate::time::Timestamp;

/// Stamps are this far ahead of or behind our clock at most, milliseconds.
const SKEW_MS: i64 = 500;
/// How far looks stay behind the newest trade, milliseconds.
pub(crate) const OVERLAP_MS: i64 = 30_000;
const LIVING_MAX: usize = 12;

pub(crate) fn quote() -> Asset {
    Asset::parse("TRY").expect("an asset")
}

pub(crate) fn base() -> Asset {
    Asset::parse("BTC").expect("an asset")
}

pub(crate) fn tag() -> AccountTag {
    AccountTag::from_entropy(4)
}

/// One order and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    pub(crate) order: NewOrder,
    pub(crate) number: Option<OrderId>,
    pub(crate) filled: Qty,
    pub(crate) trades: Vec<OwnTrade>,
    is_answered: bool,
}

/// A journal as it grows.
pub(crate) struct Story {
    dice: Dice,
    pub(crate) now: Timestamp,
    epoch: u32,
    seq: u64,
    number: i64,
    newest_trade: Option<Timestamp>,
    pub(crate) living: Vec<Plot>,
    pub(crate) ended: Vec<Plot>,
    pub(crate) records: Vec<Record>,
}

impl Story {
    /// Tells a story of at least `len` records.
    pub(crate) fn of(seed: u64, len: usize) -> Self {
        let mut story = Self {
            dice: Dice::new(seed),
            now: Timestamp::from_ms(1_700_000_000_000),
            epoch: 0,
            seq: 1,
            number: 1_000,
            newest_trade: None,
            living: Vec::new(),
            ended: Vec::new(),
            records: Vec::new(),
        };
        story.start();
        story.open();
        while story.records.len() < len {
            story.step();
        }
        story
    }

    fn write(&mut self, record: Record) {
        self.records.push(record);
    }

    fn start(&mut self) {
        self.epoch += 1;
        let (epoch, at) = (self.epoch, self.now);
        self.write(Record::Boot { epoch, at });
    }

    fn open(&mut self) {
        let coins = Qty::from_units(100).amount();
        for (asset, amount) in [(base(), coins), (quote(), Amount::from_whole(1_000))] {
            let price = (asset == base()).then(|| Price::from_units(100));
            self.write(Record::Opening {
                asset,
                amount,
                price,
                at: self.now,
            });
        }
    }

    fn step(&mut self) {
        let wait_ms = if self.dice.chance(50_000) {
            60_000
        } else {
            4_000
        };
        self.now = self.now.plus_ms(self.dice.between(0, wait_ms));
        match self.dice.between(0, 19) {
            0..=4 => self.place(),
            5..=8 => self.answer(),
            9 => self.adopt(),
            10 => self.ask_cancel(),
            11..=13 => self.fill(),
            14..=15 => self.cancel(),
            16 => self.stranger(),
            17 => self.look(),
            18 if self.dice.chance(500_000) => self.equity(),
            18 => self.money_moves(),
            _ => self.operate(),
        }
    }

    fn place(&mut self) {
        if self.living.len() >= LIVING_MAX {
            return;
        }
        let (is_buy, is_entry) = (self.dice.chance(500_000), self.dice.chance(500_000));
        let intent = Intent {
            strategy: StrategyKind::MarketMaker,
            symbol: Symbol::parse("BTCTRY").expect("a pair"),
            side: if is_buy { Side::Buy } else { Side::Sell },
            qty: Qty::from_units(self.dice.between(1, 4) * 10),
            limit: Price::from_units(self.dice.between(90, 110)),
            class: if is_entry {
                IntentClass::Entry
            } else {
                IntentClass::Quote
            },
            reason: IntentReason::QuoteBid,
            at: self.now,
            book: BookStamp::default(),
            mid: Price::from_units(101),
            cycle: 1,
        };
        let boot = BootTag::from_entropy(u64::from(self.epoch));
        let order = NewOrder {
            client_id: ClientId::new(tag(), self.epoch, boot, self.seq),
            intent,
            reserved: Amount::from_units(1_000),
            fee_in_base: self.dice.chance(200_000),
        };
        // Now and then an approved order is lost before its record.
        self.seq += if self.dice.chance(50_000) { 2 } else { 1 };
        self.write(Record::Sending {
            order,
            stamp_max: self.now.plus_ms(250),
        });
        self.living.push(Plot {
            order,
            number: None,
            filled: Qty::ZERO,
            trades: Vec::new(),
            is_answered: false,
        });
    }

    /// Takes out a living order that fits, if there is one.
    fn draw(&mut self, fits: impl Fn(&Plot) -> bool) -> Option<Plot> {
        let fitting: Vec<usize> = (0..self.living.len())
            .filter(|n| fits(&self.living[*n]))
            .collect();
        let last = i64::try_from(fitting.len()).expect("small") - 1;
        (last >= 0).then(|| {
            let drawn = usize::try_from(self.dice.between(0, last)).expect("an index");
            self.living.remove(fitting[drawn])
        })
    }

    fn next_number(&mut self) -> i64 {
        self.number += self.dice.between(1, 3);
        self.number
    }

    fn answer(&mut self) {
        let Some(mut plot) = self.draw(|plot| !plot.is_answered) else {
            return;
        };
        plot.is_answered = true;
        let outcome = match self.dice.between(0, 9) {
            0 => SubmitOutcome::Rejected(Refusal::MinTotal),
            1 => SubmitOutcome::NotSent(NotSent::Expired),
            2 | 3 => SubmitOutcome::Unknown(UnknownCause::Timeout),
            _ => SubmitOutcome::Accepted(OrderId(self.next_number())),
        };
        self.write(Record::Outcome {
            client_id: plot.order.client_id,
            outcome,
            at: self.now,
        });
        match outcome {
            SubmitOutcome::Rejected(_) | SubmitOutcome::NotSent(_) => self.ended.push(plot),
            SubmitOutcome::Unknown(_) => self.living.push(plot),
            SubmitOutcome::Accepted(number) | SubmitOutcome::AcceptedWithoutEcho(number) => {
                plot.number = Some(number);
                self.living.push(plot);
            }
        }
    }

    fn adopt(&mut self) {
        let Some(mut plot) = self.draw(|plot| plot.number.is_none()) else {
            return;
        };
        let order_id = OrderId(self.next_number());
        plot.number = Some(order_id);
        plot.is_answered = true;
        self.write(Record::Adopted {
            client_id: plot.order.client_id,
            order_id,
            at: self.now,
        });
        self.living.push(plot);
    }

    fn ask_cancel(&mut self) {
        if let Some(plot) = self.draw(|plot| plot.number.is_some()) {
            self.write(Record::CancelAsked {
                client_id: plot.order.client_id,
                reason: CancelReason::Ttl,
                at: self.now,
            });
            self.living.push(plot);
        }
    }

    fn fill(&mut self) {
        let Some(mut plot) = self.draw(|plot| plot.number.is_some()) else {
            return;
        };
        let left = plot.order.intent.qty.minus_or_zero(plot.filled);
        let part = if self.dice.chance(400_000) {
            left
        } else {
            Qty::from_units(5).min(left)
        };
        let number = plot.number.expect("it was drawn for its number");
        let with_id = self.dice.chance(500_000).then_some(plot.order.client_id);
        let side = plot.order.intent.side;
        let trade = self.trade(number, with_id, side, part);
        plot.filled += part;
        plot.trades.push(trade.clone());
        self.write(Record::Fill(trade));
        if plot.filled == plot.order.intent.qty {
            self.end(plot, OrderState::Filled);
        } else {
            self.living.push(plot);
        }
    }

    fn trade(
        &mut self,
        order_id: OrderId,
        client_id: Option<ClientId>,
        side: Side,
        qty: Qty,
    ) -> OwnTrade {
        let is_streamed = self.dice.chance(700_000);
        let at = self.now.plus_ms(self.dice.between(-SKEW_MS, SKEW_MS));
        self.newest_trade = self.newest_trade.max(Some(at));
        OwnTrade {
            source: if is_streamed {
                TradeSource::Stream
            } else {
                TradeSource::Rest
            },
            id: TradeId(self.next_number()),
            order_id,
            client_id,
            base: base(),
            quote: quote(),
            side,
            price: Price::from_units(self.dice.between(90, 110)),
            qty,
            fee: Amount::from_units(3),
            tax: Amount::from_units(1),
            at,
            fee_in_base: self.dice.chance(200_000),
        }
    }

    /// A cancelled order ends with what it filled; one that was never found ends as absent.
    fn cancel(&mut self) {
        let Some(plot) = self.draw(|plot| plot.is_answered) else {
            return;
        };
        match plot.number {
            Some(_) => self.end(plot, OrderState::Canceled),
            None if self.dice.chance(500_000) => self.end(plot, OrderState::Absent),
            None => self.resolve(plot),
        }
    }

    fn resolve(&mut self, plot: Plot) {
        let is_stuck = self.dice.chance(300_000);
        self.write(Record::Resolved {
            client_id: plot.order.client_id,
            resolution: if is_stuck {
                Resolution::Stuck
            } else {
                Resolution::Absent
            },
            reason: "asked the exchange".to_owned(),
            at: self.now,
        });
        let plots = if is_stuck {
            &mut self.living
        } else {
            &mut self.ended
        };
        plots.push(plot);
    }

    fn end(&mut self, plot: Plot, state: OrderState) {
        self.write(Record::Ended {
            client_id: plot.order.client_id,
            state,
            at: self.now,
        });
        self.ended.push(plot);
    }

    fn stranger(&mut self) {
        let number = OrderId(self.next_number());
        let trade = self.trade(number, None, Side::Buy, Qty::from_units(7));
        self.write(Record::Fill(trade));
    }

    fn look(&mut self) {
        let trades_before = self.newest_trade.map(|at| at.plus_ms(-OVERLAP_MS));
        self.write(Record::Looked {
            asked_at: self.now,
            trades_before: trades_before.unwrap_or(Timestamp::from_ms(0)),
        });
    }

    fn equity(&mut self) {
        let equity = Amount::from_whole(self.dice.between(900_000, 1_100_000));
        self.write(Record::DayStart {
            day: self.now.day(),
            equity,
            peak: equity,
        });
    }

    fn money_moves(&mut self) {
        let (asset, at) = (base(), self.now);
        let amount = Amount::from_units(i128::from(self.dice.between(-900, 900)));
        let price = self.dice.chance(500_000).then(|| Price::from_units(100));
        let equity = self.dice.chance(500_000).then(|| Amount::from_whole(900));
        let number = self.next_number();
        let record = if self.dice.chance(700_000) {
            Record::Transfer {
                id: TransferId {
                    rail: Rail::Crypto,
                    number,
                },
                asset,
                amount,
                price,
                equity,
                at,
            }
        } else {
            Record::Adjustment {
                asset,
                amount,
                price,
                equity,
                reason: "counted".to_owned(),
                at,
            }
        };
        self.write(record);
    }

    /// Something of a budget is spent, or a cause takes a step.
    fn spend(&mut self) {
        let stamp = Stamp {
            budget_ms: self.now.ms(),
            at: self.now,
            exchange_at: self.dice.chance(500_000).then_some(self.now),
        };
        if self.dice.chance(200_000) {
            let step = Step {
                cause: Cause::Reconnects,
                before: Rung::Normal,
                after: Rung::Observe,
                count: 12,
                hour: 12,
                minutes: 1,
                limit: 48,
            };
            return self.write(Record::Stepped { step, stamp });
        }
        let what = [
            Spending::Connect,
            Spending::Reconnect,
            Spending::Throttled,
            Spending::CancelThrottled,
            Spending::Ended(ActorName::MarketFeed),
        ][usize::try_from(self.dice.between(0, 4)).expect("an index")];
        self.write(Record::Spent { what, stamp });
    }

    fn operate(&mut self) {
        let at = self.now;
        if self.dice.chance(500_000) {
            let on = self.dice.chance(500_000);
            return self.write(Record::SafeMode { on, at });
        }
        if self.dice.chance(100_000) {
            return self.write(Record::Restored {
                from: RestoredFrom::Backup,
                reason: "a new disk".to_owned(),
                at,
            });
        }
        if self.dice.chance(200_000) {
            return self.spend();
        }
        if self.dice.chance(200_000) {
            return self.hold_or_let_go();
        }
        if self.dice.chance(200_000) {
            return self.trip_or_reset();
        }
        if self.dice.chance(500_000) {
            self.write(Record::Stop { at, leftovers: 0 });
        }
        self.start();
    }

    fn hold_or_let_go(&mut self) {
        let at = self.now;
        let pair = Symbol::parse("BTCTRY").expect("a pair");
        let symbol = self.dice.chance(500_000).then_some(pair);
        let (reason, by) = ("a drill".to_owned(), "uid 0".to_owned());
        let record = if self.dice.chance(500_000) {
            Record::Held(Hold {
                symbol,
                mode: Mode::ReduceRiskOnly,
                until: self.dice.chance(500_000).then(|| at.plus_ms(60_000)),
                reason,
                by,
                at,
            })
        } else {
            Record::LetGo {
                symbol,
                reason,
                by,
                at,
            }
        };
        self.write(record);
    }

    fn trip_or_reset(&mut self) {
        let at = self.now;
        let kill = Kill::new(None, ModeCode::OperatorKill, ("a drill", "uid 0"), at);
        let record = if self.dice.chance(500_000) {
            Record::Kill(kill)
        } else {
            let (id, reason, by) = (kill.id, kill.reason, kill.by);
            Record::Reset { id, reason, by, at }
        };
        self.write(record);
    }
}
