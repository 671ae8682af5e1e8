//! The Reconciler: looks at the whole account, again and again, and hands on only complete looks.
//!
//! It decides when to look and what a look must hold; what a look means is decided by the router (orders, trades)
//! and the gate (balances). A pass in which one request failed proves nothing and is thrown away whole. Deposits and
//! withdrawals are read only when the balances need an explanation, and a list of them that fails explains nothing.

use crate::answer::{BalanceRow, OrderRow, OwnTrade, Transfer};
use crate::core::{Core, Outbox};
use crate::ids::Symbol;
use crate::mode::{Mode, ModeCode, Scope};
use crate::msg::{ReadReply, ReadRequest, ReconcileEffect, ReconcileIn, RiskIn, Snapshot};
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Least time between the starts of two passes, milliseconds (X-17: list quotas).
const SPACING_MS: i64 = 1_000;
/// Wait after a failed pass, milliseconds.
const RETRY_MS: i64 = 2_000;
/// How far trades are read back behind the newest one seen, milliseconds: the lists lag, by seconds as far as is known.
/// It is also how long trades are remembered one by one.
pub(crate) const TRADES_OVERLAP_MS: i64 = 300_000;
/// A pass that has not ended by then has failed, milliseconds: longer than every request's own limit.
const PASS_MS_MAX: i64 = 60_000;
/// How far before the opening of the ledger trades are read, milliseconds: the opening is dated by our clock and
/// trades by the exchange's, and far more than that apart the two let no order out.
const CLOCK_MARGIN_MS: i64 = 60_000;
/// How far transfers are read back, milliseconds: a bank and a chain stamp them long before they arrive.
const TRANSFERS_BACK_MS: i64 = 7 * 86_400_000;
/// Least time between two passes that are made for an explanation, milliseconds; in between it comes with the next.
const EXPLAIN_SPACING_MS: i64 = 10_000;
/// Pairs whose history one pass reads; the rest waits for the next pass.
const HISTORIES_MAX: usize = 10;

/// What the gate is told while a pass is due before new risk may be taken: it goes on reducing.
pub const RECONCILE_PENDING: RiskIn = RiskIn::Raise(
    ModeCode::ReconcileRunning,
    Scope::Global,
    Mode::ReduceRiskOnly,
);
/// What the gate is told when that pass is done.
pub const RECONCILE_SETTLED: RiskIn = RiskIn::Clear(ModeCode::ReconcileRunning, Scope::Global);

/// What is being read.
#[derive(Debug)]
struct Pass {
    asked_at: Timestamp,
    pending: BTreeSet<ReadRequest>,
    open: Vec<OrderRow>,
    histories: Vec<(Symbol, Timestamp, Vec<OrderRow>)>,
    trades: Vec<OwnTrade>,
    trades_since: Timestamp,
    transfers: Option<Vec<Transfer>>,
    balances: Vec<BalanceRow>,
}

/// Schedules passes and puts their answers together.
#[derive(Debug)]
pub struct Reconciler {
    interval_ms: i64,
    /// Trades older than this are never asked for.
    trades_from: Timestamp,
    newest_trade: Option<Timestamp>,
    wanted: BTreeMap<Symbol, Timestamp>,
    next_at: Timestamp,
    last_start: Option<Timestamp>,
    pass: Option<Pass>,
    /// Answers to a pass that failed which are still on their way. The next pass waits for them: it could not tell
    /// them from its own, and they show an older account.
    owed: BTreeSet<ReadRequest>,
    /// From here on nothing is owed any more.
    owed_until: Timestamp,
    /// Somebody asked while a pass was running: what it has read may be older than the cause.
    again: bool,
    /// The balances differ from the books.
    explain: bool,
    /// When transfers were last asked for.
    explained_at: Option<Timestamp>,
}

impl Reconciler {
    /// Makes a reconciler whose first pass is due at `start`; trades are read from a little before `trades_from` on.
    pub fn new(interval_ms: i64, start: Timestamp, trades_from: Timestamp) -> Self {
        Self {
            interval_ms,
            trades_from: trades_from.plus_ms(-CLOCK_MARGIN_MS),
            newest_trade: None,
            wanted: BTreeMap::new(),
            next_at: start,
            last_start: None,
            pass: None,
            owed: BTreeSet::new(),
            owed_until: start,
            again: false,
            explain: false,
            explained_at: None,
        }
    }

