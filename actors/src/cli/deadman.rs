//! `deadman`: a second process that can only cancel, for when the engine is gone or hangs as a whole.
//!
//! It watches the engine's heartbeat in the state directory and opens no journal and takes no lock. Once the heart has
//! stopped it lets the same killer loose that the engine has inside, slower, and rests when the heart beats again.

use crate::beats::Beats;
use crate::cli::ConfigSource;
use crate::cli::alone::alone;
use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::resolve::{self, Forced};
use crate::cli::run::ready::install_logging;
use crate::clock::Clock;
use crate::driver::reads::Reads;
use crate::gate::{Flag, GateOwner};
use crate::heartbeat::{self, Pulse, STOPPED_MS};
use crate::killer::{Killer, KillerThread};
use crate::open_ids::OpenIds;
use crate::out::{ReaderGone, Voice};
use crate::redact::Filter;
use crate::signals::{Event, Signal, Signals};
use clap::Args;
use engine::ids::AccountTag;
use std::path::PathBuf;
use std::time::Duration;

/// Requests a second over all groups of reads.
const REQUESTS_PER_SECOND: usize = 2;
/// Time between two cancels: 2 a second, because the engine may come back and needs its quota.
const SPACING: Duration = Duration::from_millis(500);
/// Time between two looks at the heartbeat.
const LOOK: Duration = Duration::from_millis(250);

/// `deadman`.
#[derive(Args, Debug)]
pub struct DeadmanArgs {
    /// Where configuration comes from.
    #[command(flatten)]
    pub source: ConfigSource,
}

/// Watches until it is asked to stop.
///
/// # Errors
/// Exit 77 without usable keys, 78 for a broken configuration.
pub fn deadman(args: &DeadmanArgs, mut signals: Signals) -> Outcome {
    let loaded = resolve::load(&args.source, Forced::default())?;
    let signer = resolve::required_signer(&loaded)?;
    let clock = Clock::start();
    let filter = Filter::default();
    filter.load(loaded.secrets().redactor());
    let run_id = format!("deadman-{:x}", clock.now().ms());
    let _logging = install_logging(&clock, &filter, &run_id, &loaded)?;
    let mut deadman = Deadman {
        dir: loaded.settings().state.dir.clone(),
        reads: alone(&loaded, signer, &clock, REQUESTS_PER_SECOND),
        clock,
        owner: GateOwner::new(),
        watched: None,
    };
    let voice = Voice::start(false, ReaderGone::IsIgnored);
    voice.say(&format!(
        "watching {}\n",
        heartbeat::path(&deadman.dir).display()
    ));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::new(Exit::Failure, error.to_string()))?;
    runtime.block_on(async {
        deadman.rest();
        while !is_stop(&mut signals).await {
            deadman.look()?;
        }
        deadman.end();
        Ok(Exit::Ok)
    })
}

/// Waits for the next look; other signals than those that end a process mean nothing here.
async fn is_stop(signals: &mut Signals) -> bool {
    match tokio::time::timeout(LOOK, signals.next()).await {
        Ok(Some(Event::Signal(Signal::Usr1 | Signal::Usr2 | Signal::Hup))) | Err(_) => false,
        Ok(
            Some(Event::Signal(Signal::Term | Signal::Int | Signal::Quit) | Event::StopNow) | None,
        ) => true,
    }
}

struct Deadman {
    dir: PathBuf,
    reads: Reads,
    clock: Clock,
    /// A gate of its own; its one use is to let the killer loose.
    owner: GateOwner,
    watched: Option<Watched>,
}

/// The account whose heart was heard.
struct Watched {
    tag: AccountTag,
    pulse: Pulse,
    killer: KillerThread,
}

impl Deadman {
    fn look(&mut self) -> Result<(), Failed> {
        let now = self.clock.now();
        let beat = heartbeat::read(&self.dir);
        let heard = beat.as_ref().map(|(tag, _)| *tag);
        let known = self.watched.as_ref().map(|watched| watched.tag);
        if let Some((tag, text)) = &beat
            && heard != known
        {
            self.end();
            self.rest();
            tracing::info!(event = "deadman_watches", account = %tag);
            self.watched = Some(Watched {
                tag: *tag,
                pulse: Pulse::new(text.clone(), now),
                killer: self.killer(*tag)?,
            });
        }
        let Some(watched) = &mut self.watched else {
            return Ok(());
        };
        let beats = (watched.pulse).is_beating(beat.as_ref().map(|(_, text)| text.as_str()), now);
        let gate = self.owner.gate();
        match (beats, gate.is_raised(Flag::Kill)) {
            (false, false) => {
                gate.raise(Flag::Kill);
                tracing::error!(event = "deadman_acts", silent_ms = STOPPED_MS);
            }
            (true, true) => {
                self.rest();
                tracing::warn!(event = "deadman_rests");
            }
            (true, false) | (false, true) => {}
        }
        Ok(())
    }

    fn rest(&self) {
        let serial = self.owner.gate().serial();
        let lowered = self.owner.lower(Flag::Kill, serial);
        lowered.expect("nobody else raises a flag of this gate");
    }

    fn end(&mut self) {
        if let Some(watched) = self.watched.take() {
            watched.killer.stop();
        }
    }

    fn killer(&self, tag: AccountTag) -> Result<KillerThread, Failed> {
        let failed = |error: String| Failed::new(Exit::Failure, error);
        let killer = Killer {
            gate: self.owner.gate(),
            reads: self
                .reads
                .apart()
                .map_err(|error| failed(error.to_string()))?,
            ids: OpenIds::default(),
            tag,
            spacing: SPACING,
            beats: Beats::new(self.clock.clone()),
            clock: self.clock.clone(),
        };
        killer.start().map_err(|error| failed(error.to_string()))
    }
}
