//! The actors, the drivers beside them, and what the `btcbot` binary is composed of.
//!
//! Decisions are made in `engine`; here are sockets, files, clocks, signals and threads.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod beats;
pub mod cli;
pub mod clock;
pub mod control;
pub mod driver;
pub mod exits;
pub mod gate;
pub mod guardian;
#[cfg(debug_assertions)]
mod hang;
pub mod heartbeat;
pub mod journal;
pub mod key_age;
pub mod killer;
pub mod latch;
pub mod link;
pub mod locks;
pub mod logging;
pub mod market_feed;
pub mod metrics;
pub mod observer;
pub mod open_ids;
pub mod operate;
pub mod operator;
pub mod ops;
pub mod order_book;
pub mod order_router;
pub mod otlp;
pub mod out;
pub mod outbox;
pub mod page;
pub mod params;
pub mod post;
pub mod process;
pub mod rates;
pub mod reconciler;
pub mod redact;
pub mod reload;
pub mod risk_gate;
mod same_account;
pub mod secrets;
pub mod shell;
pub mod signals;
pub mod spectators;
pub mod status;
pub mod stop;
pub mod store;
pub mod strategy;
pub mod supervisor;
pub mod system;
pub mod upkeep;
pub mod venue;
pub mod watchdog;
