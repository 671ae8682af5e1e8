//! Quotas: how often each endpoint may be asked, and what happens above it (docs/EXCHANGE.md 8).
//!
//! Fixed windows that start with their first request; over-quota is refused for the length of the window. Refused
//! requests use up no quota. Insert and cancel are counted apart.

use crate::ledger::AccountIndex;
use engine::time::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Windows that are held; at the limit those that have ended are dropped first, then counting restarts.
pub const WINDOWS_MAX: usize = 10_000;
/// Milliseconds in a second.
const MS_PER_S: i64 = 1_000;

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `GET users/balances`.
    Balances,
    /// `POST order`.
    Insert,
    /// `DELETE order`.
    Cancel,
    /// `GET order/{id}`.
    OrderQuery,
    /// `GET openOrders`.
    OpenOrders,
    /// `GET allOrders`.
    AllOrders,
    /// `GET users/transactions/trade`.
    Transactions,
    /// `GET users/transactions/crypto` and `fiat`.
    Transfers,
    /// `GET v2/ticker`.
    Ticker,
    /// `GET v2/orderBook`.
    OrderBook,
    /// WebSocket handshakes.
    Handshake,
    /// No quota is known.
    Free,
}

/// Whose requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// An address.
    Ip(IpAddr),
    /// An account, by the key that the request names.
    Account(AccountIndex),
}

/// So many requests in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quota {
    /// Requests.
    pub count: u32,
    /// Seconds.
    pub period_s: i64,
}

const fn quota(count: u32, period_s: i64) -> Quota {
    Quota { count, period_s }
}

impl Quota {
    /// Returns the period as the refusal spells it.
    pub fn period(&self) -> &'static str {
        if self.period_s == 1 { "1s" } else { "1m" }
    }
}

impl Endpoint {
    /// Returns the quotas of an endpoint; all of them bind.
    pub const fn quotas(self) -> &'static [Quota] {
        const PER_MINUTE_90: &[Quota] = &[quota(90, 60)];
        const PER_MINUTE_120: &[Quota] = &[quota(120, 60)];
        const PER_MINUTE_180: &[Quota] = &[quota(180, 60)];
        const PER_MINUTE_300: &[Quota] = &[quota(300, 60)];
        const PER_MINUTE_600: &[Quota] = &[quota(600, 60)];
        const ENTRY: &[Quota] = &[quota(300, 60), quota(10, 1)];
        const QUERY: &[Quota] = &[quota(900, 60), quota(30, 1)];
        match self {
            Self::Balances | Self::Transactions => PER_MINUTE_120,
            Self::Insert | Self::Cancel => ENTRY,
            Self::OrderQuery => QUERY,
            Self::OpenOrders | Self::AllOrders => PER_MINUTE_300,
            Self::Transfers => PER_MINUTE_90,
            Self::Ticker => PER_MINUTE_600,
            Self::OrderBook => PER_MINUTE_180,
            Self::Handshake | Self::Free => &[],
        }
    }

    /// Returns whether the account is counted beside the address.
    pub const fn counts_accounts(self) -> bool {
        match self {
            Self::Insert | Self::Cancel => true,
            Self::Balances
            | Self::OrderQuery
            | Self::OpenOrders
            | Self::AllOrders
            | Self::Transactions
            | Self::Transfers
            | Self::Ticker
            | Self::OrderBook
            | Self::Handshake
            | Self::Free => false,
        }
    }
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverQuota {
    /// Which quota.
    pub quota: Quota,
    /// Whose.
    pub who: Who,
    /// Seconds until it passes again, at least 1.
    pub retry_after_s: i64,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    start: Timestamp,
    count: u32,
    blocked_until: Option<Timestamp>,
}

impl Window {
    fn blocked(&self, now: Timestamp) -> Option<i64> {
        let until = self.blocked_until.filter(|until| now < *until)?;
        Some(
            (until.ms_since(now) + MS_PER_S - 1)
                .div_euclid(MS_PER_S)
                .max(1),
        )
    }

    fn has_ended(&self, now: Timestamp, quota: Quota) -> bool {
        self.blocked_until.is_some() || now.ms_since(self.start) >= quota.period_s * MS_PER_S
    }
}

/// All windows.
#[derive(Debug, Default)]
pub struct Limits {
    windows: BTreeMap<(Endpoint, Quota, Who), Window>,
}

impl Limits {
    /// Counts a request against the endpoint's quotas.
    ///
    /// # Errors
    /// The first quota that is used up: those of the address, then those of the account.
    pub fn pass(
        &mut self,
        now: Timestamp,
        endpoint: Endpoint,
        ip: IpAddr,
        account: Option<AccountIndex>,
    ) -> Result<(), OverQuota> {
        let account = account.filter(|_| endpoint.counts_accounts());
        let counted = std::iter::once(Who::Ip(ip)).chain(account.map(Who::Account));
        for who in counted.clone() {
            for quota in endpoint.quotas() {
                self.check(now, endpoint, *quota, who)?;
            }
        }
        for who in counted {
            for quota in endpoint.quotas() {
                self.count(now, endpoint, *quota, who);
            }
        }
        Ok(())
    }