    fn sooner(&mut self, at: Timestamp) {
        let spaced = self
            .last_start
            .map_or(at, |last| at.max(last.plus_ms(SPACING_MS)));
        self.next_at = self.next_at.min(spaced);
    }

    fn start(&mut self, now: Timestamp, out: &mut Outbox<ReconcileEffect>) {
        let newest = self.newest_trade.map(|at| at.plus_ms(-TRADES_OVERLAP_MS));
        let trades_since = newest.map_or(self.trades_from, |at| at.max(self.trades_from));
        let mut pending = BTreeSet::from([
            ReadRequest::OpenOrders,
            ReadRequest::Trades(trades_since),
            ReadRequest::Balances,
        ]);
        for _ in 0..HISTORIES_MAX {
            let Some((symbol, since)) = self.wanted.pop_first() else {
                break;
            };
            pending.insert(ReadRequest::History(symbol, since));
        }
        if std::mem::take(&mut self.explain) {
            self.explained_at = Some(now);
            pending.insert(ReadRequest::Transfers(now.plus_ms(-TRANSFERS_BACK_MS)));
        }
        for request in &pending {
            out.push(ReconcileEffect::Read(*request));
        }
        self.last_start = Some(now);
        self.next_at = now.plus_ms(PASS_MS_MAX);
        self.pass = Some(Pass {
            asked_at: now,
            pending,
            open: Vec::new(),
            histories: Vec::new(),
            trades: Vec::new(),
            trades_since,
            transfers: None,
            balances: Vec::new(),
        });
    }

    fn reply(&mut self, now: Timestamp, reply: ReadReply, out: &mut Outbox<ReconcileEffect>) {
        if self.owed.remove(&request_of(&reply)) {
            return;
        }
        let Some(pass) = self.pass.as_mut() else {
            return;
        };
        match reply {
            ReadReply::Failed(request @ ReadRequest::Transfers(_)) => {
                pass.pending.remove(&request);
            }
            ReadReply::Failed(request) => {
                if pass.pending.remove(&request) {
                    self.wish_again(request);
                    self.fail(now, out);
                }
                return;
            }
            ReadReply::OpenOrders(rows) => {
                pass.pending.remove(&ReadRequest::OpenOrders);
                pass.open = rows;
            }
            ReadReply::History(symbol, since, rows) => {
                pass.pending.remove(&ReadRequest::History(symbol, since));
                pass.histories.push((symbol, since, rows));
            }
            ReadReply::Trades(since, trades) => {
                pass.pending.remove(&ReadRequest::Trades(since));
                pass.trades = trades;
            }
            ReadReply::Transfers(since, transfers) => {
                pass.pending.remove(&ReadRequest::Transfers(since));
                pass.transfers = Some(transfers);
            }
            ReadReply::Balances(rows) => {
                pass.pending.remove(&ReadRequest::Balances);
                pass.balances = rows;
            }
        }
        if pass.pending.is_empty() {
            self.finish(now, out);
        }
    }

    fn finish(&mut self, now: Timestamp, out: &mut Outbox<ReconcileEffect>) {
        let Some(pass) = self.pass.take() else { return };
        self.newest_trade = pass
            .trades
            .iter()
            .map(|trade| trade.at)
            .chain(self.newest_trade)
            .max();
        self.next_at = pass.asked_at.plus_ms(self.interval_ms).max(now);
        let is_overtaken = std::mem::take(&mut self.again);
        if is_overtaken || !self.wanted.is_empty() {
            self.sooner(now);
        }
        let took_ms = now.ms_since(pass.asked_at);
        out.push(ReconcileEffect::Snapshot(Snapshot {
            asked_at: pass.asked_at,
            open: pass.open,
            histories: pass.histories,
            trades: pass.trades,
            trades_since: pass.trades_since,
        }));
        if let Some(transfers) = pass.transfers {
            out.push(ReconcileEffect::Transfers(transfers));
        }
        out.push(ReconcileEffect::Balances {
            asked_at: pass.asked_at,
            rows: pass.balances,
        });
        if !is_overtaken {
            out.push(ReconcileEffect::Settled);
        }
        out.push(ReconcileEffect::Done {
            clean: true,
            took_ms,
        });
    }

