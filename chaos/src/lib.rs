//! The whole system from one seed: every core, the pure exchange, a bad network, a slow disk and crashes.
//!
//! Virtual time, one thread, no runtime: a seed is a schedule, and the same seed is the same schedule. What is to be
//! shown: at most one exchange order per intent, and every exchange order eventually known, whatever fails when. Beside
//! it the real shells: in virtual time too (`shells`), and on a real clock (`panics`, `flood`); and the release binary
//! (`process`).
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc)]
#![deny(
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    clippy::float_arithmetic
)]

mod bent;
mod body;
pub mod campaign;
pub mod day;
pub mod disk;
pub mod faults;
pub mod flood;
mod journal;
mod life;
mod network;
pub mod oracle;
pub mod panics;
mod people;
mod perform;
pub mod plan;
pub mod planted;
pub mod points;
pub mod process;
pub mod shells;
pub mod storms;
mod story;
mod stream;
pub mod trace;
mod truth;
mod turns;
mod verdict;
mod wire;
mod workers;
pub mod world;
