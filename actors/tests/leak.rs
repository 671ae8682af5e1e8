//! No output holds a secret: an armed run with a canary key pair at the most talkative level, and every word it says.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use btcturk::sign::{LOGIN_NONCE, Signer};
use rustix::process::Signal;
use std::collections::HashMap;
use std::time::Duration;
use support::exchange::{Simulator, fresh_keys};
use support::installation::Installation;
use support::{SOON, START, STOP, bytes_of, http, now_ms, run};

/// This many bytes of a secret in a row are a leak; fewer are chance.
const PIECE: usize = 12;
/// Trading time under watch, milliseconds.
const WATCHED_MS: i64 = 3_000;
/// Stamps follow the exchange's clock and may lead it.
const STAMP_MARGIN_MS: i64 = 2_000;

/// Finds pieces of secrets in texts.
#[derive(Default)]
struct Scan {
    pieces: HashMap<[u8; PIECE], String>,
}

impl Scan {
    /// Every piece of every form of a value counts.
    fn watch(&mut self, name: &str, raw: &[u8]) {
        let mut forms = vec![
            raw.to_vec(),
            STANDARD.encode(raw).into_bytes(),
            URL_SAFE.encode(raw).into_bytes(),
            URL_SAFE_NO_PAD.encode(raw).into_bytes(),
            hex(raw, false),
            hex(raw, true),
        ];
        let escaped: Vec<Vec<u8>> = forms
            .iter()
            .flat_map(|form| [escape(form, false), escape(form, true)])
            .collect();
        forms.extend(escaped);
        for form in forms {
            for piece in form.windows(PIECE) {
                self.add(piece, name);
            }
        }
    }

    /// A signature counts by how it begins, in Base64 and hex: there are thousands.
    fn watch_signature(&mut self, name: &str, base64: &str) {
        let raw = STANDARD.decode(base64).expect("a signature is Base64");
        let forms = [
            base64.as_bytes().to_vec(),
            escape(base64.as_bytes(), false),
            URL_SAFE.encode(&raw).into_bytes(),
            hex(&raw, false),
            raw,
        ];
        for form in forms {
            self.add(&form[..PIECE], name);
        }
    }

    fn add(&mut self, piece: &[u8], name: &str) {
        let piece = piece.try_into().expect("pieces have one length");
        self.pieces.entry(piece).or_insert_with(|| name.to_owned());
    }

    /// Returns the name of a secret that occurs, with its place.
    fn find(&self, text: &[u8]) -> Option<(usize, &str)> {
        text.windows(PIECE).enumerate().find_map(|(at, window)| {
            let window: &[u8; PIECE] = window.try_into().expect("windows have one length");
            self.pieces.get(window).map(|name| (at, name.as_str()))
        })
    }
}

fn hex(raw: &[u8], is_upper: bool) -> Vec<u8> {
    let digits = raw.iter().map(|byte| {
        if is_upper {
            format!("{byte:02X}")
        } else {
            format!("{byte:02x}")
        }
    });
    digits.collect::<String>().into_bytes()
}

/// As in a URL: everything but letters and digits.
fn escape(text: &[u8], is_upper: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in text {
        match (byte.is_ascii_alphanumeric(), is_upper) {
            (true, _) => out.push(*byte),
            (false, true) => out.extend(format!("%{byte:02X}").bytes()),
            (false, false) => out.extend(format!("%{byte:02x}").bytes()),
        }
    }
    out
}

/// Everything that was said, by who said it.
#[derive(Default)]
struct Said(Vec<(String, Vec<u8>)>);

impl Said {
    fn add(&mut self, who: &str, text: impl Into<Vec<u8>>) {
        self.0.push((who.to_owned(), text.into()));
    }

    fn command(&mut self, place: &Installation, args: &[&str]) {
        let ended = run(place.command(args), START);
        self.add(&format!("{args:?} stdout"), ended.stdout);
        self.add(&format!("{args:?} stderr"), ended.stderr);
    }
}

#[test]
fn no_output_holds_a_secret() {
    // Bytes whose Base64 text needs every kind of escape.
    let (key, _) = fresh_keys();
    let raw: Vec<u8> = (0..48_u8).map(|n| 255 - n * 5).collect();
    let secret = STANDARD.encode(&raw);
    assert!(secret.contains('+') || secret.contains('/'), "{secret}");
    let simulator = Simulator::with_keys(7, &[], key.clone(), secret.clone());
    let place = Installation::armed(&simulator);
    let mut said = Said::default();
    let started = now_ms();
    watch_a_run(&place, &simulator, &mut said);
    let ended = now_ms();
    ask_about_the_configuration(&place, &secret, &key, &mut said);

    let mut scan = Scan::default();
    scan.watch("key", key.as_bytes());
    scan.watch("secret", &raw);
    scan.watch("secret's text", secret.as_bytes());
    let signer = Signer::new(key.as_str().into(), &secret.as_str().into()).expect("usable");
    let stamps = (started - STAMP_MARGIN_MS..ended + STAMP_MARGIN_MS).chain([LOGIN_NONCE]);
    for stamp in stamps {
        let headers = signer.rest_headers(stamp);
        let signature = headers.expose().map(|(_, value)| value)[2];
        scan.watch_signature("signature", signature);
    }
    // The login's own signature is over the same message as a stamp of its nonce; by its frame it is certain.
    let login: serde_json::Value =
        serde_json::from_str(signer.ws_login(started).expose()).expect("JSON");
    let login = login[1]["signature"]
        .as_str()
        .expect("a login is signed")
        .to_owned();
    scan.watch_signature("login", &login);

    let total: usize = said.0.iter().map(|(_, text)| text.len()).sum();
    assert!(total > 20_000, "a talkative run was scanned: {total} bytes");
    for (who, text) in &said.0 {
        let found = scan.find(text);
        assert!(found.is_none(), "{who}: {found:?}");
    }
    // The scan itself must find what is there.
    let planted = [
        key.clone().into_bytes(),
        secret.clone().into_bytes(),
        hex(&raw, false),
        escape(secret.as_bytes(), true),
        raw[3..20].to_vec(),
        login.into_bytes(),
        signer.rest_headers((started + ended) / 2).expose()[2]
            .1
            .as_bytes()
            .to_vec(),
    ];
    for value in planted {
        let mut text = said.0[0].1.clone();
        let middle = text.len() / 2;
        text.splice(middle..middle, value.iter().copied());
        assert!(scan.find(&text).is_some(), "not found: {value:?}");
    }
}

