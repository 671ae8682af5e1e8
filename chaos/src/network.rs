//! Requests and their answers, on a network that loses, delays and lies.
//!
//! What is on its way outlives the process that sent it. An answer that comes after the patience with it is not heard.

use crate::plan::SKEW_MS_WILD;
use crate::planted::Plant;
use crate::wire;
use crate::world::{Happening, Reply, Request, World};
use engine::answer::{
    CancelReply, OrderRow, OwnTrade, Refusal, SubmitOutcome, TradeSource, Transfer, UnknownCause,
};
use engine::desk::DeskIn;
use engine::ids::{ClientId, OrderId, Symbol};
use engine::intent::NewOrder;
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::{ReadReply, ReadRequest, ReconcileIn, RiskIn, RouterIn};
use engine::time::Timestamp;
use simulator::judge::{OrderRequest, Refused};
use simulator::market::pair::PairIndex;
use simulator::order::Version;

/// Patience with a submit and with everything else, milliseconds (config/default.toml).
const SUBMIT_MS_MAX: i64 = 8_000;
const REQUEST_MS_MAX: i64 = 10_000;
/// One way on a healthy network and on a sick one, milliseconds.
const WAY_MS: (i64, i64) = (1, 30);
const SLOW_WAY_MS: (i64, i64) = (300, 10_000);
/// Age at which the exchange refuses a signed request, milliseconds (docs/EXCHANGE.md 3.1).
const STAMP_MS_MAX: i64 = 5_000;
/// Time between two measurements of the clock, milliseconds.
const CLOCK_EVERY_MS: i64 = 30_000;
/// The same after one that failed.
const CLOCK_RETRY_MS: i64 = 5_000;
/// A measurement whose way took longer says too little, milliseconds.
const CLOCK_WAY_MS_MAX: i64 = 2_000;
/// A clock that is further off lets no order out, milliseconds (config/default.toml).
pub(crate) const SKEW_MS_WARN: i64 = 1_000;
/// A clock that is further off trips the kill switch, milliseconds (config/default.toml).
const SKEW_MS_KILL: i64 = 3_000;
/// A clock that is really this far off may be measured as one that kills: half of the longest way is added.
const SKEW_MS_DOUBT: i64 = SKEW_MS_KILL - CLOCK_WAY_MS_MAX / 2;
/// Wait after a 429 that names none, milliseconds (exchange/btcturk).
const NO_RETRY_AFTER_MS: i64 = 60_000;
/// A second of our clock, milliseconds.
const TICK_MS: i64 = 1_000;
/// Longest time from a cause to the kill where it goes through mailboxes, milliseconds.
const SHELLS_KILL_MS: i64 = 1_000;
/// Lag of a healthy list, milliseconds.
const LAG_MS: i64 = 200;

impl World {
    pub(crate) fn request(&mut self, request: Request) {
        let ticket = self.ticket();
        let number = self.life.as_ref().map_or(0, |life| life.number);
        let patience_ms = match request {
            Request::Submit(..) => SUBMIT_MS_MAX,
            Request::Cancel(..) | Request::Row(..) | Request::Read(_) | Request::Clock(_) => {
                REQUEST_MS_MAX
            }
        };
        if let (Request::Read(what), Some(life)) = (&request, &mut self.life) {
            life.reads.insert(*what, ticket);
        }
        let late = no_answer(&request, UnknownCause::Timeout);
        self.after(patience_ms, Happening::Answer(number, ticket, late));
        if self.dice.chance(self.faults.request_lost) {
            self.trace.note(self.now, format_args!("lost {request:?}"));
            self.maybe_reset(number, ticket, &request);
            return;
        }
        let way_ms = self.draw_way();
        self.after(way_ms, Happening::Arrive(number, ticket, request));
    }

    /// A lost message shows as a broken connection half of the time, as silence otherwise.
    fn maybe_reset(&mut self, number: u32, ticket: u64, request: &Request) {
        if self.dice.chance(500_000) {
            let lost = no_answer(request, UnknownCause::ConnectionLost);
            let wait_ms = self.dice.between(1, 3_000);
            self.after(wait_ms, Happening::Answer(number, ticket, lost));
        }
    }

    fn draw_way(&mut self) -> i64 {
        let is_slow = self.dice.chance(self.faults.slow);
        let (low, high) = if is_slow { SLOW_WAY_MS } else { WAY_MS };
        self.dice.between(low, high)
    }

    /// Only own orders are ever cancelled by us (D36).
    fn judge_cancel(&mut self, id: ClientId, order_id: OrderId) {
        let order = self.exchange.order(order_id);
        if order.is_none_or(|order| order.client_id != id.to_string()) {
            let seen = format!("{id} is not {order_id:?}");
            self.oracle.broken(self.now, "cancels_its_own", seen);
        }
    }

