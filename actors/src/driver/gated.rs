//! The last look before an order leaves: a stream that asks the gate on the first byte of each request.
//!
//! It knows nothing of HTTP. The one idea: the check sits inside the write, under the client, where no pool,
//! queue or sleeping task can come between it and the socket; and what was written is counted, so that "not sent" is
//! a fact and never a guess.

use crate::clock::Clock;
use crate::driver::endpoint::Meter;
use crate::gate::{Gate, Pass};
use engine::answer::NotSent;
use engine::time::Timestamp;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What one request needs to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The gate was open when the order was handed over, and must have been ever since.
    pub pass: Pass,
    /// The last moment at which the first byte may leave.
    pub expires_at: Timestamp,
}

/// How far a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes that may have left. Zero is proof that none did.
    pub bytes: u64,
    /// Why the first byte was refused, if it was.
    pub refused: Option<NotSent>,
}

/// Arms a [`GatedStream`] for one request and tells afterwards what was written.
#[derive(Clone, Debug)]
pub struct Egress {
    gate: Gate,
    clock: Clock,
    meter: Meter,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Between requests: nothing may be written.
    Shut,
    /// A request may begin.
    Armed(Permit),
    /// The first byte was handed down.
    Begun { wire_before: u64, accepted: u64 },
    /// The first byte was refused; nothing may follow.
    Refused(NotSent),
}

impl Egress {
    /// Makes the control of one connection; `meter` counts the bytes below its TLS.
    pub fn new(gate: Gate, clock: Clock, meter: Meter) -> Self {
        Self {
            gate,
            clock,
            meter,
            state: Arc::new(Mutex::new(State::Shut)),
        }
    }

    /// Allows one request to begin under `permit`.
    pub fn arm(&self, permit: Permit) {
        *self.state() = State::Armed(permit);
    }

    /// Forbids every further byte and returns what was written since [`Self::arm`].
    pub fn disarm(&self) -> Written {
        let mut state = self.state();
        let (bytes, refused) = match *state {
            State::Shut | State::Armed(_) => (0, None),
            State::Refused(why) => (0, Some(why)),
            State::Begun {
                wire_before,
                accepted,
            } => (accepted.max(self.meter.bytes() - wire_before), None),
        };
        *state = State::Shut;
        Written { bytes, refused }
    }

