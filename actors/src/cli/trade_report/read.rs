//! Reading the history at one moment: of a journal that nobody writes to, or of a copy that its writer makes.
//!
//! Rows go by one at a time, into the sums and into the list, because years of them need not fit into memory.

use super::TradesArgs;
use super::csv;
use super::days::Days;
use crate::cli::copy::Scratch;
use crate::cli::exit::{Exit, Failed};
use crate::cli::running;
use crate::cli::state::place::Place;
use crate::cli::unusable;
use crate::control::records::Backup;
use crate::control::wire::{Request, Verdict};
use crate::params;
use crate::store::{self, Header, Snapshot, StoreError, TradesReach};
use engine::history::{Charged, Sums};
use engine::ids::Asset;
use engine::ledger::{Account, Ledger};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Longest wait for the running process to copy its journal.
const COPY_TIME_MAX: Duration = Duration::from_secs(120);

/// What a journal tells of the days that were asked for.
pub(super) struct Told {
    /// Whose journal.
    pub(super) header: Header,
    /// How far back the history goes.
    pub(super) reach: Option<TradesReach>,
    /// What profit is counted in.
    pub(super) quote: Asset,
    /// Sums of the days.
    pub(super) sums: Sums,
    /// The same by day.
    pub(super) by_day: BTreeMap<i64, Sums>,
    /// Whether the whole history says what the books say; unknown where it began later than they.
    pub(super) agrees: Option<bool>,
}

/// Reads the journal, and lists the trades of the days if there is a list.
pub(super) fn read(
    args: &TradesArgs,
    days: Days,
    list: Option<impl Write>,
) -> Result<Told, Failed> {
    let place = Place::of(&args.source, args.file.as_deref())?;
    let dir = place.state.as_ref().map(|(dir, _)| dir.as_path());
    if let Some(dir) = dir.filter(|_| place.holder().is_some()) {
        let scratch = Scratch::within(dir).map_err(|error| failed(dir, &error))?;
        let copy = scratch.path().join(store::FILE_NAME);
        copy_running(args, &copy)?;
        return told(&copy, days, list);
    }
    let told = told(&place.path, days, list);
    // A process that started meanwhile may have written under our eyes.
    place.check_free()?;
    told
}

fn copy_running(args: &TradesArgs, to: &Path) -> Result<(), Failed> {
    let to = std::path::absolute(to).map_err(|error| failed(to, &error))?;
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&to);
    made.map_err(|error| failed(&to, &error))?;
    let ask = Request::StateBackup(Backup { to });
    let answer = running::ask(&args.source, &ask, COPY_TIME_MAX)?;
    let answer = answer.map_err(|error| running::unanswered(&error))?;
    if answer.verdict == Verdict::Done {
        Ok(())
    } else {
        Err(Failed::new(running::exit_of(answer.verdict), answer.text))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failed {
    Failed::new(Exit::Permission, format!("{}: {error}", path.display()))
}

fn told(path: &Path, days: Days, list: Option<impl Write>) -> Result<Told, Failed> {
    let quote = params::account_quote();
    let mut list = list.map(|out| csv::List::begin(out, quote)).transpose()?;
    let read = store::look_with(path, |snapshot| gather(snapshot, days, list.as_mut()));
    let (header, history, gathered) = read.map_err(|error| unusable::journal_at(path, error))?;
    if let Some(list) = list {
        list.end()?;
    }
    let whole = gathered.reach.filter(|reach| reach.is_whole);
    let past = whole.map(|_| history.fold(quote)).transpose();
    let past = past.map_err(|error| unusable::journal_at(path, error))?;
    let agrees = past.map(|past| agree(&gathered.all, past.sum().money().ledger()));
    Ok(Told {
        header,
        reach: gathered.reach,
        quote,
        sums: gathered.sums,
        by_day: gathered.by_day,
        agrees,
    })
}

/// The rows, added up.
struct Gathered {
    reach: Option<TradesReach>,
    /// Every row.
    all: Sums,
    /// Those of the days.
    sums: Sums,
    by_day: BTreeMap<i64, Sums>,
}

fn gather(
    snapshot: &Snapshot,
    days: Days,
    mut list: Option<&mut csv::List<impl Write>>,
) -> Result<Gathered, StoreError> {
    let mut gathered = Gathered {
        reach: snapshot.reach()?,
        all: Sums::default(),
        sums: Sums::default(),
        by_day: BTreeMap::new(),
    };
    for row in snapshot.trades()? {
        let (_, row) = row?;
        gathered.all.add(&row);
        let at = row.trade.at;
        if !days.hold(at) {
            continue;
        }
        gathered.sums.add(&row);
        gathered.by_day.entry(at.day()).or_default().add(&row);
        if let Some(list) = list.as_mut() {
            list.add(&row);
        }
    }
    Ok(gathered)
}

/// What trades moved and what was charged, asset by asset.
fn agree(sums: &Sums, books: &Ledger) -> bool {
    sums.assets().chain(books.assets()).all(|asset| {
        let Charged { fee, tax } = sums.charged(asset);
        let of = |account| books.account(asset, account);
        [sums.moved(asset), fee, tax]
            == [-of(Account::Exchange), of(Account::Fees), of(Account::Tax)]
    })
}
