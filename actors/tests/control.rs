//! The control socket of a running process: who may ask, what a wrong question costs, and safe mode by command.

mod support;

use actors::cli::copy::read_copy;
use actors::control::wire::LINE_BYTES_MAX;
use actors::store::Venue;
use engine::record::Record;
use rustix::process::Signal;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use support::exchange::Simulator;
use support::installation::{CONFIG, Installation};
use support::{Bot, Finished, SOON, START, STOP, http, run, wait_for};

/// Longest wait for an answer to a question that is never finished: 5 s, and some more.
const SLOW: Duration = Duration::from_secs(15);
/// Peers at once, far beyond what is served.
const CROWD: usize = 100;

fn command(place: &Installation, args: &[&str]) -> Command {
    let with_config = ["--config", CONFIG];
    place.command(&[args, &with_config].concat())
}

fn asked(place: &Installation, args: &[&str]) -> Finished {
    run(command(place, args), START)
}

fn socket(place: &Installation) -> PathBuf {
    place.path().join("btcbot-data/control.sock")
}

/// Waits until the process answers.
fn answering(bot: &mut Bot, place: &Installation) {
    bot.wait("an answer on the socket", START, |_| {
        (asked(place, &["safe-mode", "status"]).code == Some(0)).then_some(())
    });
}

fn says(path: &Path, line: &[u8]) -> Value {
    let mut stream = UnixStream::connect(path).expect("somebody listens");
    stream.set_read_timeout(Some(SLOW)).expect("a time limit");
    // A peer that was turned away cannot write; its answer is there all the same.
    let _ = stream.write_all(line);
    let mut answer = Vec::new();
    // A line that was not read to its end is answered before the connection breaks.
    let _ = stream.read_to_end(&mut answer);
    serde_json::from_slice(&answer).expect("one line of JSON")
}

/// The page and `/status` name the person behind safe mode, and every thread of an armed process is watched.
fn shows_who_asked_and_every_thread(bot: &mut Bot) {
    let plane = bot.plane();
    let page = bot.wait("the page of a process in safe mode", SOON, |_| {
        let (_, page) = http::get(plane, "/").ok()?;
        page.contains("<h1>SAFE MODE</h1>").then_some(page)
    });
    assert!(page.contains(": a drill</td>"), "{page}");
    let status = bot.status(plane);
    let rows = status["threads"].as_array().expect("a list").iter();
    let watched: Vec<&str> = rows.filter_map(|row| row["thread"].as_str()).collect();
    let expected = [
        "main", "trade", "rest", "journal", "keeper", "killer", "control",
    ];
    assert_eq!(watched, expected, "{status}");
}

