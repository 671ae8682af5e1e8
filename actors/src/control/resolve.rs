//! `orders.resolve`: an operator settles an order whose fate the exchange's lists cannot prove.
//!
//! Two steps: without `confirm` the evidence is shown and nothing is changed. The router judges once more (horizon,
//! looks), writes the resolution down and only then follows it; what the exchange shows beats what a person says.

use super::audit::Entry;
use super::desk::Desk;
use super::server::Peer;
use super::wire::{Answer, Verdict, reason};
use crate::driver::read_failure::ReadFailure;
use crate::driver::reads::Reads;
use crate::link::Sent;
use crate::order_router::Ruling;
use crate::status::row_json;
use engine::answer::OrderRow;
use engine::ids::{ClientId, OrderId};
use engine::msg::RouterIn;
use engine::order::{OrderState, OrderView, Resolution};
use engine::router::absence::HISTORY_MARGIN_MS;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for the router's word, milliseconds.
const RULING_MS_MAX: i64 = 10_000;
/// Time between two looks for it.
const LOOK: Duration = Duration::from_millis(20);

/// Settles one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// Which order.
    pub client_id: String,
    /// `absent`, `accepted:<the exchange's number>` or `stuck`.
    #[serde(rename = "as")]
    pub resolution: String,
    /// Why.
    pub reason: String,
    /// Do it; otherwise only show.
    #[serde(default)]
    pub confirm: bool,
}

/// Reads a resolution as an operator writes it.
///
/// # Errors
/// A text that names the member and what is allowed.
pub fn resolution(text: &str) -> Result<Resolution, String> {
    let number = |text: &str| text.parse().ok().filter(|number: &i64| *number > 0);
    match (text, text.strip_prefix("accepted:").and_then(number)) {
        ("absent", _) => Ok(Resolution::Absent),
        ("stuck", _) => Ok(Resolution::Stuck),
        (_, Some(number)) => Ok(Resolution::Accepted(OrderId(number))),
        (_, None) => {
            Err("as: expected absent, accepted:<the exchange's number> or stuck".to_owned())
        }
    }
}

const fn consequence(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Absent => {
            "it counts as never accepted: its reservation goes and its symbol is free again; if it turns up after all, \
             the kill switch trips"
        }
        Resolution::Accepted(_) => {
            "it counts as accepted under that number, and its row at the exchange is read at once and decides"
        }
        Resolution::Stuck => {
            "it stays unknown, with its reservation and its frozen symbol, and holds up nothing else"
        }
    }
}

/// What the exchange shows at this moment, and what of it speaks against the operator.
struct Evidence {
    data: Value,
    against: Vec<&'static str>,
}

impl Desk {
    pub(super) async fn orders_resolve(&self, peer: Peer, ask: &Resolve) -> Answer {
        let checked = reason(&ask.reason, true).and_then(|()| resolution(&ask.resolution));
        let (id, resolution) = match (ClientId::parse(&ask.client_id), checked) {
            (Ok(id), Ok(resolution)) => (id, resolution),
            (Err(_), _) => return Answer::bad("client_id: expected a client id of btcbot"),
            (Ok(_), Err(text)) => return Answer::bad(text),
        };
        let living = self.operator.own_orders.living();
        let Some(view) = living.into_iter().find(|view| view.client_id() == id) else {
            let text = format!("no own order that has not ended is called {id}");
            return Answer::new(Verdict::NotFound, text, Value::Null);
        };
        let evidence = self.evidence(&view, resolution).await;
        let data = json!({
            "now_us": self.operator.clock.now().0,
            "order": self.order_json(&view),
            "as": ask.resolution,
            "consequence": consequence(resolution),
            "evidence": evidence.data,
        });
        if !evidence.against.is_empty() {
            return self.not_resolved((peer, ask), &evidence.against, data);
        }
        if !ask.confirm {
            let text = "nothing was changed; --confirm does it";
            return Answer::new(Verdict::Done, text, data);
        }
        self.resolve_confirmed(peer, ask, (id, resolution), data)
            .await
    }

    fn not_resolved(&self, (peer, ask): (Peer, &Resolve), against: &[&str], data: Value) -> Answer {
        if ask.confirm {
            // The refusal stands whether or not it could be written down.
            let _ = self.audit(peer, entry(ask, format!("refused: {}", against.join(", "))));
        }
        let text = format!("not resolved: {}", against.join(", "));
        Answer {
            data,
            ..Answer::refused(text, against)
        }
    }

