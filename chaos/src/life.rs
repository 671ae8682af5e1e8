//! One process: its cores, its clock, its socket, and the answers it waits for.
//!
//! A crash drops a life whole. The next one is made of the journal alone, as `actors/src/system.rs` does it.

use crate::body::Body;
use crate::plan::{DRAWDOWN_BPS, Plan};
use crate::planted::Plant;
use engine::book::{BookLimits, Books};
use engine::checkpoint::{Checkpoint, Fold};
use engine::desk::Cores;
use engine::dice::Dice;
use engine::feed::{Access, Feed, FeedLimits};
use engine::foreign::ForeignPolicy;
use engine::ids::{AccountTag, Asset, BootTag, ClientId, Symbol};
use engine::instrument::Instrument;
use engine::intent::StrategyKind;
use engine::mode::Mode;
use engine::money::Amount;
use engine::msg::{Channel, ReadReply, ReadRequest};
use engine::reconcile::Reconciler;
use engine::record::Record;
use engine::risk::{IdSource, Limits, RiskGate, RiskSettings, Venue};
use engine::router::{Keep, Memory, OrderRouter, RouterSettings};
use engine::strategy::Strategies;
use engine::strategy::params::{
    CommonParams, KindParams, MarketMakerParams, MeanReversionParams, StrategyParams,
};
use engine::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// As in config/default.toml: life of a resting order (shortened), looks at the account, repeats and waits.
const TTL_MS: i64 = 40_000;
const RECONCILE_MS: i64 = 15_000;
const CANCEL_RETRY_MS: i64 = 2_000;
/// Wait behind the stamp's horizon before absence may be concluded, milliseconds.
const UNKNOWN_SETTLE_MS: i64 = 10_000;
/// The reconciler reads trades from this long before the moment it is given; the planted bug takes none of it.
const TRADES_MARGIN_MS: i64 = 60_000;
/// As live, but in the time of a run: a minute of ended orders stays verbatim, and every look is on record that is not
/// at once behind another. More orders are kept than can end while an event is late: a late one must find its order.
pub(crate) const KEEP: Keep = Keep {
    ended_ms: 60_000,
    ended_max: 100,
    looks_apart_ms: 5_000,
};
/// Records at the end of the journal that the planted bug does not read.
const TAIL_SKIPPED: usize = 2;
/// Largest worst-case exposure of one pair, in quote.
pub(crate) const EXPOSURE_MAX: i64 = 6_000;
/// Own orders at once.
pub(crate) const OPEN_ORDERS_MAX: usize = 6;

/// The account's tag in every client id.
pub(crate) fn tag() -> AccountTag {
    AccountTag::from_entropy(7)
}

/// The account's quote currency.
pub(crate) fn quote() -> Asset {
    Asset::parse("TRY").expect("a short name")
}

/// The socket to the stream, as both ends see it.
#[derive(Debug, Default)]
pub(crate) struct Socket {
    /// Counts sessions; frames of an older one are not heard.
    pub(crate) session: u32,
    pub(crate) is_open: bool,
    /// Open, but nothing comes any more.
    pub(crate) is_silent: bool,
    pub(crate) is_private: bool,
    pub(crate) is_private_silent: bool,
    pub(crate) joined: BTreeSet<(Channel, Symbol)>,
    /// Frames arrive in their order.
    pub(crate) last_at: Timestamp,
}

/// One process.
pub(crate) struct Life {
    pub(crate) number: u32,
    pub(crate) body: Body,
    /// Our clock less the exchange's, milliseconds.
    pub(crate) skew_ms: i64,
    /// What our clock showed last: it never goes back.
    pub(crate) local_min: Timestamp,
    /// When the cores want to be woken, on our clock.
    pub(crate) due: Option<Timestamp>,
    /// The exchange's clock less ours, as measured.
    pub(crate) offset_ms: i64,
    pub(crate) socket: Socket,
    /// Answers that are awaited; one that is not in here any more comes too late.
    pub(crate) tickets: BTreeSet<u64>,
    /// The latest request of each read.
    pub(crate) reads: BTreeMap<ReadRequest, u64>,
    /// No submit leaves.
    pub(crate) is_shut: bool,
    /// What the gate said last.
    pub(crate) mode: Mode,
    pub(crate) clean_pass_at: Option<Timestamp>,
    /// The clean look before it.
    pub(crate) clean_pass_before: Option<Timestamp>,
    /// Books that wait for a full one.
    pub(crate) syncing: BTreeSet<Symbol>,
    /// What the account looked like, for the planted bug.
    pub(crate) looks: Vec<(Timestamp, ReadReply)>,
    /// Orders that the planted bug has sent again.
    pub(crate) resent: BTreeSet<ClientId>,
    /// Orders that the planted bug will not check again.
    pub(crate) unchecked: BTreeSet<ClientId>,
}

