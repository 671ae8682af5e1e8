//! What the plane shows, as it was at one moment, and where the current one is kept.
//!
//! It is replaced as a whole about once a second. The one idea: a page is rendered once for each picture, however many
//! people look at it.

use crate::page;
use crate::status::charts::Charts;
use axum::body::Bytes;
use engine::time::Timestamp;
use serde_json::Value;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// One line of a health answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is checked, such as `clock`.
    pub name: &'static str,
    /// Passed.
    pub ok: bool,
    /// What was seen; may be empty.
    pub seen: String,
}

/// What the plane shows. The owner replaces it about once a second.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// When it was taken.
    pub at: Timestamp,
    /// Every watched thread has beaten in time.
    pub alive: Vec<Check>,
    /// What must hold to be ready.
    pub ready: Vec<Check>,
    /// Started: the first reconcile is done.
    pub is_started: bool,
    /// Progress of the start, for people.
    pub progress: String,
    /// The members of the status document.
    pub status: Value,
    /// The last minutes of each pair.
    pub charts: Charts,
    /// The page's sections, rendered when the first one asks.
    pub sections: OnceLock<Bytes>,
    /// The same as one server-sent event.
    pub event: OnceLock<Bytes>,
}

impl Picture {
    /// Returns the status document as it was when the picture was taken, `taken_us` included.
    pub fn document(&self) -> serde_json::Map<String, Value> {
        let mut document = serde_json::Map::new();
        document.insert("taken_us".to_owned(), Value::from(self.at.0));
        if let Value::Object(members) = &self.status {
            document.extend(members.clone());
        }
        document
    }

    /// Returns the sections of the page.
    pub fn sections(&self) -> &Bytes {
        let render = || page::sections(&Value::Object(self.document()), &self.charts);
        self.sections.get_or_init(|| Bytes::from(render()))
    }

    /// Returns the sections as one server-sent event.
    pub fn event(&self) -> &Bytes {
        let frame = || {
            let html = String::from_utf8_lossy(self.sections());
            // A line break would end the event's data; between tags it means nothing.
            let line = html.replace(['\r', '\n'], " ");
            format!("event: picture\ndata: {line}\n\n")
        };
        self.event.get_or_init(|| Bytes::from(frame()))
    }
}

/// Where the current picture is kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pictures(Arc<watch::Sender<Arc<Picture>>>);

impl Default for Pictures {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Arc::default())))
    }
}

impl Pictures {
    /// Replaces the picture.
    pub fn put(&self, picture: Picture) {
        self.0.send_replace(Arc::new(picture));
    }

    pub(super) fn get(&self) -> Arc<Picture> {
        Arc::clone(&self.0.borrow())
    }

    /// Returns an ear that hears of each picture, and skips those that it was too slow for.
    pub(super) fn follow(&self) -> watch::Receiver<Arc<Picture>> {
        self.0.subscribe()
    }
}
