//! An installation as an operator makes it, armed against the simulated exchange, and the release binary that runs in it.
//!
//! It holds what every tier around the binary needs and judges nothing: what a life must come to is for its users. It
//! sees what an operator sees (files, an exit code, the read-only plane), so no code of `actors` is here.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc)]
#![deny(
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants
)]

pub mod bot;
mod http;
pub mod pace;
pub mod place;