impl Life {
    /// A process that has just begun.
    pub(crate) fn begun(
        number: u32,
        body: Body,
        (skew_ms, local): (i64, Timestamp),
        is_killed: bool,
    ) -> Self {
        Self {
            number,
            body,
            skew_ms,
            local_min: local,
            due: None,
            offset_ms: 0,
            socket: Socket::default(),
            tickets: BTreeSet::new(),
            reads: BTreeMap::new(),
            is_shut: is_killed,
            mode: Mode::ObserveOnly,
            clean_pass_at: None,
            clean_pass_before: None,
            syncing: BTreeSet::new(),
            looks: Vec::new(),
            resent: BTreeSet::new(),
            unchecked: BTreeSet::new(),
        }
    }

    /// Returns our clock's time at a moment of the exchange's.
    pub(crate) fn local(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(self.skew_ms).max(self.local_min)
    }

    /// Returns the moment of the exchange's clock at which ours shows `local`.
    pub(crate) fn world(&self, local: Timestamp) -> Timestamp {
        local.plus_ms(-self.skew_ms)
    }
}

/// Builds the cores of a start, whose gate and router know what the journal adds up to.
pub(crate) fn cores(
    plan: &Plan,
    rules: &[Instrument],
    (records, past): (&[Record], &Checkpoint),
    local: Timestamp,
    plant: Option<Plant>,
    dice: &mut Dice,
) -> Cores {
    let kinds: Vec<StrategyKind> = plan.desks.iter().map(|(_, kind)| *kind).collect();
    let owners: Vec<(Symbol, StrategyKind)> =
        rules.iter().map(|rules| rules.symbol).zip(kinds).collect();
    let symbols: Vec<Symbol> = owners.iter().map(|(symbol, _)| *symbol).collect();
    let strategies = owners
        .iter()
        .filter(|_| plan.has_strategies)
        .map(|(symbol, kind)| (*symbol, strategy(*kind)))
        .collect();
    let mut gate = RiskGate::new(RiskSettings {
        quote: quote(),
        limits: Limits {
            max_orders_per_minute: plan.orders_per_minute,
            max_drawdown_bps: plan.drawdown_bps,
            ..limits()
        },
        venue: Venue::Live,
        policy_blocks: Vec::new(),
        owners: owners.iter().copied().collect(),
        foreign: ForeignPolicy::Observe,
        started_at: local,
        ids: IdSource {
            tag: tag(),
            epoch: epoch_next(records),
            boot: BootTag::from_entropy(dice.bits()),
            seq: 1,
        },
    });
    let mut router = OrderRouter::new(router_settings(tag()));
    gate.recall(past.money().clone());
    router.recall(remembered(records, past, plant));
    let trades_from = match plant {
        Some(Plant::TradesFromBoot) => local.plus_ms(TRADES_MARGIN_MS),
        Some(_) | None => past.orders().trades_from().unwrap_or(local),
    };
    Cores {
        feed: Feed::new(
            feed_limits(plant),
            symbols.clone(),
            Access::Private,
            Dice::new(dice.bits()),
        ),
        books: Books::new(BookLimits::default(), &symbols),
        strategies: Strategies::new(strategies).expect("the pairs of a plan differ"),
        gate,
        router,
        reconciler: Reconciler::new(RECONCILE_MS, local, trades_from),
    }
}

/// A planted bug takes a stream that opened for one that is well.
fn feed_limits(plant: Option<Plant>) -> FeedLimits {
    let mut limits = FeedLimits::default();
    if plant == Some(Plant::BackoffReset) {
        limits.backoff.healthy_ms_min = 0;
        limits.backoff.healthy_frames_min = 0;
    }
    limits
}

const fn router_settings(tag: AccountTag) -> RouterSettings {
    RouterSettings {
        tag,
        ttl_ms: TTL_MS,
        cancel_retry_ms: CANCEL_RETRY_MS,
        unknown_settle_ms: UNKNOWN_SETTLE_MS,
        keep: KEEP,
    }
}

/// The number of the start that comes next.
pub(crate) fn epoch_next(records: &[Record]) -> u32 {
    let is_boot = |record: &&Record| matches!(record, Record::Boot { .. });
    match records.iter().rev().find(is_boot) {
        Some(Record::Boot { epoch, .. }) => epoch + 1,
        Some(_) | None => 1,
    }
}

/// What a start reads of the journal.
pub(crate) fn folded(
    records: &[Record],
    checkpoint: Option<&(usize, Checkpoint)>,
    plant: Option<Plant>,
) -> Checkpoint {
    let read = match plant {
        Some(Plant::RecoverySkipsTail) => records.len().saturating_sub(TAIL_SKIPPED),
        Some(_) | None => records.len(),
    };
    if plant == Some(Plant::PaceForgotten) {
        let aged: Vec<Record> = records[..read].iter().map(long_ago).collect();
        return Fold::of(quote(), KEEP, &aged).sum().clone();
    }
    let (from, sum) = match checkpoint {
        Some((from, sum)) if *from <= read => (*from, sum.clone()),
        Some(_) | None => (0, Checkpoint::empty(quote())),
    };
    let mut fold = Fold::resume(sum, KEEP);
    records[from..read]
        .iter()
        .for_each(|record| fold.take(record));
    fold.sum().clone()
}

