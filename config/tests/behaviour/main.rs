//! Behaviour of the configuration as an operator meets it: layers, errors, secrets, arming, reload.
//!
//! One binary for all, because linking costs more than testing. No test looks at the environment of the process.
#![allow(
    missing_docs,
    reason = "a test binary has no readers of its documentation"
)]

mod arming;
mod broken;
mod documents;
mod effects;
mod leaks;
mod reload;
mod secrets;
mod world;
