//! Who may ask, how long, and how many at once.
//!
//! It moves lines between peers and the desk. The one idea: the kernel says who the peer is, and a peer that is slow,
//! loud or many costs a bounded time and changes nothing.

use super::again::Key;
use super::desk::Desk;
use super::place::Listening;
use super::wire::{Answer, LINE_BYTES_MAX, Request, Verdict};
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

/// Peers at a time; one more is told so and asks again.
const CLIENTS_MAX: usize = 8;
/// Longest time until a question is there.
const ASK_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest time to take the answer.
const TAKE_TIME_MAX: Duration = Duration::from_secs(5);
/// Wait after the system gave no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who asks, by the kernel's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) pid: Option<i32>,
}

/// A whole question.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) peer: Peer,
    pub(super) request: Request,
    /// Asked for once, however often it comes.
    pub(super) key: Option<Key>,
}

/// Answers until it is dropped.
pub(super) async fn serve(listening: Listening, desk: Arc<Desk>) {
    let slots = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok((stream, _)) = listening.listener.accept().await else {
            // Out of descriptors, or a peer that has gone: either passes.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            turn_away(stream);
            continue;
        };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let _slot = slot;
            answer(stream, &desk).await;
        });
    }
}

fn turn_away(stream: UnixStream) {
    let text = format!("{CLIENTS_MAX} others ask at the moment; ask again");
    let line = Answer::new(Verdict::Busy, text, Value::Null).to_line();
    if let Ok(mut stream) = stream.into_std() {
        // A fresh socket has room for a line; one that has not belongs to nobody who reads.
        let _ = stream.write(line.as_bytes());
    }
}

async fn answer(mut stream: UnixStream, desk: &Desk) {
    let answer = match question(&mut stream).await {
        Ok(Some(asked)) => desk.answer(asked).await,
        Ok(None) => return,
        Err(answer) => {
            let verdict = answer.verdict;
            tracing::warn!(event = "control_refused", verdict = ?verdict, reason = answer.text);
            answer
        }
    };
    let line = answer.to_line();
    let taken = tokio::time::timeout(TAKE_TIME_MAX, stream.write_all(line.as_bytes())).await;
    if !matches!(taken, Ok(Ok(()))) {
        tracing::info!(event = "control_answer_not_taken");
    }
}

/// Reads who asks and what; `None` for a peer that only looked whether somebody is there.
async fn question(stream: &mut UnixStream) -> Result<Option<Asked>, Answer> {
    let peer = peer(stream)?;
    let read = tokio::time::timeout(ASK_TIME_MAX, line(stream)).await;
    let late = || Answer::bad(format!("no whole line within {} s", ASK_TIME_MAX.as_secs()));
    let Some(line) = read.map_err(|_| late())?? else {
        return Ok(None);
    };
    let (request, key) = Request::with_key(&line).map_err(Answer::bad)?;
    let uid = peer.uid;
    let key = key.map(|text| Key { uid, text });
    Ok(Some(Asked { peer, request, key }))
}

fn peer(stream: &UnixStream) -> Result<Peer, Answer> {
    let denied = |text: String| Answer::new(Verdict::Denied, text, Value::Null);
    let cred = stream
        .peer_cred()
        .map_err(|error| denied(format!("the system does not say who asks: {error}")))?;
    let own = rustix::process::geteuid().as_raw();
    let peer = Peer {
        uid: cred.uid(),
        pid: cred.pid(),
    };
    if is_allowed(peer.uid, own) {
        Ok(peer)
    } else {
        Err(denied(format!(
            "user {} may not ask this process",
            peer.uid
        )))
    }
}

/// The process's own user and root; nobody else.
const fn is_allowed(uid: u32, own: u32) -> bool {
    uid == own || uid == 0
}

/// Reads up to the end of the line; what comes behind it is not looked at. `None` if nothing came at all.
async fn line(stream: &mut UnixStream) -> Result<Option<Vec<u8>>, Answer> {
    let mut line = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let count = match stream.read(&mut chunk).await {
            Ok(count) => count,
            Err(error) => return Err(Answer::bad(format!("the line broke off: {error}"))),
        };
        let got = chunk.get(..count).unwrap_or_default();
        if let Some(end) = got.iter().position(|byte| *byte == b'\n') {
            line.extend_from_slice(got.get(..end).unwrap_or_default());
            return Ok(Some(line));
        }
        if count == 0 && line.is_empty() {
            return Ok(None);
        }
        if count == 0 {
            return Err(Answer::bad("the line has no end: close it with a newline"));
        }
        line.extend_from_slice(got);
        if line.len() >= LINE_BYTES_MAX {
            let text = format!("the line is longer than {LINE_BYTES_MAX} bytes");
            return Err(Answer::bad(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_user_and_root_may_ask() {
        let check = |uid: u32, own: u32, expected: bool| {
            assert_eq!(is_allowed(uid, own), expected, "{uid} asks {own}");
        };
        check(1_000, 1_000, true);
        check(0, 1_000, true);
        check(1_001, 1_000, false);
        check(65_534, 0, false);
    }
}
