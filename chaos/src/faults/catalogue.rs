//! The page taken apart: rows of its tables, and the ids of its list of what is not covered.
//!
//! Pure text. A row is a line that begins with `| F-`; names stand in backticks.

/// Where the list of what is not covered begins.
const NOT_COVERED: &str = "## Not covered";
/// Places of the cells of a row, between its bars.
const TEST_CELL: usize = 4;
const INJECTOR_CELL: usize = 5;

/// One row.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) id: &'a str,
    pub(super) tests: Vec<&'a str>,
    pub(super) injectors: Vec<&'a str>,
}

/// Returns every row, in the order of the page.
pub(super) fn rows(page: &str) -> Vec<Row<'_>> {
    page.lines()
        .filter(|line| line.starts_with("| F-"))
        .map(row)
        .collect()
}

fn row(line: &str) -> Row<'_> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let names = |place: usize| in_backticks(cells.get(place).copied().unwrap_or_default());
    Row {
        id: cells.get(1).copied().unwrap_or_default(),
        tests: names(TEST_CELL),
        injectors: names(INJECTOR_CELL),
    }
}

fn in_backticks(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Returns the ids of the list at the end: those before the first word in italics.
pub(super) fn not_covered(page: &str) -> Vec<&str> {
    let list = page.split_once(NOT_COVERED).map_or("", |(_, list)| list);
    let items = list.lines().filter_map(|line| line.strip_prefix("- "));
    let ids = items.flat_map(|item| item.split('*').next().unwrap_or_default().split(','));
    ids.map(str::trim).filter(|id| !id.is_empty()).collect()
}
