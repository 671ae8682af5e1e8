//! How a run ended, as `run` and `canary` tell it: the cause, the exit code, and what both reports hold.
//!
//! It decides nothing about the run. The one idea: the same end has the same words and the same code, whoever ran.

use crate::cli::exit::Exit;
use crate::cli::report::Report;
use crate::operate::{Cause, Ended};
use crate::spectators::Ending;
use crate::status::Status;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A run that is over, and the picture at its end.
pub(crate) struct Closing<'a> {
    /// The end itself.
    pub(crate) ended: &'a Ended,
    status: &'a Status,
    /// The exit code.
    pub(crate) exit: Exit,
}

impl<'a> Closing<'a> {
    /// Judges the end; `orderly` is the code of a run that was not broken off and left nothing behind.
    pub(crate) fn new(ended: &'a Ended, status: &'a Status, orderly: Exit) -> Self {
        let exit = match &ended.cause {
            Cause::Fatal(_) => Exit::Internal,
            Cause::Journal(_) => Exit::Store,
            Cause::Quit => Exit::Quit,
            Cause::NotReady(missing) if missing.contains(&"clock") => Exit::Unreachable,
            Cause::NotReady(_) => Exit::Deadline,
            Cause::Done | Cause::Asked if !ended.leftovers.is_empty() => Exit::Deadline,
            Cause::Done | Cause::Asked => orderly,
        };
        Self {
            ended,
            status,
            exit,
        }
    }

    /// Says why it ended.
    pub(crate) fn cause(&self) -> String {
        match &self.ended.cause {
            Cause::Done => "done".to_owned(),
            Cause::NotReady(missing) => format!("not ready: {}", missing.join(", ")),
            Cause::Asked => "asked to stop".to_owned(),
            Cause::Quit => "quit".to_owned(),
            Cause::Fatal(actor) => format!("{actor} ended"),
            Cause::Journal(why) => format!("journal failed: {why}"),
        }
    }

    /// What the spectators are told.
    pub(crate) fn ending(&self) -> Ending {
        Ending {
            cause: self.cause(),
            leftovers: self.ended.leftovers.len(),
            exit: self.exit.code(),
        }
    }

    fn describe(&self, data: &mut Value) {
        data["cause"] = json!(self.cause());
        data["cycles"] = json!(self.ended.cycles);
        data["venue"] = json!(self.status.identity.venue);
        data["mode"] = json!(self.status.mode.as_str());
        data["denials"] = json!(self.denials());
        data["leftovers"] = json!(self.leftovers());
    }

    /// Denied intents, by reason.
    pub(crate) const fn denials(&self) -> &'a BTreeMap<&'static str, u64> {
        &self.status.denials
    }

    /// A line for each order that was left over.
    pub(crate) fn leftover_lines(&self) -> String {
        let ids = self.leftovers().into_iter();
        ids.map(|id| format!("left over: {id}\n")).collect()
    }

    fn leftovers(&self) -> Vec<String> {
        let views = self.ended.leftovers.iter();
        views.map(|view| view.client_id().to_string()).collect()
    }

    /// Makes a report of what one command has to say, and of what every end is told with.
    pub(crate) fn report(
        &self,
        command: &'static str,
        mut data: Value,
        warnings: Vec<String>,
    ) -> Report {
        self.describe(&mut data);
        Report {
            command,
            ok: self.exit == Exit::Ok,
            data,
            warnings,
        }
    }
}
