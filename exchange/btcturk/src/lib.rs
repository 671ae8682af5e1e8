//! BTCTurk on the wire: bytes to engine values and back.
//!
//! Opens nothing, holds no clock, decides nothing: signs requests, names what may be sent, decodes what came, and
//! says what an answer proves. Facts come from exchange-protocol.md; sections are named where they are used.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]

mod fields;

pub mod sign;
pub mod wire;

pub mod ws;