    pub(crate) fn measure_clock(&mut self) {
        let Some(life) = &self.life else { return };
        let asked_at = life.local(self.now);
        self.request(Request::Clock(asked_at));
    }

    // ---- at the exchange ----

    pub(crate) fn arrive(&mut self, number: u32, ticket: u64, request: Request) {
        let reply = self.serve(&request);
        self.trace
            .note(self.now, format_args!("serves {request:?}"));
        if self.dice.chance(self.faults.reply_lost) {
            self.maybe_reset(number, ticket, &request);
            return;
        }
        let way_ms = self.draw_way();
        self.after(way_ms, Happening::Answer(number, ticket, reply));
    }

    fn serve(&mut self, request: &Request) -> Reply {
        if self.dice.chance(self.faults.too_many) {
            return self.too_many(request);
        }
        if self.dice.chance(self.faults.maintenance) {
            return maintenance(request);
        }
        if self.dice.chance(self.faults.error_refused) {
            return no_answer(request, UnknownCause::Ambiguous);
        }
        let reply = self.answer_to(request);
        if self.dice.chance(self.faults.error_accepted) {
            return no_answer(request, UnknownCause::Ambiguous);
        }
        reply
    }

    fn too_many(&mut self, request: &Request) -> Reply {
        let wait_ms = if self.dice.chance(900_000) {
            self.dice.between(500, 5_000)
        } else {
            NO_RETRY_AFTER_MS
        };
        match request {
            Request::Submit(order, _) => {
                outcome(order, SubmitOutcome::Rejected(Refusal::RateLimited))
            }
            Request::Cancel(id, _) => cancelled(*id, CancelReply::RateLimited(wait_ms)),
            Request::Row(..) | Request::Read(_) | Request::Clock(_) => {
                no_answer(request, UnknownCause::Ambiguous)
            }
        }
    }

    fn answer_to(&mut self, request: &Request) -> Reply {
        match request {
            Request::Submit(order, stamp) => {
                let got = self.submit(order, *stamp);
                outcome(order, got)
            }
            Request::Cancel(id, order_id) => {
                self.judge_cancel(*id, *order_id);
                let reply = match self.exchange.cancel(self.now, self.account, *order_id) {
                    Ok(()) => CancelReply::Acknowledged,
                    Err(_) => CancelReply::LookUp,
                };
                cancelled(*id, reply)
            }
            Request::Row(id, order_id) => {
                let row = self.look_at(*order_id);
                Reply::Tell(DeskIn::Router(RouterIn::Row(*id, row)))
            }
            Request::Read(what) => {
                let reply = self.read(*what);
                Reply::Tell(DeskIn::Reconcile(ReconcileIn::Reply(reply)))
            }
            Request::Clock(asked_at) => Reply::Time {
                served_at: self.now,
                asked_at: *asked_at,
            },
        }
    }

    fn submit(&mut self, order: &NewOrder, stamp: Timestamp) -> SubmitOutcome {
        if self.now.ms_since(stamp).abs() > STAMP_MS_MAX {
            return SubmitOutcome::Rejected(Refusal::Unauthorized);
        }
        let intent = &order.intent;
        let request = OrderRequest::limit(
            intent.symbol.as_str(),
            intent.side,
            &intent.qty.to_string(),
            &intent.limit.to_string(),
            &order.client_id.to_string(),
        );
        match self.exchange.submit(self.now, self.account, &request) {
            Ok(accepted) => {
                self.figures.orders += 1;
                self.open.insert(order.client_id, accepted.id);
                self.judge_accepted(order.client_id);
                if self.dice.chance(self.faults.lying_refusal) {
                    return SubmitOutcome::Rejected(Refusal::Other);
                }
                if wire::ours(accepted.echo.as_ref()) == Some(order.client_id) {
                    SubmitOutcome::Accepted(accepted.id)
                } else {
                    self.is_kill_due = true;
                    SubmitOutcome::AcceptedWithoutEcho(accepted.id)
                }
            }
            Err(refused) => SubmitOutcome::Rejected(wire::refusal(refused)),
        }
    }

    /// The moment a list shows. Without replicas it is never before what an earlier list showed.
    pub(crate) fn look_back(&mut self) -> Timestamp {
        let is_lagging = self.plan.lag.lists_ms_max > LAG_MS;
        let lag_ms = if is_lagging && !self.plan.lag.replicas {
            self.plan.lag.lists_ms_max
        } else {
            self.dice.between(0, self.plan.lag.lists_ms_max)
        };
        self.now.plus_ms(-lag_ms)
    }

    fn look_at(&mut self, order_id: OrderId) -> Option<OrderRow> {
        let at = self.look_back();
        let order = self.exchange.order(order_id)?;
        let shown = order.at(at)?;
        let symbol = self.exchange.pairs()[order.pair.0].symbol;
        Some(wire::row(order, shown, symbol))
    }

