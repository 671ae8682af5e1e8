//! A proxy on loopback between the process and its exchange, whose connections fail as links do.
//!
//! It knows bytes and no protocol: what it spoils, the process must notice by itself. Over TLS a changed byte ends the
//! connection; here it becomes one that neither HTTP nor JSON allows, because a changed digit that nobody can notice is
//! not what a link does to btcbot.

use engine::dice::Dice;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Bytes that are read at once.
const CHUNK: usize = 4_096;
/// Chance of a chunk to be the one that ends, silences or spoils its connection, in millionths.
const STRIKE_PPM: u32 = 200_000;
/// How long a delayed chunk waits, milliseconds: up to more than the longest wait for an answer to a submit.
const DELAY_MS: (i64, i64) = (20, 3_000);
/// Bytes of a chunk that drip one by one; the rest follows at once.
const DRIP_BYTES: usize = 150;
/// Time between two drops.
const DRIP_EVERY: Duration = Duration::from_millis(3);
/// A byte that is nowhere allowed: not in a request, not in an answer, not in text.
const SPOILT: u8 = 0xFF;

/// What the link does to what passes through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// Each chunk waits.
    Delay,
    /// A connection stays open and carries nothing any more.
    HalfOpen,
    /// Bytes come one by one.
    Drip,
    /// A connection is reset, perhaps in the middle of a message.
    Reset,
    /// A connection is closed in an orderly way in the middle of a message.
    Truncate,
    /// A byte of what the exchange says is spoilt. Requests are left alone: three in a row without a valid signature
    /// kill, as they must.
    Corrupt,
}

impl Trouble {
    /// Every kind of trouble.
    pub const ALL: [Self; 6] = [
        Self::Delay,
        Self::HalfOpen,
        Self::Drip,
        Self::Reset,
        Self::Truncate,
        Self::Corrupt,
    ];
}

/// The trouble that holds, and how often each kind has struck.
#[derive(Debug, Default)]
struct State {
    trouble: Trouble,
    struck: BTreeMap<Trouble, u32>,
}

/// What all connections of a link share.
type Shared = Arc<Mutex<State>>;

/// A running proxy; it ends when this is dropped, and its connections with it.
pub struct Link {
    addr: SocketAddr,
    state: Shared,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Starts one to `exchange`.
    ///
    /// # Errors
    /// No port or no thread: text for people.
    pub fn start(exchange: SocketAddr, seed: u64) -> Result<Self, String> {
        let state = Shared::default();
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let shared = state.clone();
        let thread = std::thread::spawn(move || {
            let served = serve(exchange, Dice::new(seed), &shared, stopped, &tell);
            if let Err(error) = served {
                // Nobody waits any more only if the lane has ended.
                let _told = tell.send(Err(error.to_string()));
            }
        });
        let addr = told.recv().map_err(|error| error.to_string())??;
        Ok(Self {
            addr,
            state,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Returns where the process connects to.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes what it does, at once and for every connection.
    pub fn set(&self, trouble: Trouble) {
        lock(&self.state).trouble = trouble;
    }

    /// Returns how often each kind has struck so far.
    pub fn struck(&self) -> BTreeMap<Trouble, u32> {
        lock(&self.state).struck.clone()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ended = thread.join();
        }
    }
}

fn lock(state: &Shared) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(
    exchange: SocketAddr,
    mut dice: Dice,
    state: &Shared,
    stopped: oneshot::Receiver<()>,
    tell: &mpsc::Sender<Result<SocketAddr, String>>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        // Nobody waits any more only if the lane has ended.
        let _told = tell.send(Ok(listener.local_addr()?));
        let accept = async {
            loop {
                let (near, _) = listener.accept().await?;
                let dice = (Dice::new(dice.bits()), Dice::new(dice.bits()));
                tokio::spawn(join(near, exchange, dice, state.clone()));
            }
        };
        tokio::select! {
            biased;
            // An error means that the lane has dropped its end: the sign to stop.
            _ = stopped => Ok(()),
            ended = accept => ended,
        }
    })
}

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// As its ends wish.
    Orderly,
    /// By a reset.
    Reset,
}

async fn join(near: TcpStream, exchange: SocketAddr, dice: (Dice, Dice), state: Shared) {
    let Ok(far) = TcpStream::connect(exchange).await else {
        return;
    };
    let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
    let mut up = Way::new(from_near, to_far, dice.0, state.clone(), false);
    let mut down = Way::new(from_far, to_near, dice.1, state, true);
    let end = tokio::select! {
        biased;
        end = up.carry() => end,
        end = down.carry() => end,
    };
    if end == End::Reset {
        for way in [up, down] {
            // A socket that is gone needs no reset; one whose writing is shut down first would close in an orderly way.
            let _set = way.to.as_ref().set_zero_linger();
            way.to.forget();
        }
    }
}

/// One direction of a connection.
struct Way {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    dice: Dice,
    state: Shared,
    /// Whether bytes may be spoilt.
    spoils: bool,
}

