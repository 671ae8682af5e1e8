//! The venue behind one lock, and the outlets to the sockets.
//!
//! Whoever acts on the venue takes the lock for one short, synchronous step, stamps it once, and what the step
//! caused is handed to the sockets before the lock is given back. No lock is held across an await.

use super::request_log::RequestLog;
use crate::clock::Clock;
use crate::venue::{ConnectionId, Cut, HandshakeRefused, Outgoing, Venue, VenueOptions};
use btcturk::sign::SignError;
use engine::time::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Frames on their way to a socket; the others wait in the venue, which counts their bytes.
const OUTLET_FRAMES_MAX: usize = 64;

/// The venue's end of a socket.
#[derive(Debug)]
struct Outlet {
    frames: mpsc::Sender<Outgoing>,
    cut: Option<oneshot::Sender<Cut>>,
}

/// The socket's end.
#[derive(Debug)]
pub(super) struct Inlet {
    pub(super) id: ConnectionId,
    pub(super) frames: mpsc::Receiver<Outgoing>,
    pub(super) cut: oneshot::Receiver<Cut>,
}

#[derive(Debug)]
struct State {
    venue: Venue,
    outlets: BTreeMap<ConnectionId, Outlet>,
}

/// The shared venue.
#[derive(Debug)]
pub(super) struct Hub {
    state: Mutex<State>,
    clock: Clock,
    pub(super) log: RequestLog,
}

impl Hub {
    pub(super) fn new(options: &VenueOptions, log: RequestLog) -> Result<Self, SignError> {
        let clock = Clock::start();
        let state = State {
            venue: Venue::new(options, clock.now())?,
            outlets: BTreeMap::new(),
        };
        Ok(Self {
            state: Mutex::new(state),
            clock,
            log,
        })
    }

    /// Does one step on the venue and hands out what it caused.
    pub(super) fn with<R>(&self, step: impl FnOnce(&mut Venue, Timestamp) -> R) -> R {
        let mut state = self.lock();
        // Stamped under the lock, so that steps happen in the order of their stamps.
        let result = step(&mut state.venue, self.clock.now());
        state.pump();
        result
    }

    pub(super) fn connect(&self, ip: IpAddr) -> Result<Inlet, HandshakeRefused> {
        let mut state = self.lock();
        let id = state.venue.connect(self.clock.now(), ip)?;
        let (frames, incoming) = mpsc::channel(OUTLET_FRAMES_MAX);
        let (cut, cut_signal) = oneshot::channel();
        let outlet = Outlet {
            frames,
            cut: Some(cut),
        };
        state.outlets.insert(id, outlet);
        state.pump();
        Ok(Inlet {
            id,
            frames: incoming,
            cut: cut_signal,
        })
    }

    pub(super) fn disconnect(&self, id: ConnectionId) {
        let mut state = self.lock();
        state.outlets.remove(&id);
        state.venue.disconnect(id);
    }

    /// A panic while the lock was held is reported by its own task; the venue is still readable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Moves frames to the sockets that have room, and ends the connections that the venue has cut.
    fn pump(&mut self) {
        let Self { venue, outlets } = self;
        outlets.retain(|id, outlet| {
            if let Some(why) = venue.cut_reason(*id) {
                if let Some(cut) = outlet.cut.take() {
                    // The socket may have ended by itself meanwhile.
                    let _sent = cut.send(why);
                }
                venue.disconnect(*id);
                return false;
            }
            while outlet.frames.capacity() > 0 {
                let Some(next) = venue.take(*id) else {
                    break;
                };
                if outlet.frames.try_send(next).is_err() {
                    break;
                }
            }
            true
        });
    }
}
