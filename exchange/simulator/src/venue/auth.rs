//! Who is asking: keys, stamps and signatures, and the block of an address that keeps failing.
//!
//! Each cause has its own text, always with code 1037 (docs/EXCHANGE.md 3.1). Secrets live in the signers.

use crate::ledger::AccountIndex;
use crate::profile::Profile;
use btcturk::sign::Signer;
use engine::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How long an address stays blocked, in milliseconds.
const BLOCK_MS: i64 = 600_000;
/// Addresses whose failures are counted; at the limit the count starts again.
const ADDRESSES_MAX: usize = 1_000;
/// Signatures that are remembered; at the limit the oldest stamps go.
const SIGNATURES_MAX: usize = 10_000;

/// Why a request was not authorised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// A header is missing.
    #[error("Unauthorized - Headers are missing")]
    Headers,
    /// No account has this key.
    #[error("Unauthorized - Invalid Public key")]
    Key,
    /// The stamp is too far off.
    #[error("Unauthorized - Invalid Nonce")]
    Stamp,
    /// The signature is wrong, or was used before.
    #[error("Unauthorized - Invalid Signature")]
    Signature,
    /// A login that is malformed, late or wrongly signed.
    #[error("Unauthorized - Invalid Request")]
    Request,
}

/// The three headers of a private request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// `X-PCK`.
    pub key: Option<String>,
    /// `X-Stamp`.
    pub stamp: Option<String>,
    /// `X-Signature`.
    pub signature: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials(stamp {:?})", self.stamp)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: i64,
    blocked_until: Option<Timestamp>,
}

/// Checks credentials and remembers who failed.
#[derive(Debug, Default)]
pub struct Doorman {
    signers: Vec<(Signer, AccountIndex)>,
    failures: BTreeMap<IpAddr, Failures>,
    used: BTreeSet<(i64, String)>,
}

impl Doorman {
    /// Makes a doorman who knows these keys, each with its account.
    pub fn new(signers: Vec<(Signer, AccountIndex)>) -> Self {
        Self {
            signers,
            failures: BTreeMap::new(),
            used: BTreeSet::new(),
        }
    }

    /// Returns the account that a key belongs to, unverified.
    pub fn account_of(&self, key: &str) -> Option<AccountIndex> {
        self.signer_of(key).map(|(_, account)| *account)
    }

    fn signer_of(&self, key: &str) -> Option<&(Signer, AccountIndex)> {
        self.signers.iter().find(|(signer, _)| signer.is_key(key))
    }

    /// Returns whether the address is blocked.
    pub fn is_blocked(&self, now: Timestamp, ip: IpAddr) -> bool {
        let failures = self.failures.get(&ip);
        failures.is_some_and(|failures| failures.blocked_until.is_some_and(|until| now < until))
    }

    /// Judges a private request and counts its failure.
    ///
    /// # Errors
    /// The first cause in the order headers, key, stamp, signature.
    pub fn admit(
        &mut self,
        now: Timestamp,
        profile: &Profile,
        ip: IpAddr,
        given: &Credentials,
    ) -> Result<AccountIndex, Unauthorized> {
        let verdict = self.judge(now, profile, given);
        match verdict {
            Ok(_) => {
                self.failures.remove(&ip);
            }
            Err(_) => self.note_failure(now, profile, ip),
        }
        verdict
    }

    fn judge(
        &mut self,
        now: Timestamp,
        profile: &Profile,
        given: &Credentials,
    ) -> Result<AccountIndex, Unauthorized> {
        let (Some(key), Some(stamp), Some(signature)) =
            (&given.key, &given.stamp, &given.signature)
        else {
            return Err(Unauthorized::Headers);
        };
        let (signer, account) = self.signer_of(key).ok_or(Unauthorized::Key)?;
        let account = *account;
        let stamp_ms: i64 = stamp.parse().map_err(|_| Unauthorized::Stamp)?;
        if now.ms().abs_diff(stamp_ms) > profile.stamp_tolerance_ms.unsigned_abs() {
            return Err(Unauthorized::Stamp);
        }
        if !signer.verify_rest(stamp, signature) {
            return Err(Unauthorized::Signature);
        }
        if profile.refuse_repeated_signature && !self.used.insert((stamp_ms, signature.clone())) {
            return Err(Unauthorized::Signature);
        }
        if self.used.len() > SIGNATURES_MAX {
            self.used.pop_first();
        }
        Ok(account)
    }

    /// Judges a WebSocket login: the signature covers the nonce, which is also the window of the time beside it.
    ///
    /// # Errors
    /// `Key` for an unknown key, else `Request`.
    pub fn admit_login(
        &self,
        now: Timestamp,
        key: &str,
        timestamp_ms: i64,
        nonce: i64,
        signature: &str,
    ) -> Result<AccountIndex, Unauthorized> {
        let (signer, account) = self.signer_of(key).ok_or(Unauthorized::Key)?;
        let in_window = now.ms().abs_diff(timestamp_ms) <= nonce.max(0).unsigned_abs();
        // A time in place of the window is refused (docs/EXCHANGE.md 3.2), however right its signature is.
        let is_window = nonce <= LOGIN_WINDOW_MS_MAX;
        if !in_window || !is_window || !signer.verify_login(nonce, signature) {
            return Err(Unauthorized::Request);
        }
        Ok(*account)
    }