    async fn resolve_confirmed(
        &self,
        peer: Peer,
        ask: &Resolve,
        (id, resolution): (ClientId, Resolution),
        data: Value,
    ) -> Answer {
        let asked = self.audit(peer, entry(ask, "asked".to_owned()));
        if let Err(code) = self.durable(asked).await {
            return self.not_resolved((peer, ask), &[code], data);
        }
        self.operator.own_orders.await_ruling(id);
        let wish = RouterIn::Resolve {
            client_id: id,
            resolution,
            reason: ask.reason.clone(),
        };
        if self.operator.links.router.send(wish) != Sent::Delivered {
            return self.not_resolved((peer, ask), &["router_unreachable"], data);
        }
        let ruling = self.ruling(id).await;
        let result = match ruling {
            None => "no word of the router yet".to_owned(),
            Some(Ruling::Resolved) => "done".to_owned(),
            Some(Ruling::Refused(why)) => format!("refused: {why}"),
        };
        // That it was asked for is on disk already.
        let _ = self.audit(peer, entry(ask, result.clone()));
        let verdict = match ruling {
            None => Verdict::Deadline,
            Some(Ruling::Resolved) => Verdict::Done,
            Some(Ruling::Refused(_)) => Verdict::Refused,
        };
        Answer::new(
            verdict,
            format!("{id} as {}: {result}", ask.resolution),
            data,
        )
    }

    async fn ruling(&self, id: ClientId) -> Option<Ruling> {
        let clock = &self.operator.clock;
        let until = clock.now().plus_ms(RULING_MS_MAX);
        while !self.operator.own_orders.is_ruled(id) && clock.now() < until {
            tokio::time::sleep(LOOK).await;
        }
        self.operator.own_orders.ruling(id)
    }

    async fn evidence(&self, view: &OrderView, resolution: Resolution) -> Evidence {
        let is_unknown = matches!(view.state, OrderState::Unknown(_));
        let mut evidence = Evidence {
            data: json!({ "read": false }),
            against: if is_unknown {
                vec![]
            } else {
                vec!["its_fate_is_known"]
            },
        };
        let Some(reads) = &self.exchange else {
            return evidence;
        };
        match seen(reads, view, resolution).await {
            Ok((listed, numbered)) => {
                evidence.against.extend(contradiction(
                    view,
                    resolution,
                    (listed.as_ref(), numbered.as_ref()),
                ));
                evidence.data = json!({
                    "read": true,
                    "listed": listed.as_ref().map(row_json),
                    "numbered": numbered.as_ref().map(row_json),
                });
            }
            Err(failure) => {
                evidence.data["failure"] = json!(failure.to_string());
                // That it cannot be told may be said without the exchange; nothing else may.
                if resolution != Resolution::Stuck {
                    evidence.against.push("exchange_not_read");
                }
            }
        }
        evidence
    }
}

fn entry(ask: &Resolve, result: String) -> Entry<'_> {
    Entry {
        what: format!("orders resolve {} --as {}", ask.client_id, ask.resolution),
        reason: &ask.reason,
        result,
    }
}

/// The row with the order's client id, and the row of the number that the operator gave.
async fn seen(
    reads: &Reads,
    view: &OrderView,
    resolution: Resolution,
) -> Result<(Option<OrderRow>, Option<OrderRow>), ReadFailure> {
    let intent = &view.order.intent;
    let mut rows = reads.open_orders().await?;
    let since = intent.at.plus_ms(-HISTORY_MARGIN_MS);
    rows.extend(reads.history(intent.symbol, since).await?);
    let id = view.client_id();
    let listed = rows.into_iter().find(|row| row.client_id == Some(id));
    let numbered = match resolution {
        Resolution::Accepted(number) => reads.order(number).await?,
        Resolution::Absent | Resolution::Stuck => None,
    };
    Ok((listed, numbered))
}

/// Only the client id names an order (D36); a number needs a row that could be the order's.
fn contradiction(
    view: &OrderView,
    resolution: Resolution,
    (listed, numbered): (Option<&OrderRow>, Option<&OrderRow>),
) -> Option<&'static str> {
    let intent = &view.order.intent;
    let fits = |row: &OrderRow| {
        let (id, symbol, side) = (view.client_id(), intent.symbol, intent.side);
        row.client_id.is_none_or(|other| other == id)
            && row.symbol == symbol
            && row.side == side
            && row.price == intent.limit
            && row.qty == intent.qty
    };
    match (resolution, listed, numbered) {
        (Resolution::Absent | Resolution::Stuck, Some(_), _) => Some("the_exchange_shows_it"),
        (Resolution::Absent | Resolution::Stuck, None, _) => None,
        (Resolution::Accepted(number), Some(row), _) if row.id != number => {
            Some("it_has_another_number")
        }
        (Resolution::Accepted(_), _, None) => Some("the_number_is_not_shown"),
        (Resolution::Accepted(_), _, Some(row)) if !fits(row) => {
            Some("the_number_is_another_order")
        }
        (Resolution::Accepted(_), _, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolution_is_one_of_three() {
        let check = |text: &str, expected: Option<Resolution>| {
            assert_eq!(resolution(text).ok(), expected, "{text}");
        };
        check("absent", Some(Resolution::Absent));
        check("stuck", Some(Resolution::Stuck));
        check("accepted:17", Some(Resolution::Accepted(OrderId(17))));
        for wrong in [
            "",
            "accepted",
            "accepted:",
            "accepted:0",
            "accepted:-1",
            "accepted:x",
            "filled",
            "Absent",
        ] {
            check(wrong, None);
        }
    }
}
