//! The simulated exchange as its users see it: in virtual time through the core and its fronts, and over sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod books;
mod faults;
mod orders;
mod rest;
mod server;
mod sessions;
mod support;
