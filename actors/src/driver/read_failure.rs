//! Why a read gave nothing, and what that means for the next one.
//!
//! It repeats nothing itself. The one idea: none of these says anything about orders or balances.

use crate::driver::reads::PAGES_MAX;
use crate::metrics::RestMark;
use btcturk::rest::ReadError;

/// Why a read gave nothing. None of these says anything about orders or balances.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadFailure {
    /// No whole answer: connect, time limit, broken or oversized body.
    #[error("no whole answer")]
    Transport,
    /// There are no keys to sign with.
    #[error("no keys")]
    NoKeys,
    /// Our own limits, or a hold the exchange asked for, leave no room in time.
    #[error("no room in the quota for {0} ms")]
    Held(i64),
    /// More pages than are read.
    #[error("more than {PAGES_MAX} pages")]
    TooManyPages,
    /// An answer that cannot be used.
    #[error("{0}")]
    Answer(#[from] ReadError),
}

/// Returns whether the same question may get an answer a moment later.
pub(super) const fn may_pass(failure: &ReadFailure) -> bool {
    match failure {
        ReadFailure::Transport => true,
        ReadFailure::Answer(error) => {
            matches!(error, ReadError::Server(_) | ReadError::RateLimited { .. })
        }
        ReadFailure::NoKeys | ReadFailure::Held(_) | ReadFailure::TooManyPages => false,
    }
}

pub(super) const fn mark_of(failure: Option<&ReadFailure>) -> RestMark {
    match failure {
        None => RestMark::Ok,
        Some(ReadFailure::Answer(error)) => match error {
            ReadError::RateLimited { .. } => RestMark::RateLimited,
            ReadError::Server(_) | ReadError::Maintenance => RestMark::ServerError,
            ReadError::Unauthorized | ReadError::Refused(_) | ReadError::Unexpected(_) => {
                RestMark::Refused
            }
            ReadError::Unreadable(_) => RestMark::Unreadable,
        },
        Some(
            ReadFailure::Transport
            | ReadFailure::NoKeys
            | ReadFailure::Held(_)
            | ReadFailure::TooManyPages,
        ) => RestMark::Transport,
    }
}
