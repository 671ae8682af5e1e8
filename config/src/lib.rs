//! Settings, secrets and the arming rule of btcbot.
//!
//! Everything from outside comes in as [`load::Sources`]; the only thing read beyond that are the files it names.
//! All mistakes of one run are reported together, each with its place, and never with a value.
//! [`arming`] alone can make the token without which no order leaves the process.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]
#![deny(
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants,
    clippy::float_arithmetic
)]

pub mod arming;
pub mod claims;
pub mod endpoint;
pub mod errors;
mod files;
mod flags;
mod flat;
pub mod kind;
mod layers;
pub mod load;
pub mod manual;
pub mod names;
pub mod redact;
pub mod reload;
mod retired;
mod rules;
pub mod secret_hook;
mod secret_sources;
pub mod secrets;
pub mod settings;
mod suggest;
mod toml_file;
