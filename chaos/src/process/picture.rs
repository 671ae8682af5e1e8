//! What is read of a status page: money, and which orders the process knows to be at the exchange.

use installation::bot::{Bot, Sums, balances};
use serde_json::Value;

/// What the status page says.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The ledger's balances; what is zero is left out.
    pub balances: Sums,
    /// Client ids of the living own orders whose number at the exchange is known.
    pub found: Vec<String>,
    /// Orders of unknown fate.
    pub unknown: u64,
    /// The page.
    pub page: Value,
}

impl Picture {
    /// Takes one; `None` while there is no page.
    pub fn of(bot: &Bot) -> Option<Self> {
        let page = bot.status()?;
        let orders = page["orders"].as_array()?;
        Some(Self {
            balances: balances(&page)?,
            found: orders.iter().filter_map(found).collect(),
            unknown: page["unknown_orders"].as_u64()?,
            page,
        })
    }

    /// Returns the mode that is applied, and what asks for it.
    pub fn mode(&self) -> Option<String> {
        let voices = self.page["contributions"].as_array()?.iter();
        let codes: Vec<&str> = voices.filter_map(|voice| voice["code"].as_str()).collect();
        let mode = self.page["mode"].as_str()?;
        Some(format!("{mode} {}", codes.join(" ")).trim_end().to_owned())
    }
}

fn found(order: &Value) -> Option<String> {
    order["order_id"].as_str()?;
    order["client_id"].as_str().map(str::to_owned)
}
