//! The actors, the drivers beside them, and what the `btcbot` binary is composed of.
//!
//! Decisions are made in `engine`; here are sockets, files, clocks, signals and threads.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod clock;
pub mod driver;
pub mod gate;
pub mod journal;
pub mod metrics;
pub mod out;
pub mod process;
pub mod rates;
pub mod signals;
pub mod store;
