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
pub mod exits;
pub mod guardian;
pub mod link;
pub mod market_feed;
pub mod observer;
pub mod operator;
pub mod order_book;
pub mod order_router;
pub mod params;
pub mod reconciler;
pub mod risk_gate;
pub mod shell;
pub mod status;
pub mod stop;
pub mod strategy;
pub mod supervisor;
pub mod system;
pub mod upkeep;
pub mod venue;
