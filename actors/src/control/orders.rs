//! `orders.list`, `orders.cancel` and `orders.cancel-all`: own orders, shown and taken back.
//!
//! Cancels go through the router, which follows each order to its proven end. Where the router is silent, or does not
//! know an order, the exchange's own list and a direct cancel stand in. No mode refuses a cancel (D02).

use super::audit::Entry;
use super::desk::Desk;
use super::server::Peer;
use super::sweep::Sweep;
use super::wire::{Answer, Verdict, reason};
use crate::driver::read_failure::ReadFailure;
use crate::link::Sent;
use crate::status::{order_json, row_json};
use engine::answer::OrderRow;
use engine::ids::{ClientId, OrderId};
use engine::intent::CancelReason;
use engine::msg::RouterIn;
use engine::order::OrderView;
use engine::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Longest wait that a question may ask for, seconds.
pub const DEADLINE_S_MAX: u32 = 120;
/// Time for the router before the exchange is asked directly, milliseconds.
const ROUTER_MS: i64 = 3_000;
/// Time between two looks at own orders.
const LOOK: Duration = Duration::from_millis(250);

/// Which orders are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Also what the exchange lists and the router does not follow.
    #[serde(default)]
    pub all: bool,
}

/// Cancels one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// A client id or the exchange's number.
    pub id: String,
    /// The order may be somebody else's; needs a reason.
    #[serde(default)]
    pub foreign: bool,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Longest wait for its end, seconds.
    pub deadline_s: u32,
}

/// Cancels every own order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelAll {
    /// Leave the mode as it is; otherwise safe mode is switched on first.
    #[serde(default)]
    pub keep_mode: bool,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Longest wait until none is left, seconds.
    pub deadline_s: u32,
}

/// What an operator calls an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Client(ClientId),
    Number(OrderId),
}

impl Name {
    fn parse(text: &str) -> Result<Self, String> {
        let number = || text.parse().ok().filter(|number: &i64| *number > 0);
        ClientId::parse(text)
            .map(Self::Client)
            .ok()
            .or_else(|| number().map(|number| Self::Number(OrderId(number))))
            .ok_or_else(|| {
                "id: expected a client id of btcbot or the exchange's number of an order".to_owned()
            })
    }

    fn is_view(self, view: &OrderView) -> bool {
        match self {
            Self::Client(id) => view.client_id() == id,
            Self::Number(id) => view.order_id == Some(id),
        }
    }

    fn is_row(self, row: &OrderRow) -> bool {
        match self {
            Self::Client(id) => row.client_id == Some(id),
            Self::Number(id) => row.id == id,
        }
    }
}

/// What has not ended.
#[derive(Default)]
struct Left {
    /// By the router's word.
    own: Vec<OrderView>,
    /// Own orders in the exchange's list.
    listed: Vec<OrderRow>,
    /// The list was wanted and not read, and why.
    unread: Option<ReadFailure>,
}

impl Left {
    const fn is_nothing(&self) -> bool {
        self.own.is_empty() && self.listed.is_empty() && self.unread.is_none()
    }

    fn to_json(&self) -> Value {
        let known: BTreeSet<ClientId> = self.own.iter().map(OrderView::client_id).collect();
        let is_extra = |row: &&OrderRow| row.client_id.is_none_or(|id| !known.contains(&id));
        let own = self.own.iter().map(order_json);
        let rows = self.listed.iter().filter(is_extra).map(row_json);
        Value::Array(own.chain(rows).collect())
    }
}

impl Desk {
    pub(super) async fn orders_list(&self, list: List) -> Answer {
        let own = self.operator.own_orders.living();
        let now = self.operator.clock.now();
        let mut data = json!({
            "source": "engine",
            "now_us": now.0,
            "orders": own.iter().map(|view| self.order_json(view)).collect::<Vec<_>>(),
        });
        let Some(reads) = self.exchange.as_ref().filter(|_| list.all) else {
            return Answer::new(Verdict::Done, "", data);
        };
        match reads.open_orders().await {
            Ok(rows) => {
                let is_extra =
                    |row: &&OrderRow| !own.iter().any(|view| view.order_id == Some(row.id));
                let extra = rows.iter().filter(is_extra).map(|row| {
                    let mut shown = row_json(row);
                    shown["whose"] = json!(if self.is_ours(row) { "ours" } else { "foreign" });
                    shown
                });
                data["exchange_only"] = Value::Array(extra.collect());
                Answer::new(Verdict::Done, "", data)
            }
            Err(failure) => unread(&failure, data),
        }
    }

