//! Standard output for people and pipes.
//!
//! Not for logs, which go to standard error. The one idea: a reader that has gone (`btcbot status | head`) is a
//! normal end, and one that stands still is waited for by a command that has nothing else to do, and by nobody else.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Texts that may wait for the reader of a process that trades; one more is dropped, and the log says so.
const TEXTS_MAX: usize = 1_024;
/// Longest wait for that reader at the end.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(2);

/// What became of a write to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printed {
    /// It was written.
    Done,
    /// The reader has gone.
    ReaderGone,
}

/// Prints one line and flushes it; ends the process with exit code 0 if the reader has gone.
///
/// # Errors
/// Any failure of standard output but a closed pipe.
pub fn print_line(line: &str) -> io::Result<()> {
    match write_line(&mut io::stdout().lock(), line)? {
        Printed::Done => Ok(()),
        Printed::ReaderGone => std::process::exit(0),
    }
}

/// Prints text that brings its own line ends, with the rule of [`print_line`].
///
/// # Errors
/// Any failure of standard output but a closed pipe.
pub fn print_text(text: &str) -> io::Result<()> {
    match write_text(&mut io::stdout().lock(), text)? {
        Printed::Done => Ok(()),
        Printed::ReaderGone => std::process::exit(0),
    }
}

/// What a reader that goes away means to a process that has work to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderGone {
    /// It was run to be watched, and ends.
    EndsProcess,
    /// It runs on: losing the reader must not end a process with open orders.
    IsIgnored,
}

enum Said {
    Text(String),
    Flush(SyncSender<()>),
}

/// Standard output of a process that has work to do: a thread writes, and nobody who speaks waits for it. Cheap to clone.
#[derive(Clone)]
pub struct Voice {
    queue: SyncSender<Said>,
    is_silent: bool,
}

impl Voice {
    /// Starts the thread. A silent voice says nothing but its report.
    pub fn start(is_silent: bool, gone: ReaderGone) -> Self {
        Self::to(io::stdout(), is_silent, gone)
    }

    fn to(target: impl Write + Send + 'static, is_silent: bool, gone: ReaderGone) -> Self {
        let (queue, said) = sync_channel(TEXTS_MAX);
        let thread = std::thread::Builder::new().name("stdout".to_owned());
        // Without a thread every text is dropped, and the log says so.
        let _ = thread.spawn(move || write_all(target, &said, gone));
        Self { queue, is_silent }
    }

    /// Says a text to people, line ends included.
    pub fn say(&self, text: &str) {
        if !self.is_silent {
            self.queue(text);
        }
    }

    /// Says a text that is wanted from a silent voice too, as the last one: waits for the reader, two seconds at most.
    pub fn report(&self, text: &str) {
        self.queue(text);
        self.flush();
    }

    /// Waits until everything that was said is written, two seconds at most.
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.queue.try_send(Said::Flush(done)).is_ok() {
            // A reader that does not read is not waited for any longer.
            let _ = is_done.recv_timeout(FLUSH_TIME_MAX);
        }
    }

    fn queue(&self, text: &str) {
        if self.queue.try_send(Said::Text(text.to_owned())).is_err() {
            tracing::warn!(
                event = "stdout_dropped",
                msg = "nobody reads standard output"
            );
        }
    }
}

fn write_all(mut target: impl Write, said: &Receiver<Said>, gone: ReaderGone) {
    for said in said {
        match said {
            Said::Text(text) => match write_text(&mut target, &text) {
                Ok(Printed::ReaderGone) if gone == ReaderGone::EndsProcess => std::process::exit(0),
                Ok(Printed::Done | Printed::ReaderGone) => {}
                Err(error) => tracing::error!(event = "stdout_failed", error = %error),
            },
            Said::Flush(done) => {
                // Whoever asked may have given up.
                let _ = done.send(());
            }
        }
    }
}

fn write_line(out: &mut impl Write, line: &str) -> io::Result<Printed> {
    judge(writeln!(out, "{line}").and_then(|()| out.flush()))
}

fn write_text(out: &mut impl Write, text: &str) -> io::Result<Printed> {
    judge(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

fn judge(result: io::Result<()>) -> io::Result<Printed> {
    match result {
        Ok(()) => Ok(Printed::Done),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Printed::ReaderGone),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions};
    use std::io::Read;

    fn full_device() -> File {
        let full = OpenOptions::new().write(true).open("/dev/full");
        full.expect("Linux has /dev/full")
    }

    #[test]
    fn a_closed_pipe_is_a_normal_end() {
        let (reader, mut writer) = io::pipe().expect("pipes are available");
        assert_eq!(write_line(&mut writer, "one").ok(), Some(Printed::Done));
        drop(reader);
        assert_eq!(
            write_line(&mut writer, "two").ok(),
            Some(Printed::ReaderGone)
        );
        assert_eq!(
            write_text(&mut writer, "three").ok(),
            Some(Printed::ReaderGone)
        );
    }

    #[test]
    fn a_voice_survives_a_closed_pipe_and_a_full_device() {
        let (reader, writer) = io::pipe().expect("pipes are available");
        drop(reader);
        Voice::to(writer, false, ReaderGone::IsIgnored).report("nobody reads this");
        Voice::to(full_device(), false, ReaderGone::IsIgnored).report("nothing fits");
    }

    #[test]
    fn a_silent_voice_says_its_report_only() {
        for (is_silent, expected) in [(false, "one\ntwo\n"), (true, "two\n")] {
            let (mut reader, writer) = io::pipe().expect("pipes are available");
            let voice = Voice::to(writer, is_silent, ReaderGone::IsIgnored);
            voice.say("one\n");
            voice.report("two\n");
            drop(voice);
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("text");
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn a_reader_that_stands_still_is_waited_for_by_nobody_who_speaks() {
        // More than any pipe holds; what cannot be queued is dropped.
        let (mut reader, writer) = io::pipe().expect("pipes are available");
        let voice = Voice::to(writer, false, ReaderGone::IsIgnored);
        let text = format!("{}\n", "x".repeat(4_095));
        for _ in 0..2 * TEXTS_MAX {
            voice.say(&text);
        }
        drop(voice);
        let mut written = Vec::new();
        reader.read_to_end(&mut written).expect("bytes");
        let texts = written.len() / text.len();
        assert_eq!(written.len() % text.len(), 0, "whole texts");
        assert!((TEXTS_MAX..2 * TEXTS_MAX).contains(&texts), "{texts} texts");
    }

    #[test]
    fn a_full_device_is_an_error() {
        let error = write_line(&mut full_device(), "one").expect_err("nothing fits");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