/// What the router takes over.
fn remembered(records: &[Record], past: &Checkpoint, plant: Option<Plant>) -> Memory {
    if plant != Some(Plant::ForgetTombstones) {
        return past.orders().clone();
    }
    let ended: BTreeSet<ClientId> = records.iter().filter_map(ended).collect();
    let is_forgotten = |record: &Record| subject(record).is_some_and(|id| ended.contains(&id));
    let kept = records.iter().filter(|record| !is_forgotten(record));
    Fold::of(quote(), KEEP, kept).sum().orders().clone()
}

/// A planted bug takes every order on record for one of long ago.
fn long_ago(record: &Record) -> Record {
    let mut record = record.clone();
    if let Record::Sending { order, .. } = &mut record {
        order.intent.at = order.intent.at.plus_ms(-600_000);
    }
    record
}

fn ended(record: &Record) -> Option<ClientId> {
    match record {
        Record::Ended { client_id, .. } => Some(*client_id),
        Record::Boot { .. }
        | Record::Decided(_)
        | Record::Restored { .. }
        | Record::Sending { .. }
        | Record::Outcome { .. }
        | Record::Adopted { .. }
        | Record::CancelAsked { .. }
        | Record::Fill(_)
        | Record::Resolved { .. }
        | Record::Opening { .. }
        | Record::DayStart { .. }
        | Record::Transfer { .. }
        | Record::Adjustment { .. }
        | Record::Held(_)
        | Record::LetGo { .. }
        | Record::SafeMode { .. }
        | Record::Audit { .. }
        | Record::Kill(_)
        | Record::Reset { .. }
        | Record::Looked { .. }
        | Record::Spent { .. }
        | Record::Stepped { .. }
        | Record::Stop { .. } => None,
    }
}

/// The order a record is about.
fn subject(record: &Record) -> Option<ClientId> {
    match record {
        Record::Sending { order, .. } => Some(order.client_id),
        Record::Outcome { client_id, .. }
        | Record::Adopted { client_id, .. }
        | Record::CancelAsked { client_id, .. }
        | Record::Ended { client_id, .. }
        | Record::Resolved { client_id, .. } => Some(*client_id),
        Record::Fill(trade) => trade.client_id,
        Record::Boot { .. }
        | Record::Decided(_)
        | Record::Restored { .. }
        | Record::Opening { .. }
        | Record::DayStart { .. }
        | Record::Transfer { .. }
        | Record::Adjustment { .. }
        | Record::Held(_)
        | Record::LetGo { .. }
        | Record::SafeMode { .. }
        | Record::Audit { .. }
        | Record::Kill(_)
        | Record::Reset { .. }
        | Record::Looked { .. }
        | Record::Spent { .. }
        | Record::Stepped { .. }
        | Record::Stop { .. } => None,
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        try_cash_target: Amount::from_whole(1_000),
        min_order_notional: Amount::from_whole(100),
        max_order_notional: Amount::from_whole(2_000),
        max_notional_per_minute: Amount::from_whole(1_000_000),
        max_orders_per_minute: 200,
        max_open_orders: OPEN_ORDERS_MAX,
        max_open_orders_per_symbol: 4,
        max_position_notional: Amount::from_whole(EXPOSURE_MAX),
        max_gross_exposure: Amount::from_whole(EXPOSURE_MAX * 2),
        max_daily_loss: Amount::from_whole(5_000),
        max_drawdown_bps: DRAWDOWN_BPS,
        price_collar_bps: 500,
        max_spread_bps: 200,
        cooldown_ms: 500,
        intent_max_age_ms: 250,
        reconcile_max_age_ms: 60_000,
        market_data_age_ms: 2_000,
        fee_bps_taker: 11,
        tax_bps_of_fee: 2_000,
    }
}

fn strategy(kind: StrategyKind) -> StrategyParams {
    let common = CommonParams {
        intent_notional: Amount::from_whole(1_000),
        value_min: Amount::from_whole(100),
        fee_bps_maker: 0,
        fee_bps_taker: 0,
        slippage_bps: 0,
        min_profit_bps: 0,
        ttl_ms: TTL_MS,
        ..CommonParams::default()
    };
    let kind = match kind {
        StrategyKind::MarketMaker => KindParams::MarketMaker(MarketMakerParams {
            half_spread_bps: 2,
            vol_multiplier_bps: 0,
            order_value: Amount::from_whole(1_500),
            inventory_target: Amount::from_whole(2_000),
            inventory_limit: Amount::from_whole(EXPOSURE_MAX),
            skew_bps: 3,
            requote_bps: 2,
            min_quote_life_ms: 1_000,
            samples_min: 3,
        }),
        StrategyKind::MeanReversion => KindParams::MeanReversion(MeanReversionParams {
            window_ms: 30_000,
            entry_bps: 8,
            exit_bps: 3,
            stop_bps: 50,
            max_hold_ms: 60_000,
            samples_min: 10,
        }),
        StrategyKind::Canary => KindParams::Canary,
    };
    StrategyParams { common, kind }
}
