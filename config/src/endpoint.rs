//! Addresses of the exchange: scheme, host and port, and whether they stay on this machine.
//!
//! Stricter than a general URL on purpose: no user, no query, no fragment, so that no credential can hide in one.
//! Only literal loopback addresses count as loopback, because a name is whatever a resolver says.

use std::net::IpAddr;

/// Hosts that belong to BTCTurk (docs/EXCHANGE.md 1).
const EXCHANGE_HOSTS: [&str; 2] = ["api.btcturk.com", "ws-feed-pro.btcturk.com"];

/// Which pair of schemes an address may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `https`, and `http` on loopback.
    Http,
    /// `wss`, and `ws` on loopback.
    Ws,
}

/// A checked address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    text: String,
    host: String,
    encrypted: bool,
}

impl Endpoint {
    /// Reads an address; a slash at the end is dropped. `None` for anything else than
    /// `scheme://host[:port][/path]`, and for plain text to a host that is not loopback.
    pub fn parse(scheme: Scheme, text: &str) -> Option<Self> {
        let (plain, tls) = match scheme {
            Scheme::Http => ("http://", "https://"),
            Scheme::Ws => ("ws://", "wss://"),
        };
        let encrypted = text.starts_with(tls);
        let rest = text
            .strip_prefix(tls)
            .or_else(|| text.strip_prefix(plain))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host_of(authority)?;
        if !path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b))
        {
            return None;
        }
        let endpoint = Self {
            text: text.trim_end_matches('/').to_owned(),
            host,
            encrypted,
        };
        (endpoint.encrypted || endpoint.is_loopback()).then_some(endpoint)
    }

    /// Returns the address without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the host is a literal loopback address.
    pub fn is_loopback(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Returns whether the host is one of the exchange's own and the connection is encrypted.
    pub fn is_exchange(&self) -> bool {
        self.encrypted && EXCHANGE_HOSTS.contains(&self.host.as_str())
    }
}

/// Returns the host of `host[:port]`, brackets of an IPv6 address removed.
fn host_of(authority: &str) -> Option<String> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, port)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (host, port) = authority.split_at(end);
        let named = !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
        if !named {
            return None;
        }
        (host, port)
    };
    let port_ok = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|p| p > 0)
        }
        None => port.is_empty(),
    };
    port_ok.then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_on_loopback() {
        for (text, loopback) in [
            ("https://api.btcturk.com", Some(false)),
            ("https://api.btcturk.com/", Some(false)),
            ("http://127.0.0.1:8080", Some(true)),
            ("http://[::1]:8080", Some(true)),
            ("https://127.9.9.9/path", Some(true)),
            ("http://api.btcturk.com", None),
            ("http://localhost:8080", None),
            ("http://127.0.0.1.evil.example", None),
            ("http://127.0.0.1@evil.example", None),
            ("https://user:pass@api.btcturk.com", None),
            ("https://api.btcturk.com?key=1", None),
            ("https://api.btcturk.com/?key=1", None),
            ("https://api.btcturk.com:0", None),
            ("https://api.btcturk.com:99999", None),
            ("https://api.btcturk.com:+80", None),
            ("https://", None),
            ("https://[::1", None),
            ("https://[nonsense]", None),
            ("ftp://127.0.0.1", None),
            ("wss://ws-feed-pro.btcturk.com", None),
        ] {
            let parsed = Endpoint::parse(Scheme::Http, text);
            assert_eq!(parsed.map(|e| e.is_loopback()), loopback, "{text}");
        }
        assert!(Endpoint::parse(Scheme::Ws, "ws://10.0.0.1").is_none());
        assert!(Endpoint::parse(Scheme::Ws, "ws://127.0.0.1:9/ws").is_some());
    }

    #[test]
    fn only_the_exchange_is_the_exchange() {
        let is = |text| {
            Endpoint::parse(Scheme::Http, text)
                .expect("valid")
                .is_exchange()
        };
        assert!(is("https://api.btcturk.com"));
        assert!(!is("https://api.btcturk.com.evil.example"));
        assert!(!is("https://evil.example/api.btcturk.com"));
    }
}
