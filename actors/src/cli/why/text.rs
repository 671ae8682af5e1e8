//! The story of one order for people: who wanted it, on what, which checks, and then one line a step.

use super::story::{Story, fee_asset};
use crate::store::Entry;
use engine::answer::{SubmitOutcome, TradeSource};
use engine::decision::Decision;
use engine::order::OrderState;
use engine::record::Record;
use engine::time::Timestamp;
use std::fmt::Write as _;

/// Returns the story as text. Writing to a `String` cannot fail.
pub fn of(story: &Story) -> String {
    let mut text = head(story);
    match &story.decision {
        Some(decision) => {
            text += &decision_text(story, decision);
            text += &checks(story);
        }
        None => text += "\nno evidence of its decision was written\n",
    }
    text += "\nsteps\n";
    let mut before = story.order.intent.at;
    for entry in &story.steps {
        let wait = after(before, entry.at);
        let _ = writeln!(
            text,
            "  {} {wait:>12}  {}",
            when(entry.at),
            step(story, entry)
        );
        before = entry.at;
    }
    text += &end(story);
    text
}

fn head(story: &Story) -> String {
    let (order, intent) = (&story.order, &story.order.intent);
    format!(
        "{}\n{} {} {} at {}, reserved {}\nwanted by {} for {}, cycle {}, at {}\n",
        order.client_id,
        intent.side.as_str(),
        intent.qty,
        intent.symbol,
        intent.limit,
        order.reserved,
        intent.strategy.as_str(),
        intent.reason.as_str(),
        intent.cycle,
        when(intent.at),
    )
}

fn decision_text(story: &Story, decision: &Decision) -> String {
    let book = &decision.book;
    let equity = decision
        .equity
        .map_or_else(|| "unknown".to_owned(), |equity| equity.to_string());
    let mut text = format!(
        "\ndecision   {} after the strategy's\n",
        after(story.order.intent.at, decision.at)
    );
    let _ = writeln!(
        text,
        "  wanted   {} at {}{}",
        decision.wanted_qty,
        decision.wanted_limit,
        if decision.is_reducing {
            ", reducing: covered by the free position"
        } else {
            ""
        }
    );
    let _ = writeln!(
        text,
        "  book     bid {} x {}, ask {} x {}, mid {}, {} ms old, session {} change {}",
        book.bid,
        book.bid_qty,
        book.ask,
        book.ask_qty,
        book.mid,
        book.age_ms,
        book.stamp.session,
        book.stamp.change
    );
    let _ = writeln!(
        text,
        "  account  equity {equity}, cash {}, spendable {}, position {}, mode {}",
        decision.cash,
        decision.spendable,
        decision.position,
        decision.mode.as_str()
    );
    text
}

fn checks(story: &Story) -> String {
    let mut text = format!(
        "\n{:<48} {:>22}    {:<22} {}\n",
        "check", "seen", "allowed", "margin"
    );
    for line in story.checks() {
        let code = line.check.denies_with().as_str();
        match line.figures {
            None => {
                let _ = writeln!(text, "  {code:<46} {:>22}", "holds");
            }
            Some(figures) => {
                let unit = figures.unit;
                let with_unit = |number: String| format!("{number} {unit}").trim_end().to_owned();
                let _ = writeln!(
                    text,
                    "  {code:<46} {:>22} {:<2} {:<22} {}",
                    with_unit(figures.seen),
                    figures.bound.as_str(),
                    with_unit(figures.allowed),
                    with_unit(figures.margin)
                );
            }
        }
    }
    let exempt: Vec<&str> = story
        .exempt()
        .iter()
        .map(|check| check.denies_with().as_str())
        .collect();
    if !exempt.is_empty() {
        let _ = writeln!(text, "did not apply: {}", exempt.join(", "));
    }
    text
}