    /// Throws the pass away; what it was to look at is wanted again.
    fn fail(&mut self, now: Timestamp, out: &mut Outbox<ReconcileEffect>) {
        let Some(pass) = self.pass.take() else { return };
        let asked = pass.pending.iter().filter_map(|request| match request {
            ReadRequest::History(symbol, since) => Some((*symbol, *since)),
            ReadRequest::OpenOrders
            | ReadRequest::Trades(_)
            | ReadRequest::Transfers(_)
            | ReadRequest::Balances => None,
        });
        let read = pass
            .histories
            .iter()
            .map(|(symbol, since, _)| (*symbol, *since));
        let again: Vec<_> = asked.chain(read).collect();
        self.want(again);
        self.explain |= self.explained_at == Some(pass.asked_at);
        self.owed = pass.pending;
        self.owed_until = pass.asked_at.plus_ms(PASS_MS_MAX);
        self.next_at = now.plus_ms(RETRY_MS);
        out.push(ReconcileEffect::Done {
            clean: false,
            took_ms: now.ms_since(pass.asked_at),
        });
    }

    fn wish_again(&mut self, request: ReadRequest) {
        match request {
            ReadRequest::History(symbol, since) => self.want(vec![(symbol, since)]),
            ReadRequest::OpenOrders
            | ReadRequest::Trades(_)
            | ReadRequest::Transfers(_)
            | ReadRequest::Balances => {}
        }
    }

    fn ask(&mut self, now: Timestamp) {
        match self.pass {
            Some(_) => self.again = true,
            None => self.sooner(now),
        }
    }

    /// The next pass reads transfers; it comes soon, unless the last such pass is a moment ago.
    fn ask_for_transfers(&mut self, now: Timestamp) {
        self.explain = true;
        let is_recent = |at| now.ms_since(at) < EXPLAIN_SPACING_MS;
        if !self.explained_at.is_some_and(is_recent) {
            self.ask(now);
        }
    }

    fn want(&mut self, symbols: Vec<(Symbol, Timestamp)>) {
        for (symbol, since) in symbols {
            self.wanted
                .entry(symbol)
                .and_modify(|at| *at = (*at).min(since))
                .or_insert(since);
        }
    }
}

/// The request that a reply answers.
fn request_of(reply: &ReadReply) -> ReadRequest {
    match reply {
        ReadReply::OpenOrders(_) => ReadRequest::OpenOrders,
        ReadReply::History(symbol, since, _) => ReadRequest::History(*symbol, *since),
        ReadReply::Trades(since, _) => ReadRequest::Trades(*since),
        ReadReply::Transfers(since, _) => ReadRequest::Transfers(*since),
        ReadReply::Balances(_) => ReadRequest::Balances,
        ReadReply::Failed(request) => *request,
    }
}

impl Core for Reconciler {
    type In = ReconcileIn;
    type Effect = ReconcileEffect;

