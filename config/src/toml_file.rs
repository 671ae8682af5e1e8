//! Reads one TOML document into a layer, with line and column of every key and value.
//!
//! Texts of the TOML parser are not passed on: they quote the document.

use crate::errors::{Origin, Place, Problem};
use crate::layers::Reading;
use crate::names;
use crate::secrets;
use crate::suggest;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Syntax problems that are listed per file; the first ones explain the rest.
const SYNTAX_PROBLEMS_MAX: usize = 10;

/// Where a document comes from.
#[derive(Clone, Copy)]
pub(crate) enum Document<'a> {
    Embedded(&'a str),
    File { shown: &'a str, text: &'a str },
}

impl<'a> Document<'a> {
    const fn text(self) -> &'a str {
        match self {
            Self::Embedded(text) | Self::File { text, .. } => text,
        }
    }

    fn origin(self, offset: usize) -> Origin {
        match self {
            Self::Embedded(_) => Origin::Default,
            Self::File { shown, text } => {
                let (line, column) = line_column(text, offset);
                Origin::File {
                    path: shown.to_owned(),
                    line,
                    column,
                }
            }
        }
    }
}

/// Reads the document into the next layer of `reading`.
pub(crate) fn read(reading: &mut Reading, document: Document<'_>) {
    let rank = reading.open_layer();
    let (table, errors) = DeTable::parse_recoverable(document.text());
    if errors.is_empty() {
        Walk {
            reading,
            document,
            rank,
        }
        .table(table.get_ref(), "");
        return;
    }
    for error in errors.iter().take(SYNTAX_PROBLEMS_MAX) {
        let offset = error.span().map_or(0, |span| span.start);
        let place = Place::of(rank, &document.origin(offset));
        reading
            .problems
            .push(Problem::new(place, "", "not valid TOML here"));
    }
}

struct Walk<'r, 'd> {
    reading: &'r mut Reading,
    document: Document<'d>,
    rank: usize,
}

impl Walk<'_, '_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place::of(self.rank, &self.document.origin(span.start))
    }

    fn table(&mut self, table: &DeTable<'_>, prefix: &str) {
        for (name, value) in table {
            let path = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            self.item(&path, name.span(), value.span(), value.get_ref());
        }
    }

    fn item(
        &mut self,
        path: &str,
        key_span: Range<usize>,
        value_span: Range<usize>,
        value: &DeValue<'_>,
    ) {
        if let Some(key) = names::by_path(path) {
            let origin = self.document.origin(key_span.start);
            let value_place = self.place(value_span);
            self.reading
                .set(key, path, key.kind.read_toml(value), origin, value_place);
        } else if !names::is_section(path) {
            let problem = self.unknown(path, key_span, value);
            self.reading.problems.push(problem);
        } else if let DeValue::Table(inner) = value {
            self.table(inner, path);
        } else {
            let problem = Problem::new(self.place(value_span), path, "expected a table of keys");
            self.reading.problems.push(problem);
        }
    }

    fn unknown(&self, path: &str, span: Range<usize>, value: &DeValue<'_>) -> Problem {
        let place = self.place(span);
        let shown = suggest::printable(path);
        if secrets::is_secret_path(path) {
            return Problem::new(
                place,
                shown,
                "a secret is not read from this file; name a file that holds it",
            );
        }
        if matches!(value, DeValue::Table(_)) {
            return Problem::new(place, shown, "unknown table").suggest(suggest::section(path));
        }
        Problem::new(place, shown, "unknown key").suggest(suggest::path(path))
    }
}

/// Returns line and column of a byte offset, both from 1; columns count characters.
fn line_column(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |tail| tail.chars().count())
        + 1;
    let fit = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    (fit(line), fit(column))
}
