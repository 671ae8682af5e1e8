//! The threads behind the kill switch against the simulator, while everything else of a process is stuck or absent.

mod support;

use actors::beats::{Beat, Beats};
use actors::cli::version::BUILD;
use actors::clock::{Clock, StampSource};
use actors::driver::endpoint::Endpoint;
use actors::driver::reads::{ReadLimits, ReadParts, Reads};
use actors::driver::{Keys, tls};
use actors::gate::{Flag, Gate, GateOwner};
use actors::journal::{Journal, JournalEvent, JournalThread};
use actors::killer::{self, Killer, KillerThread};
use actors::latch::keeper::{Keeper, KeeperThread, OnRecord};
use actors::latch::{LATCH_NAME, Latch};
use actors::link::Link;
use actors::metrics::Metrics;
use actors::observer::Eyes;
use actors::open_ids::OpenIds;
use actors::store::{Header, Store, Venue};
use actors::watchdog::{Watch, Watchdog};
use btcturk::rest::request;
use btcturk::sign::Signer;
use engine::checkpoint::Fold;
use engine::ids::{AccountTag, Asset, BootTag, ClientId, OrderId, Symbol};
use engine::market::Side;
use engine::mode::ModeCode;
use engine::money::{Price, Qty};
use engine::record::Record;
use serde_json::Value;
use std::sync::{Arc, mpsc};
use support::exchange::Simulator;
use support::{SOON, wait_for};
use tempfile::TempDir;

/// Places an order far below the market; returns its number.
fn order(simulator: &Simulator, client_id: &str) -> OrderId {
    let pair = Symbol::parse("BTCTRY").expect("a pair");
    let price = Price::parse("300000").expect("a price");
    let qty = Qty::parse("0.001").expect("a quantity");
    let order = request::submit(client_id, pair, Side::Buy, price, qty);
    let body = order.body.as_deref().unwrap_or_default();
    let answer = simulator.signed("POST", &order.path, body);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let id = answer["data"]["id"].as_i64();
    OrderId(id.unwrap_or_else(|| panic!("accepted: {answer}")))
}

fn reads(simulator: &Simulator, clock: &Clock) -> Reads {
    let signer = Signer::new(
        simulator.key.as_str().into(),
        &simulator.secret.as_str().into(),
    );
    let parts = ReadParts {
        toll: actors::driver::toll::Toll::default(),
        endpoint: Endpoint::parse(&simulator.rest_url).expect("an address"),
        tls: tls::client_config(),
        keys: Keys::from(Arc::new(signer.expect("a usable key pair"))),
        stamps: StampSource::new(clock.clone()),
        clock: clock.clone(),
        metrics: Metrics::new(BUILD, &[], clock.now()),
        limits: ReadLimits::default(),
        seed: 1,
    };
    Reads::new(parts).expect("a client")
}

#[test]
fn x_10_published_orders_go_first_and_then_whatever_the_list_shows_of_ours() {
    let simulator = Simulator::with_own_account(71, &[]);
    let (clock, owner, ids) = (Clock::start(), GateOwner::new(), OpenIds::default());
    let gate = owner.gate();
    for flag in Flag::ALL {
        owner.lower(flag, gate.serial()).expect("nobody raises");
    }
    let tag = AccountTag::from_entropy(9);
    let own = |epoch: u32, seq: u64| ClientId::new(tag, epoch, BootTag::from_entropy(2), seq);
    let published = order(&simulator, &own(3, 1).to_string());
    for id in [own(3, 2), own(1, 7)] {
        order(&simulator, &id.to_string());
    }
    order(&simulator, "by-hand");
    ids.open(published);
    let killer = Killer {
        gate: gate.clone(),
        reads: reads(&simulator, &clock),
        ids,
        tag,
        spacing: killer::SPACING,
        beats: Beats::new(clock.clone()),
        clock,
    };
    let killer = killer.start().expect("a thread");
    assert!(simulator.deletes().is_empty(), "nothing is killed");
    gate.kill(ModeCode::OperatorKill);
    wait_for("three cancels", SOON, || {
        (simulator.deletes().len() >= 3).then_some(())
    });
    let requests = simulator.requests();
    let first = requests.iter().position(|one| one.method == "DELETE");
    let list = requests
        .iter()
        .position(|one| one.path.contains("openOrders"));
    assert!(first < list, "{first:?} before {list:?}");
    let path = &simulator.deletes()[0].path;
    assert!(path.contains(&published.to_string()), "{path}");
    wait_for("only the stranger's order", SOON, || {
        (simulator.open_orders() == ["by-hand"]).then_some(())
    });
    // A late one, from a submit that was on the wire at the trip.
    order(&simulator, &own(3, 3).to_string());
    wait_for("the late order's end", SOON, || {
        (simulator.open_orders() == ["by-hand"]).then_some(())
    });
    killer.stop();
}

