//! The list of trades, RFC 4180: one line a trade in the order of the booking, decimals digit by digit.
//!
//! No value goes through a float. The one idea: the header names the unit of each column, because pairs differ in it.

use super::days::moment;
use crate::cli::exit::{Exit, Failed};
use engine::history::Traded;
use engine::ids::Asset;
use std::io::{self, Write};

/// The columns but the last, which names the currency of the books.
const COLUMNS: [&str; 16] = [
    "time (UTC)",
    "trade id",
    "order id",
    "client id",
    "strategy",
    "cycle",
    "base",
    "quote",
    "side",
    "price (quote for one base)",
    "quantity (base)",
    "value (quote)",
    "fee (charged in)",
    "tax (charged in)",
    "charged in",
    "reported by",
];

/// A list on its way to a file; the first failure is kept to the end.
pub(super) struct List<W> {
    out: W,
    failure: Option<io::Error>,
}

impl<W: Write> List<W> {
    /// Writes the header.
    pub(super) fn begin(out: W, valued_in: Asset) -> Result<Self, Failed> {
        let mut list = Self { out, failure: None };
        let realised = format!("realised net ({valued_in})");
        let columns = COLUMNS.iter().map(|name| (*name).to_owned());
        list.line(columns.chain([realised]));
        Ok(list)
    }

    /// Writes a trade.
    pub(super) fn add(&mut self, row: &Traded) {
        let trade = &row.trade;
        let or_none = |text: Option<String>| text.unwrap_or_default();
        self.line([
            moment(trade.at),
            trade.id.0.to_string(),
            trade.order_id.to_string(),
            or_none(trade.client_id.map(|id| id.to_string())),
            or_none(row.strategy.map(|strategy| strategy.as_str().to_owned())),
            or_none(row.cycle.map(|cycle| cycle.to_string())),
            trade.base.to_string(),
            trade.quote.to_string(),
            trade.side.as_str().to_owned(),
            trade.price.to_string(),
            trade.qty.to_string(),
            row.value().to_string(),
            trade.fee.to_string(),
            trade.tax.to_string(),
            row.charged_in().to_string(),
            source(row).to_owned(),
            or_none(row.realised.map(|realised| realised.to_string())),
        ]);
    }

    /// Brings it to the file.
    pub(super) fn end(mut self) -> Result<(), Failed> {
        let flushed = self.out.flush();
        match self.failure.map_or(flushed, Err) {
            Ok(()) => Ok(()),
            Err(error) => {
                let text = format!("--out: {}: {error}", super::CSV_NAME);
                Err(Failed::new(Exit::Failure, text))
            }
        }
    }

    fn line(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| quoted(&cell)).collect();
        let written = write!(self.out, "{}\r\n", cells.join(","));
        if let Err(error) = written {
            self.failure.get_or_insert(error);
        }
    }
}

const fn source(row: &Traded) -> &'static str {
    match row.trade.source {
        engine::answer::TradeSource::Stream => "stream",
        engine::answer::TradeSource::Rest => "rest",
    }
}

/// A cell that holds what separates cells is put in quotes.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_with_a_separator_is_quoted() {
        for (cell, expected) in [
            ("a b", "a b"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }

    #[test]
    fn a_full_disk_is_told_at_the_end() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let list =
            List::begin(Full, Asset::parse("TRY").expect("an asset")).expect("it is told later");
        let failed = list.end().expect_err("nothing was written");
        assert!(failed.message.contains("trades.csv"), "{}", failed.message);
    }
}