    fn note_failure(&mut self, now: Timestamp, profile: &Profile, ip: IpAddr) {
        if self.failures.len() >= ADDRESSES_MAX {
            self.failures.clear();
        }
        let failures = self.failures.entry(ip).or_default();
        failures.count += 1;
        if profile.block_after > 0 && failures.count >= profile.block_after {
            failures.blocked_until = Some(now.plus_ms(BLOCK_MS));
            failures.count = 0;
        }
    }
}

/// Widest login window that is taken for one, in milliseconds.
const LOGIN_WINDOW_MS_MAX: i64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const KEY: &str = "11111111-2222-3333-4444-555555555555";
    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NOW_MS: i64 = 1_700_000_000_000;
    const SIGNATURE: &str = "uIbieNveCKUVO8fHeBoNZw1c/jcNOaLQ1L7hOQpYIQ4=";
    const LOGIN_SIGNATURE: &str = "LQLqy4DLHVfwTujp7LNhQHe9efYXzHkWYPiVy5oIOVI=";

    fn doorman() -> Doorman {
        let signer = Signer::new(KEY.to_owned().into(), &SECRET.to_owned().into()).unwrap();
        Doorman::new(vec![(signer, AccountIndex(0))])
    }

    fn given(key: &str, stamp: &str, signature: &str) -> Credentials {
        Credentials {
            key: Some(key.to_owned()),
            stamp: Some(stamp.to_owned()),
            signature: Some(signature.to_owned()),
        }
    }

    fn check(now_ms: i64, given: Credentials, expected: Result<AccountIndex, Unauthorized>) {
        let now = Timestamp::from_ms(now_ms);
        let verdict = doorman().admit(now, &Profile::faithful(), IP, &given);
        assert_eq!(verdict, expected);
    }

    #[test]
    fn the_published_vector_passes_within_five_seconds() {
        let vector = || given(KEY, "1700000000000", SIGNATURE);
        let me = Ok(AccountIndex(0));
        check(NOW_MS, vector(), me);
        check(NOW_MS + 4_999, vector(), me);
        check(NOW_MS - 4_999, vector(), me);
        check(NOW_MS + 5_001, vector(), Err(Unauthorized::Stamp));
        check(NOW_MS - 5_001, vector(), Err(Unauthorized::Stamp));
    }

    #[test]
    fn each_cause_has_its_text() {
        check(NOW_MS, Credentials::default(), Err(Unauthorized::Headers));
        check(
            NOW_MS,
            given("another-key", "1700000000000", SIGNATURE),
            Err(Unauthorized::Key),
        );
        check(
            NOW_MS,
            given(KEY, "yesterday", SIGNATURE),
            Err(Unauthorized::Stamp),
        );
        check(
            NOW_MS,
            given(KEY, "1700000000001", SIGNATURE),
            Err(Unauthorized::Signature),
        );
        check(
            NOW_MS,
            given(KEY, "1700000000000", "AAAA"),
            Err(Unauthorized::Signature),
        );
        assert_eq!(
            Unauthorized::Stamp.to_string(),
            "Unauthorized - Invalid Nonce"
        );
    }

    #[test]
    fn a_repeated_signature_is_refused_only_where_the_profile_says_so() {
        let now = Timestamp::from_ms(NOW_MS);
        let vector = given(KEY, "1700000000000", SIGNATURE);
        for refuse_repeated_signature in [false, true] {
            let profile = Profile {
                refuse_repeated_signature,
                ..Profile::faithful()
            };
            let mut doorman = doorman();
            assert!(doorman.admit(now, &profile, IP, &vector).is_ok());
            let second = doorman.admit(now, &profile, IP, &vector);
            assert_eq!(second.is_err(), refuse_repeated_signature);
        }
    }

    #[test]
    fn fifty_consecutive_failures_block_the_address() {
        let (now, profile) = (Timestamp::from_ms(NOW_MS), Profile::faithful());
        let mut doorman = doorman();
        for _ in 0..49 {
            assert!(
                doorman
                    .admit(now, &profile, IP, &Credentials::default())
                    .is_err()
            );
        }
        assert!(
            doorman
                .admit(now, &profile, IP, &given(KEY, "1700000000000", SIGNATURE))
                .is_ok()
        );
        for _ in 0..49 {
            assert!(
                doorman
                    .admit(now, &profile, IP, &Credentials::default())
                    .is_err()
            );
        }
        assert!(!doorman.is_blocked(now, IP));
        assert!(
            doorman
                .admit(now, &profile, IP, &Credentials::default())
                .is_err()
        );
        assert!(doorman.is_blocked(now, IP));
        assert!(!doorman.is_blocked(now.plus_ms(600_000), IP));
    }

    #[test]
    fn a_login_signs_the_window_and_not_the_time() {
        let now = Timestamp::from_ms(NOW_MS);
        let login = |timestamp, nonce, signature| {
            doorman().admit_login(now, KEY, timestamp, nonce, signature)
        };
        assert_eq!(login(NOW_MS, 3_000, LOGIN_SIGNATURE), Ok(AccountIndex(0)));
        assert_eq!(
            login(NOW_MS - 3_000, 3_000, LOGIN_SIGNATURE),
            Ok(AccountIndex(0))
        );
        assert_eq!(
            login(NOW_MS - 3_001, 3_000, LOGIN_SIGNATURE),
            Err(Unauthorized::Request)
        );
        assert_eq!(
            login(NOW_MS, 15_000, LOGIN_SIGNATURE),
            Err(Unauthorized::Request)
        );
        // The REST vector is the signature over the time.
        assert_eq!(login(NOW_MS, NOW_MS, SIGNATURE), Err(Unauthorized::Request));
    }
}
