//! A receiver of the operator's, on loopback: keeps every request, answers as it is told, or not at all.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }
}

/// What it does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Answers.
    Answers,
    /// Accepts connections and never says anything.
    BlackHole,
}

/// A listening receiver; its threads end with the test's process.
pub struct Receiver {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Starts one that answers with these statuses, then with 200.
    pub fn start(manner: Manner, statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let received = Arc::new(Mutex::new(Vec::new()));
        let statuses = Arc::new(Mutex::new(VecDeque::from(statuses.to_vec())));
        let kept = Arc::clone(&received);
        thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                if manner == Manner::BlackHole {
                    held.push(stream);
                    continue;
                }
                let (kept, statuses) = (Arc::clone(&kept), Arc::clone(&statuses));
                // A connection that ends in the middle of a request ends its thread.
                thread::spawn(move || serve(stream, &kept, &statuses));
            }
        });
        Self { address, received }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no panic").clone()
    }
}

fn serve(
    stream: TcpStream,
    kept: &Mutex<Vec<Received>>,
    statuses: &Mutex<VecDeque<u16>>,
) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length")?;
        let mut body = vec![0; length.1.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        let status = statuses.lock().ok()?.pop_front().unwrap_or(200);
        kept.lock().ok()?.push(Received {
            path,
            headers,
            body,
        });
        let answer = format!("HTTP/1.1 {status} Answer\r\nContent-Length: 0\r\n\r\n");
        writer.write_all(answer.as_bytes()).ok()?;
    }
}
