//! The killer alone against the simulator: no actor, no arbiter and no journal is there, which is worse than stuck.

mod support;

use actors::cli::version::BUILD;
use actors::clock::{Clock, StampSource};
use actors::driver::endpoint::Endpoint;
use actors::driver::reads::{ReadLimits, ReadParts, Reads};
use actors::driver::{Keys, tls};
use actors::gate::{Flag, GateOwner};
use actors::killer::Killer;
use actors::metrics::Metrics;
use actors::open_ids::OpenIds;
use btcturk::rest::request;
use btcturk::sign::Signer;
use engine::ids::{AccountTag, BootTag, ClientId, OrderId, Symbol};
use engine::market::Side;
use engine::mode::ModeCode;
use engine::money::{Price, Qty};
use serde_json::Value;
use std::sync::Arc;
use support::exchange::Simulator;
use support::{SOON, wait_for};

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
