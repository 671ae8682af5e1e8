//! The child process and its read-only plane.

use crate::place::Place;
use crate::scrape::{Kernel, Scrape, get};
use engine::ids::Asset;
use engine::money::Amount;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use simulator::clock::Clock;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

/// Time between two looks.
const POLL: Duration = Duration::from_millis(20);
/// Bytes of its log that an error quotes.
const TAIL: usize = 2_000;

/// Amounts by asset; what is zero is left out.
pub type Sums = BTreeMap<Asset, Amount>;

/// A running process, killed when this is dropped.
pub struct Bot {
    child: Child,
    clock: Clock,
    log: PathBuf,
    plane: Option<SocketAddr>,
    is_over: bool,
}

/// What the status page says.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The ledger's balances.
    pub balances: Sums,
    /// Orders of unknown fate.
    pub unknown: u64,
    /// The mode in force.
    pub mode: String,
    /// Best bid and ask of each pair, as text; `None` while the book is not trusted.
    pub tops: BTreeMap<String, Option<(String, String)>>,
}

impl Bot {
    /// Starts `run`; its output goes to files in the directory.
    ///
    /// # Errors
    /// The binary cannot be started, or its output not be written: text for people.
    pub fn start(place: &Place, clock: Clock) -> Result<Self, String> {
        let log = place.dir().join("run");
        let file = |end: &str| File::create(log.with_extension(end));
        let spawn = || -> io::Result<Child> {
            let mut command = place.run_command();
            command.stdout(file("out")?).stderr(file("err")?).spawn()
        };
        Ok(Self {
            child: spawn().map_err(|error| format!("run: {error}"))?,
            clock,
            log,
            plane: None,
            is_over: false,
        })
    }

    /// Waits until it is ready; returns how long that took, in milliseconds.
    ///
    /// # Errors
    /// It ended, or was not ready in time: text for people.
    pub fn wait_ready(&mut self, within_ms: i64) -> Result<i64, String> {
        let start = self.clock.now();
        loop {
            self.alive()?;
            let age_ms = self.clock.now().ms_since(start);
            self.plane = self.plane.or_else(|| self.said_where());
            if self.get("/readyz").is_some() {
                return Ok(age_ms);
            }
            if age_ms > within_ms {
                return Err(format!("not ready after {age_ms} ms; {}", self.tail()));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Looks whether it still runs.
    ///
    /// # Errors
    /// It ended by itself: text for people.
    pub fn alive(&mut self) -> Result<(), String> {
        if let Ok(Some(status)) = self.child.try_wait() {
            self.is_over = true;
            return Err(format!("the process ended: {status}; {}", self.tail()));
        }
        Ok(())
    }

    /// Returns the metrics; `None` if it did not answer.
    pub fn scrape(&self) -> Option<Scrape> {
        self.get("/metrics").map(|text| Scrape::parse(&text))
    }

    /// Returns what the kernel says.
    pub fn kernel(&self) -> Option<Kernel> {
        Kernel::read(self.child.id())
    }

    /// Returns the status page; `None` if it did not answer.
    pub fn picture(&self) -> Option<Picture> {
        let page: Value = serde_json::from_str(&self.get("/status")?).ok()?;
        let sums = page["money"]["balances"].as_object()?;
        let books = page["books"].as_object()?;
        Some(Picture {
            balances: sums.iter().filter_map(sum).collect(),
            unknown: page["unknown_orders"].as_u64()?,
            mode: page["mode"].as_str()?.to_owned(),
            tops: books
                .iter()
                .map(|(name, book)| (name.clone(), top(book)))
                .collect(),
        })
    }

    /// Asks it to stop and waits for its end; `None` if it did not end in time, or not by itself.
    pub fn stop(mut self, within_ms: i64) -> Option<i32> {
        // An error means that it has ended already, which the exit code tells.
        let _asked = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let asked = self.clock.now();
        while self.clock.now().ms_since(asked) < within_ms {
            if let Ok(Some(status)) = self.child.try_wait() {
                self.is_over = true;
                return status.code();
            }
            std::thread::sleep(POLL);
        }
        None
    }

    fn get(&self, path: &str) -> Option<String> {
        let answer = get(self.plane?, path).ok()?;
        (answer.0 == 200).then_some(answer.1)
    }

    fn said_where(&self) -> Option<SocketAddr> {
        let text = fs::read_to_string(self.log.with_extension("out")).ok()?;
        let (_, rest) = text.split_once("status http://")?;
        let (address, _) = rest.split_once("/status")?;
        address.parse().ok()
    }

    fn tail(&self) -> String {
        let text = fs::read_to_string(self.log.with_extension("err")).unwrap_or_default();
        let from = text.len().saturating_sub(TAIL);
        format!("its log ends with: {}", text.get(from..).unwrap_or(&text))
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        if !self.is_over {
            let _killed = self.child.kill();
            let _gone = self.child.wait();
        }
    }
}

fn sum((asset, amount): (&String, &Value)) -> Option<(Asset, Amount)> {
    let amount = Amount::parse(amount.as_str()?).ok()?;
    let asset = Asset::parse(asset).ok()?;
    (amount != Amount::ZERO).then_some((asset, amount))
}

fn top(book: &Value) -> Option<(String, String)> {
    Some((
        book["bid"].as_str()?.to_owned(),
        book["ask"].as_str()?.to_owned(),
    ))
}
