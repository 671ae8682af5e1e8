//! The catalogue of faults, held against the tree: every row has a test that exists, every injector has its row.
//!
//! It reads `docs/FAULTS.md` and the sources below a root and runs no test. The one idea: a page that claims coverage
//! is a claim like any other and fails when it is not true.

mod catalogue;
mod injectors;
mod sources;

use catalogue::Row;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// Where the catalogue lies below the root of the tree.
const CATALOGUE: &str = "docs/FAULTS.md";

/// The report.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows of the catalogue.
    pub rows_total: usize,
    /// Tests that rows name, each counted once.
    pub tests_named: usize,
    /// Injectors that exist.
    pub injectors: usize,
    /// Ids of rows that name no test.
    pub rows_without_test: Vec<String>,
    /// Tests that are named and do not exist, each with its row.
    pub unknown_tests: Vec<String>,
    /// Injectors that are named and do not exist, each with its row.
    pub unknown_injectors: Vec<String>,
    /// Injectors that no row names.
    pub injectors_without_row: Vec<String>,
    /// Ids that two rows have, or a row and the list of what is not covered.
    pub ids_twice: Vec<String>,
    /// Ids that the catalogue lists as not covered.
    pub not_covered: Vec<String>,
}

impl Report {
    /// Returns whether the catalogue is true.
    pub fn is_ok(&self) -> bool {
        self.rows_total > 0
            && [
                &self.rows_without_test,
                &self.unknown_tests,
                &self.unknown_injectors,
                &self.injectors_without_row,
                &self.ids_twice,
            ]
            .into_iter()
            .all(Vec::is_empty)
    }
}

/// Holds the catalogue against the tree below `root`.
///
/// # Errors
/// A file that cannot be read, with its path: text for people.
pub fn check(root: &Path) -> Result<Report, String> {
    let path = root.join(CATALOGUE);
    let page = std::fs::read_to_string(&path);
    let page = page.map_err(|error| {
        format!(
            "{}: {error}; --root names the root of the source tree",
            path.display()
        )
    })?;
    let tests = sources::tests(root)?;
    Ok(judge(&page, &tests, &injectors::all()))
}

fn judge(page: &str, tests: &BTreeSet<String>, injectors: &BTreeSet<String>) -> Report {
    let rows = catalogue::rows(page);
    let not_covered = catalogue::not_covered(page);
    let named: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.tests.iter().copied())
        .collect();
    let struck: BTreeSet<&str> =
        (rows.iter().flat_map(|row| row.injectors.iter().copied())).collect();
    let missing = |pick: fn(&Row<'_>) -> Vec<String>, known: &BTreeSet<String>| {
        let unknown = |row: &Row<'_>| {
            let unknown = pick(row).into_iter().filter(|name| !known.contains(name));
            unknown
                .map(|name| format!("{}: {name}", row.id))
                .collect::<Vec<_>>()
        };
        rows.iter().flat_map(unknown).collect::<Vec<_>>()
    };
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let is_bare = |row: &&Row<'_>| row.tests.is_empty();
    let mut seen = BTreeSet::new();
    let ids = rows
        .iter()
        .map(|row| row.id)
        .chain(not_covered.iter().copied());
    let twice = ids
        .filter(|id| !seen.insert(*id))
        .map(str::to_owned)
        .collect();
    Report {
        rows_total: rows.len(),
        tests_named: named.len(),
        injectors: injectors.len(),
        rows_without_test: rows
            .iter()
            .filter(is_bare)
            .map(|row| row.id.to_owned())
            .collect(),
        unknown_tests: missing(
            |row| row.tests.iter().map(|name| (*name).to_owned()).collect(),
            tests,
        ),
        unknown_injectors: missing(
            |row| {
                row.injectors
                    .iter()
                    .map(|name| (*name).to_owned())
                    .collect()
            },
            injectors,
        ),
        injectors_without_row: injectors
            .iter()
            .filter(|name| !struck.contains(name.as_str()))
            .cloned()
            .collect(),
        ids_twice: twice,
        not_covered: owned(&not_covered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
| id | fault | must | test | injected by |
|---|---|---|---|---|
| F-01 | it breaks | it heals | `it_heals`, `it_stays_healed` | `fault.one` |
| F-02 | it `burns` | it stops | `it_stops` | |

## Not covered

- F-03, F-100, *it melts*: no part melts.
";

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn check(page: &str, expected: Report) {
        let tests = names(&["it_heals", "it_stays_healed", "it_stops"]);
        assert_eq!(
            judge(page, &tests, &names(&["fault.one"])),
            expected,
            "{page}"
        );
    }

    fn fine() -> Report {
        Report {
            rows_total: 2,
            tests_named: 3,
            injectors: 1,
            not_covered: vec!["F-03".into(), "F-100".into()],
            ..Report::default()
        }
    }

    #[test]
    fn each_way_to_lie_is_found() {
        assert!(fine().is_ok());
        check(PAGE, fine());
        let mut bare = fine();
        (bare.tests_named, bare.rows_without_test) = (2, vec!["F-02".into()]);
        assert!(!bare.is_ok());
        check(&PAGE.replace("`it_stops`", ""), bare);
        let unknown = Report {
            unknown_tests: vec!["F-02: it_halts".into()],
            ..fine()
        };
        assert!(!unknown.is_ok());
        check(&PAGE.replace("it_stops", "it_halts"), unknown);
        let injector = Report {
            unknown_injectors: vec!["F-01: fault.two".into()],
            injectors_without_row: vec!["fault.one".into()],
            ..fine()
        };
        assert!(!injector.is_ok());
        check(&PAGE.replace("fault.one", "fault.two"), injector);
        let twice = Report {
            ids_twice: vec!["F-01".into()],
            not_covered: vec!["F-01".into(), "F-100".into()],
            ..fine()
        };
        assert!(!twice.is_ok());
        check(&PAGE.replace("F-03", "F-01"), twice);
    }
}