fn step(story: &Story, entry: &Entry) -> String {
    match &entry.record {
        Record::Decided(_) => "approved".to_owned(),
        Record::Sending { stamp_max, .. } => {
            format!(
                "written down, to be sent once, stamped {} at the latest",
                when(*stamp_max)
            )
        }
        Record::Outcome { outcome, .. } => answer(*outcome),
        Record::Adopted { order_id, .. } => format!("found on the exchange as {order_id}"),
        Record::CancelAsked { reason, .. } => format!("cancel asked: {}", reason.as_str()),
        Record::Fill(trade) => {
            let slippage = story.slippage(trade);
            let bps = bps(story.slippage_bps(slippage, trade.qty));
            let source = match trade.source {
                TradeSource::Stream => "stream",
                TradeSource::Rest => "list",
            };
            format!(
                "filled {} at {} (trade {}, {source}), fee {}, tax {} {}, slippage {slippage}{bps}",
                trade.qty,
                trade.price,
                trade.id,
                trade.fee,
                trade.tax,
                fee_asset(trade)
            )
        }
        Record::Ended { state, .. } => format!("ended: {}", name(*state)),
        Record::Resolved {
            resolution, reason, ..
        } => format!(
            "settled by an operator as {}: {reason}",
            resolution.as_str()
        ),
        // None of these is about an order.
        Record::Boot { .. }
        | Record::Opening { .. }
        | Record::Transfer { .. }
        | Record::Adjustment { .. }
        | Record::DayStart { .. }
        | Record::Held(_)
        | Record::LetGo { .. }
        | Record::SafeMode { .. }
        | Record::Looked { .. }
        | Record::Audit { .. }
        | Record::Kill(_)
        | Record::Reset { .. }
        | Record::Restored { .. }
        | Record::Spent { .. }
        | Record::Stepped { .. }
        | Record::Stop { .. } => String::new(),
    }
}

fn answer(outcome: SubmitOutcome) -> String {
    match outcome {
        SubmitOutcome::Accepted(number) => format!("accepted as {number}"),
        SubmitOutcome::AcceptedWithoutEcho(number) => {
            format!("accepted as {number}, our id not repeated")
        }
        SubmitOutcome::Rejected(why) => format!("rejected by the exchange: {}", why.as_str()),
        SubmitOutcome::NotSent(why) => format!("not sent, proven: {}", why.as_str()),
        SubmitOutcome::Unknown(cause) => {
            format!("fate unknown ({}): the exchange is asked", cause.as_str())
        }
    }
}

fn end(story: &Story) -> String {
    let sums = story.sums();
    let first = story.order.intent.at;
    let last = story.steps.last().map_or(first, |entry| entry.at);
    let mut text = format!(
        "\n{} {} after the wish\n",
        name(story.state()),
        after(first, last)
    );
    if sums.filled.is_positive() {
        let _ = writeln!(
            text,
            "filled {} of {} for {}, fees {}, tax {}, slippage {}{}",
            sums.filled,
            story.order.intent.qty,
            sums.value,
            sums.fees,
            sums.tax,
            sums.slippage,
            bps(story.slippage_bps(sums.slippage, sums.filled))
        );
    }
    text
}

fn name(state: OrderState) -> String {
    match state {
        OrderState::NotSent(why) => format!("not_sent ({})", why.as_str()),
        OrderState::Rejected(why) => format!("rejected ({})", why.as_str()),
        OrderState::Unknown(cause) => format!("unknown ({})", cause.as_str()),
        OrderState::Reserved
        | OrderState::Sending
        | OrderState::Open
        | OrderState::Partial
        | OrderState::Absent
        | OrderState::Canceled
        | OrderState::Filled => state.as_str().to_owned(),
    }
}

fn bps(bps: Option<i64>) -> String {
    bps.map_or_else(String::new, |bps| format!(" ({bps} bps of mid)"))
}

/// A moment as people write it, in UTC.
pub fn when(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(
        |_| at.to_string(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
    )
}

/// The time between two steps: whole and thousandth milliseconds.
fn after(before: Timestamp, at: Timestamp) -> String {
    let us = at.0.saturating_sub(before.0);
    let sign = if us < 0 { "-" } else { "+" };
    let us = us.unsigned_abs();
    format!("{sign}{}.{:03} ms", us / 1_000, us % 1_000)
}
