//! The release binary for minutes or hours: real sockets, a given rate of book frames, light faults from a seed.
//!
//! It watches from outside only: `/proc`, `/metrics`, `/status`, and the exchange's own books. What is to be shown:
//! nothing grows, nothing is lost, and at the end the account is what the exchange says. Floats are fine here: no
//! figure of the statistics is money.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc)]
#![deny(
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants
)]

mod chart;
pub mod fit;
mod html;
pub mod judge;
mod picture;
pub mod plan;
pub mod report;
pub mod run;
mod sample;
pub mod scrape;
mod venue;
