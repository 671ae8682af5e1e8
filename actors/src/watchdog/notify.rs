//! What the service manager hears: ready, alive, stopping. One datagram each, and none without a manager.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The environment name that says where the manager listens.
const NAME: &str = "NOTIFY_SOCKET";

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Every actor lives.
    Ready,
    /// Every beat is fresh.
    Alive,
    /// The end has begun.
    Stopping,
}

impl State {
    const fn line(self) -> &'static str {
        match self {
            Self::Ready => "READY=1\n",
            Self::Alive => "WATCHDOG=1\n",
            Self::Stopping => "STOPPING=1\n",
        }
    }
}

/// A way to the service manager.
#[derive(Debug)]
pub(super) struct Notifier {
    socket: UnixDatagram,
    to: SocketAddr,
}

impl Notifier {
    /// Finds the manager; `None` without one.
    pub(super) fn from_env() -> Option<Self> {
        Self::to(&std::env::var_os(NAME)?)
    }

    fn to(name: &OsStr) -> Option<Self> {
        let to = match name.as_bytes() {
            [] => return None,
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest).ok()?,
            _ => SocketAddr::from_pathname(name).ok()?,
        };
        let socket = UnixDatagram::unbound().ok()?;
        // A manager that does not read must not hold the watchdog up.
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, to })
    }

    /// Says it; one that nobody takes is lost, and its absence is what the manager acts on.
    pub(super) fn say(&self, state: State) {
        let _ = self.socket.send_to_addr(state.line().as_bytes(), &self.to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_one_datagram() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("a free name");
        let notifier = Notifier::to(path.as_os_str()).expect("an address");
        for state in [State::Ready, State::Alive, State::Stopping] {
            notifier.say(state);
            let mut bytes = [0; 64];
            let count = manager.recv(&mut bytes).expect("it was sent");
            assert_eq!(&bytes[..count], state.line().as_bytes());
        }
        drop(manager);
        notifier.say(State::Alive);
        assert!(Notifier::to(OsStr::new("")).is_none());
    }
}