    pub(super) async fn orders_cancel(&self, peer: Peer, ask: &Cancel) -> Answer {
        let checked = deadline(ask.deadline_s)
            .and_then(|()| reason(&ask.reason, ask.foreign))
            .and_then(|()| Name::parse(&ask.id));
        let name = match checked {
            Ok(name) => name,
            Err(text) => return Answer::bad(text),
        };
        let until = self.until(ask.deadline_s);
        match self.own(name) {
            Some(view) => self.cancel_own(peer, ask, view.client_id(), until).await,
            None => self.cancel_listed(peer, ask, name, until).await,
        }
    }

    /// An order that the router follows: it is asked first, and the exchange directly if the order does not end.
    async fn cancel_own(&self, peer: Peer, ask: &Cancel, id: ClientId, until: Timestamp) -> Answer {
        let wish = RouterIn::Cancel(id, CancelReason::Operator);
        if self.operator.links.router.send(wish) != Sent::Delivered {
            tracing::error!(event = "cancel_not_delivered", client_order_id = %id);
        }
        self.asked_to_cancel(peer, ask);
        let direct_at = self.operator.clock.now().plus_ms(ROUTER_MS);
        let mut sweep = self.sweep();
        while let Some(view) = self.own(Name::Client(id)) {
            let now = self.operator.clock.now();
            if now >= until {
                let data = json!({ "left": [order_json(&view)] });
                let text = format!("{id} has not ended yet; it is being followed");
                return Answer::new(Verdict::Deadline, text, data);
            }
            if let Some(sweep) = sweep.as_mut().filter(|_| now >= direct_at) {
                sweep.cancel(view.order_id.as_slice()).await;
            }
            tokio::time::sleep(LOOK).await;
        }
        Answer::new(
            Verdict::Done,
            format!("{id} has ended"),
            json!({ "left": [] }),
        )
    }

    /// An order that only the exchange knows.
    async fn cancel_listed(
        &self,
        peer: Peer,
        ask: &Cancel,
        name: Name,
        until: Timestamp,
    ) -> Answer {
        let none = || {
            let text = format!("no open order is called {}", ask.id);
            Answer::new(Verdict::NotFound, text, Value::Null)
        };
        let Some(mut sweep) = self.sweep() else {
            return none();
        };
        let rows = match sweep.open().await {
            Ok(rows) => rows,
            Err(failure) => return unread(&failure, Value::Null),
        };
        let Some(row) = rows.into_iter().find(|row| name.is_row(row)) else {
            return none();
        };
        if !self.is_ours(&row) && !ask.foreign {
            let text = format!(
                "order {} is not ours: --foreign with --reason cancels it",
                row.id
            );
            return Answer::refused(text, &["foreign_order"]);
        }
        self.asked_to_cancel(peer, ask);
        loop {
            sweep.cancel(&[row.id]).await;
            tokio::time::sleep(LOOK * 4).await;
            let listed = sweep.open().await;
            if listed.is_ok_and(|rows| rows.iter().all(|other| other.id != row.id)) {
                let text = format!("order {} is not listed any more", row.id);
                return Answer::new(Verdict::Done, text, json!({ "left": [] }));
            }
            if self.operator.clock.now() >= until {
                let data = json!({ "left": [row_json(&row)] });
                let text = format!("order {} may still be open", row.id);
                return Answer::new(Verdict::Deadline, text, data);
            }
        }
    }

    fn asked_to_cancel(&self, peer: Peer, ask: &Cancel) {
        let entry = Entry {
            what: format!("orders cancel {}", ask.id),
            reason: &ask.reason,
            result: "asked".to_owned(),
        };
        // A broken journal stops no cancel; it has shut the gate and will end the process.
        let _ = self.audit(peer, entry);
    }

    pub(super) async fn orders_cancel_all(&self, peer: Peer, ask: &CancelAll) -> Answer {
        if let Err(text) = deadline(ask.deadline_s) {
            return Answer::bad(text);
        }
        let (began, until) = (self.operator.clock.now(), self.until(ask.deadline_s));
        let recorded = if ask.keep_mode {
            self.operator.cancel_all(CancelReason::Operator);
            Ok(0)
        } else {
            self.operator.safe_mode_on()
        };
        let living = self.operator.own_orders.living();
        let entry = Entry {
            what: if ask.keep_mode {
                "orders cancel-all --keep-mode".to_owned()
            } else {
                "orders cancel-all".to_owned()
            },
            reason: &ask.reason,
            result: format!("asked for {} orders", living.len()),
        };
        let audited = self.audit(peer, entry);
        let targets = self.targets(ask.keep_mode, &living).await;
        let left = self.until_gone(targets.as_ref(), (began, until)).await;
        let recorded = self.durable(recorded.and(audited)).await;
        conclude(living.len(), &left, recorded)
    }

