//! Standard output for people and pipes.
//!
//! Not for logs, which go to standard error. The one idea: a reader that has gone (`btcbot status | head`) is a
//! normal end, not a failure.

use std::io::{self, Write};

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

/// Prints text and flushes it. A reader that has gone is no reason to end: for a process that has work to do beside.
pub fn offer_text(text: &str) {
    offer(&mut io::stdout().lock(), text);
}

fn offer(out: &mut impl Write, text: &str) {
    match write_text(out, text) {
        Ok(Printed::Done | Printed::ReaderGone) => {}
        Err(error) => tracing::error!(event = "stdout_failed", error = %error),
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
    fn an_offer_survives_a_closed_pipe_and_a_full_device() {
        let (reader, mut writer) = io::pipe().expect("pipes are available");
        drop(reader);
        offer(&mut writer, "nobody reads this");
        let mut full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("Linux has /dev/full");
        offer(&mut full, "nothing fits");
    }

    #[test]
    fn a_full_device_is_an_error() {
        let mut full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("Linux has /dev/full");
        let error = write_line(&mut full, "one").expect_err("nothing fits");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