    fn read(&mut self, what: ReadRequest) -> ReadReply {
        let at = self.look_back();
        match what {
            ReadRequest::OpenOrders => {
                ReadReply::OpenOrders(self.rows(at, None, |shown| shown.state.is_open()))
            }
            ReadRequest::History(symbol, since) => {
                let rows = self.rows(at, Some(symbol), |shown| shown.from >= since);
                ReadReply::History(symbol, since, rows)
            }
            ReadRequest::Trades(since) => ReadReply::Trades(since, self.trades(at, since)),
            ReadRequest::Transfers(since) => ReadReply::Transfers(since, self.transfers(at, since)),
            ReadRequest::Balances => {
                let shown = self.exchange.ledger().balances_at(self.account, at);
                ReadReply::Balances(wire::balances(shown))
            }
        }
    }

    pub(crate) fn rows(
        &self,
        at: Timestamp,
        symbol: Option<Symbol>,
        is_asked: impl Fn(&Version) -> bool,
    ) -> Vec<OrderRow> {
        let pairs = self.exchange.pairs();
        self.exchange
            .orders()
            .filter(|order| order.account == self.account)
            .filter(|order| symbol.is_none_or(|symbol| pairs[order.pair.0].symbol == symbol))
            .filter_map(|order| {
                // Most orders of a long run ended long ago: what is not asked for is not made.
                let shown = order.at(at).filter(&is_asked)?;
                Some(wire::row(order, shown, pairs[order.pair.0].symbol))
            })
            .filter(|row| !self.is_untold(row.client_id))
            .collect()
    }

    fn trades(&self, at: Timestamp, since: Timestamp) -> Vec<OwnTrade> {
        let fills = self.exchange.fills();
        fills
            .filter(|fill| fill.account == self.account && fill.at <= at && fill.at >= since)
            .filter(|fill| !self.is_later_trade(fill.order_id, fill.id))
            .map(|fill| {
                let order = self.exchange.order(fill.order_id);
                let client_id = order.and_then(|order| wire::ours(order.echo.as_ref()));
                let pair = &self.exchange.pairs()[fill.pair.0];
                let mut trade = wire::trade(fill, pair, client_id, TradeSource::Rest);
                if self.plant == Some(Plant::FeeSignLost) {
                    trade.fee = -trade.fee;
                }
                trade
            })
            .filter(|trade| !self.is_untold(trade.client_id))
            .collect()
    }

    fn transfers(&self, at: Timestamp, since: Timestamp) -> Vec<Transfer> {
        let notes = self.exchange.transfers();
        notes
            .filter(|note| note.account == self.account && note.at <= at && note.at >= since)
            .map(wire::transfer)
            .collect()
    }

    // ---- back at the process ----

    pub(crate) fn answer(&mut self, ticket: u64, reply: Reply) {
        let Some(life) = self.life.as_mut() else {
            return;
        };
        if !life.tickets.remove(&ticket) {
            return;
        }
        let number = life.number;
        if let Some(what) = read_of(&reply)
            && life.reads.get(&what).is_some_and(|latest| ticket < *latest)
        {
            let seen = format!("{what:?} was asked again before it was answered");
            self.oracle.broken(self.now, "one_pass_at_a_time", seen);
        }
        match reply {
            Reply::Time {
                served_at,
                asked_at,
            } => self.learn_time(served_at, asked_at),
            Reply::ClockLater => self.after(CLOCK_RETRY_MS, Happening::Clock(number)),
            Reply::Tell(input) => {
                let input = self.stale(input);
                let is_echo_missed = matches!(
                    input,
                    DeskIn::Router(RouterIn::Outcome(_, SubmitOutcome::AcceptedWithoutEcho(_)))
                );
                self.tell_answer(input);
                if is_echo_missed {
                    self.figures.echoes_missed += 1;
                    self.must_be_killed("echo_kills");
                }
            }
        }
    }

    /// As `actors/src/upkeep.rs` does it: the middle of the way there and back, if it was not too long.
    fn learn_time(&mut self, served_at: Timestamp, asked_at: Timestamp) {
        let now = self.now;
        let Some(life) = self.life.as_mut() else {
            return;
        };
        let number = life.number;
        let way_ms = life.local(now).ms_since(asked_at);
        if way_ms > CLOCK_WAY_MS_MAX {
            self.after(CLOCK_RETRY_MS, Happening::Clock(number));
            return;
        }
        life.offset_ms = served_at.ms_since(asked_at) - way_ms / 2;
        let offset_ms = life.offset_ms;
        self.after(CLOCK_EVERY_MS, Happening::Clock(number));
        self.tell(DeskIn::Router(RouterIn::Offset(offset_ms)));
        let (code, scope) = (ModeCode::ClockSkew, Scope::Global);
        let skew_ms = offset_ms.abs();
        if skew_ms >= SKEW_MS_KILL {
            self.kill_shells(code);
            self.tell(DeskIn::Risk(RiskIn::Raise(code, scope, Mode::KillSwitch)));
            self.must_be_killed("clock_kills");
        } else if skew_ms >= SKEW_MS_WARN {
            self.figures.skews += 1;
            self.tell(DeskIn::Risk(RiskIn::Raise(code, scope, Mode::ObserveOnly)));
        } else {
            self.tell(DeskIn::Risk(RiskIn::Clear(code, scope)));
        }
    }