    /// What `--keep-mode` speaks of: the orders of this moment, because new ones may follow. `None` is every order.
    async fn targets(&self, keep_mode: bool, living: &[OrderView]) -> Option<BTreeSet<ClientId>> {
        if !keep_mode {
            return None;
        }
        let mut targets: BTreeSet<ClientId> = living.iter().map(OrderView::client_id).collect();
        if let Some(reads) = &self.exchange {
            // Without the list the router's orders are all there is.
            let rows = reads.open_orders().await.unwrap_or_default();
            let ours = rows.iter().filter(|row| self.is_ours(row));
            targets.extend(ours.filter_map(|row| row.client_id));
        }
        Some(targets)
    }

    /// Waits until neither the router nor the exchange's list shows one of the orders; asks directly where it takes
    /// too long.
    async fn until_gone(
        &self,
        targets: Option<&BTreeSet<ClientId>>,
        (began, until): (Timestamp, Timestamp),
    ) -> Left {
        let mut sweep = self.sweep();
        let is_target = |id: ClientId| targets.is_none_or(|targets| targets.contains(&id));
        loop {
            let mut left = Left {
                own: self.operator.own_orders.living(),
                ..Left::default()
            };
            left.own.retain(|view| is_target(view.client_id()));
            let now = self.operator.clock.now();
            let is_late = now.ms_since(began) >= ROUTER_MS;
            if let Some(sweep) = sweep.as_mut().filter(|_| left.own.is_empty() || is_late) {
                match sweep.open().await {
                    Ok(rows) => left.listed = rows,
                    Err(failure) => left.unread = Some(failure),
                }
                left.listed
                    .retain(|row| self.is_ours(row) && row.client_id.is_some_and(is_target));
                let ids: Vec<OrderId> = left.listed.iter().map(|row| row.id).collect();
                sweep.cancel(&ids).await;
            }
            if left.is_nothing() || now >= until {
                return left;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn own(&self, name: Name) -> Option<OrderView> {
        let living = self.operator.own_orders.living();
        living.into_iter().find(|view| name.is_view(view))
    }

    fn is_ours(&self, row: &OrderRow) -> bool {
        row.client_id.is_some_and(|id| id.tag() == self.tag)
    }

    fn sweep(&self) -> Option<Sweep> {
        let reads = self.exchange.clone()?;
        Some(Sweep::new(reads, self.operator.clock.clone()))
    }

    fn until(&self, deadline_s: u32) -> Timestamp {
        self.operator
            .clock
            .now()
            .plus_ms(i64::from(deadline_s) * 1_000)
    }
}

fn conclude(count: usize, left: &Left, recorded: Result<(), &'static str>) -> Answer {
    let data = json!({ "asked": count, "left": left.to_json() });
    let number = left.own.len().max(left.listed.len());
    match (left.is_nothing(), recorded, &left.unread) {
        (true, Ok(()), _) => {
            let text = format!("{count} orders asked to go; none of ours is open");
            Answer::new(Verdict::Done, text, data)
        }
        (true, Err(code), _) => Answer {
            reasons: vec![code.to_owned()],
            ..Answer::new(
                Verdict::NotRecorded,
                "none of ours is open, but it was not written down",
                data,
            )
        },
        (false, _, Some(failure)) if number == 0 => unread(failure, data),
        (false, _, _) => {
            let text = format!("{number} own orders have not ended; they are being followed");
            Answer::new(Verdict::Deadline, text, data)
        }
    }
}

fn unread(failure: &ReadFailure, data: Value) -> Answer {
    let verdict = match failure {
        ReadFailure::NoKeys => Verdict::Denied,
        ReadFailure::Transport
        | ReadFailure::Held(_)
        | ReadFailure::TooManyPages
        | ReadFailure::Answer(_) => Verdict::Unreachable,
    };
    let text = format!("the exchange's list of open orders could not be read: {failure}");
    Answer::new(verdict, text, data)
}

fn deadline(seconds: u32) -> Result<(), String> {
    if (1..=DEADLINE_S_MAX).contains(&seconds) {
        Ok(())
    } else {
        Err(format!(
            "deadline_s: expected 1 to {DEADLINE_S_MAX} seconds"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_called_by_its_client_id_or_its_number() {
        let check = |text: &str, expected: bool| {
            assert_eq!(Name::parse(text).is_ok(), expected, "{text}");
        };
        check("bv1oc000001abcdef0000000007", true);
        check("4711", true);
        check("0", false);
        check("-3", false);
        check("", false);
        check("mine", false);
        check("99999999999999999999", false);
    }

    #[test]
    fn a_wait_is_bounded() {
        let check = |seconds: u32, expected: bool| {
            assert_eq!(deadline(seconds).is_ok(), expected, "{seconds}");
        };
        check(0, false);
        check(1, true);
        check(DEADLINE_S_MAX, true);
        check(DEADLINE_S_MAX + 1, false);
    }
}
