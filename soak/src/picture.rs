//! What is read of a status page: money, books and what is not known.

use installation::bot::{Bot, Sums, balances};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the status page says.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The ledger's balances; what is zero is left out.
    pub balances: Sums,
    /// Orders of unknown fate.
    pub unknown: u64,
    /// The mode in force.
    pub mode: String,
    /// Best bid and ask of each pair, as text; `None` while the book is not trusted.
    pub tops: BTreeMap<String, Option<(String, String)>>,
}

impl Picture {
    /// Takes one; `None` if the process did not answer.
    pub fn of(bot: &Bot) -> Option<Self> {
        let page = bot.status()?;
        let books = page["books"].as_object()?;
        Some(Self {
            balances: balances(&page)?,
            unknown: page["unknown_orders"].as_u64()?,
            mode: page["mode"].as_str()?.to_owned(),
            tops: books
                .iter()
                .map(|(name, book)| (name.clone(), top(book)))
                .collect(),
        })
    }
}

fn top(book: &Value) -> Option<(String, String)> {
    Some((
        book["bid"].as_str()?.to_owned(),
        book["ask"].as_str()?.to_owned(),
    ))
}
