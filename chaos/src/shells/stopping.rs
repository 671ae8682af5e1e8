//! The process's own orderly stop, inside of a world: the same `Stop` that TERM begins, while everything else goes on.

use super::process::{Play, Process, pass};
use crate::world::World;
use actors::gate::Flag;
use actors::stop::Stop;
use engine::order::OrderView;
use std::cell::RefCell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Time of an orderly stop, milliseconds (config/default.toml).
const DEADLINE_MS: i64 = 45_000;
/// A second request that comes too late to matter, milliseconds.
pub(super) const NEVER_AGAIN_MS: u64 = 60_000;
/// The rule that nothing leaves once a stop has shut the gate.
const SHUT: &str = "stopped_sends_nothing";

impl Play {
    /// Asks the living process to stop, once more after a while; returns what it lists as left, nothing where it ended
    /// otherwise.
    pub(super) fn stop(&mut self, again_ms: u64) -> Option<Vec<OrderView>> {
        let process = self.process.as_mut()?;
        let left = process.settle(&self.world, &self.wake, again_ms);
        let mut world = self.world.borrow_mut();
        world.is_over = None;
        if left.is_some() {
            world.exit();
        }
        drop(world);
        self.process = None;
        left
    }
}

impl Process {
    fn settle(
        &mut self,
        world: &RefCell<World>,
        wake: &Notify,
        again_ms: u64,
    ) -> Option<Vec<OrderView>> {
        let Self {
            rig,
            status,
            time,
            runner,
        } = self;
        let (links, gate, own_orders) =
            (rig.links.clone(), rig.gate.clone(), rig.own_orders.clone());
        let clock = rig.clock.clone();
        runner.block_on(async {
            let (patience, hurry) = watch::channel(false);
            let stop = Stop {
                links: &links,
                gate: &gate,
                own_orders: &own_orders,
                status,
                clock: &clock,
                hurry,
            };
            let settled = stop.settle(DEADLINE_MS);
            let again = tokio::time::sleep(Duration::from_millis(again_ms));
            tokio::pin!(settled, again);
            let first = poll_fn(|context| Poll::Ready(settled.as_mut().poll(context))).await;
            // From here on the gate is shut, whatever was on its way to the wire.
            world.borrow_mut().is_over = Some(SHUT);
            if !gate.is_raised(Flag::Drain) {
                let seen = format!("{:?}", gate.raised());
                world
                    .borrow_mut()
                    .broken("a_stop_shuts_the_gate_first", seen);
            }
            if let Poll::Ready(left) = first {
                return Some(left);
            }
            loop {
                let end = time.now().plus_ms(DEADLINE_MS);
                let due = pass(&mut world.borrow_mut(), rig, time.now(), end)?;
                let wait_us = u64::try_from(due.0 - time.now().0).unwrap_or(0);
                tokio::select! {
                    biased;
                    left = &mut settled => return Some(left),
                    () = &mut again, if !*patience.borrow() => drop(patience.send_replace(true)),
                    _lost = rig.fatal.recv() => {
                        world.borrow_mut().lose_order_path(time.now());
                        return None;
                    }
                    () = wake.notified() => {}
                    () = tokio::time::sleep(Duration::from_micros(wait_us)) => {}
                }
            }
        })
    }
}
