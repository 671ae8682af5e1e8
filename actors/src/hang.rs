//! A switch of debug builds, for one test: the arbiter of the order path stands still for ever once a file asks for it.
//!
//! A release build has no part of it, so nothing that trades can be hung from outside. What is shown with it is the
//! watchdog's and the killer's work in the whole process, which only a thread that really stands still can show.

use std::path::PathBuf;
use std::time::Duration;

/// The file in the state directory that asks.
const NAME: &str = "hang.trade";
/// Time between two looks for it.
const LOOK: Duration = Duration::from_millis(20);

/// Stands still once the file is there, and its thread with it; spawned on the arbiter that is to hang.
pub(crate) async fn when_asked(dir: PathBuf) {
    let file = dir.join(NAME);
    while !file.exists() {
        tokio::time::sleep(LOOK).await;
    }
    tracing::error!(event = "arbiter_hangs", msg = "a debug build was asked to");
    loop {
        std::thread::park();
    }
}
