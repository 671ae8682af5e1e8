//! Which reports are news: fills, refused orders, changes of the mode, kills and resets, and a summary of each day.
//!
//! It looks at what Metrics is told anyway. The one idea: what an operator wants to hear without looking is told once,
//! when it changes, and everything else is for dashboards.

use super::Shared;
use crate::metrics::Severity;
use crate::observer::{Observed, Standing};
use crate::status::Status;
use engine::mode::Mode;
use engine::msg::ModeReport;
use engine::order::{OrderState, OrderView};
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
                    "trade_id": trade.id.0.to_string(),
                    "traded_at_us": trade.at.0,
                    "order_id": trade.order_id.to_string(),
                    "client_order_id": trade.client_id.map(|id| id.to_string()),
                    "base": trade.base.to_string(),
                    "quote": trade.quote.to_string(),
                    "side": trade.side.as_str(),
                    "price": trade.price.to_string(),
                    "qty": trade.qty.to_string(),
                    "fee": trade.fee.to_string(),
                    "tax": trade.tax.to_string(),
                }),
            ),
            Observed::Order(OrderView {
                order,
                state: OrderState::Rejected(refusal),
                ..
            }) => self.shared.tell(
                "order_rejected",
                Severity::Info,
                json!({
                    "client_order_id": order.client_id.to_string(),
                    "symbol": order.intent.symbol.to_string(),
                    "side": order.intent.side.as_str(),
                    "reason": refusal,
                }),
            ),
            Observed::Standing(Standing::Mode(report)) => self.mode(report),
            Observed::Standing(Standing::Killed(kill)) => self.shared.tell(
                "kill",
                Severity::Critical,
                json!({"latch": kill.id.to_string(), "cause": kill.cause.as_str(), "by": kill.by}),
            ),
            Observed::Standing(Standing::KillReset(id)) => self.shared.tell(
                "kill_reset",
                Severity::Critical,
                json!({"latch": id.to_string()}),
            ),
            Observed::Standing(Standing::Money(_)) => self.day(status),
            Observed::Market(_)
            | Observed::Decision(_)
            | Observed::Order(_)
            | Observed::Call(_)
            | Observed::Process(_) => {}
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

#[cfg(test)]
mod tests {
    use super::super::Teller;
    use super::*;
    use crate::cli::version::BUILD;
    use crate::clock::Clock;
    use crate::metrics::Metrics;
    use crate::observer::Process;
    use crate::observer::tests::{money, order};
    use engine::answer::Refusal;
    use engine::hold::Holds;
    use engine::kill::{Kill, KillId};
    use engine::mode::ModeCode;
    use engine::msg::LimitUse;
    use tokio::sync::Notify;

    /// A minute before midnight.
    const START: Timestamp = Timestamp(DAY_US * 20_000 - 60_000_000);

    fn reporter() -> (Reporter, Clock) {
        let clock = Clock::manual(START);
        let shared = Shared {
            queue: Mutex::default(),
            wake: Notify::new(),
            metrics: Metrics::new(BUILD, &[], START),
            clock: clock.clone(),
            teller: Teller {
                run_id: "run".to_owned(),
                account: "acct".to_owned(),
            },
        };
        (Reporter::new(Arc::new(shared)), clock)
    }

    fn told(reporter: &Reporter) -> Vec<Value> {
        let queue = reporter.shared.queue();
        let bodies = queue.items.iter().map(|item| item.body.as_str());
        bodies
            .map(|body| serde_json::from_str(body).expect("one object"))
            .collect()
    }

    fn mode(mode: Mode) -> Observed {
        Observed::Standing(Standing::Mode(ModeReport {
            mode,
            voices: Vec::new(),
            holds: Holds::default(),
        }))
    }

    #[test]
    fn what_an_operator_wants_to_hear_is_told_with_its_weight_and_the_rest_is_not() {
        let kill = Kill::new(None, ModeCode::OperatorKill, ("a drill", "uid 0"), START);
        let rejected = order(OrderState::Rejected(Refusal::PriceBand), START, START);
        for (observed, expected) in [
            (
                Observed::Standing(Standing::Killed(kill)),
                Some(("kill", "critical")),
            ),
            (
                Observed::Standing(Standing::KillReset(KillId(7))),
                Some(("kill_reset", "critical")),
            ),
            (Observed::Order(rejected), Some(("order_rejected", "info"))),
            (mode(Mode::Normal), Some(("mode", "info"))),
            (Observed::Order(order(OrderState::Open, START, START)), None),
            (Observed::Process(Process::Committed), None),
        ] {
            let (reporter, _) = reporter();
            reporter.take(&observed, &Status::default());
            let told = told(&reporter);
            let seen = told
                .first()
                .map(|one| (one["event"].as_str(), one["severity"].as_str()));
            let expected = expected.map(|(event, severity)| (Some(event), Some(severity)));
            assert_eq!(seen, expected, "{observed:?}");
        }
    }

    #[test]
    fn a_mode_is_told_when_it_changes() {
        let (reporter, _) = reporter();
        for one in [Mode::Normal, Mode::Normal, Mode::KillSwitch] {
            reporter.take(&mode(one), &Status::default());
        }
        let told = told(&reporter);
        let told: Vec<_> = told
            .iter()
            .map(|one| (&one["data"]["before"], &one["data"]["mode"]))
            .collect();
        let (normal, killed) = (json!("NORMAL"), json!("KILL_SWITCH"));
        assert_eq!(told, [(&Value::Null, &normal), (&normal, &killed)]);
    }

    #[test]
    fn a_day_is_summed_up_by_its_last_report_once_the_next_one_has_begun() {
        let (reporter, clock) = reporter();
        let report = money(LimitUse::default());
        let mut status = Status {
            money: Some(report.clone()),
            ..Status::default()
        };
        for fills in [1, 2, 3, 4] {
            status.counts.fills = fills;
            reporter.take(
                &Observed::Standing(Standing::Money(report.clone())),
                &status,
            );
            clock.advance_ms(25_000);
        }
        let told = told(&reporter);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["event"], "daily_summary");
        let data = &told[0]["data"];
        assert_eq!(data["fills"], 3, "25 s before midnight");
        assert_eq!(data["equity"], "1234.5");
        assert_eq!(data["day_begins_us"], DAY_US * 19_999);
    }
}