/// An armed run at trace level, with every page of its plane.
fn watch_a_run(place: &Installation, simulator: &Simulator, said: &mut Said) {
    let mut command = place.run_command(&[]);
    command
        .env("LOG_LEVEL", "trace")
        .env("HTTPX_LOG_LEVEL", "trace");
    let mut bot = support::Bot::start(command);
    let plane = bot.plane();
    let from = now_ms();
    bot.wait("some seconds of trading", SOON, |_| {
        (now_ms() - from > WATCHED_MS && simulator.posts().len() > 1).then_some(())
    });
    bot.signal(Signal::HUP);
    bot.wait_for_text("config_unchanged", SOON);
    for path in [
        "/metrics",
        "/status",
        "/livez?verbose",
        "/readyz?verbose",
        "/startupz",
        "/nowhere",
    ] {
        let (_, body) = http::get(plane, path).expect("the plane answers");
        said.add(path, body);
    }
    // The port is the process's own choice here, so that its metrics are not in the bundle; they were added above.
    let args = [
        "support-bundle",
        "--out",
        "bundle.json",
        "--config",
        "bot.toml",
    ];
    said.command(place, &args);
    let bundle = bytes_of(&place.path().join("bundle.json"));
    let text = String::from_utf8_lossy(&bundle).into_owned();
    for part in [
        "\"verdict\": \"done\"",
        "config_unchanged",
        "risk.max_open_orders",
        "private_read",
    ] {
        assert!(text.contains(part), "{part} is not in the bundle");
    }
    said.add("bundle", bundle);
    bot.signal(Signal::TERM);
    let ended = bot.finish(STOP);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stderr.contains("\"level\":\"DEBUG\""),
        "it was talkative"
    );
    said.add("stderr", ended.stderr);
    said.add("stdout", ended.stdout);
    for venue in ["live", "dry"] {
        let journal = place
            .path()
            .join("btcbot-data")
            .join(venue)
            .join("btcbot.redb");
        said.add("journal", bytes_of(&journal));
    }
    said.add(
        "lock",
        bytes_of(&place.path().join("btcbot-data/btcbot.lock")),
    );
    let signed = simulator
        .requests()
        .iter()
        .filter(|request| request.path.starts_with("/api/v1/"))
        .count();
    assert!(signed > 3, "signatures were made: {signed}");
}

/// What the configuration's commands print, with secrets in the right places and pasted into wrong ones.
fn ask_about_the_configuration(place: &Installation, secret: &str, key: &str, said: &mut Said) {
    for args in [
        &["config", "check"][..],
        &["config", "check", "--json"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["health"],
    ] {
        let with_config: Vec<&str> = args
            .iter()
            .copied()
            .chain(["--config", "bot.toml"])
            .collect();
        said.command(place, &with_config);
    }
    let pasted = [
        format!("[secrets]\napi_secret = \"{secret}\"\napi_key = \"{key}\"\n"),
        format!("[market]\nsymbols = [\"{secret}\"]\n"),
        format!("[exchange]\nrest_url = \"http://{key}@127.0.0.1:1/\"\n"),
        format!("[secrets]\napi_key_file = \"{key}\"\nrotated_at = \"{secret}\"\n"),
        format!("\"{secret}\" = 1\n"),
        format!("{secret}\n"),
    ];
    for text in pasted {
        place.write("pasted.toml", &text);
        // Without the dotenv file nothing covers the pasted value, and no loaded secret gives it away to the filter.
        for args in [
            &["config", "check"][..],
            &["config", "check", "--no-env-file"],
            &["config", "show", "--json"],
            &["config", "show", "--no-env-file"],
            &["doctor", "--pre"],
            &["doctor", "--pre", "--no-env-file"],
            &["run", "--for", "100ms"],
        ] {
            let args: Vec<&str> = args
                .iter()
                .copied()
                .chain(["--config", "pasted.toml"])
                .collect();
            said.command(place, &args);
        }
    }
    let assignment = format!("exchange.rest_url={secret}");
    said.command(place, &["config", "check", "--set", &assignment]);
    said.command(
        place,
        &[
            "run",
            "--set",
            &format!("market.symbols={key}"),
            "--for",
            "1s",
        ],
    );
    let mut command = place.command(&["config", "check"]);
    command
        .env("BTCTURK_API_SECRET", format!("{secret} "))
        .env("BTCTURK_API_KEY", key);
    let ended = run(command, Duration::from_secs(20));
    said.add("environment", format!("{}{}", ended.stdout, ended.stderr));
}
