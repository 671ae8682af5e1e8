//! `/events`: the page's sections, sent whenever there is a newer picture.
//!
//! Nothing is queued: a slow reader gets the latest picture and misses those between. The one idea: a stream says
//! nothing about a process that draws nothing, so silence is what the page counts as stale.

use super::picture::Picture;
use axum::body::{Body, Bytes};
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// How soon a browser asks again when its stream has ended.
const GREETING: &[u8] = b"retry: 1000\n\n";
/// Longest silence on a stream; a comment then finds out whether anybody still reads.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// What is sent in place of silence.
const COMMENT: &[u8] = b":\n\n";

struct Reader {
    pictures: watch::Receiver<Arc<Picture>>,
    is_greeted: bool,
    /// One of the streams that may be open at a time.
    _slot: OwnedSemaphorePermit,
}

/// Returns a body that goes on until its reader or the process ends.
pub(super) fn body(
    mut pictures: watch::Receiver<Arc<Picture>>,
    slot: OwnedSemaphorePermit,
) -> Body {
    pictures.mark_changed();
    let reader = Reader {
        pictures,
        is_greeted: false,
        _slot: slot,
    };
    Body::from_stream(stream::unfold(reader, |mut reader| async {
        let part = reader.next().await?;
        Some((Ok::<Bytes, Infallible>(part), reader))
    }))
}

impl Reader {
    async fn next(&mut self) -> Option<Bytes> {
        if !self.is_greeted {
            self.is_greeted = true;
            return Some(Bytes::from_static(GREETING));
        }
        match tokio::time::timeout(SILENCE_MAX, self.pictures.changed()).await {
            Ok(Ok(())) => {
                let picture = Arc::clone(&self.pictures.borrow_and_update());
                Some(picture.event().clone())
            }
            // Whoever draws has gone.
            Ok(Err(_)) => None,
            Err(_) => Some(Bytes::from_static(COMMENT)),
        }
    }
}