    /// What trips the kill switch has tripped it by the end of the turn.
    fn must_be_killed(&mut self, rule: &'static str) {
        let number = self.life.as_ref().map_or(0, |life| life.number);
        if self.is_shelled() {
            // Through mailboxes it takes some turns.
            self.after(SHELLS_KILL_MS, Happening::MustBeKilled(number, rule));
        } else {
            self.must_have_been_killed(rule);
        }
    }

    pub(crate) fn must_have_been_killed(&mut self, rule: &'static str) {
        if !self.is_killed && self.life.is_some() {
            self.oracle.broken(self.now, rule, String::new());
        }
    }

    /// A second of our clock: it drifts, and may stand still for a while.
    pub(crate) fn tick(&mut self) {
        let freezes = self.faults.freeze > 0 && self.dice.chance(self.faults.freeze);
        let frozen_ms = if freezes {
            self.dice.between(0, self.plan.clock.freeze_ms_max)
        } else {
            0
        };
        let Some(life) = &self.life else { return };
        self.after(TICK_MS, Happening::Tick(life.number));
        self.shift_clock(self.plan.clock.drift_ms - frozen_ms);
    }

    /// Moves our clock against the exchange's; one that is moved back stands still until it is due again.
    pub(crate) fn shift_clock(&mut self, moved_ms: i64) {
        let Some(life) = &mut self.life else { return };
        let skew_ms = (life.skew_ms + moved_ms).clamp(-SKEW_MS_WILD, SKEW_MS_WILD);
        life.body.move_clock(skew_ms - life.skew_ms);
        life.skew_ms = skew_ms;
        self.is_kill_due |= life.skew_ms.abs() >= SKEW_MS_DOUBT;
    }

    /// Returns the place of a pair of ours.
    pub(crate) fn pair_of(&self, symbol: Symbol) -> Option<PairIndex> {
        self.exchange.find_pair(symbol.as_str())
    }
}

/// The read that an answer belongs to: an older answer must never pass for one to a younger request.
fn read_of(reply: &Reply) -> Option<ReadRequest> {
    let Reply::Tell(DeskIn::Reconcile(ReconcileIn::Reply(reply))) = reply else {
        return None;
    };
    Some(match reply {
        ReadReply::OpenOrders(_) => ReadRequest::OpenOrders,
        ReadReply::History(symbol, since, _) => ReadRequest::History(*symbol, *since),
        ReadReply::Trades(since, _) => ReadRequest::Trades(*since),
        ReadReply::Transfers(since, _) => ReadRequest::Transfers(*since),
        ReadReply::Balances(_) => ReadRequest::Balances,
        ReadReply::Failed(what) => *what,
    })
}

fn outcome(order: &NewOrder, got: SubmitOutcome) -> Reply {
    Reply::Tell(DeskIn::Router(RouterIn::Outcome(order.client_id, got)))
}

fn cancelled(id: ClientId, reply: CancelReply) -> Reply {
    Reply::Tell(DeskIn::Router(RouterIn::CancelReply(id, reply)))
}

/// What a request comes to that brings no usable answer.
fn no_answer(request: &Request, cause: UnknownCause) -> Reply {
    match request {
        Request::Submit(order, _) => outcome(order, SubmitOutcome::Unknown(cause)),
        Request::Cancel(id, _) => cancelled(*id, CancelReply::Failed),
        Request::Row(id, _) => Reply::Tell(DeskIn::Router(RouterIn::Row(*id, None))),
        Request::Read(what) => {
            let failed = ReadReply::Failed(*what);
            Reply::Tell(DeskIn::Reconcile(ReconcileIn::Reply(failed)))
        }
        Request::Clock(_) => Reply::ClockLater,
    }
}

fn maintenance(request: &Request) -> Reply {
    match request {
        Request::Submit(order, _) => {
            let refused = wire::refusal(Refused::InsertBlocked);
            outcome(order, SubmitOutcome::Rejected(refused))
        }
        Request::Cancel(id, _) => cancelled(*id, CancelReply::Blocked),
        Request::Row(..) | Request::Read(_) | Request::Clock(_) => {
            no_answer(request, UnknownCause::Ambiguous)
        }
    }
}