    /// Counts one event against a quota of the caller's own.
    ///
    /// # Errors
    /// The quota is used up.
    pub fn pass_one(
        &mut self,
        now: Timestamp,
        endpoint: Endpoint,
        quota: Quota,
        who: Who,
    ) -> Result<(), OverQuota> {
        self.check(now, endpoint, quota, who)?;
        self.count(now, endpoint, quota, who);
        Ok(())
    }

    fn check(
        &mut self,
        now: Timestamp,
        endpoint: Endpoint,
        quota: Quota,
        who: Who,
    ) -> Result<(), OverQuota> {
        let Some(window) = self.windows.get_mut(&(endpoint, quota, who)) else {
            return Ok(());
        };
        let over = |retry_after_s| OverQuota {
            quota,
            who,
            retry_after_s,
        };
        if let Some(wait) = window.blocked(now) {
            return Err(over(wait));
        }
        if window.has_ended(now, quota) || window.count < quota.count {
            return Ok(());
        }
        window.blocked_until = Some(now.plus_ms(quota.period_s * MS_PER_S));
        Err(over(quota.period_s))
    }

    fn count(&mut self, now: Timestamp, endpoint: Endpoint, quota: Quota, who: Who) {
        self.make_room(now);
        let fresh = Window {
            start: now,
            count: 0,
            blocked_until: None,
        };
        let window = self.windows.entry((endpoint, quota, who)).or_insert(fresh);
        if window.has_ended(now, quota) {
            *window = fresh;
        }
        window.count += 1;
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.windows.len() < WINDOWS_MAX {
            return;
        }
        self.windows.retain(|(_, quota, _), window| {
            window.blocked(now).is_some() || !window.has_ended(now, *quota)
        });
        if self.windows.len() >= WINDOWS_MAX {
            self.windows.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const ME: Option<AccountIndex> = Some(AccountIndex(0));

    /// Sends `count` requests, `step_ms` apart, and returns the first refusal.
    fn send(
        limits: &mut Limits,
        endpoint: Endpoint,
        from_ms: i64,
        count: u32,
        step_ms: i64,
    ) -> Option<OverQuota> {
        (0..i64::from(count)).find_map(|n| {
            let now = Timestamp::from_ms(from_ms + n * step_ms);
            limits.pass(now, endpoint, IP, ME).err()
        })
    }

    #[test]
    fn each_quota_passes_its_count_refuses_the_next_and_forgives_after_the_block() {
        let endpoints = [
            Endpoint::Balances,
            Endpoint::Insert,
            Endpoint::Cancel,
            Endpoint::OrderQuery,
            Endpoint::OpenOrders,
            Endpoint::AllOrders,
            Endpoint::Transactions,
            Endpoint::Transfers,
            Endpoint::Ticker,
            Endpoint::OrderBook,
        ];
        for endpoint in endpoints {
            for quota in endpoint.quotas() {
                // Spread so that only this quota can bind.
                let step_ms = if quota.period_s == 1 {
                    1
                } else {
                    60_000 / i64::from(quota.count) - 1
                };
                let mut limits = Limits::default();
                assert_eq!(
                    send(&mut limits, endpoint, 0, quota.count, step_ms),
                    None,
                    "{endpoint:?}"
                );
                let next_ms = i64::from(quota.count) * step_ms;
                let refused = send(&mut limits, endpoint, next_ms, 1, 0).expect("one too many");
                assert_eq!(
                    (refused.quota, refused.retry_after_s),
                    (*quota, quota.period_s)
                );
                let after_ms = next_ms + quota.period_s * 1_000;
                assert!(
                    send(&mut limits, endpoint, after_ms - 1, 1, 0).is_some(),
                    "{endpoint:?}"
                );
                assert_eq!(
                    send(&mut limits, endpoint, after_ms, 1, 0),
                    None,
                    "{endpoint:?}"
                );
            }
        }
    }

    #[test]
    fn insert_and_cancel_are_counted_apart() {
        let mut limits = Limits::default();
        assert_eq!(send(&mut limits, Endpoint::Insert, 0, 10, 0), None);
        assert_eq!(send(&mut limits, Endpoint::Cancel, 0, 10, 0), None);
        assert!(send(&mut limits, Endpoint::Insert, 0, 1, 0).is_some());
    }

    #[test]
    fn an_order_is_bound_by_address_and_by_account() {
        let other_ip = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        let now = Timestamp(0);
        let mut limits = Limits::default();
        assert_eq!(send(&mut limits, Endpoint::Insert, 0, 10, 0), None);
        let refused = limits
            .pass(now, Endpoint::Insert, other_ip, ME)
            .unwrap_err();
        assert_eq!(refused.who, Who::Account(AccountIndex(0)));
        let refused = limits
            .pass(now, Endpoint::Insert, IP, Some(AccountIndex(1)))
            .unwrap_err();
        assert_eq!(refused.who, Who::Ip(IP));
        assert_eq!(
            limits.pass(now, Endpoint::Insert, other_ip, Some(AccountIndex(1))),
            Ok(())
        );
    }

    #[test]
    fn a_window_starts_with_its_first_request() {
        let mut limits = Limits::default();
        assert_eq!(send(&mut limits, Endpoint::Insert, 900, 10, 10), None);
        assert_eq!(send(&mut limits, Endpoint::Insert, 1_900, 10, 0), None);
        assert!(send(&mut limits, Endpoint::Insert, 1_950, 1, 0).is_some());
    }
}
