//! `orders`: own orders, shown and taken back.
//!
//! While a process runs it is asked. Without one, `list` reads the journal and `cancel-all --offline` asks the
//! exchange itself. No mode refuses a cancel.

pub(crate) mod journal;
mod offline;

use crate::cli::exit::Outcome;
use crate::cli::running::{self, ANSWER_TIME_MAX, MARGIN, carry_out};
use crate::cli::safe_mode::Common;
use crate::cli::status_cmd::order_line;
use crate::control::client::AskError;
use crate::control::orders::{Cancel, CancelAll, DEADLINE_S_MAX, List};
use crate::control::resolve::{Resolve, resolution};
use crate::control::wire::{Answer, Request};
use crate::signals::Signals;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::time::Duration;

/// Longest wait for the evidence, which takes several reads, and the router's word.
const RESOLVE_TIME_MAX: Duration = Duration::from_secs(90);

/// `orders`.
#[derive(Args, Debug)]
pub struct OrdersArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: OrdersAction,
}

/// What to do with orders.
#[derive(Debug, Subcommand)]
pub enum OrdersAction {
    /// Show own orders that have not ended: as the process knows them, or as the journal does
    List(ListArgs),
    /// Cancel one order and wait for its end
    Cancel(CancelArgs),
    /// Safe mode on, then cancel every own order until the exchange lists none
    CancelAll(CancelAllArgs),
    /// Settle an order whose fate the exchange's lists cannot prove: first shown, then done with --confirm
    Resolve(ResolveArgs),
}

/// `orders list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Also: while a process runs, what the exchange lists beside its orders; otherwise orders that have ended
    #[arg(long)]
    pub all: bool,
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
}

/// `orders cancel`.
#[derive(Args, Debug)]
pub struct CancelArgs {
    /// A client id, or the exchange's number
    pub id: String,
    /// The order may be somebody else's
    #[arg(long, requires = "reason")]
    pub foreign: bool,
    /// Why; written down
    #[arg(long)]
    pub reason: Option<String>,
    /// Longest wait for its end, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(DEADLINE_S_MAX)))]
    pub deadline: u32,
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
}

/// `orders cancel-all`.
#[derive(Args, Debug)]
pub struct CancelAllArgs {
    /// Do not switch safe mode on: only the orders of this moment are cancelled, and new ones may follow
    #[arg(long, conflicts_with = "offline")]
    pub keep_mode: bool,
    /// Without a running process: take its locks, and list and cancel over REST
    #[arg(long)]
    pub offline: bool,
    /// Why; written down
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Longest wait until none is left, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=i64::from(DEADLINE_S_MAX)))]
    pub deadline: u32,
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
}

/// `orders resolve`.
#[derive(Args, Debug)]
pub struct ResolveArgs {
    /// The order's client id
    pub client_id: String,
    /// absent, accepted:<the exchange's number> or stuck
    #[arg(long = "as", value_name = "WHAT", value_parser = known_resolution)]
    pub resolution: String,
    /// Why; written down before it acts
    #[arg(long)]
    pub reason: String,
    /// Do it; without this flag the evidence is shown and nothing is changed
    #[arg(long)]
    pub confirm: bool,
    /// Where and how.
    #[command(flatten)]
    pub common: Common,
}

fn known_resolution(text: &str) -> Result<String, String> {
    resolution(text).map(|_| text.to_owned())
}

/// Carries out `orders`.
///
/// # Errors
/// Exit codes as in the help.
pub fn orders(args: &OrdersArgs, signals: Signals) -> Outcome {
    match &args.action {
        OrdersAction::List(args) => list(args),
        OrdersAction::Cancel(args) => cancel(args),
        OrdersAction::CancelAll(args) if args.offline => offline::cancel_all(args, signals),
        OrdersAction::CancelAll(args) => cancel_all(args),
        OrdersAction::Resolve(args) => resolve(args),
    }
}

fn list(args: &ListArgs) -> Outcome {
    let (source, json) = (&args.common.source, args.common.json);
    let request = Request::OrdersList(List { all: args.all });
    match running::ask(source, &request, ANSWER_TIME_MAX)? {
        Err(AskError::NotRunning(_)) => journal::list(args),
        Ok(_) | Err(AskError::Denied(_) | AskError::Silent(..)) => {
            let ask = (&request, ANSWER_TIME_MAX);
            carry_out("orders-list", (source, json), ask, |answer| {
                shown(&answer.data)
            })
        }
    }
}

fn cancel(args: &CancelArgs) -> Outcome {
    let request = Request::OrdersCancel(Cancel {
        id: args.id.clone(),
        foreign: args.foreign,
        reason: args.reason.clone().unwrap_or_default(),
        deadline_s: args.deadline,
    });
    let place = (&args.common.source, args.common.json);
    let ask = (&request, within(args.deadline));
    carry_out("orders-cancel", place, ask, outcome)
}

fn cancel_all(args: &CancelAllArgs) -> Outcome {
    let request = Request::OrdersCancelAll(CancelAll {
        keep_mode: args.keep_mode,
        reason: args.reason.clone(),
        deadline_s: args.deadline,
    });
    let place = (&args.common.source, args.common.json);
    let ask = (&request, within(args.deadline));
    carry_out("orders-cancel-all", place, ask, outcome)
}

fn resolve(args: &ResolveArgs) -> Outcome {
    let request = Request::OrdersResolve(Resolve {
        client_id: args.client_id.clone(),
        resolution: args.resolution.clone(),
        reason: args.reason.clone(),
        confirm: args.confirm,
    });
    let place = (&args.common.source, args.common.json);
    carry_out(
        "orders-resolve",
        place,
        (&request, RESOLVE_TIME_MAX),
        evidence,
    )
}

/// The order, what the exchange shows of it, and what the wish would mean.
fn evidence(answer: &Answer) -> String {
    let data = &answer.data;
    let row = |name: &str| match &data["evidence"][name] {
        row if row.is_object() => order_line(data, row),
        _ => "           nothing".to_owned(),
    };
    let read = data["evidence"]["failure"].as_str().map_or_else(
        || {
            format!(
                "by its client id, among open orders and its pair's history\n{}\nby the given number\n{}",
                row("listed"),
                row("numbered")
            )
        },
        |failure| format!("could not be read: {failure}"),
    );
    format!(
        "order\n{}\nthe exchange shows {read}\nas {}: {}\n{}\n",
        order_line(data, &data["order"]),
        data["as"].as_str().unwrap_or("?"),
        data["consequence"].as_str().unwrap_or("?"),
        answer.text,
    )
}

/// The list is read once more at the end, within the client's own limits.
fn within(deadline_s: u32) -> Duration {
    Duration::from_secs(u64::from(deadline_s)) + MARGIN
}

fn outcome(answer: &Answer) -> String {
    let left = answer.data["left"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if left.is_empty() {
        return format!("{}\n", answer.text);
    }
    let lines = left.iter().map(|order| order_line(&answer.data, order));
    format!("left\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

/// The list for people.
fn shown(data: &Value) -> String {
    let of = |name: &str| data[name].as_array().cloned().unwrap_or_default();
    let (own, extra) = (of("orders"), of("exchange_only"));
    let mut lines = vec![format!(
        "{} own orders, as the {} knows them",
        own.len(),
        data["source"].as_str().unwrap_or("?"),
    )];
    lines.extend(own.iter().map(|order| order_line(data, order)));
    if data["exchange_only"].is_array() {
        lines.push(format!("{} more at the exchange", extra.len()));
        lines.extend(extra.iter().map(|order| order_line(data, order)));
    }
    lines.push(String::new());
    lines.join("\n")
}
