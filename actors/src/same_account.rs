//! Whether a new key is of the account that the books are about, as far as reads can tell.
//!
//! No answer of the exchange names the account. The one idea: the numbers of orders and trades are the exchange's and
//! belong to one account, so one that is ours, or that both keys show, is a proof; equal balances are none, and count
//! only where the account has neither.

use crate::driver::read_failure::ReadFailure;
use crate::driver::reads::Reads;
use engine::answer::BalanceRow;
use engine::ids::{AccountTag, OrderId, Symbol, TradeId};
use engine::money::Amount;
use engine::time::Timestamp;
use std::collections::BTreeSet;

/// How far back orders and trades are read, milliseconds: a bot that runs has some of a day.
const BACK_MS: i64 = 24 * 3_600_000;

/// What a key shows of its account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    balances: Vec<BalanceRow>,
    orders: BTreeSet<OrderId>,
    trades: BTreeSet<(OrderId, TradeId)>,
    tags: BTreeSet<AccountTag>,
}

/// How the account was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The new key shows an order of this installation.
    OwnOrder,
    /// Both keys show an order or a trade of the same number.
    SharedNumber,
    /// There is neither order nor trade, and the balances are equal: likely, and no proof.
    BalancesAlone,
}

impl Proof {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::OwnOrder => "own_order",
            Self::SharedNumber => "shared_number",
            Self::BalancesAlone => "balances_alone",
        }
    }
}

/// Why the account was not recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stranger {
    #[error(
        "it shows none of the orders and trades of a day that the key in use shows: another account needs another state directory"
    )]
    Numbers,
    #[error(
        "neither key shows an order or a trade of a day, and their balances differ from each other: another account needs another state directory"
    )]
    Balances,
    #[error(
        "both accounts are empty, without balance, order or trade of a day: nothing tells them apart; stop, and start with the new key if it is of the same account"
    )]
    Empty,
    #[error(
        "the exchange no longer takes the key in use, and the new one shows no order of ours of a day: nothing tells their accounts apart; stop, and start with the new key if it is of the same account"
    )]
    Alone,
}

impl Shown {
    /// Reads what a key shows of a day, before `now`.
    ///
    /// # Errors
    /// The first read that failed.
    pub(crate) async fn read(
        reads: &Reads,
        symbols: &[Symbol],
        now: Timestamp,
    ) -> Result<Self, ReadFailure> {
        let since = now.plus_ms(-BACK_MS);
        let mut shown = Self {
            balances: reads.balances().await?,
            ..Self::default()
        };
        let mut rows = reads.open_orders().await?;
        for symbol in symbols {
            rows.extend(reads.history(*symbol, since).await?);
        }
        for row in rows {
            shown.orders.insert(row.id);
            shown.tags.extend(row.client_id.map(|id| id.tag()));
        }
        for trade in reads.trades(since).await? {
            shown.trades.insert((trade.order_id, trade.id));
            shown.tags.extend(trade.client_id.map(|id| id.tag()));
        }
        Ok(shown)
    }

    fn has_numbers(&self) -> bool {
        !self.orders.is_empty() || !self.trades.is_empty()
    }

    fn shares_a_number_with(&self, other: &Self) -> bool {
        !self.orders.is_disjoint(&other.orders) || !self.trades.is_disjoint(&other.trades)
    }

    fn is_empty(&self) -> bool {
        self.balances.iter().all(|row| row.total() == Amount::ZERO)
    }
}

/// Returns whether a key shows an order of this installation: then the other one need not be asked.
pub(crate) fn is_ours(new: &Shown, tag: AccountTag) -> bool {
    new.tags.contains(&tag)
}

/// Judges what the new key shows against what the key in use shows; `None` where the exchange does not take it.
///
/// # Errors
/// [`Stranger`].
pub(crate) fn judge(new: &Shown, old: Option<&Shown>, tag: AccountTag) -> Result<Proof, Stranger> {
    if is_ours(new, tag) {
        return Ok(Proof::OwnOrder);
    }
    let old = old.ok_or(Stranger::Alone)?;
    if new.shares_a_number_with(old) {
        Ok(Proof::SharedNumber)
    } else if new.has_numbers() || old.has_numbers() {
        Err(Stranger::Numbers)
    } else if new.balances != old.balances {
        Err(Stranger::Balances)
    } else if new.is_empty() {
        Err(Stranger::Empty)
    } else {
        Ok(Proof::BalancesAlone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::Asset;

    fn shown(cash: i64, orders: &[i64], trades: &[i64]) -> Shown {
        let cash = (cash > 0).then(|| BalanceRow {
            asset: Asset::parse("TRY").expect("an asset"),
            free: Amount::from_whole(cash),
            locked: Amount::ZERO,
        });
        Shown {
            balances: cash.into_iter().collect(),
            orders: orders.iter().map(|number| OrderId(*number)).collect(),
            trades: trades
                .iter()
                .map(|number| (OrderId(*number), TradeId(*number)))
                .collect(),
            tags: BTreeSet::new(),
        }
    }

    fn tagged(entropy: u64, mut shown: Shown) -> Shown {
        shown.tags.insert(AccountTag::from_entropy(entropy));
        shown
    }

    fn check(new: &Shown, old: Option<&Shown>, expected: Result<Proof, Stranger>) {
        let tag = AccountTag::from_entropy(1);
        assert_eq!(judge(new, old, tag), expected, "{new:?} {old:?}");
    }

    #[test]
    fn an_own_order_proves_the_account_whatever_the_old_key_shows() {
        let new = tagged(1, shown(5, &[7], &[]));
        check(&new, None, Ok(Proof::OwnOrder));
        check(&new, Some(&shown(9, &[8], &[])), Ok(Proof::OwnOrder));
        let others = tagged(2, shown(5, &[7], &[]));
        check(&others, None, Err(Stranger::Alone));
        check(&others, Some(&shown(5, &[], &[])), Err(Stranger::Numbers));
    }

    #[test]
    fn a_number_that_both_show_proves_it_and_one_that_only_one_shows_refutes_it() {
        let old = shown(5, &[7, 8], &[3]);
        check(&shown(6, &[8, 9], &[]), Some(&old), Ok(Proof::SharedNumber));
        check(&shown(6, &[], &[3]), Some(&old), Ok(Proof::SharedNumber));
        check(&shown(5, &[], &[]), Some(&old), Err(Stranger::Numbers));
        check(&shown(5, &[9], &[4]), Some(&old), Err(Stranger::Numbers));
        check(&old, Some(&shown(5, &[], &[])), Err(Stranger::Numbers));
    }

    #[test]
    fn balances_count_only_where_nothing_else_exists_and_empty_ones_never() {
        check(
            &shown(5, &[], &[]),
            Some(&shown(5, &[], &[])),
            Ok(Proof::BalancesAlone),
        );
        check(
            &shown(5, &[], &[]),
            Some(&shown(6, &[], &[])),
            Err(Stranger::Balances),
        );
        check(
            &shown(0, &[], &[]),
            Some(&shown(0, &[], &[])),
            Err(Stranger::Empty),
        );
        check(&shown(5, &[], &[]), None, Err(Stranger::Alone));
    }
}
