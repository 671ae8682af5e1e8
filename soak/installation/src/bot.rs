//! One life of the binary in its place: a child process and its read-only plane.

use crate::http;
use crate::place::Place;
use engine::ids::Asset;
use engine::money::Amount;
use engine::time::Timestamp;
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

/// Time between two looks whether it has ended.
const POLL: Duration = Duration::from_millis(5);
/// Bytes of its log that are quoted.
const TAIL: usize = 2_000;

/// Amounts by asset.
pub type Sums = BTreeMap<Asset, Amount>;

/// A running process, killed when this is dropped.
pub struct Bot {
    child: Child,
    clock: Clock,
    started: Timestamp,
    log: PathBuf,
    plane: Option<SocketAddr>,
    /// Milliseconds from the start until its plane was there: locks taken, journal read.
    pub up_ms: Option<i64>,
    /// Milliseconds from the start until it was ready: the account seen whole, a book trusted, the clock known.
    pub ready_ms: Option<i64>,
    is_over: bool,
}

/// A process that has ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How, and the end of its log.
    pub seen: String,
}

impl From<Ended> for String {
    fn from(ended: Ended) -> Self {
        format!("the process ended: {}", ended.seen)
    }
}

impl Bot {
    /// Starts `run`; its output goes to `log`.out and `log`.err below the place's directory.
    ///
    /// # Errors
    /// The binary cannot be started, or its output not be written: text for people.
    pub fn start(place: &Place, clock: Clock, log: &str) -> Result<Self, String> {
        let log = place.dir().join(log);
        let file = |end: &str| File::create(log.with_extension(end));
        let spawn = || -> io::Result<Child> {
            let mut command = place.run_command();
            command.stdout(file("out")?).stderr(file("err")?).spawn()
        };
        let started = clock.now();
        Ok(Self {
            child: spawn().map_err(|error| format!("run: {error}"))?,
            clock,
            started,
            log,
            plane: None,
            up_ms: None,
            ready_ms: None,
            is_over: false,
        })
    }

    /// Returns the process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the age of this life in milliseconds.
    pub fn age_ms(&self) -> i64 {
        self.clock.now().ms_since(self.started)
    }

    /// Looks how far it has come.
    ///
    /// # Errors
    /// It has ended by itself.
    pub fn look(&mut self) -> Result<(), Ended> {
        if let Ok(Some(status)) = self.child.try_wait() {
            self.is_over = true;
            let seen = format!("{status}; {}", self.tail());
            return Err(Ended { seen });
        }
        if self.plane.is_none() {
            self.plane = self.said_where();
            self.up_ms = self.plane.map(|_| self.age_ms());
        }
        if self.ready_ms.is_none() && self.get("/readyz").is_some() {
            self.ready_ms = Some(self.age_ms());
        }
        Ok(())
    }

    /// Returns a page of the plane; `None` while there is none, or if it did not answer with 200.
    pub fn get(&self, path: &str) -> Option<String> {
        let (code, body) = http::get(self.plane?, path).ok()?;
        (code == 200).then_some(body)
    }

    /// Returns the status page; `None` while there is none.
    pub fn status(&self) -> Option<Value> {
        serde_json::from_str(&self.get("/status")?).ok()
    }

    /// Returns the end of its log, as a part of a sentence.
    pub fn tail(&self) -> String {
        let text = fs::read_to_string(self.log.with_extension("err")).unwrap_or_default();
        let from = text.len().saturating_sub(TAIL);
        format!("its log ends with: {}", text.get(from..).unwrap_or(&text))
    }

    /// Kills it as a failing machine would, and waits until it is gone.
    pub fn kill_9(self) {
        drop(self);
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

    fn said_where(&self) -> Option<SocketAddr> {
        plane(&fs::read_to_string(self.log.with_extension("out")).ok()?)
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        if !self.is_over {
            // A process that has just ended by itself is as dead.
            let _killed = self.child.kill();
            let _gone = self.child.wait();
        }
    }
}

/// Where the plane is, by what the process said on standard output.
fn plane(said: &str) -> Option<SocketAddr> {
    let (_, rest) = said.split_once("status http://")?;
    let (address, _) = rest.split_once("/status")?;
    address.parse().ok()
}

/// Returns the ledger's balances on a status page; what is zero is left out. `None` if the page holds none.
pub fn balances(status: &Value) -> Option<Sums> {
    let sums = status["money"]["balances"].as_object()?;
    Some(sums.iter().filter_map(sum).collect())
}

fn sum((asset, amount): (&String, &Value)) -> Option<(Asset, Amount)> {
    let amount = Amount::parse(amount.as_str()?).ok()?;
    let asset = Asset::parse(asset).ok()?;
    (amount != Amount::ZERO).then_some((asset, amount))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_plane_is_where_the_whole_address_says() {
        let check = |said: &str, port: Option<u16>| {
            assert_eq!(plane(said).map(|addr| addr.port()), port, "{said:?}");
        };
        check("armed\nstatus http://127.0.0.1:81/status\nmore", Some(81));
        check("status http://127.0.0.1:8", None);
        check("status http://nowhere/status", None);
        check("", None);
    }

    #[test]
    fn balances_are_exact_and_leave_out_what_is_zero() {
        let check = |status: Value, expected: Option<&[(&str, i64)]>| {
            let pair = |(asset, whole): &(&str, i64)| {
                let asset = Asset::parse(asset).expect("a short name");
                (asset, Amount::from_whole(*whole))
            };
            let expected: Option<Sums> = expected.map(|list| list.iter().map(pair).collect());
            assert_eq!(balances(&status), expected, "{status}");
        };
        let of = |balances: Value| json!({"money": {"balances": balances}});
        check(of(json!({"TRY": "5", "BTC": "0"})), Some(&[("TRY", 5)]));
        check(of(json!({})), Some(&[]));
        check(of(Value::Null), None);
        check(json!({}), None);
    }
}