    /// Judges a permit at this moment.
    ///
    /// # Errors
    /// `GateClosed` if anything was raised since the pass was issued, `Expired` after the permit's last moment.
    pub fn judge(gate: &Gate, clock: &Clock, permit: Permit) -> Result<(), NotSent> {
        if !gate.admits(permit.pass) {
            return Err(NotSent::GateClosed);
        }
        let now = clock.now();
        if now > permit.expires_at {
            return Err(NotSent::Expired);
        }
        gate.note_admitted(now);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each critical section stores one whole value last, so a poisoned state is still a state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream whose writes need a permit. Reads pass.
#[derive(Debug)]
pub struct GatedStream<S> {
    inner: S,
    egress: Egress,
}

impl<S> GatedStream<S> {
    /// Wraps `inner`; it writes nothing until `egress` is armed.
    pub fn new(inner: S, egress: Egress) -> Self {
        Self { inner, egress }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GatedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

/// Vectored writes are not offered: the client then flattens head and body into one write.
impl<S: AsyncWrite + Unpin> AsyncWrite for GatedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { inner, egress } = &mut *self;
        // Held across the write, so that a disarm comes wholly before or wholly after it.
        let mut state = egress.state();
        let before = *state;
        let (wire_before, accepted) = match before {
            State::Shut | State::Refused(_) => return Poll::Ready(Err(refusal())),
            State::Begun {
                wire_before,
                accepted,
            } => (wire_before, accepted),
            State::Armed(permit) => match Egress::judge(&egress.gate, &egress.clock, permit) {
                Ok(()) => (egress.meter.bytes(), 0),
                Err(why) => {
                    *state = State::Refused(why);
                    return Poll::Ready(Err(refusal()));
                }
            },
        };
        let polled = Pin::new(inner).poll_write(cx, buf);
        let more = match &polled {
            Poll::Ready(Ok(sent)) => *sent as u64,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        let is_untouched = polled.is_pending() && egress.meter.bytes() == wire_before;
        *state = if is_untouched && matches!(before, State::Armed(_)) {
            // The socket took nothing: the next try is a first byte again and is judged again.
            before
        } else {
            State::Begun {
                wire_before,
                accepted: accepted + more,
            }
        };
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

fn refusal() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        "the gate refused the write",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Flag, GateOwner};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    struct Rig {
        gate: Gate,
        clock: Clock,
        egress: Egress,
        stream: GatedStream<DuplexStream>,
        far: DuplexStream,
    }

    fn rig() -> Rig {
        let owner = GateOwner::new();
        let gate = owner.gate();
        for flag in Flag::ALL {
            owner.lower(flag, gate.serial()).expect("nothing is raised");
        }
        let clock = Clock::manual(Timestamp::from_ms(1_000));
        let egress = Egress::new(gate.clone(), clock.clone(), Meter::default());
        let (near, far) = duplex(8);
        let stream = GatedStream::new(near, egress.clone());
        Rig {
            gate,
            clock,
            egress,
            stream,
            far,
        }
    }

    impl Rig {
        fn arm(&self) {
            self.egress.arm(Permit {
                pass: self.gate.pass().expect("the gate is open"),
                expires_at: Timestamp::from_ms(1_250),
            });
        }

        async fn received(mut self) -> Vec<u8> {
            drop(self.stream);
            let mut bytes = Vec::new();
            self.far.read_to_end(&mut bytes).await.expect("a pipe");
            bytes
        }
    }

    const NOTHING: Written = Written {
        bytes: 0,
        refused: None,
    };

    #[tokio::test]
    async fn nothing_is_written_without_a_permit() {
        let mut rig = rig();
        assert!(rig.stream.write(b"x").await.is_err());
        rig.arm();
        assert_eq!(rig.egress.disarm(), NOTHING);
        assert!(rig.stream.write(b"x").await.is_err());
        assert_eq!(rig.received().await, b"");
    }

    #[tokio::test]
    async fn a_gate_that_closed_after_arming_stops_the_first_byte() {
        let mut rig = rig();
        rig.arm();
        rig.gate.raise(Flag::Kill);
        assert!(rig.stream.write(b"x").await.is_err());
        let refused = Some(NotSent::GateClosed);
        assert_eq!(rig.egress.disarm(), Written { bytes: 0, refused });
        assert_eq!(rig.received().await, b"");
    }

    #[tokio::test]
    async fn an_old_permit_stops_the_first_byte() {
        let mut rig = rig();
        rig.arm();
        rig.clock.advance_ms(250);
        rig.stream
            .write_all(b"in time")
            .await
            .expect("the last moment still counts");
        assert_eq!(
            rig.egress.disarm(),
            Written {
                bytes: 7,
                refused: None
            }
        );
        rig.arm();
        rig.clock.advance_ms(1);
        assert!(rig.stream.write(b"x").await.is_err());
        let refused = Some(NotSent::Expired);
        assert_eq!(rig.egress.disarm(), Written { bytes: 0, refused });
        assert_eq!(rig.received().await, b"in time");
    }

    #[tokio::test]
    async fn a_request_that_has_begun_is_finished_and_counted() {
        let mut rig = rig();
        rig.arm();
        assert_eq!(
            rig.stream
                .write(b"0123456789")
                .await
                .expect("room for eight"),
            8
        );
        rig.gate.raise(Flag::Kill);
        let mut taken = [0; 8];
        rig.far.read_exact(&mut taken).await.expect("a pipe");
        assert_eq!(rig.stream.write(b"89").await.expect("the rest"), 2);
        assert_eq!(
            rig.egress.disarm(),
            Written {
                bytes: 10,
                refused: None
            }
        );
        assert_eq!(rig.received().await, b"89");
    }

    #[tokio::test]
    async fn a_full_socket_means_a_second_look_at_the_gate() {
        let mut rig = rig();
        rig.arm();
        rig.stream
            .write_all(b"01234567")
            .await
            .expect("room for eight");
        rig.egress.disarm();
        rig.arm();
        let waiting = tokio::time::timeout(std::time::Duration::ZERO, rig.stream.write(b"late"));
        assert!(waiting.await.is_err(), "the pipe is full");
        rig.gate.raise(Flag::Safe);
        let mut taken = [0; 8];
        rig.far.read_exact(&mut taken).await.expect("a pipe");
        assert!(rig.stream.write(b"late").await.is_err());
        assert_eq!(rig.egress.disarm().bytes, 0);
        assert_eq!(rig.received().await, b"");
    }
}
