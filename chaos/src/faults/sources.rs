//! The names of all tests of the tree, read off its sources.
//!
//! A test is a function behind a line `#[test]`, `#[tokio::test]` or `#[actix_rt::test]`; other attributes may stand
//! between. No build is needed, so a name behind a `cfg` counts as well.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders with sources of ours.
const FOLDERS: [&str; 6] = ["engine", "exchange", "config", "actors", "chaos", "soak"];

/// Returns the names of all tests below `root`.
///
/// # Errors
/// A folder or a file that cannot be read, with its path.
pub(super) fn tests(root: &Path) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS {
        for path in rust_files(&root.join(folder))? {
            let source = fs::read_to_string(&path).map_err(|error| of(&path, &error))?;
            names.extend(tests_of(&source).map(str::to_owned));
        }
    }
    Ok(names)
}

fn of(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn rust_files(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| of(dir, &error))? {
        let path = entry.map_err(|error| of(dir, &error))?.path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn tests_of(source: &str) -> impl Iterator<Item = &str> {
    let mut is_marked = false;
    source.lines().map(str::trim).filter_map(move |line| {
        if line.starts_with("#[") {
            is_marked |= is_test_mark(line);
            return None;
        }
        let name = name_of(line).filter(|_| is_marked);
        is_marked = false;
        name
    })
}

fn is_test_mark(line: &str) -> bool {
    let path = line.trim_start_matches("#[").split(['(', ']']).next();
    path.is_some_and(|path| path == "test" || path.ends_with("::test"))
}

fn name_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split('(').next()
}

#[cfg(test)]
mod tests {
    use super::tests_of;

    #[test]
    fn only_marked_functions_are_tests() {
        let source = "\
fn helper() {}
#[test]
fn one_is_one() {}
    #[tokio::test(flavor = \"current_thread\")]
    #[expect(reason)]
    async fn two_is_two() {}
#[derive(Debug)]
struct Test;
fn after_a_struct() {}
// #[test]
fn commented() {}
";
        assert_eq!(
            tests_of(source).collect::<Vec<_>>(),
            ["one_is_one", "two_is_two"]
        );
    }
}
