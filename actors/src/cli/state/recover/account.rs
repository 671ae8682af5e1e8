//! The account as the exchange shows it, read as a whole or not at all.

use crate::cli::alone::ask;
use crate::cli::exit::{Exit, Failed};
use crate::clock::Clock;
use crate::driver::read_failure::ReadFailure;
use crate::driver::reads::Reads;
use btcturk::rest::ReadError;
use btcturk::sign::Signer;
use config::load::Loaded;
use engine::answer::{BalanceRow, OrderRow, OwnTrade};
use engine::ids::{AccountTag, Symbol};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How far back orders and trades are read, milliseconds.
const BACK_MS: i64 = 24 * 3_600_000;

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
        let ours: BTreeSet<Symbol> = loaded.settings().market.symbols.iter().copied().collect();
        let look = async |reads: Reads| Self::look(&reads, ours, clock).await;
        ask(loaded, signer, clock, look)
            .map_err(|error| Failed::new(Exit::Failure, error.to_string()))?
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
