//! What the end-to-end tests share: the built binary as a child process, and waits that name what they wait for.
//!
//! Nothing here judges. The one idea: every child dies with its guard, and every wait ends, so that a hang of the
//! binary is a failure with a name and never a stuck test run.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

pub mod exchange;
pub mod http;
pub mod installation;
pub mod receiver;

use actors::clock::Clock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Time between two looks of a wait.
const POLL: Duration = Duration::from_millis(20);
/// Longest start of a process on a busy machine.
pub const START: Duration = Duration::from_secs(30);
/// Longest time until something that the engine does by itself has happened.
pub const SOON: Duration = Duration::from_secs(30);
/// Longest graceful stop: the default deadline of 45 s, and some more.
pub const STOP: Duration = Duration::from_secs(50);
/// Bytes of a child's log that are shown when a test fails.
const TAIL: usize = 3_000;

/// Looks until there is something to return.
///
/// # Panics
/// With `what`, when there is still nothing after `within`.
pub fn wait_for<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::start();
    let start = clock.now();
    let most = i64::try_from(within.as_millis()).expect("a short time");
    loop {
        if let Some(found) = look() {
            return found;
        }
        let waited = clock.now().ms_since(start);
        assert!(waited < most, "{what}: not within {within:?}");
        thread::sleep(POLL);
    }
}

/// The wall clock, milliseconds: the same that the simulator's log uses.
pub fn now_ms() -> i64 {
    Clock::start().now().ms()
}

/// A child with the built binary, killed when this is dropped.
pub struct Bot {
    child: Child,
    name: String,
    output: TempDir,
    is_over: bool,
}

/// How a child ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Returns the data of the one JSON object on standard output.
    pub fn data(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        let report: Value = serde_json::from_str(last).unwrap_or_else(|error| {
            panic!("no JSON at the end of stdout: {error}\n{self:?}");
        });
        report["data"].clone()
    }
}

/// The binary with arguments, in a directory, with an empty environment.
pub fn btcbot(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_btcbot"));
    command
        .args(args)
        .current_dir(dir)
        .env_clear()
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(command: Command, within: Duration) -> Finished {
    Bot::start(command).finish(within)
}

impl Bot {
    /// Starts a command; its output goes to files outside of its working directory.
    pub fn start(command: Command) -> Self {
        let output = tempfile::tempdir().expect("a temporary directory");
        let file = |name: &str| File::create(output.path().join(name)).expect("a new file");
        let (out, err) = (file("stdout").into(), file("stderr").into());
        Self::spawn(command, output, out, err)
    }

    /// Starts a command whose output nobody collects.
    pub fn start_with(command: Command, out: Stdio, err: Stdio) -> Self {
        let output = tempfile::tempdir().expect("a temporary directory");
        Self::spawn(command, output, out, err)
    }

    fn spawn(mut command: Command, output: TempDir, out: Stdio, err: Stdio) -> Self {
        let name = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let child = command.stdout(out).stderr(err).spawn();
        Self {
            child: child.expect("the binary starts"),
            name,
            output,
            is_over: false,
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the child is there");
    }

    pub fn stdout(&self) -> String {
        self.text("stdout")
    }

    pub fn stderr(&self) -> String {
        self.text("stderr")
    }

    fn text(&self, name: &str) -> String {
        let path: PathBuf = self.output.path().join(name);
        let bytes = std::fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns where the status plane listens, from the line that says so.
    pub fn plane(&mut self) -> SocketAddr {
        self.wait("the line with the status plane", START, |bot| {
            let text = bot.stdout();
            let (_, rest) = text.split_once("status http://")?;
            let (address, _) = rest.split_once("/status")?;
            address.parse().ok()
        })
    }

    /// Returns the status document.
    pub fn status(&self, plane: SocketAddr) -> Value {
        let (code, body) = http::get(plane, "/status").expect("the plane answers");
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).expect("the status is JSON")
    }

    /// Waits while the child lives; its end is a failure of the wait.
    pub fn wait<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        wait_for(what, within, || {
            // Looked at first: what the child wrote before its end still counts.
            let ended = self.child.try_wait().expect("it is our child");
            let found = look(self);
            assert!(
                found.is_some() || ended.is_none(),
                "{what}: it ended with {ended:?}"
            );
            found
        })
    }

    /// Waits until its log or its output holds a text.
    pub fn wait_for_text(&mut self, text: &str, within: Duration) {
        self.wait(text, within, |bot| {
            (bot.stderr().contains(text) || bot.stdout().contains(text)).then_some(())
        });
    }

    /// Waits until every handler stands: a signal before that ends any process.
    pub fn wait_for_handlers(&mut self) {
        let path = format!("/proc/{}/status", self.child.id());
        let term = 1_u64 << (Signal::TERM.as_raw() - 1);
        self.wait("the signal handlers", START, |_| {
            let status = std::fs::read_to_string(&path).ok()?;
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))?;
            let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
            (caught & term != 0).then_some(())
        });
    }

    /// Kills it as a failing machine would, and waits until it is gone.
    pub fn kill_9(mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
        self.is_over = true;
    }

    /// Waits for its end.
    pub fn finish(mut self, within: Duration) -> Finished {
        let what = format!("the end of {}", self.name);
        let status = wait_for(&what, within, || {
            self.child.try_wait().expect("it is our child")
        });
        self.is_over = true;
        Finished {
            code: status.code(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        if thread::panicking() {
            let text = self.stderr();
            let tail = text.len().saturating_sub(TAIL);
            let tail = text.get(tail..).unwrap_or(&text);
            eprintln!(
                "--- {}\n{}\n--- its log ends with\n{tail}",
                self.name,
                self.stdout()
            );
        }
        if !self.is_over {
            // It may have ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads a whole file of bytes.
pub fn bytes_of(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .expect("a readable file");
    bytes
}
