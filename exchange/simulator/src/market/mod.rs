//! The market itself: pairs, one order book each, the visible window, and the crowd that trades by itself.
//!
//! Knows prices, quantities and queues; knows no account's money and no wire format.

pub mod book;
pub mod crowd;
pub mod pair;
pub mod window;