/// A runtime on a thread that beats like an arbiter until it is blocked, and for as long as that lasts.
fn blocked_arbiter(beats: Beats) -> (mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let (free, blocked) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            tokio::spawn(beats.keep(Beat::Trade));
            tokio::task::yield_now().await;
            // No await: nothing on this thread moves any more.
            let _ = blocked.recv();
        });
    });
    (free, thread)
}

/// What is watched: a journal, its keeper and a killer, with the egress gate open and own orders at the exchange.
struct Watched {
    dir: TempDir,
    clock: Clock,
    gate: Gate,
    beats: Beats,
    latch: Latch,
    journal: Journal,
    journal_thread: JournalThread,
    keeper: KeeperThread,
    killer: KillerThread,
}

impl Watched {
    /// `on_event` is what the journal's thread does when it has something to tell.
    fn start(simulator: &Simulator, on_event: impl FnMut(JournalEvent) + Send + 'static) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (clock, owner) = (Clock::start(), GateOwner::new());
        let (gate, beats) = (owner.gate(), Beats::new(clock.clone()));
        let latch = Latch::boot(Some(dir.path()), None, gate.clone(), clock.clone());
        for flag in Flag::ALL {
            owner.lower(flag, gate.serial()).expect("nobody raises");
        }
        let tag = AccountTag::from_entropy(9);
        for seq in 1..=3 {
            let id = ClientId::new(tag, 3, BootTag::from_entropy(2), seq);
            order(simulator, &id.to_string());
        }
        let header = Header::new(Venue::Demo, &tag.to_string(), clock.now());
        let store = Store::in_memory(&header).expect("memory");
        let fold = Fold::new(Asset::parse("TRY").expect("a short name"));
        let (journal, journal_thread) =
            Journal::start(store, fold, beats.clone(), on_event).expect("a thread");
        let keeper = Keeper {
            latch: latch.clone(),
            tag,
            gate: gate.clone(),
            journal: journal.clone(),
            beats: beats.clone(),
            risk: Link::default(),
            eyes: Eyes::default(),
        };
        let keeper = keeper.start(&OnRecord::default()).expect("a thread");
        let killer = Killer {
            gate: gate.clone(),
            reads: reads(simulator, &clock),
            ids: OpenIds::default(),
            tag,
            spacing: killer::SPACING,
            clock: clock.clone(),
            beats: beats.clone(),
        };
        let killer = killer.start().expect("a thread");
        Self {
            dir,
            clock,
            gate,
            beats,
            latch,
            journal,
            journal_thread,
            keeper,
            killer,
        }
    }

    /// Looks until it is killed for a thread that stands still, and until no own order is open.
    fn ends_in_a_latch(&self, simulator: &Simulator) {
        let watch = Watch::new(
            self.gate.clone(),
            self.latch.clone(),
            self.beats.clone(),
            Link::default(),
        );
        let mut watchdog = Watchdog::new(watch);
        let kill = wait_for("a latched kill", SOON, || {
            watchdog.look();
            self.latch.current()
        });
        assert_eq!(kill.cause, ModeCode::ThreadStalled);
        assert!(self.gate.is_raised(Flag::Kill) && self.dir.path().join(LATCH_NAME).is_file());
        wait_for("no open order", SOON, || {
            simulator.open_orders().is_empty().then_some(())
        });
    }

    fn stop(self) {
        self.killer.stop();
        self.keeper.stop();
        // Its thread waits for the last handle.
        drop(self.journal);
        self.journal_thread.join();
    }
}

#[test]
fn a_hung_arbiter_and_a_hung_journal_end_in_a_latch_and_no_own_order_open() {
    let simulator = Simulator::with_own_account(72, &[]);
    let (free_journal, hung) = mpsc::channel::<()>();
    // Like a disk that does not answer.
    let watched = Watched::start(&simulator, move |_| {
        let _ = hung.recv();
    });
    let (free_arbiter, arbiter) = blocked_arbiter(watched.beats.clone());
    watched.ends_in_a_latch(&simulator);
    drop((free_arbiter, free_journal));
    watched.stop();
    arbiter.join().expect("it was freed");
}

#[test]
fn a_helper_that_panics_ends_in_a_latch_and_no_own_order_open() {
    let simulator = Simulator::with_own_account(73, &[]);
    let watched = Watched::start(&simulator, |_| panic!("a bug in the journal's thread"));
    let at = watched.clock.now();
    let told = watched.journal.append(at, Record::Boot { epoch: 1, at });
    told.expect("it lives until its first word");
    watched.ends_in_a_latch(&simulator);
    watched.stop();
}
