//! BTCTurk on the wire: bytes to engine values and back.
//!
//! Opens nothing, holds no clock, decides nothing: signs requests, names what may be sent, decodes what came, and
//! says what an answer proves. Facts come from docs/EXCHANGE.md; sections are named where they are used.
//! Reading order: the vocabulary ([`wire`]), the stream ([`ws`]), questions and answers ([`rest`]), what an order's
//! answer proves ([`classify`]), signatures ([`sign`]).
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]

pub mod wire;

mod fields;

pub mod ws;

pub mod rest;

pub mod classify;

pub mod retry_after;

pub mod sign;
