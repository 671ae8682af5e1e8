//! A BTCTurk-compatible exchange: a pure core with a market of its own, and a loopback server around it.
//!
//! [`exchange`] is the pure matching core, driven in virtual time. [`venue`] puts REST, sessions, quotas and faults
//! around it, still without a socket. [`server`] alone knows tokio: it moves bytes between sockets and a venue.
//! Nothing here was measured on the real exchange; every choice names its source in docs/EXCHANGE.md.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc)]
#![deny(
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    clippy::float_arithmetic
)]

pub mod clock;
pub mod decimals;
pub mod exchange;
pub mod fees;
pub mod judge;
pub mod ledger;
pub mod market;
pub mod order;
pub mod profile;
pub mod server;
pub mod venue;
