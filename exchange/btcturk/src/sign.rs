//! Signs requests and WebSocket logins, and checks such signatures for the simulator.
//!
//! Opens nothing and writes nothing. The one idea: the decoded secret lives in one place, and no value of this
//! file can be printed: `Debug` shows a fingerprint at most, errors name a cause and never the text (C-45).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;

/// Header that carries the public key (docs/EXCHANGE.md 3.1).
pub const HEADER_PCK: &str = "X-PCK";
/// Header that carries the stamp, Unix milliseconds (docs/EXCHANGE.md 3.1).
pub const HEADER_STAMP: &str = "X-Stamp";
/// Header that carries the signature (docs/EXCHANGE.md 3.1).
pub const HEADER_SIGNATURE: &str = "X-Signature";

/// Login window in milliseconds that is signed in place of a time (docs/EXCHANGE.md 3.2).
pub const LOGIN_NONCE: i64 = 3_000;

/// Longest public key that is accepted; a GUID has 36 characters.
const KEY_LEN_MAX: usize = 128;
/// Hex characters of a fingerprint.
const FINGERPRINT_BYTES: usize = 3;

/// Why a key pair cannot sign. Carries no part of either value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The public key is empty, too long, or holds a character that a header cannot carry.
    #[error("the public key is empty, too long or not plain ASCII")]
    Key,
    /// The secret is empty.
    #[error("the secret is empty")]
    EmptySecret,
    /// The secret is not standard Base64.
    #[error("the secret is not Base64")]
    NotBase64,
}

/// A key pair that signs. Cheap to share behind an `Arc`, deliberately not `Clone`.
pub struct Signer {
    key: SecretString,
    secret: SecretBox<[u8]>,
}

/// The three headers of one private request; only the writer of the request reads them.
pub struct RestHeaders {
    pck: SecretString,
    stamp: String,
    signature: SecretString,
}

/// A login frame (114). Its signature is constant per key: a bearer secret, so it cannot be printed.
pub struct LoginFrame(SecretString);

impl Signer {
    /// Decodes the secret once and keeps both values unprintable.
    ///
    /// # Errors
    /// `Key` for a public key no header can carry, `EmptySecret` and `NotBase64` for an unusable secret.
    pub fn new(key: SecretString, secret_base64: &SecretString) -> Result<Self, SignError> {
        let text = key.expose_secret();
        let is_plain = text.bytes().all(|b| b.is_ascii_graphic());
        if text.is_empty() || text.len() > KEY_LEN_MAX || !is_plain {
            return Err(SignError::Key);
        }
        let decoded = STANDARD
            .decode(secret_base64.expose_secret())
            .map(Zeroizing::new)
            .map_err(|_| SignError::NotBase64)?;
        if decoded.is_empty() {
            return Err(SignError::EmptySecret);
        }
        let secret = SecretBox::new(Box::<[u8]>::from(decoded.as_slice()));
        Ok(Self { key, secret })
    }

    /// Signs one REST request; path, query and body are not part of the message (docs/EXCHANGE.md 3.1).
    ///
    /// `stamp_ms` is the exchange's time in milliseconds, at most 5 s off.
    pub fn rest_headers(&self, stamp_ms: i64) -> RestHeaders {
        RestHeaders {
            pck: self.key.clone(),
            stamp: stamp_ms.to_string(),
            signature: self.signature(stamp_ms),
        }
    }

    /// Makes the login frame: `publicKey + 3000` is signed, the time goes beside it (docs/EXCHANGE.md 3.2).
    pub fn ws_login(&self, timestamp_ms: i64) -> LoginFrame {
        let signature = self.signature(LOGIN_NONCE);
        let login = crate::wire::LoginRequest {
            kind: crate::wire::Kind,
            public_key: self.key.expose_secret().into(),
            timestamp: crate::wire::Stamp::Int(timestamp_ms),
            nonce: LOGIN_NONCE,
            signature: signature.expose_secret().into(),
        };
        LoginFrame(crate::wire::encode(&login).into())
    }

    /// Returns whether `pck` is this signer's public key.
    ///
    /// Both texts are hashed under the secret and the hashes compared in constant time.
    pub fn is_key(&self, pck: &str) -> bool {
        let own = self.mac(self.key.expose_secret()).finalize();
        self.mac(pck).verify(&own.into_bytes()).is_ok()
    }