    fn handle(&mut self, now: Timestamp, input: ReconcileIn, out: &mut Outbox<ReconcileEffect>) {
        match input {
            ReconcileIn::Reply(reply) => self.reply(now, reply, out),
            ReconcileIn::Now => {
                out.push(ReconcileEffect::Pending);
                self.ask(now);
            }
            ReconcileIn::Explain => self.ask_for_transfers(now),
            ReconcileIn::Every(interval_ms) => self.interval_ms = interval_ms,
            ReconcileIn::LookUp(symbols) => {
                self.want(symbols);
                self.ask(now);
            }
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        if self.owed.is_empty() {
            Some(self.next_at)
        } else {
            Some(self.next_at.max(self.owed_until))
        }
    }

    fn wake(&mut self, now: Timestamp, out: &mut Outbox<ReconcileEffect>) {
        if self.deadline().is_some_and(|at| at > now) {
            return;
        }
        self.owed.clear();
        match self.pass {
            Some(_) => {
                self.fail(now, out);
                // Every request's own limit is shorter than a pass.
                self.owed.clear();
            }
            None => self.start(now, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where trades are read from by a reconciler that was made with zero.
    const TRADES_FROM: Timestamp = Timestamp::from_ms(-CLOCK_MARGIN_MS);

    fn ms(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn btc() -> Symbol {
        Symbol::parse("BTCTRY").expect("a pair")
    }

    fn wake(core: &mut Reconciler, at: i64) -> Vec<ReconcileEffect> {
        let mut out = Outbox::default();
        core.wake(ms(at), &mut out);
        out.drain().collect()
    }

    fn tell(core: &mut Reconciler, at: i64, input: ReconcileIn) -> Vec<ReconcileEffect> {
        let mut out = Outbox::default();
        core.handle(ms(at), input, &mut out);
        out.drain().collect()
    }

    fn reply(core: &mut Reconciler, at: i64, reply: ReadReply) -> Vec<ReconcileEffect> {
        tell(core, at, ReconcileIn::Reply(reply))
    }

    #[test]
    fn a_pass_is_handed_on_only_when_every_answer_is_there() {
        let mut core = Reconciler::new(15_000, ms(0), ms(0));
        assert_eq!(wake(&mut core, 0).len(), 3);
        assert!(reply(&mut core, 1, ReadReply::OpenOrders(vec![])).is_empty());
        assert!(reply(&mut core, 2, ReadReply::Trades(TRADES_FROM, vec![])).is_empty());
        let done = reply(&mut core, 3, ReadReply::Balances(vec![]));
        assert!(matches!(
            done.last(),
            Some(ReconcileEffect::Done {
                clean: true,
                took_ms: 3
            })
        ));
        assert_eq!(core.deadline(), Some(ms(15_000)));
    }

    #[test]
    fn one_failed_read_spoils_the_pass_and_its_wishes_come_back() {
        let mut core = Reconciler::new(15_000, ms(0), ms(0));
        tell(&mut core, 0, ReconcileIn::LookUp(vec![(btc(), ms(7))]));
        assert_eq!(wake(&mut core, 0).len(), 4);
        reply(&mut core, 1, ReadReply::OpenOrders(vec![]));
        let failed = reply(&mut core, 2, ReadReply::Failed(ReadRequest::Balances));
        assert_eq!(
            failed,
            vec![ReconcileEffect::Done {
                clean: false,
                took_ms: 2
            }]
        );
        assert!(reply(&mut core, 3, ReadReply::Trades(TRADES_FROM, vec![])).is_empty());
        assert!(reply(&mut core, 3, ReadReply::History(btc(), ms(7), vec![])).is_empty());
        let again = wake(&mut core, 2_002);
        assert!(again.contains(&ReconcileEffect::Read(ReadRequest::History(btc(), ms(7)))));
    }

    #[test]
    fn an_answer_to_a_failed_pass_never_enters_the_next_one() {
        let mut core = Reconciler::new(15_000, ms(0), ms(0));
        wake(&mut core, 0);
        reply(&mut core, 1, ReadReply::Failed(ReadRequest::Balances));
        reply(&mut core, 2, ReadReply::Trades(TRADES_FROM, vec![]));
        assert!(
            wake(&mut core, 2_001).is_empty(),
            "the open orders are owed"
        );
        assert!(reply(&mut core, 9_000, ReadReply::OpenOrders(vec![])).is_empty());
        assert_eq!(wake(&mut core, 9_000).len(), 3, "nothing is owed any more");
    }

    #[test]
    fn an_answer_that_never_comes_holds_the_next_pass_up_no_longer_than_a_pass() {
        let mut core = Reconciler::new(15_000, ms(0), ms(0));
        wake(&mut core, 0);
        reply(&mut core, 1, ReadReply::Failed(ReadRequest::Balances));
        assert_eq!(core.deadline(), Some(ms(PASS_MS_MAX)));
        assert_eq!(wake(&mut core, PASS_MS_MAX).len(), 3);
    }

    #[test]
    fn trades_are_read_from_before_the_opening_because_the_clocks_differ() {
        let mut core = Reconciler::new(15_000, ms(100_000), ms(100_000));
        let reads = wake(&mut core, 100_000);
        let since = ms(100_000 - CLOCK_MARGIN_MS);
        assert!(reads.contains(&ReconcileEffect::Read(ReadRequest::Trades(since))));
    }

    #[test]
    fn passes_keep_their_distance_whoever_asks() {
        let mut core = Reconciler::new(15_000, ms(0), ms(0));
        wake(&mut core, 0);
        reply(&mut core, 1, ReadReply::OpenOrders(vec![]));
        reply(&mut core, 1, ReadReply::Trades(TRADES_FROM, vec![]));
        reply(&mut core, 1, ReadReply::Balances(vec![]));
        tell(&mut core, 2, ReconcileIn::Now);
        assert_eq!(core.deadline(), Some(ms(SPACING_MS)));
    }

    #[test]
    fn a_wish_during_a_pass_brings_another_pass() {
        let mut core = Reconciler::new(15_000, ms(0), ms(0));
        wake(&mut core, 0);
        tell(&mut core, 1, ReconcileIn::LookUp(vec![]));
        reply(&mut core, 2, ReadReply::OpenOrders(vec![]));
        reply(&mut core, 2, ReadReply::Trades(TRADES_FROM, vec![]));
        reply(&mut core, 2, ReadReply::Balances(vec![]));
        assert_eq!(core.deadline(), Some(ms(SPACING_MS)));
    }

    #[test]
    fn a_pass_without_answers_fails_by_itself() {
        let mut core = Reconciler::new(15_000, ms(0), ms(0));
        wake(&mut core, 0);
        let end = wake(&mut core, PASS_MS_MAX);
        assert!(matches!(
            end.first(),
            Some(ReconcileEffect::Done { clean: false, .. })
        ));
    }

    /// Answers all that a pass asks for, transfers as given.
    fn answer(
        core: &mut Reconciler,
        at: i64,
        transfers: Option<ReadReply>,
    ) -> Vec<ReconcileEffect> {
        let mut done = reply(core, at, ReadReply::OpenOrders(vec![]));
        done.extend(reply(core, at, ReadReply::Trades(TRADES_FROM, vec![])));
        done.extend(
            transfers
                .into_iter()
                .flat_map(|answer| reply(core, at, answer)),
        );
        done.extend(reply(core, at, ReadReply::Balances(vec![])));
        done
    }

    #[test]
    fn balances_that_differ_bring_one_look_at_the_transfers() {
        let mut core = Reconciler::new(15_000, ms(0), ms(0));
        wake(&mut core, 0);
        answer(&mut core, 1, None);
        tell(&mut core, 2, ReconcileIn::Explain);
        assert_eq!(core.deadline(), Some(ms(SPACING_MS)));
        let since = ms(SPACING_MS - TRANSFERS_BACK_MS);
        let reads = wake(&mut core, SPACING_MS);
        assert!(reads.contains(&ReconcileEffect::Read(ReadRequest::Transfers(since))));
        let done = answer(&mut core, 1_001, Some(ReadReply::Transfers(since, vec![])));
        let kinds: Vec<bool> = done
            .iter()
            .map(|effect| matches!(effect, ReconcileEffect::Transfers(_)))
            .collect();
        assert_eq!(
            kinds,
            [false, true, false, false, false],
            "before the balances"
        );
        tell(&mut core, 1_002, ReconcileIn::Explain);
        assert_eq!(
            core.deadline(),
            Some(ms(16_000)),
            "no hurry: the last such look is a moment ago"
        );
        assert_eq!(wake(&mut core, 16_000).len(), 4);
    }

    #[test]
    fn a_list_of_transfers_that_fails_spoils_no_pass() {
        let mut core = Reconciler::new(15_000, ms(0), ms(0));
        tell(&mut core, 0, ReconcileIn::Explain);
        assert_eq!(wake(&mut core, 0).len(), 4);
        let failed = ReadReply::Failed(ReadRequest::Transfers(ms(-TRANSFERS_BACK_MS)));
        let done = answer(&mut core, 1, Some(failed));
        assert!(done.contains(&ReconcileEffect::Done {
            clean: true,
            took_ms: 1
        }));
        assert!(
            !done
                .iter()
                .any(|effect| matches!(effect, ReconcileEffect::Transfers(_)))
        );
    }

    #[test]
    fn a_reconnect_is_settled_only_by_a_pass_that_began_after_it() {
        let mut core = Reconciler::new(15_000, ms(0), ms(0));
        wake(&mut core, 0);
        let pending = tell(&mut core, 1, ReconcileIn::Now);
        assert_eq!(pending, [ReconcileEffect::Pending]);
        let early = answer(&mut core, 2, None);
        assert!(!early.contains(&ReconcileEffect::Settled));
        wake(&mut core, SPACING_MS);
        assert!(answer(&mut core, 1_001, None).contains(&ReconcileEffect::Settled));
    }
}
