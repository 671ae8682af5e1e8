//! The control socket: how an operator's commands reach a running process.
//!
//! A thread with a runtime of its own, so that no busy arbiter, mailbox or lock stands between an operator and the
//! gate. What lowers risk acts first and is recorded after; what raises it is durable before it acts. Nothing here
//! sends an order. A group of verbs is one file; `wire.rs` lists them all.

mod again;
pub(crate) mod audit;
pub mod client;
pub mod config;
pub mod desk;
pub mod hold;
pub mod kill_switch;
pub mod logs;
pub mod orders;
pub mod place;
pub mod records;
pub mod resolve;
mod safe_mode;
mod server;
pub mod sweep;
#[cfg(test)]
mod tests;
pub mod wire;

use crate::beats::{Beat, Beats};
use desk::Desk;
use place::Bound;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// A served control socket.
pub struct Control {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Control {
    /// Starts to answer on a thread of its own.
    ///
    /// # Errors
    /// The system gives no thread, no runtime or no event queue.
    pub fn start(bound: Bound, desk: Desk, beats: Beats) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::spawn(beats.clone().keep(Beat::Control));
                let listening = bound.listen();
                tokio::select! {
                    biased;
                    // An error means that the handle is gone, which is the same wish.
                    _ = stopped => {}
                    () = server::serve(listening, Arc::new(desk)) => {}
                }
            });
            // The runtime ends with whatever still reads the journal; nobody judges how long that takes.
            beats.rest(Beat::Control);
        };
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(serve)?;
        Ok(Self { stop, thread })
    }

    /// Stops to answer: the socket's file is gone, and so is every handle the desk held.
    pub fn stop(self) {
        // The thread may have ended by itself; then it has reported why.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}
