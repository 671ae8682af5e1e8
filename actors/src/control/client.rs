//! The asking side of the control socket: one question, one answer, a bounded wait.
//!
//! It blocks its thread, because a command has nothing else to do. A process that does not answer is told apart from
//! one that is not there: the first needs another way in.

use super::wire::{Answer, Request, Verdict};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest answer, bytes.
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// Questions to a process that is busy with others; at [`BUSY_PAUSE`] they outlast its slowest peer.
const BUSY_TRIES: usize = 60;
/// Wait before the next of them.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no running process: {0}")]
    NotRunning(String),
    /// The socket is not for this user.
    #[error("{0}: only the process's own user and root may ask")]
    Denied(String),
    /// Somebody listens and does not answer.
    #[error("{0} did not answer: {1}")]
    Silent(String, String),
}

/// Asks the process behind a socket.
///
/// # Errors
/// [`AskError`].
pub fn ask(path: &Path, request: &Request, within: Duration) -> Result<Answer, AskError> {
    for _ in 1..BUSY_TRIES {
        let answer = once(path, request, within)?;
        if answer.verdict != Verdict::Busy {
            return Ok(answer);
        }
        std::thread::sleep(BUSY_PAUSE);
    }
    once(path, request, within)
}

fn once(path: &Path, request: &Request, within: Duration) -> Result<Answer, AskError> {
    let shown = || path.display().to_string();
    let stream = UnixStream::connect(path).map_err(|error| not_there(shown(), &error))?;
    let silent = |error: io::Error| {
        let why = if matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        ) {
            format!("nothing came within {} s", within.as_secs())
        } else {
            error.to_string()
        };
        AskError::Silent(shown(), why)
    };
    let line = exchange(&stream, request, within).map_err(silent)?;
    serde_json::from_str(&line).map_err(|error| {
        let why = format!("its answer cannot be read, it may be another version ({error})");
        AskError::Silent(shown(), why)
    })
}

fn exchange(mut stream: &UnixStream, request: &Request, within: Duration) -> io::Result<String> {
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    match stream.write_all(request.to_line().as_bytes()) {
        // One that was turned away has its answer waiting.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(error),
    }
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
    if line.ends_with('\n') {
        Ok(line)
    } else {
        Err(io::Error::other("the answer broke off"))
    }
}

fn not_there(path: String, error: &io::Error) -> AskError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => AskError::Denied(path),
        // Missing, left behind by a killed process, or a path that no socket can have.
        _ => AskError::NotRunning(format!("{path}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::place::socket_path;
    use serde_json::Value;
    use std::os::unix::net::UnixListener;

    #[test]
    fn nobody_a_left_over_file_and_a_silent_process_are_different_things() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = socket_path(dir.path());
        let short = Duration::from_millis(50);
        let ask = || ask(&path, &Request::Status, short).expect_err("no answer");
        assert!(matches!(ask(), AskError::NotRunning(_)));
        let listener = UnixListener::bind(&path).expect("a free name");
        assert!(matches!(ask(), AskError::Silent(..)));
        drop(listener);
        assert!(matches!(ask(), AskError::NotRunning(_)));
    }

    #[test]
    fn one_that_was_busy_is_asked_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = socket_path(dir.path());
        let listener = UnixListener::bind(&path).expect("a free name");
        let thread = std::thread::spawn(move || {
            for verdict in [Verdict::Busy, Verdict::Done] {
                let (mut stream, _) = listener.accept().expect("it asks");
                let line = Answer::new(verdict, "", Value::Null).to_line();
                stream.write_all(line.as_bytes()).expect("it listens");
            }
        });
        let answer = ask(&path, &Request::Status, Duration::from_secs(10)).expect("an answer");
        assert_eq!(answer.verdict, Verdict::Done);
        thread.join().expect("two questions");
    }
}
