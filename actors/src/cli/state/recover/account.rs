//! The account as the exchange shows it, read as a whole or not at all.

use crate::cli::demo::entropy;
use crate::cli::exit::{Exit, Failed};
use crate::cli::version::BUILD;
use crate::clock::{Clock, StampSource};
use crate::driver::Keys;
use crate::driver::read_failure::ReadFailure;
use crate::driver::reads::Reads;
use crate::driver::toll::Toll;
use crate::metrics::Metrics;
use crate::operate::client::{Around, client};
use btcturk::rest::ReadError;
use btcturk::sign::Signer;
use config::load::Loaded;
use engine::answer::{BalanceRow, OrderRow, OwnTrade};
use engine::ids::{AccountTag, Symbol};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How far back orders and trades are read, milliseconds.
const BACK_MS: i64 = 24 * 3_600_000;
/// Requests a second over all groups of reads.
const REQUESTS_PER_SECOND: usize = 8;

/// One look at the account.
pub struct Account {
    /// Every order: open ones of all pairs, and all of a day of our pairs.
    pub rows: Vec<OrderRow>,
    /// Trades of a day.
    pub trades: Vec<OwnTrade>,
    /// Balances of all assets.
    pub balances: Vec<BalanceRow>,
    /// Pairs whose trades pay in the base.
    pub fee_in_base: BTreeSet<Symbol>,
}

impl Account {
    /// Reads everything.
    ///
    /// # Errors
    /// Exit 69 or 77; one read that fails fails it all.
    pub fn read(loaded: &Loaded, signer: Arc<Signer>, clock: &Clock) -> Result<Self, Failed> {
        let settings = loaded.settings();
        let metrics = Metrics::new(BUILD, &settings.market.symbols, clock.now());
        let around = Around {
            toll: Toll::default(),
            settings,
            clock,
            metrics: &metrics,
            requests_per_second: REQUESTS_PER_SECOND,
            seed: entropy(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failed::new(Exit::Failure, error.to_string()))?;
        runtime.block_on(async {
            let reads = client(&around, Keys::from(signer), StampSource::new(clock.clone()));
            // A request with a wrong stamp is refused; without the exchange's time the host's clock has to do.
            if let Ok(offset) = reads.clock_offset().await {
                clock.set_offset(offset);
            }
            let ours = settings.market.symbols.iter().copied();
            Self::look(&reads, ours.collect(), clock).await
        })
    }

    async fn look(
        reads: &Reads,
        mut pairs: BTreeSet<Symbol>,
        clock: &Clock,
    ) -> Result<Self, Failed> {
        let since = clock.now().plus_ms(-BACK_MS);
        let failed = |what: &'static str| move |failure| unread(what, &failure);
        let rules = reads.exchange_info().await.map_err(failed("the rules"))?;
        let mut rows = reads.open_orders().await.map_err(failed("open orders"))?;
        pairs.extend(
            rows.iter()
                .filter(|row| row.client_id.is_some())
                .map(|row| row.symbol),
        );
        for pair in pairs {
            let history = reads.history(pair, since).await;
            rows.extend(history.map_err(failed("the orders of a day"))?);
        }
        let trades = reads.trades(since).await.map_err(failed("trades"))?;
        let balances = reads.balances().await.map_err(failed("balances"))?;
        let in_base = rules.rows.iter().filter(|rule| rule.fee_in_base);
        Ok(Self {
            rows,
            trades,
            balances,
            fee_in_base: in_base.map(|rule| rule.symbol).collect(),
        })
    }

    /// Returns the tags of every btcbot whose orders are shown.
    pub fn tags(&self) -> BTreeSet<AccountTag> {
        let ids = self.rows.iter().filter_map(|row| row.client_id);
        ids.map(|id| id.tag()).collect()
    }
}

fn unread(what: &str, failure: &ReadFailure) -> Failed {
    let exit = match failure {
        ReadFailure::NoKeys | ReadFailure::Answer(ReadError::Unauthorized) => Exit::Permission,
        ReadFailure::Transport
        | ReadFailure::Held(_)
        | ReadFailure::TooManyPages
        | ReadFailure::Answer(_) => Exit::Unreachable,
    };
    let text = format!("{what} could not be read, so nothing was changed: {failure}");
    Failed::new(exit, text)
}
