//! The demo's verdict: nothing left open, nothing unknown, nothing sent twice, and the ledger equal to the exchange.
//!
//! Duplicates and faults are what the exchange itself has counted; the engine is not asked about them.

use super::story::Story;
use crate::cli::DemoArgs;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::report::Report;
use crate::driver::reads::Reads;
use crate::observer::SharedStatus;
use crate::operate::Ended;
use engine::answer::BalanceRow;
use engine::ids::Asset;
use engine::money::Amount;
use serde_json::{Value, json};
use simulator::server::Server;
use std::time::Duration;

/// Time for the last money report behind the last fill.
const LAST_REPORT: Duration = Duration::from_millis(1_500);
/// Looks at the balances before they are said to differ: lists lag.
const BALANCE_LOOKS: u32 = 20;
/// Time between two of these looks.
const BALANCE_LOOK_EVERY: Duration = Duration::from_millis(200);
/// Ledger and exchange side by side, once everything is settled.
#[derive(Default)]
pub(super) struct Books {
    ours: Vec<(Asset, Amount)>,
    theirs: Vec<BalanceRow>,
}

impl Books {
    fn agree(&self) -> bool {
        let our = |asset| {
            self.ours
                .iter()
                .find(|(name, _)| *name == asset)
                .map_or(Amount::ZERO, |(_, amount)| *amount)
        };
        let their = |asset| {
            self.theirs
                .iter()
                .find(|row| row.asset == asset)
                .map_or(Amount::ZERO, BalanceRow::total)
        };
        let all_of_ours = self
            .ours
            .iter()
            .all(|(asset, amount)| their(*asset) == *amount);
        !self.theirs.is_empty()
            && all_of_ours
            && self.theirs.iter().all(|row| our(row.asset) == row.total())
    }
}

/// Reads the balances until they agree with the ledger, or until it is clear that they do not.
pub(super) async fn compare(reads: &Reads, status: &SharedStatus) -> Books {
    tokio::time::sleep(LAST_REPORT).await;
    let mut books = Books::default();
    for _ in 0..BALANCE_LOOKS {
        books.theirs = reads.balances().await.unwrap_or_default();
        books.ours = ours(status);
        if books.agree() {
            break;
        }
        tokio::time::sleep(BALANCE_LOOK_EVERY).await;
    }
    books
}

fn ours(status: &SharedStatus) -> Vec<(Asset, Amount)> {
    let status = status.read().expect("no holder of the status can panic");
    let money = status.money.as_ref();
    money
        .map(|money| money.balances.clone())
        .unwrap_or_default()
}

/// Prints the verdict: an order left over is exit 5, anything sent twice or not adding up is exit 3.
pub(super) fn conclude(
    args: &DemoArgs,
    ended: &Ended,
    books: &Books,
    status: &SharedStatus,
    story: &Story,
    server: &Server,
) -> Outcome {
    let status = status.read().expect("no holder of the status can panic");
    let counts = status.counts;
    let marks = story.marks.lock().expect("nobody panics with the marks");
    let unknowns = story.unknowns.lock().expect("nobody panics with them");
    let duplicates = server.inspect(|venue| venue.exchange().duplicate_client_ids());
    let faults = server.inspect(|venue| venue.faults().clone());
    let reconnects = counts.sessions.saturating_sub(1);
    let (unknown, open) = (status.unknown_orders(), ended.leftovers.len());
    let ok = open == 0 && unknown == 0 && duplicates == 0 && books.agree() && counts.restarts == 0;
    let amount = |amount: Option<Amount>| amount.map_or(Value::Null, |amount| json!(amount));
    let data = json!({
        "seed": args.seed,
        "frames": counts.frames,
        "intents": counts.intents,
        "denied": counts.denied,
        "orders_submitted": counts.submitted,
        "fills": counts.fills,
        "cancels": counts.cancels,
        "first_fill_ms": marks.first_fill_ms,
        "open_orders_at_exit": open,
        "unknown_orders": unknown,
        "unknowns": unknowns.to_json(),
        "faults": faults,
        "reconnects": reconnects,
        "duplicate_client_ids": duplicates,
        "ledger_matches_exchange": books.agree(),
        "equity_start": amount(marks.equity_start),
        "equity_end": amount(status.money.as_ref().and_then(|money| money.equity)),
        "restarts": counts.restarts,
    });
    let injected: Vec<String> = faults
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let trouble = if injected.is_empty() {
        String::new()
    } else {
        format!(
            "faults: {}; reconnects {reconnects}, restarts {}.\n{}",
            injected.join(", "),
            counts.restarts,
            unknowns.to_text()
        )
    };
    let text = format!(
        "\n{} orders, {} fills, {} cancels. Open {open}, unknown {unknown}, duplicates {duplicates}, ledger equals the exchange: {}.\nequity {} -> {} TRY\n{trouble}",
        counts.submitted,
        counts.fills,
        counts.cancels,
        if books.agree() { "yes" } else { "NO" },
        marks.equity_start.unwrap_or_default(),
        status
            .money
            .as_ref()
            .and_then(|money| money.equity)
            .unwrap_or_default(),
    );
    story.voice.flush();
    Report {
        command: "demo",
        ok,
        data,
        warnings: Vec::new(),
    }
    .print(args.json, &text)?;
    Ok(match (ok, open) {
        (true, _) => Exit::Ok,
        (false, 0) => Exit::CheckFailed,
        (false, _) => Exit::Deadline,
    })
}
