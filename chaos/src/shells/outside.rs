//! The ground that the real actors stand on: every port ends in the world.
//!
//! What a port does is one line: it says which effect has left. When and whether it arrives is the world's to say.

use super::process::Time;
use crate::panics::base::Base;
use crate::panics::rig::Ground;
use crate::world::World;
use actors::driver::Keys;
use actors::exits::Exits;
use actors::gate::Gate;
use actors::link::Sent;
use actors::market_feed::MarketFeedPort;
use actors::reconciler::ReadPort;
use actors::shell::Perform;
use engine::approved::Approved;
use engine::desk::DeskEffect;
use engine::feed::Feed;
use engine::ids::{ClientId, OrderId};
use engine::intent::NewOrder;
use engine::msg::{FeedEffect, ReadRequest};
use engine::time::Timestamp;
use std::cell::RefCell;
use std::rc::Weak;

/// An address that is never connected to: the feed's socket is replaced.
const NOWHERE: &str = "ws://127.0.0.1:9/";

/// The world, as one process sees it.
#[derive(Clone)]
pub(super) struct Outside {
    pub(super) world: Weak<RefCell<World>>,
    pub(super) number: u32,
    pub(super) time: Time,
    pub(super) gate: Gate,
    pub(super) base: Base,
}

impl Outside {
    fn act(&self, effect: DeskEffect) {
        if let Some(world) = self.world.upgrade() {
            world.borrow_mut().act(self.time.now(), self.number, effect);
        }
    }
}

impl Outside {
    /// Something of an instance is dropped. At the end of a process the world may be looking at it, and has nothing of
    /// it any more.
    fn leave(&self, of: impl FnOnce(&mut World, u32)) {
        if let Some(world) = self.world.upgrade()
            && let Ok(mut world) = world.try_borrow_mut()
        {
            of(&mut world, self.number);
        }
    }
}

impl Ground for Outside {
    type Exits = Self;
    type Reads = Asker;
    type Feed = FeedPort;

    fn exits(&self) -> Self {
        self.clone()
    }

    fn reads(&self) -> Asker {
        Asker(self.clone())
    }

    fn feed(&self) -> FeedPort {
        FeedPort {
            port: self.base.feed_port(NOWHERE, &Keys::none()),
            outside: self.clone(),
        }
    }
}

impl Exits for Outside {
    fn submit(&self, order: Approved<NewOrder>, stamp_max: Timestamp) {
        if let Some(world) = self.world.upgrade() {
            let id = order.get().client_id;
            world.borrow_mut().hand_over(id, self.gate.pass());
        }
        self.act(DeskEffect::Send { order, stamp_max });
    }

    fn delete(&self, id: ClientId, order_id: OrderId) {
        self.act(DeskEffect::Delete(id, order_id));
    }

    fn read_row(&self, id: ClientId, order_id: OrderId) {
        self.act(DeskEffect::ReadRow(id, order_id));
    }
}

/// The reads of one instance.
pub(super) struct Asker(Outside);

impl ReadPort for Asker {
    fn read(&self, request: ReadRequest) {
        self.0.act(DeskEffect::Read(request));
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.leave(World::drop_reads);
    }
}

/// The feed's real port, with the world in the place of its socket.
pub(super) struct FeedPort {
    port: MarketFeedPort,
    outside: Outside,
}

impl Perform for FeedPort {
    type Core = Feed;

    fn perform(&mut self, now: Timestamp, effect: FeedEffect) {
        match effect {
            FeedEffect::Connect => self.outside.act(DeskEffect::Connect),
            FeedEffect::Close => self.outside.act(DeskEffect::Close),
            FeedEffect::Join(channel, symbol) => {
                self.outside.act(DeskEffect::Join(channel, symbol));
            }
            FeedEffect::Leave(channel, symbol) => {
                self.outside.act(DeskEffect::Leave(channel, symbol));
            }
            FeedEffect::Login => self.outside.act(DeskEffect::Login),
            // The real port would close its own socket, which is not there.
            FeedEffect::Book(input) => {
                if self.outside.base.links.book.send(input) != Sent::Delivered {
                    self.outside.act(DeskEffect::Close);
                }
            }
            FeedEffect::Private(_) | FeedEffect::PrivateUp | FeedEffect::Note(_) => {
                self.port.perform(now, effect);
            }
        }
    }
}

impl Drop for FeedPort {
    fn drop(&mut self) {
        self.outside.leave(World::drop_session);
    }
}
