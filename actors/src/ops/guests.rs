//! The connections of the plane: how many there may be, and who goes when one more comes.
//!
//! It reads no byte. The one idea: whoever has asked nothing for the longest time makes room, so that a crowd that says
//! nothing keeps no probe from its answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

/// Whether a guest has asked its question.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Arc<AtomicBool>);

impl Asked {
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Guest {
    task: AbortHandle,
    asked: Asked,
}

/// Who is there, in the order of their coming.
pub(super) struct Guests {
    slots: Arc<Semaphore>,
    /// Never more than there are slots, and the one that is about to come.
    present: VecDeque<Guest>,
}

impl Guests {
    pub(super) fn new(most: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(most)),
            present: VecDeque::new(),
        }
    }

    /// Serves one more. Without room it takes the place of the longest silent one; where everybody has asked, it waits
    /// for the end of an answer.
    pub(super) async fn admit<S>(&mut self, serve: impl FnOnce(Asked) -> S)
    where
        S: Future<Output = ()> + Send + 'static,
    {
        self.present.retain(|guest| !guest.task.is_finished());
        if self.slots.available_permits() == 0 {
            self.hang_up();
        }
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
            return;
        };
        let asked = Asked::default();
        let service = serve(asked.clone());
        let task = tokio::spawn(async move {
            let _slot = slot;
            service.await;
        });
        let task = task.abort_handle();
        self.present.push_back(Guest { task, asked });
    }

    fn hang_up(&mut self) {
        let silent = self
            .present
            .iter()
            .position(|guest| !guest.asked.is_noted());
        if let Some(guest) = silent.and_then(|place| self.present.remove(place)) {
            guest.task.abort();
        }
    }
}