#[test]
fn safe_mode_is_switched_by_command_and_every_wish_is_written_down() {
    let simulator = Simulator::with_own_account(21, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.start();
    bot.wait("an order at the exchange", SOON, |_| {
        (!simulator.posts().is_empty()).then_some(())
    });
    let on = asked(
        &place,
        &["safe-mode", "on", "--reason", "a drill", "--json"],
    );
    assert_eq!(on.code, Some(0), "{on:?}");
    assert_eq!(on.stdout.lines().count(), 1, "{on:?}");
    let data = on.data();
    assert_eq!(data["verdict"], "done", "{data}");
    assert_eq!(data["mode"], "OBSERVE_ONLY", "{data}");
    assert!(data["gate"].to_string().contains("safe"), "{data}");
    let early = asked(&place, &["safe-mode", "off", "--reason", "too soon"]);
    assert_eq!(early.code, Some(6), "{early:?}");
    assert!(early.stderr.contains("just_switched_on"), "{early:?}");
    shows_who_asked_and_every_thread(&mut bot);
    let unexplained = asked(&place, &["safe-mode", "off"]);
    assert_eq!(unexplained.code, Some(2), "{unexplained:?}");
    assert!(unexplained.stderr.contains("--reason"), "{unexplained:?}");
    wait_for("the end of the own orders", SOON, || {
        simulator.open_orders().is_empty().then_some(())
    });
    let before = simulator.posts().len();
    let granted = wait_for("a granted off", SOON, || {
        let off = asked(
            &place,
            &["safe-mode", "off", "--reason", "the drill is over"],
        );
        assert!(matches!(off.code, Some(0 | 6)), "{off:?}");
        (off.code == Some(0)).then_some(off)
    });
    assert!(granted.stdout.contains("mode "), "{granted:?}");
    bot.wait("orders again", SOON, |_| {
        (simulator.posts().len() > before).then_some(())
    });
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
    assert!(!socket(&place).exists(), "the socket goes with its process");

    let (_, history) =
        read_copy(&place.path().join("btcbot-data/live"), Venue::Live).expect("read");
    let mut wishes = history.iter().filter_map(|entry| match &entry.record {
        Record::Audit {
            uid,
            what,
            reason,
            result,
            ..
        } => Some((*uid, what.as_str(), reason.as_str(), result.as_str())),
        _ => None,
    });
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(
        wishes.next(),
        Some((uid, "safe-mode on", "a drill", "done"))
    );
    let refused = wishes.next().expect("the refusal is on record too");
    assert_eq!(&refused.1, &"safe-mode off");
    assert!(refused.3.starts_with("refused: ") && refused.3.contains("just_switched_on"));
    let last: Vec<_> = wishes.collect();
    let results: Vec<&str> = last.iter().rev().take(2).map(|wish| wish.3).collect();
    assert_eq!(
        results,
        ["done", "asked"],
        "durable before it acts: {last:?}"
    );
}

#[test]
fn a_wrong_question_is_answered_with_what_is_wrong_and_changes_nothing() {
    let simulator = Simulator::with_own_account(22, &[]);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    answering(&mut bot, &place);
    let path = socket(&place);
    let check = |what: &str, line: &[u8], verdict: &str, part: &str| {
        let answer = says(&path, line);
        assert_eq!(answer["verdict"], verdict, "{what}: {answer}");
        let text = answer["text"].as_str().expect("a text");
        assert!(text.contains(part), "{what}: {text}");
    };
    let long = [
        b"{\"v\":1,\"verb\":\"".as_slice(),
        &vec![b'a'; LINE_BYTES_MAX],
        b"\"}\n",
    ]
    .concat();
    check("oversize", &long, "bad_request", "longer than 16384 bytes");
    check(
        "no end, ever",
        &vec![b'x'; LINE_BYTES_MAX * 4],
        "bad_request",
        "longer than",
    );
    check(
        "no JSON",
        b"safe-mode on\n",
        "bad_request",
        "not one line of JSON",
    );
    check(
        "bytes",
        b"\xff\xfe\0\n",
        "bad_request",
        "not one line of JSON",
    );
    check(
        "empty line",
        b"\n{\"v\":1,\"verb\":\"status\"}\n",
        "bad_request",
        "not one line",
    );
    check(
        "unknown verb",
        b"{\"v\":1,\"verb\":\"arm\"}\n",
        "bad_request",
        "verb: arm is not one of",
    );
    check(
        "wrong version",
        b"{\"v\":9,\"verb\":\"status\"}\n",
        "bad_request",
        "v: ",
    );
    check(
        "unknown argument",
        b"{\"v\":1,\"verb\":\"safe-mode.on\",\"args\":{\"now\":1}}\n",
        "bad_request",
        "`now`",
    );
    check(
        "off without a reason",
        b"{\"v\":1,\"verb\":\"safe-mode.off\",\"args\":{}}\n",
        "bad_request",
        "reason: ",
    );
    check(
        "a wait without a bound",
        b"{\"v\":1,\"verb\":\"orders.cancel-all\",\"args\":{\"deadline_s\":100000}}\n",
        "bad_request",
        "deadline_s: ",
    );
    check(
        "no order's name",
        b"{\"v\":1,\"verb\":\"orders.cancel\",\"args\":{\"id\":\"x\",\"deadline_s\":1}}\n",
        "bad_request",
        "id: ",
    );
    check(
        "slow",
        b"{\"v\":1,",
        "bad_request",
        "no whole line within 5 s",
    );
    crowd(&path);
    let after = asked(&place, &["safe-mode", "status", "--json"]);
    assert_eq!(after.code, Some(0), "{after:?}");
    assert_eq!(after.data()["gate"], Value::Array(Vec::new()), "{after:?}");
    assert!(!bot.stderr().contains("operator_command"));
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

/// Many silent peers at once: those beyond the limit are told, and soon others are served again.
fn crowd(path: &Path) {
    let mut peers: Vec<UnixStream> = (0..CROWD)
        .map(|_| UnixStream::connect(path).expect("the queue has room"))
        .collect();
    let mut busy = 0;
    for peer in &mut peers {
        peer.set_read_timeout(Some(SLOW)).expect("a time limit");
        let mut text = String::new();
        // Each is answered: told to ask again, or that its line did not come.
        peer.read_to_string(&mut text)
            .expect("an answer and an end");
        busy += usize::from(text.contains("\"busy\""));
    }
    assert!(busy >= CROWD - 20, "{busy} of {CROWD} were turned away");
}

#[test]
fn another_user_may_not_ask() {
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(env!("CARGO_BIN_EXE_btcbot"))
            .args(args)
            .current_dir("/")
            .env_clear();
        command
    };
    let can = as_nobody(&["version"]).output();
    if !can.is_ok_and(|output| output.status.success()) {
        println!("skipped: it needs root, setpriv, and a binary that another user may run");
        return;
    }
    let simulator = Simulator::with_own_account(23, &[]);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    answering(&mut bot, &place);
    // As if somebody had opened directory and socket: the kernel's word about the peer still counts.
    for (path, mode) in [
        (place.path().to_owned(), 0o755),
        (place.path().join("btcbot-data"), 0o755),
        (socket(&place), 0o666),
    ] {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own file");
    }
    let state = format!("state.dir={}", place.path().join("btcbot-data").display());
    let args = ["safe-mode", "on", "--no-env-file", "--set", &state];
    let denied = run(as_nobody(&args), START);
    assert_eq!(denied.code, Some(77), "{denied:?}");
    assert!(
        denied.stderr.contains("user 65534 may not ask"),
        "{denied:?}"
    );
    let after = asked(&place, &["safe-mode", "status", "--json"]);
    assert_eq!(after.data()["gate"], Value::Array(Vec::new()), "{after:?}");
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn a_second_process_cannot_take_the_socket_and_a_killed_one_leaves_it_to_the_next() {
    let simulator = Simulator::with_own_account(24, &[]);
    let place = Installation::dry(&simulator);
    let mut bot = place.start();
    answering(&mut bot, &place);
    assert_eq!(run(place.run_command(&[]), START).code, Some(7));
    let mode = fs::metadata(socket(&place))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let screen = asked(&place, &["status"]);
    assert_eq!(screen.code, Some(0), "{screen:?}");
    for part in [
        "mode       NORMAL",
        "armed      no: ",
        "feed       BTCTRY",
        "orders ",
        "reconcile ",
        "gate open",
    ] {
        assert!(screen.stdout.contains(part), "{part}: {}", screen.stdout);
    }
    bot.kill_9();
    assert!(socket(&place).exists(), "nobody has tidied up");
    for args in [
        &["safe-mode", "on"][..],
        &["orders", "cancel-all"],
        &["orders", "cancel", "7"],
    ] {
        let ended = asked(&place, args);
        assert_eq!(ended.code, Some(4), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains("no running process"), "{ended:?}");
    }
    let mut next = place.start();
    answering(&mut next, &place);
    next.signal(Signal::TERM);
    assert_eq!(next.finish(STOP).code, Some(0));
}

#[test]
fn a_state_directory_with_too_long_a_name_is_refused_by_its_key() {
    let place = Installation::empty();
    let long = format!("state.dir={}", "d".repeat(120));
    let ended = run(place.command(&["run", "--set", &long]), START);
    assert_eq!(ended.code, Some(78), "{ended:?}");
    for part in ["state.dir", "BTCBOT__STATE__DIR", "107"] {
        assert!(ended.stderr.contains(part), "{ended:?}");
    }
}

#[test]
fn a_broken_configuration_and_unreadable_secrets_do_not_hide_a_process() {
    let simulator = Simulator::with_own_account(25, &[]);
    let place = Installation::armed(&simulator);
    let mut bot = place.start();
    answering(&mut bot, &place);
    place.write_with_mode("secrets/btcturk_api_secret", "not base64!", 0o400);
    assert_eq!(asked(&place, &["safe-mode", "on"]).code, Some(0));
    place.write(CONFIG, "[market\nnonsense");
    assert_eq!(asked(&place, &["safe-mode", "on"]).code, Some(0));
    bot.signal(Signal::TERM);
    assert_eq!(bot.finish(STOP).code, Some(0));
}

#[test]
fn commands_without_a_process_open_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("it can");
    let at = listener.local_addr().expect("bound");
    let place = Installation::empty();
    let dotenv = format!("BTCTURK_BASE_URL=http://{at}\nBTCTURK_WS_URL=ws://{at}\n");
    place.write_with_mode(".env.live", &dotenv, 0o600);
    assert_eq!(run(place.command(&["init"]), START).code, Some(0));
    let check = |args: &[&str], code: i32| {
        let ended = run(place.command(args), START);
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
    };
    check(&["orders", "list", "--all"], 0);
    check(&["orders", "cancel-all"], 4);
    check(&["orders", "cancel-all", "--offline"], 77);
    check(&["safe-mode", "on"], 4);
    check(&["config", "check"], 0);
    let came = listener.accept().map(drop).expect_err("nobody came");
    assert_eq!(came.kind(), std::io::ErrorKind::WouldBlock);
}
