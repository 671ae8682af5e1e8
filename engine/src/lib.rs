//! The decision core of btcbot.
//!
//! Pure: no socket, no clock, no thread, no randomness of its own. Time and entropy are arguments, effects are
//! values, money is integers. Every decider implements [`core::Core`]; the actors crate wraps each in a thin shell.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]
#![deny(
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    clippy::float_arithmetic,
    clippy::disallowed_types
)]

pub mod answer;
pub mod approved;
pub mod book;
pub mod budget;
pub mod checkpoint;
pub mod core;
pub mod decision;
pub mod desk;
pub mod dice;
pub mod feed;
pub mod fill_model;
pub mod fills;
pub mod foreign;
pub mod history;
pub mod hold;
pub mod ids;
pub mod instrument;
pub mod intent;
pub mod kill;
pub mod ledger;
pub mod market;
pub mod mode;
pub mod money;
pub mod msg;
pub mod order;
pub mod pacing;
mod pairs;
pub mod reconcile;
pub mod record;
pub mod risk;
pub mod router;
pub mod strategy;
pub mod supervisor;
pub mod time;
