//! Looks at the disk that holds the state: free space, and the size of the journal's file.
//!
//! Only looks. The one idea: a disk that hangs holds up one blocking thread, and no arbiter.

use super::Metrics;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(15);

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Free bytes; `None` if the directory cannot be asked.
    pub free_bytes: Option<i64>,
    /// Bytes of the file; 0 without one.
    pub file_bytes: i64,
}

/// Looks once.
pub fn look(dir: &Path, file: &Path) -> Look {
    let usage = rustix::fs::statvfs(dir).ok();
    let free = usage.map(|usage| usage.f_bavail.saturating_mul(usage.f_frsize));
    let size = file.metadata().map_or(0, |facts| facts.len());
    Look {
        free_bytes: free.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
        file_bytes: i64::try_from(size).unwrap_or(i64::MAX),
    }
}

/// Looks for ever; the next look waits for the last one, however long the disk takes.
pub async fn watch(metrics: Metrics, dir: PathBuf, file: PathBuf) {
    loop {
        tokio::time::sleep(EVERY).await;
        let (dir, file) = (dir.clone(), file.clone());
        if let Ok(seen) = tokio::task::spawn_blocking(move || look(&dir, &file)).await {
            metrics.state_disk(seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_size_and_what_is_missing_is_no_error() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("journal");
        assert_eq!(look(dir.path(), &file).file_bytes, 0);
        std::fs::write(&file, [0; 1_234]).expect("written");
        let seen = look(dir.path(), &file);
        assert_eq!(seen.file_bytes, 1_234);
        assert!(seen.free_bytes.is_some_and(|bytes| bytes > 0), "{seen:?}");
        let nowhere = look(&dir.path().join("nowhere"), &file);
        assert_eq!(nowhere.free_bytes, None);
    }
}