    /// Checks a REST signature against the stamp text as it was sent, in constant time.
    pub fn verify_rest(&self, stamp: &str, signature_base64: &str) -> bool {
        self.verify(stamp, signature_base64)
    }

    /// Checks a WebSocket login signature against the nonce it was sent with, in constant time.
    pub fn verify_login(&self, nonce: i64, signature_base64: &str) -> bool {
        self.verify(&nonce.to_string(), signature_base64)
    }

    /// Returns the first six hex digits of the SHA-256 of the public key: names a key in logs without showing it.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.key.expose_secret().as_bytes());
        let bytes = digest.iter().take(FINGERPRINT_BYTES);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    fn verify(&self, tail: &str, signature_base64: &str) -> bool {
        STANDARD.decode(signature_base64).is_ok_and(|given| {
            let mut mac = self.mac(self.key.expose_secret());
            mac.update(tail.as_bytes());
            mac.verify_slice(&given).is_ok()
        })
    }

    fn signature(&self, tail: i64) -> SecretString {
        let mut mac = self.mac(self.key.expose_secret());
        mac.update(tail.to_string().as_bytes());
        STANDARD.encode(mac.finalize().into_bytes()).into()
    }

    fn mac(&self, message: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret())
            .expect("HMAC takes keys of any length");
        mac.update(message.as_bytes());
        mac
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.fingerprint())
    }
}

impl RestHeaders {
    /// Returns name and value of each header, for the code that writes the request and for nobody else.
    pub fn expose(&self) -> [(&'static str, &str); 3] {
        [
            (HEADER_PCK, self.pck.expose_secret()),
            (HEADER_STAMP, &self.stamp),
            (HEADER_SIGNATURE, self.signature.expose_secret()),
        ]
    }
}

impl fmt::Debug for RestHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RestHeaders(stamp {})", self.stamp)
    }
}

impl LoginFrame {
    /// Returns the frame's text, for the code that writes it to the socket and for nobody else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for LoginFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginFrame")
    }
}

/// Hands out stamps that strictly increase, because a repeated signature may be refused (C-42).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    last_ms: i64,
}

impl Stamps {
    /// Returns the stamp for a request at `now_ms` (the exchange's time): `now_ms`, or one more than the last stamp.
    ///
    /// After a step back of the clock stamps run ahead of `now_ms` by the size of the step; [`Self::lead_ms`] says how far.
    pub fn next(&mut self, now_ms: i64) -> i64 {
        self.last_ms = now_ms.max(self.last_ms.saturating_add(1));
        self.last_ms
    }

    /// Returns by how many milliseconds the last stamp is ahead of `now_ms`; at most zero in quiet times.
    ///
    /// The caller falls back with [`Self::reset`] when this exceeds its bound (X-11: 500 ms).
    pub fn lead_ms(&self, now_ms: i64) -> i64 {
        self.last_ms.saturating_sub(now_ms)
    }

