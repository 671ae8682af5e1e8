//! Independent work on every core of the machine, with its results in the order in which it was asked for.
//!
//! The only threads of this crate: what one item comes to never depends on another, so the machine cannot be seen in
//! a result.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` on every item.
///
/// # Panics
/// If `work` does.
pub(crate) fn on_all_cores<Item: Sync, Done: Send>(
    items: &[Item],
    work: impl Fn(&Item) -> Done + Sync,
) -> Vec<Done> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let taken = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        while let place = taken.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = items.get(place)
        {
            done.push((place, work(item)));
        }
        done
    };
    let mut done: Vec<(usize, Done)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores.min(items.len()))
            .map(|_| scope.spawn(take))
            .collect();
        let results = workers.into_iter().map(thread::ScopedJoinHandle::join);
        results
            .flat_map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    use super::on_all_cores;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..1_000).collect();
        let squares: Vec<u64> = items.iter().map(|item| item * item).collect();
        assert_eq!(on_all_cores(&items, |item| item * item), squares);
        assert_eq!(on_all_cores(&[], |item: &u64| *item), Vec::<u64>::new());
    }
}
