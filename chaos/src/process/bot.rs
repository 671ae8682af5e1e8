//! One life of the release binary: a child process and its status plane.

use super::judge::{Finding, Rule, Sums};
use super::place::Place;
use actors::clock::Clock;
use engine::ids::Asset;
use engine::money::Amount;
use engine::time::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

/// Time between two looks.
pub const POLL: Duration = Duration::from_millis(5);
/// Longest wait for one answer of the plane.
const ANSWER: Duration = Duration::from_secs(2);
/// Bytes of its log that a finding quotes.
const TAIL: usize = 2_000;

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

/// What the status page says.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The ledger's balances.
    pub balances: Sums,
    /// Client ids of the living own orders whose number at the exchange is known.
    pub found: Vec<String>,
    /// Orders of unknown fate.
    pub unknown: u64,
    /// The page.
    pub page: Value,
}

impl Picture {
    /// Returns the mode that is applied, and what asks for it.
    pub fn mode(&self) -> Option<String> {
        let voices = self.page["contributions"].as_array()?.iter();
        let codes: Vec<&str> = voices.filter_map(|voice| voice["code"].as_str()).collect();
        let mode = self.page["mode"].as_str()?;
        Some(format!("{mode} {}", codes.join(" ")).trim_end().to_owned())
    }
}

impl Bot {
    /// Starts `run`; its output goes to files named for the life.
    ///
    /// # Errors
    /// The binary cannot be started, or its output not be written: text for people.
    pub fn start(place: &Place, clock: &Clock, life: u32) -> Result<Self, String> {
        let log = place.scratch().join(format!("life-{life}"));
        let file = |end: &str| File::create(log.with_extension(end));
        let spawn = || -> io::Result<Child> {
            let mut command = place.run_command();
            command.stdout(file("out")?).stderr(file("err")?).spawn()
        };
        let started = clock.now();
        Ok(Self {
            child: spawn().map_err(|error| format!("run: {error}"))?,
            clock: clock.clone(),
            started,
            log,
            plane: None,
            up_ms: None,
            ready_ms: None,
            is_over: false,
        })
    }

    /// Returns the age of this life in milliseconds.
    pub fn age_ms(&self) -> i64 {
        self.clock.now().ms_since(self.started)
    }

    /// Looks how far it has come.
    ///
    /// # Errors
    /// It has ended by itself.
    pub fn look(&mut self) -> Result<(), Finding> {
        if let Ok(Some(status)) = self.child.try_wait() {
            self.is_over = true;
            let seen = format!("{status}; its log ends with: {}", self.tail());
            return Err(Finding::new(Rule::Ended, seen));
        }
        if self.plane.is_none() {
            self.plane = self.said_where();
            self.up_ms = self.plane.map(|_| self.age_ms());
        }
        if self.ready_ms.is_none()
            && let Some((200, _)) = self.get("/readyz")
        {
            self.ready_ms = Some(self.age_ms());
        }
        Ok(())
    }

    /// Returns the status page; `None` while there is none.
    pub fn picture(&self) -> Option<Picture> {
        let (200, body) = self.get("/status")? else {
            return None;
        };
        let page: Value = serde_json::from_str(&body).ok()?;
        let sums = page["money"]["balances"].as_object()?;
        let orders = page["orders"].as_array()?;
        Some(Picture {
            balances: sums.iter().filter_map(sum).collect(),
            found: orders.iter().filter_map(found).collect(),
            unknown: page["unknown_orders"].as_u64()?,
            page,
        })
    }

    fn said_where(&self) -> Option<SocketAddr> {
        let text = fs::read_to_string(self.log.with_extension("out")).ok()?;
        let (_, rest) = text.split_once("status http://")?;
        let (address, _) = rest.split_once("/status")?;
        address.parse().ok()
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        ask(self.plane?, path).ok()
    }

    /// Kills it as a failing machine would, and waits until it is gone.
    pub fn kill_9(mut self) {
        // A process that has just ended by itself is as dead.
        let _killed = self.child.kill();
        let _gone = self.child.wait();
        self.is_over = true;
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

    fn tail(&self) -> String {
        let text = fs::read_to_string(self.log.with_extension("err")).unwrap_or_default();
        let from = text.len().saturating_sub(TAIL);
        text.get(from..).unwrap_or(&text).to_owned()
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
    Some((
        Asset::parse(asset).ok()?,
        Amount::parse(amount.as_str()?).ok()?,
    ))
}

fn found(order: &Value) -> Option<String> {
    order["order_id"].as_str()?;
    order["client_id"].as_str().map(str::to_owned)
}

/// One request, one connection, the whole answer.
fn ask(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let broken = || io::Error::other("not an answer");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((code.ok_or_else(broken)?, body.to_owned()))
}
