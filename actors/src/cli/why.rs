//! `why`: the whole story of one order, from what it was decided on to its end, read from the journal.
//!
//! It explains and changes nothing. A denied wish has no client id and no record; denials are counted, not kept.

pub mod story;
mod text;

pub use text::when;

use crate::cli::ConfigSource;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::report::Report;
use crate::cli::running::{self, ANSWER_TIME_MAX};
use crate::cli::state::place::Place;
use crate::control::records::Records;
use crate::control::wire::{Request, Verdict};
use crate::store::{Entry, of_order};
use clap::Args;
use engine::ids::ClientId;
use std::path::PathBuf;
use story::Story;

/// `why`.
#[derive(Args, Debug)]
pub struct WhyArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
    /// The client id of an order, as logs, /status and the exchange show it
    #[arg(
        value_name = "CLIENT_ID",
        required_unless_present = "last",
        conflicts_with = "last"
    )]
    pub client_id: Option<String>,
    /// The order that was written down last
    #[arg(long)]
    pub last: bool,
    /// Read this journal or backup in place of the configured one
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Tells why an order exists and what became of it.
///
/// # Errors
/// Exit 2 for a text that is no client id, 3 if the journal does not know it, 4 if a process holds it and does not
/// answer, 74 if it cannot be read.
pub fn why(args: &WhyArgs) -> Outcome {
    let wanted = args.client_id.as_deref().map(parse).transpose()?;
    let entries = entries(args, wanted)?;
    let id = wanted.or_else(|| of_order::last(&entries));
    let story = id.and_then(|id| Story::of(&entries, id));
    let story = story.ok_or_else(|| unknown(id))?;
    let report = Report {
        command: "why",
        ok: true,
        data: story.to_json(),
        warnings: story.warnings(),
    };
    report.print(args.json, &text::of(&story))?;
    Ok(Exit::Ok)
}

fn entries(args: &WhyArgs, wanted: Option<ClientId>) -> Result<Vec<Entry>, Failed> {
    let place = Place::of(&args.source, args.file.as_deref())?;
    if place.holder().is_none() {
        return Ok(place.read()?.1.entries);
    }
    let ask = Request::Records(Records {
        client_id: wanted.map(|id| id.to_string()),
    });
    let answer = running::ask(&args.source, &ask, ANSWER_TIME_MAX)?;
    let answer = answer.map_err(|error| running::unanswered(&error))?;
    match answer.verdict {
        Verdict::Done => serde_json::from_value(answer.data["entries"].clone()).map_err(|error| {
            let text = format!("the process answered in another form: {error}");
            Failed::new(Exit::Failure, text)
        }),
        Verdict::NotFound => Ok(Vec::new()),
        Verdict::BadRequest
        | Verdict::Refused
        | Verdict::Deadline
        | Verdict::Unreachable
        | Verdict::Denied
        | Verdict::NotRecorded
        | Verdict::Busy => Err(Failed::new(running::exit_of(answer.verdict), answer.text)),
    }
}

fn parse(text: &str) -> Result<ClientId, Failed> {
    ClientId::parse(text).map_err(|error| {
        let form = "b, 4 characters, 6 digits, 6 characters, 10 digits";
        Failed::new(Exit::Usage, format!("CLIENT_ID {text:?}: {error} ({form})"))
    })
}

fn unknown(id: Option<ClientId>) -> Failed {
    let text = match id {
        Some(id) => format!(
            "no record of {id}: an order has one from its approval on, a denied wish never has (see the denials of \
             `run` and /metrics)"
        ),
        None => "no order was ever written down here".to_owned(),
    };
    Failed::new(Exit::CheckFailed, text)
}
