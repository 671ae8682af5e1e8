//! The simulated venue of a dry run.

use engine::approved::Approved;
use engine::book::BookView;
use engine::ids::{ClientId, OrderId};
use engine::intent::NewOrder;
use engine::market::PublicTrade;
use engine::msg::ReadRequest;

/// What the simulated venue hears.
#[derive(Debug)]
pub enum VenueIn {
    /// The market of a pair.
    Book(BookView),
    /// A public trade.
    Trade(PublicTrade),
    /// An order.
    Submit(Approved<NewOrder>),
    /// A cancel.
    Delete(ClientId, OrderId),
    /// A look at one order.
    ReadRow(ClientId, OrderId),
    /// A look at the account.
    Read(ReadRequest),
}
