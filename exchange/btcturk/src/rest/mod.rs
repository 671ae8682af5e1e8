//! REST: what may be asked, and what the answers to questions say.
//!
//! Answers to an order POST and DELETE are judged in [`crate::classify`], because there the question is what an answer
//! proves. Here a failed read is only a failed read; it is never evidence of absence (I4).

pub mod request;

pub mod quota;

pub mod public;

pub mod account;

mod reply;

pub(crate) use reply::ORDER_NOT_FOUND;
pub use reply::{
    BODY_BYTES_MAX, NAME_LEN_MAX, RATE_LIMIT_WAIT_MS, ReadError, Reply, Rows, Skipped,
};
