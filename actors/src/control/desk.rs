//! What a running process answers its operator: one match over every verb.
//!
//! A group of verbs has its own file beside this one. The desk holds handles that work while every arbiter is stuck:
//! atomics, locks of a few instructions, the journal's queue, and connections of its own to the exchange.

use super::again::Answers;
use super::kill_switch::kill_json;
use super::server::{Asked, Peer};
use super::wire::{Answer, Request, Verdict};
use crate::driver::reads::Reads;
use crate::gate::Flag;
use crate::operator::Operator;
use crate::reload::Reloader;
use crate::status::order_json;
use engine::ids::AccountTag;
use engine::order::OrderView;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Everything that commands work with.
pub struct Desk {
    /// Safe mode, own orders, journal, status, time.
    pub operator: Arc<Operator>,
    /// The exchange, on connections of its own; `None` where the venue is simulated inside this process.
    pub exchange: Option<Reads>,
    /// Our account: the orders with this tag are ours.
    pub tag: AccountTag,
    /// Configuration and log; `None` where neither can change.
    pub reloader: Option<Reloader>,
    /// What was answered lately, by the key of the question.
    pub(super) answers: Mutex<Answers>,
}

impl Desk {
    /// Makes the desk of one process.
    pub fn new(
        operator: Arc<Operator>,
        exchange: Option<Reads>,
        tag: AccountTag,
        reloader: Option<Reloader>,
    ) -> Self {
        Self {
            operator,
            exchange,
            tag,
            reloader,
            answers: Mutex::default(),
        }
    }

    /// Answers a question; one whose key was answered before gets that answer, and nothing is done again.
    pub(super) async fn answer(&self, asked: Asked) -> Answer {
        let Asked { peer, request, key } = asked;
        let Some(key) = key else {
            return self.handle(peer, request).await;
        };
        let now = self.operator.clock.now();
        if let Some(known) = self.answers().recall(now, &key, &request) {
            return known;
        }
        let answer = self.handle(peer, request).await;
        self.answers().keep(&key, &answer);
        answer
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        // Whole answers are put in, whatever happened to the last holder.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn handle(&self, peer: Peer, request: Request) -> Answer {
        match request {
            Request::Status => self.status(),
            Request::SafeModeOn(why) => self.safe_mode_on(peer, &why).await,
            Request::SafeModeOff(why) => self.safe_mode_off(peer, &why).await,
            Request::KillStatus => self.kill_status(),
            Request::KillTrip(why) => self.kill_trip(peer, &why).await,
            Request::KillReset(reset) => self.kill_reset(peer, &reset).await,
            Request::FreezeOn(ask) => self.freeze_on(peer, &ask).await,
            Request::FreezeClear(ask) => self.freeze_clear(peer, &ask).await,
            Request::DegradeOverride(ask) => self.degrade_override(peer, &ask).await,
            Request::DegradeClear(why) => self.degrade_clear(peer, &why).await,
            Request::OrdersList(list) => self.orders_list(list).await,
            Request::OrdersCancel(cancel) => self.orders_cancel(peer, &cancel).await,
            Request::OrdersResolve(resolve) => self.orders_resolve(peer, &resolve).await,
            Request::Reload(why) => self.reload(peer, &why).await,
            Request::ConfigDiff => self.config_diff(),
            Request::LogsLevel(wish) => self.logs_level(peer, &wish).await,
            Request::LogsTail => self.logs_tail(),
            Request::Records(ask) => self.records(&ask).await,
            Request::StateBackup(ask) => self.state_backup(peer, &ask).await,
            Request::OrdersCancelAll(all) => self.orders_cancel_all(peer, &all).await,
        }
    }

    fn status(&self) -> Answer {
        Answer::new(Verdict::Done, self.mode_text(), self.picture())
    }

    /// The status document, and what the gate says by itself: it is true even while no actor moves.
    pub(super) fn picture(&self) -> Value {
        let now = self.operator.clock.now();
        let status = self.operator.status.read();
        let mut picture = status
            .expect("no holder of the status can panic")
            .to_json(now);
        let raised = self.operator.owner.gate().raised();
        picture["taken_us"] = json!(now.0);
        picture["kill"] = json!(self.operator.latch.current().as_ref().map(kill_json));
        picture["gate"] = json!(raised.into_iter().map(Flag::as_str).collect::<Vec<_>>());
        let own = self.operator.own_orders.living();
        picture["orders"] = own.iter().map(|view| self.order_json(view)).collect();
        picture
    }

    /// An own order, and what is said about an unknown fate.
    pub(super) fn order_json(&self, view: &OrderView) -> Value {
        let mut shown = order_json(view);
        let doubt = self.operator.own_orders.doubt(view.client_id());
        shown["unproven"] = json!(doubt.unproven);
        shown["stuck"] = json!(doubt.is_stuck);
        shown
    }

    /// The mode and who asks for it, in one line.
    pub(super) fn mode_text(&self) -> String {
        let status = self.operator.status.read();
        let status = status.expect("no holder of the status can panic");
        let voices = status.voices.iter().map(|voice| voice.code.as_str());
        let voices: Vec<&str> = voices.collect();
        format!("mode {} {}", status.mode.as_str(), voices.join(", "))
            .trim_end()
            .to_owned()
    }
}
