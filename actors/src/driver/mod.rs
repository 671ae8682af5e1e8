//! The drivers: they move bytes between sockets and engine values and hold no trading `if`.
//!
//! Submits have a connection of their own behind the gate; reads and cancels use a pooled client; market data and
//! private events come over a WebSocket. None of them repeats an order.

use btcturk::sign::Signer;
use std::sync::{Arc, PoisonError, RwLock};

pub mod endpoint;
pub mod gated;
pub mod line;
pub mod pace;
mod pacing;
pub mod quotas;
pub mod read_failure;
pub mod reads;
pub mod stream;
pub mod submit;
pub mod tls;
pub mod toll;

/// The key pair in use, shared by everything that signs; replaced whole when secrets rotate.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<RwLock<Option<Arc<Signer>>>>);

impl Keys {
    /// Makes a slot without keys: only public data can be read.
    pub fn none() -> Self {
        Self::default()
    }

    /// Makes a slot with one key pair.
    ///
    /// # Errors
    /// A pair that cannot sign; the text shows nothing of it.
    pub fn of(key: String, secret_base64: String) -> Result<Self, String> {
        let signer = Signer::new(key.into(), &secret_base64.into());
        signer
            .map(|signer| Self::from(Arc::new(signer)))
            .map_err(|error| error.to_string())
    }

    /// Puts a key pair into use; requests that are already signed keep their signature.
    pub fn replace(&self, signer: Option<Arc<Signer>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = signer;
    }

    /// Returns the key pair in use.
    pub fn current(&self) -> Option<Arc<Signer>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl From<Arc<Signer>> for Keys {
    fn from(signer: Arc<Signer>) -> Self {
        Self(Arc::new(RwLock::new(Some(signer))))
    }
}
