//! `state export`: the records as they stand, one JSON object a line, for whoever wants to read or keep them.

use super::ExportArgs;
use super::place::Place;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::out;

/// Lines that are written at once.
const LINES_AT_ONCE: usize = 256;

/// Prints every record from a number on.
///
/// # Errors
/// Exit 7 beside a process, 74 for a file that cannot be used, 78 for a newer one, 1 if stdout fails.
pub fn export(args: &ExportArgs) -> Outcome {
    let place = Place::of(&args.source, args.file.as_deref())?;
    let (_, entries) = place.read()?;
    let wanted: Vec<_> = entries
        .iter()
        .filter(|entry| entry.seq >= args.from)
        .collect();
    for chunk in wanted.chunks(LINES_AT_ONCE) {
        let mut text = String::new();
        for entry in chunk {
            let line = serde_json::to_string(entry)
                .map_err(|error| Failed::new(Exit::Internal, error.to_string()))?;
            text.push_str(&line);
            text.push('\n');
        }
        out::print_text(&text).map_err(|error| {
            Failed::new(Exit::Failure, format!("cannot write to stdout: {error}"))
        })?;
    }
    Ok(Exit::Ok)
}
