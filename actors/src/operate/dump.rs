//! What QUIT leaves in the log: where everything stands, before the process ends without cancelling.
//!
//! It reads copies and asks nobody. The one idea: whoever sends QUIT wants to know what a stuck process knows, so nothing
//! here may wait for an actor.

use super::Parts;
use crate::gate::Flag;
use crate::status::Status;
use engine::order::OrderView;

impl Parts {
    /// Shuts the gate, so that nothing leaves behind the list, and tells everything.
    pub(super) fn dump(&self) {
        let raised = self.owner.gate().raised();
        self.owner.gate().raise(Flag::Drain);
        let living = self.own_orders.living();
        let threads = self.beats.ages(self.clock.now());
        let status = self.status.read();
        let status = status.expect("no holder of the status can panic");
        tracing::warn!(
            event = "diagnostics",
            msg = "QUIT: nothing is cancelled; the next start finds what rests",
            mode = status.mode.as_str(),
            voices = joined(status.voices.iter().map(|voice| voice.code.as_str())),
            gate = joined(raised.into_iter().map(Flag::as_str)),
            orders = joined(living.iter().map(order)),
            unknown = self.own_orders.unsettled(),
            budgets = joined(budgets(&status)),
            threads = joined(
                threads
                    .iter()
                    .map(|(who, age_ms)| format!("{} {age_ms} ms", who.as_str()))
            ),
            full_mailboxes = joined(self.full_mailboxes()),
        );
        for event in &status.events {
            tracing::info!(
                event = "diagnostics_event",
                at_us = event.at.0,
                code = event.code,
                text = event.text
            );
        }
    }

    /// Mailboxes that have not taken a message, with how many.
    fn full_mailboxes(&self) -> impl Iterator<Item = String> {
        let links = &self.links;
        let counts = [
            ("feed", links.feed.fulls()),
            ("book", links.book.fulls()),
            ("strategy", links.strategy.fulls()),
            ("risk", links.risk.fulls()),
            ("router", links.router.fulls()),
            ("reconciler", links.reconciler.fulls()),
            ("supervisor", links.supervisor.fulls()),
        ];
        let full = counts.into_iter().filter(|(_, count)| *count > 0);
        full.map(|(name, count)| format!("{name} {count}"))
    }
}

fn joined<T: AsRef<str>>(parts: impl Iterator<Item = T>) -> String {
    let parts: Vec<T> = parts.collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    parts.join(", ")
}

fn order(view: &OrderView) -> String {
    format!("{} {}", view.client_id(), view.state.as_str())
}

fn budgets(status: &Status) -> impl Iterator<Item = String> {
    let steps = status.ladder.values();
    steps.map(|(step, _)| {
        let (cause, rung) = (step.cause.as_str(), step.after.as_str());
        format!("{cause} {rung} {}/{}", step.count, step.limit)
    })
}