    /// Forgets the last stamp, so that the next one is the time of its request.
    pub fn reset(&mut self) {
        self.last_ms = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example pair of docs/EXCHANGE.md 3.1; its secret is the bytes 00 to 1f.
    const KEY: &str = "11111111-2222-3333-4444-555555555555";
    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const REST_SIGNATURE: &str = "uIbieNveCKUVO8fHeBoNZw1c/jcNOaLQ1L7hOQpYIQ4=";
    const LOGIN_SIGNATURE: &str = "LQLqy4DLHVfwTujp7LNhQHe9efYXzHkWYPiVy5oIOVI=";
    const WIDE_LOGIN_SIGNATURE: &str = "KEuJpYU2TAh+mdXTWX2L2GrHekuvznJ1iIAsQX+wCAY=";

    fn signer(key: &str, secret: &str) -> Result<Signer, SignError> {
        Signer::new(key.into(), &secret.into())
    }

    fn example() -> Signer {
        signer(KEY, SECRET).expect("the example pair signs")
    }

    #[test]
    fn the_published_vectors_are_signed_and_accepted() {
        let signer = example();
        assert_eq!(
            signer.rest_headers(1_700_000_000_000).expose(),
            [
                ("X-PCK", KEY),
                ("X-Stamp", "1700000000000"),
                ("X-Signature", REST_SIGNATURE)
            ]
        );
        assert!(signer.verify_rest("1700000000000", REST_SIGNATURE));
        assert!(signer.verify_login(3_000, LOGIN_SIGNATURE));
        assert!(signer.verify_login(15_000, WIDE_LOGIN_SIGNATURE));
        assert_eq!(
            signer.ws_login(1_700_000_000_000).expose(),
            format!(
                r#"[114,{{"type":114,"publicKey":"{KEY}","timestamp":1700000000000,"nonce":3000,"signature":"{LOGIN_SIGNATURE}"}}]"#
            )
        );
    }

    #[test]
    fn a_login_that_signs_the_time_is_refused() {
        let signer = example();
        assert!(!signer.verify_login(3_000, REST_SIGNATURE));
        assert!(signer.is_key(KEY) && !signer.is_key("11111111-2222-3333-4444-555555555556"));
    }

    #[test]
    fn unusable_pairs_say_why() {
        let check = |key: &str, secret: &str, expected| {
            assert_eq!(signer(key, secret).map(|_| ()), Err(expected));
        };
        check("", SECRET, SignError::Key);
        check("a b", SECRET, SignError::Key);
        check("a\r\nX-Other: 1", SECRET, SignError::Key);
        check(&"k".repeat(129), SECRET, SignError::Key);
        check(KEY, "", SignError::EmptySecret);
        check(KEY, "no base64!", SignError::NotBase64);
        check(KEY, "AAECAwQ", SignError::NotBase64);
    }

    #[test]
    fn nothing_here_prints_a_secret() {
        let signer = example();
        let headers = signer.rest_headers(1_700_000_000_000);
        let shown = format!(
            "{signer:?} {headers:?} {:?} {:?}",
            signer.ws_login(1),
            Signer::new(KEY.into(), &"@@secret@@".into())
        );
        for hidden in [KEY, SECRET, REST_SIGNATURE, LOGIN_SIGNATURE, "@@secret@@"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
        assert_eq!(signer.fingerprint().len(), 6);
    }

    #[test]
    fn stamps_strictly_increase_even_when_the_clock_steps_back() {
        let mut stamps = Stamps::default();
        let mut given = Vec::new();
        for now in [1_000, 1_000, 1_000, 900, 1_002, 1_010] {
            given.push(stamps.next(now));
        }
        assert_eq!(given, [1_000, 1_001, 1_002, 1_003, 1_004, 1_010]);
        assert_eq!(stamps.lead_ms(400), 610);
        stamps.reset();
        assert_eq!(stamps.next(400), 400);
    }

    fn flip(text: &str, bit: usize) -> String {
        let mut bytes = STANDARD.decode(text).expect("signatures are Base64");
        let bit = bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        STANDARD.encode(bytes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        #[test]
        fn signer_and_check_agree_and_one_flipped_bit_is_refused(
            key in "[!-~]{1,60}",
            secret in proptest::collection::vec(any::<u8>(), 1..80),
            stamp in any::<i64>(),
            bit in any::<usize>(),
        ) {
            let pair = |bytes: &[u8]| signer(&key, &STANDARD.encode(bytes)).expect("a usable pair");
            let ours = pair(&secret);
            let headers = ours.rest_headers(stamp);
            let [(_, pck), (_, text), (_, signature)] = headers.expose();
            prop_assert!(ours.is_key(pck) && ours.verify_rest(text, signature) && ours.verify_login(stamp, signature));
            prop_assert!(!ours.verify_rest(text, &flip(signature, bit)));
            prop_assert!(!ours.verify_login(stamp ^ (1 << (bit % 63)), signature));
            let mut other = secret.clone();
            other[bit % secret.len()] ^= 1 << (bit % 8);
            prop_assert!(!pair(&other).verify_rest(text, signature));
        }

        #[test]
        fn stamps_never_repeat(times in proptest::collection::vec(0i64..2_000, 2..50)) {
            let mut stamps = Stamps::default();
            let given: Vec<i64> = times.iter().map(|now| stamps.next(*now)).collect();
            prop_assert!(given.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
