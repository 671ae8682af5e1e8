//! How far a replay is: a bar for people, a line now and then for logs; both on stderr.

use super::recording::Gauge;
use crate::clock::Clock;
use engine::time::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};

/// Frames between two looks at the clock.
const FRAMES_PER_LOOK: u64 = 1_024;
/// Time between two lines where there is no terminal, milliseconds.
const LINE_EVERY_MS: i64 = 10_000;

/// Shows how much of the file was read.
pub struct Progress {
    gauge: Gauge,
    clock: Clock,
    frames: u64,
    /// `None`: lines.
    bar: Option<ProgressBar>,
    line_at: Timestamp,
}

impl Progress {
    /// Begins at nothing.
    pub fn new(gauge: Gauge, clock: Clock) -> Self {
        let bar = io::stderr().is_terminal().then(|| bar(gauge.bytes()));
        let line_at = clock.now().plus_ms(LINE_EVERY_MS);
        Self {
            gauge,
            clock,
            frames: 0,
            bar,
            line_at,
        }
    }

    /// Counts a frame and shows the rest from time to time.
    pub fn frame(&mut self) {
        self.frames += 1;
        if !self.frames.is_multiple_of(FRAMES_PER_LOOK) {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.gauge.bytes_read());
            bar.set_message(format!("{} frames", self.frames));
            return;
        }
        let now = self.clock.now();
        if now >= self.line_at {
            self.line_at = now.plus_ms(LINE_EVERY_MS);
            let percent = self.gauge.bytes_read() * 100 / self.gauge.bytes().max(1);
            let frames = self.frames;
            // A lost line of progress is no reason to stop.
            let _ = writeln!(io::stderr(), "replay: {percent} %, {frames} frames");
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} % {elapsed} {msg}")
        .expect("the template is valid");
    ProgressBar::new(bytes).with_style(style)
}
