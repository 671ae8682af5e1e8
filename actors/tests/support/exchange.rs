//! The simulated exchange of a test: the built binary's own `simulator`, or the same server on a thread of the test.
//!
//! The second exists for accounts of their own: one API key may be used by one process on a machine, so tests that run
//! at the same time must not share the example key.

use super::{Bot, SOON, START, btcbot, http, now_ms, wait_for};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use btcturk::sign::Signer;
use engine::ids::Asset;
use engine::money::Amount;
use rustix::process::Signal;
use serde_json::Value;
use sha2::{Digest, Sha256};
use simulator::exchange::AccountSpec;
use simulator::profile::Profile;
use simulator::server::{Hosted, RequestLog};
use simulator::venue::{Member, VenueOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Opening cash of an account of a test's own, in TRY.
const CASH_TRY: i64 = 1_000_000;
/// User number of such an account.
const USER_ID: i64 = 200_002;
/// Time between two signed looks at the exchange: far below its quota.
const LOOK: Duration = Duration::from_millis(250);

/// A running simulated exchange, stopped when this is dropped.
pub struct Simulator {
    pub rest_url: String,
    pub ws_url: String,
    pub key: String,
    pub secret: String,
    address: SocketAddr,
    dir: TempDir,
    holder: Holder,
}

enum Holder {
    Process { bot: Bot },
    Thread { hosted: Hosted },
}

/// One line of its log.
#[derive(Clone, Debug)]
pub struct Logged {
    pub ts_ms: i64,
    pub method: String,
    pub path: String,
    pub client_id: Option<String>,
    pub status: u16,
}

/// A key pair that no other test has.
pub fn fresh_keys() -> (String, String) {
    let random = getrandom::u64().expect("random bits");
    let key = format!(
        "{:08x}-0000-4000-8000-{:012x}",
        random >> 32,
        random & 0xffff_ffff
    );
    (key.clone(), STANDARD.encode(Sha256::digest(key.as_bytes())))
}

fn profile(faults: &[&str]) -> Profile {
    let mut profile = Profile::faithful();
    for fault in faults {
        profile.set(fault).expect("a switch of the simulator");
    }
    profile
}

fn member(user_id: i64, key: &str, secret: &str) -> Member {
    let quote = Asset::parse("TRY").expect("a short name");
    Member {
        spec: AccountSpec {
            user_id,
            deposits: vec![(quote, Amount::from_whole(CASH_TRY))],
        },
        key: key.to_owned(),
        secret: secret.to_owned().into(),
    }
}

impl Simulator {
    /// Starts `btcbot simulator`, with the example account.
    pub fn process(seed: u64) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let seed = seed.to_string();
        let args = [
            "simulator",
            "--listen",
            "127.0.0.1:0",
            "--seed",
            &seed,
            "--log",
            "requests",
        ];
        let mut bot = Bot::start(btcbot(dir.path(), &args));
        let ready: Value = bot.wait("the simulator's ready line", START, |bot| {
            let text = bot.stdout();
            let (line, _) = text.split_once('\n')?;
            serde_json::from_str(line).ok()
        });
        let text = |name: &str| ready["data"][name].as_str().expect("a text").to_owned();
        let rest_url = text("rest_url");
        Self {
            address: address_of(&rest_url),
            rest_url,
            ws_url: text("ws_url"),
            key: text("api_key"),
            secret: text("api_secret"),
            dir,
            holder: Holder::Process { bot },
        }
    }

    /// Starts the server on a thread, with an account that holds cash only and has a key of its own.
    pub fn with_own_account(seed: u64, faults: &[&str]) -> Self {
        let (key, secret) = fresh_keys();
        Self::with_keys(seed, faults, key, secret)
    }

    /// The same with given keys.
    pub fn with_keys(seed: u64, faults: &[&str], key: String, secret: String) -> Self {
        let members = vec![member(USER_ID, &key, &secret)];
        Self::of(seed, faults, members, (key, secret))
    }

    /// The same with keys of its own, and a second pair of an account that holds as much.
    pub fn with_second_key(seed: u64, (second_key, second_secret): (&str, &str)) -> Self {
        let (key, secret) = fresh_keys();
        let members = vec![
            member(USER_ID, &key, &secret),
            member(USER_ID + 1, second_key, second_secret),
        ];
        Self::of(seed, &[], members, (key, secret))
    }

    /// The same with keys of its own, and a second pair of the same account.
    pub fn with_two_keys(seed: u64, (second_key, second_secret): (&str, &str)) -> Self {
        let (key, secret) = fresh_keys();
        let members = vec![
            member(USER_ID, &key, &secret),
            member(USER_ID, second_key, second_secret),
        ];
        Self::of(seed, &[], members, (key, secret))
    }

    fn of(
        seed: u64,
        faults: &[&str],
        members: Vec<Member>,
        (key, secret): (String, String),
    ) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options = VenueOptions {
            seed,
            profile: profile(faults),
            members,
        };
        let log = RequestLog::file(&dir.path().join("requests")).expect("a new file");
        let hosted = Hosted::start(options, log).expect("a server");
        let server = hosted.server();
        let (rest_url, ws_url) = (server.rest_url(), server.ws_url());
        Self {
            address: address_of(&rest_url),
            rest_url,
            ws_url,
            key,
            secret,
            dir,
            holder: Holder::Thread { hosted },
        }
    }

    /// Sends a signal to the process; one that is stopped keeps its connections and says nothing.
    ///
    /// # Panics
    /// If the server is a thread of the test.
    pub fn signal(&self, signal: Signal) {
        match &self.holder {
            Holder::Process { bot } => bot.signal(signal),
            Holder::Thread { .. } => panic!("only a process can be stopped"),
        }
    }

    /// Makes these the faults from now on, in place of those before.
    ///
    /// # Panics
    /// If the server is a process of its own.
    pub fn set_faults(&self, faults: &[&str]) {
        match &self.holder {
            Holder::Process { .. } => panic!("only a thread's switches can be turned"),
            Holder::Thread { hosted } => hosted
                .server()
                .inspect(|venue| *venue.exchange_mut().profile_mut() = profile(faults)),
        }
    }

    pub fn log_path(&self) -> PathBuf {
        self.dir.path().join("requests")
    }

    /// Returns the requests so far; a line that is being written is left out.
    pub fn requests(&self) -> Vec<Logged> {
        read_log(&self.log_path())
    }

    /// Returns the submits so far.
    pub fn posts(&self) -> Vec<Logged> {
        self.of_method("POST")
    }

    /// Returns the cancels so far.
    pub fn deletes(&self) -> Vec<Logged> {
        self.of_method("DELETE")
    }

    fn of_method(&self, method: &str) -> Vec<Logged> {
        let mut requests = self.requests();
        requests.retain(|request| request.method == method);
        requests
    }

    /// Sends a signed request of the account, and again while the exchange refuses its stamp; returns the body.
    pub fn signed(&self, method: &str, path: &str, body: &[u8]) -> String {
        let signer = Signer::new(self.key.as_str().into(), &self.secret.as_str().into());
        let signer = signer.expect("a usable key pair");
        wait_for("the exchange's answer", SOON, || {
            let headers = signer.rest_headers(now_ms());
            let answer = http::send(self.address, (method, path), &headers.expose(), body);
            answer
                .ok()
                .filter(|(code, _)| *code == 200)
                .map(|(_, body)| body)
        })
    }

    /// Returns the client ids of the account's open orders, asked as any client asks: with a signed request.
    pub fn open_orders(&self) -> Vec<String> {
        let signer = Signer::new(self.key.as_str().into(), &self.secret.as_str().into());
        let signer = signer.expect("a usable key pair");
        wait_for("the exchange's list of open orders", SOON, || {
            // Looks in a row stay below the quota of the account, which is the engine's too.
            std::thread::sleep(LOOK);
            let headers = signer.rest_headers(now_ms());
            let answer =
                http::request(self.address, "GET", "/api/v1/openOrders", &headers.expose());
            // A stamp that the engine has just used may be refused: the next one is taken.
            match answer {
                Ok((200, body)) => Some(client_ids(&body)),
                Ok(_) | Err(_) => None,
            }
        })
    }
}

fn client_ids(body: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(body).expect("JSON");
    let sides = ["asks", "bids"].map(|side| answer["data"][side].as_array().expect("a list"));
    let id = |order: &Value| {
        order["orderClientId"]
            .as_str()
            .expect("a client id")
            .to_owned()
    };
    sides.into_iter().flatten().map(id).collect()
}

fn address_of(rest_url: &str) -> SocketAddr {
    let address = rest_url.strip_prefix("http://").expect("a plain address");
    address.parse().expect("an IP address with a port")
}

fn read_log(path: &Path) -> Vec<Logged> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(logged).collect()
}

fn logged(line: &str) -> Logged {
    let line: Value = serde_json::from_str(line).expect("the log holds JSON lines");
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    Logged {
        ts_ms: line["ts_ms"].as_i64().expect("a time"),
        method: text("method").expect("a method"),
        path: text("path").expect("a path"),
        client_id: text("client_id"),
        status: u16::try_from(line["status"].as_u64().expect("a status")).expect("small"),
    }
}
