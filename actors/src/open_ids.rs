//! The exchange's numbers of our open orders, readable while their owner stands still.
//!
//! A few atomics and no lock: the killer reads them with every arbiter stuck. They are a head start, not a
//! truth: what does not fit, and what the owner did not know, the exchange's own list shows.

use engine::ids::OrderId;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Numbers that are published; an order beyond it is found by the list.
pub const OPEN_IDS_MAX: usize = 40;
/// No order has this number.
const FREE: i64 = 0;

/// The published numbers. Cheap to clone; one writer, any reader.
#[derive(Clone, Debug)]
pub struct OpenIds(Arc<[AtomicI64; OPEN_IDS_MAX]>);

impl Default for OpenIds {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| AtomicI64::new(FREE))))
    }
}

impl OpenIds {
    /// Publishes a number, once.
    pub fn open(&self, id: OrderId) {
        if self.all().contains(&id) {
            return;
        }
        let slots = self.0.iter();
        let free = slots.filter(|slot| slot.load(Ordering::SeqCst) == FREE);
        if let Some(slot) = free.take(1).next() {
            slot.store(id.0, Ordering::SeqCst);
        }
    }

    /// Takes a number back.
    pub fn close(&self, id: OrderId) {
        let slots = self.0.iter();
        for slot in slots.filter(|slot| slot.load(Ordering::SeqCst) == id.0) {
            slot.store(FREE, Ordering::SeqCst);
        }
    }

    /// Returns every published number.
    pub fn all(&self) -> Vec<OrderId> {
        let numbers = self.0.iter().map(|slot| slot.load(Ordering::SeqCst));
        numbers.filter(|id| *id != FREE).map(OrderId).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_10_forty_numbers_are_published_once_each_and_places_are_used_again() {
        let ids = OpenIds::default();
        let most = i64::try_from(OPEN_IDS_MAX).expect("small");
        for id in (1..=most + 5).chain(1..=most) {
            ids.open(OrderId(id));
        }
        assert_eq!(ids.all().len(), OPEN_IDS_MAX);
        ids.close(OrderId(7));
        ids.close(OrderId(most + 5));
        assert_eq!(ids.all().len(), OPEN_IDS_MAX - 1);
        ids.open(OrderId(most + 5));
        assert!(ids.all().contains(&OrderId(most + 5)) && !ids.all().contains(&OrderId(7)));
    }
}