impl Way {
    const fn new(
        from: OwnedReadHalf,
        to: OwnedWriteHalf,
        dice: Dice,
        state: Shared,
        spoils: bool,
    ) -> Self {
        Self {
            from,
            to,
            dice,
            state,
            spoils,
        }
    }

    /// Carries bytes until one end closes or the link gives out.
    async fn carry(&mut self) -> End {
        let mut chunk = [0; CHUNK];
        loop {
            let read = match self.from.read(&mut chunk).await {
                Ok(0) | Err(_) => return End::Orderly,
                Ok(read) => read,
            };
            let bytes = &mut chunk[..read];
            let sent = match self.strikes() {
                Trouble::None => self.to.write_all(bytes).await,
                Trouble::Delay => self.delay(bytes).await,
                Trouble::Drip => self.drip(bytes).await,
                Trouble::Corrupt => {
                    let at = self.part(read - 1);
                    bytes[at] = SPOILT;
                    self.to.write_all(bytes).await
                }
                Trouble::HalfOpen => return self.swallow(bytes).await,
                Trouble::Reset => {
                    let kept = self.part(read);
                    // What the reset overtakes is lost anyway.
                    let _sent = self.to.write_all(&bytes[..kept]).await;
                    return End::Reset;
                }
                Trouble::Truncate => {
                    let kept = self.part(read - 1);
                    let _sent = self.to.write_all(&bytes[..kept]).await;
                    return End::Orderly;
                }
            };
            if sent.is_err() {
                return End::Orderly;
            }
        }
    }

    /// The trouble that this chunk meets.
    fn strikes(&mut self) -> Trouble {
        let mut state = lock(&self.state);
        let trouble = state.trouble;
        let is_met = match trouble {
            Trouble::None => false,
            Trouble::Delay | Trouble::Drip => true,
            Trouble::HalfOpen | Trouble::Reset | Trouble::Truncate => self.dice.chance(STRIKE_PPM),
            Trouble::Corrupt => self.spoils && self.dice.chance(STRIKE_PPM),
        };
        if !is_met {
            return Trouble::None;
        }
        *state.struck.entry(trouble).or_insert(0) += 1;
        trouble
    }

    fn part(&mut self, most: usize) -> usize {
        let most = i64::try_from(most).expect("a chunk is small");
        usize::try_from(self.dice.between(0, most)).expect("not negative")
    }

    async fn delay(&mut self, bytes: &[u8]) -> io::Result<()> {
        let wait = self.dice.between(DELAY_MS.0, DELAY_MS.1);
        tokio::time::sleep(Duration::from_millis(wait.unsigned_abs())).await;
        self.to.write_all(bytes).await
    }

    async fn drip(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (drops, rest) = bytes.split_at(bytes.len().min(DRIP_BYTES));
        for drop in drops.chunks(1) {
            self.to.write_all(drop).await?;
            tokio::time::sleep(DRIP_EVERY).await;
        }
        self.to.write_all(rest).await
    }

    /// Nothing passes any more, in this direction; the ends learn of it by themselves or not at all.
    async fn swallow(&mut self, bytes: &mut [u8]) -> End {
        while let Ok(1..) = self.from.read(bytes).await {}
        End::Orderly
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net;

    /// Sends `sent` through a link in trouble to a server that sends it back; returns what comes back and how the
    /// connection ended.
    fn echoed(trouble: Trouble, seed: u64, sent: &[u8]) -> (Vec<u8>, Option<io::ErrorKind>) {
        let server = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let exchange = server.local_addr().expect("it is bound");
        let mut got = vec![0; sent.len()];
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().expect("the link connects");
            if stream.read_exact(&mut got).is_ok() {
                // The link may have broken off.
                let _sent = stream.write_all(&got);
            }
        });
        let link = Link::start(exchange, seed).expect("a link");
        link.set(trouble);
        let mut near = net::TcpStream::connect(link.addr()).expect("the link listens");
        near.write_all(sent).expect("it takes a few bytes");
        let mut back = Vec::new();
        let ended = near.read_to_end(&mut back);
        drop((near, link));
        serving.join().expect("the server does not panic");
        (back, ended.err().map(|error| error.kind()))
    }

    #[test]
    fn a_link_carries_bytes_and_spoils_some() {
        let sent = b"GET / HTTP/1.1";
        for trouble in [Trouble::None, Trouble::Drip] {
            assert_eq!(
                echoed(trouble, 1, sent),
                (sent.to_vec(), None),
                "{trouble:?}"
            );
        }
        let spoilt = (0..40).filter(|seed| {
            let (back, _) = echoed(Trouble::Corrupt, *seed, sent);
            back.contains(&SPOILT)
        });
        assert!(spoilt.count() > 0, "a fifth of the chunks is spoilt");
    }

    #[test]
    fn a_reset_is_seen_as_one() {
        let seen = (0..40).any(|seed| {
            let (_, ended) = echoed(Trouble::Reset, seed, b"x");
            ended == Some(io::ErrorKind::ConnectionReset)
        });
        assert!(seen, "a fifth of the chunks meets a reset");
    }
}
