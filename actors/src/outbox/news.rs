//! Which reports are news: fills, refused orders, changes of the mode, kills and resets, and a summary of each day.
//!
//! It looks at what Metrics is told anyway. The one idea: what an operator wants to hear without looking is told once,
//! when it changes, and everything else is for dashboards.

use super::Shared;
use crate::metrics::Severity;
use crate::observer::Observed;
use crate::status::Status;
use engine::mode::Mode;
use engine::msg::ModeReport;
use engine::order::OrderState;
use engine::time::Timestamp;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// A day of the ledger begins at midnight UTC, microseconds.
const DAY_US: i64 = 86_400_000_000;

/// Tells news out of reports.
pub(super) struct Reporter {
    shared: Arc<Shared>,
    seen: Mutex<Seen>,
}

/// What was told last.
#[derive(Debug, Default)]
struct Seen {
    mode: Option<Mode>,
    /// Days since 1970, and what the last report of that day said.
    day: Option<(i64, Value)>,
}

impl Reporter {
    /// Makes a reporter that has told nothing yet.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            seen: Mutex::default(),
        }
    }

    /// Takes a report; most are no news.
    pub(super) fn take(&self, observed: &Observed, status: &Status) {
        match observed {
            Observed::Fill(trade) => self.shared.tell(
                "fill",
                Severity::Info,
                json!({
                    "order_id": trade.order_id.to_string(),
                    "client_order_id": trade.client_id.map(|id| id.to_string()),
                    "base": trade.base.to_string(),
                    "side": trade.side.as_str(),
                    "price": trade.price.to_string(),
                    "qty": trade.qty.to_string(),
                    "fee": trade.fee.to_string(),
                    "tax": trade.tax.to_string(),
                }),
            ),
            Observed::Order(view) if matches!(view.state, OrderState::Rejected(_)) => {
                self.shared.tell(
                    "order_rejected",
                    Severity::Info,
                    json!({
                        "client_order_id": view.client_id().to_string(),
                        "symbol": view.order.intent.symbol.to_string(),
                        "side": view.order.intent.side.as_str(),
                    }),
                )
            }
            Observed::Mode(report) => self.mode(report),
            Observed::Killed(kill) => self.shared.tell(
                "kill",
                Severity::Critical,
                json!({"latch": kill.id.to_string(), "cause": kill.cause.as_str(), "by": kill.by}),
            ),
            Observed::KillReset(id) => self.shared.tell(
                "kill_reset",
                Severity::Critical,
                json!({"latch": id.to_string()}),
            ),
            Observed::Money(_) => self.day(status),
            Observed::Feed(_)
            | Observed::Frames(_)
            | Observed::Book(_)
            | Observed::Intent(_)
            | Observed::IntentOut(_)
            | Observed::SubmitSent(_)
            | Observed::Reserved(..)
            | Observed::Silent(..)
            | Observed::Denied(_)
            | Observed::Order(_)
            | Observed::Router(_)
            | Observed::SubmitAnswered(..)
            | Observed::SubmitTook(..)
            | Observed::CancelSent(_)
            | Observed::CancelAnswered(..)
            | Observed::Gate(_)
            | Observed::Pass(_)
            | Observed::Offset(_)
            | Observed::Ladder(_)
            | Observed::Committed
            | Observed::Limits(_)
            | Observed::Asked(_)
            | Observed::Restarted(_)
            | Observed::LinkTrouble(..) => {}
        }
    }

    fn mode(&self, report: &ModeReport) {
        let before = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.mode.replace(report.mode)
        };
        if before == Some(report.mode) {
            return;
        }
        let reasons: Vec<&str> = report
            .voices
            .iter()
            .map(|voice| voice.code.as_str())
            .collect();
        self.shared.tell(
            "mode",
            Severity::Info,
            json!({"mode": report.mode.as_str(), "before": before.map(Mode::as_str), "reasons": reasons}),
        );
    }

    /// The first report of a day tells the last one of the day before.
    fn day(&self, status: &Status) {
        let Timestamp(now_us) = self.shared.clock.now();
        let today = now_us.div_euclid(DAY_US);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.day.replace((today, summary(status)));
        drop(seen);
        if let Some((day, mut data)) = before
            && day != today
        {
            data["day_begins_us"] = json!(day * DAY_US);
            self.shared.tell("daily_summary", Severity::Info, data);
        }
    }
}

/// What a day looked like at its last report. Counts are those of the run.
fn summary(status: &Status) -> Value {
    let shown = |amount: Option<engine::money::Amount>| amount.map(|amount| amount.to_string());
    let money = status.money.as_ref();
    json!({
        "equity": shown(money.and_then(|money| money.equity)),
        "day_pnl": shown(money.and_then(|money| money.day_pnl)),
        "fees_today": shown(money.and_then(|money| money.fees_today)),
        "drawdown_bps": money.map(|money| money.drawdown_bps),
        "accepted": status.counts.accepted,
        "rejected": status.counts.rejected,
        "fills": status.counts.fills,
        "cancels": status.counts.cancels,
    })
}
