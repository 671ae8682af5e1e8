//! Orders and money in virtual time: life cycle, conservation, fees, lags, determinism.

use crate::support::*;
use btcbot_simulator::exchange::{Event, Exchange, PrivateEvent};
use btcbot_simulator::fees::Role;
use btcbot_simulator::judge::{OrderRequest, Refused};
use btcbot_simulator::order::State;
use engine::ids::{Asset, OrderId};
use engine::market::Side;
use engine::money::{Amount, Price};
use engine::time::Timestamp;
use proptest::prelude::*;

const ASSETS: [&str; 6] = ["TRY", "USDT", "BTC", "ETH", "SOL", "AAVE"];

fn asset(text: &str) -> Asset {
    Asset::parse(text).unwrap()
}

#[test]
fn a_resting_order_reserves_is_listed_and_comes_back_when_cancelled() {
    let mut exchange = exchange(1, &[]);
    let free = |exchange: &Exchange| exchange.ledger().balance(ME, asset("TRY"));
    let before = free(&exchange);
    let order = far_buy(&exchange, "mine");
    let accepted = exchange.submit(START, ME, &order).unwrap();
    assert!(accepted.id.0 > 27_000_000_000);
    assert_eq!(accepted.echo.as_deref(), Some("mine"));
    let held = free(&exchange);
    let value = price(order.price.as_deref().unwrap()).value(qty("0.01"));
    // Taker fee 0.09 % and a fifth of it as tax.
    assert_eq!(
        held.locked,
        value + value.times_ratio(108, 100_000).unwrap()
    );
    assert_eq!(held.total(), before.total());

    assert_eq!(kinds(&told(&mut exchange, ME, 100)), [451]);
    let listed = exchange.shown_orders(START.plus_ms(400), ME, None);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].shown.state, State::Untouched);

    exchange
        .cancel(START.plus_ms(500), ME, accepted.id)
        .unwrap();
    assert_eq!(
        exchange.order(accepted.id).unwrap().state(),
        State::Untouched
    );
    let mut events = kinds(&told(&mut exchange, ME, 700));
    events.sort_unstable();
    assert_eq!(events, [201, 452]);
    assert_eq!(
        exchange.order(accepted.id).unwrap().state(),
        State::Canceled
    );
    assert_eq!(free(&exchange), before);
    assert_eq!(exchange.cancel(START.plus_ms(800), ME, accepted.id), Ok(()));
    assert_eq!(told(&mut exchange, ME, 1_000), []);
}

#[test]
fn a_marketable_order_fills_with_441_and_423_for_each_fill() {
    let mut exchange = exchange(3, &[]);
    let order = crossing_buy(&exchange, "0.5", "big");
    let id = exchange.submit(START, ME, &order).unwrap().id;
    let events = told(&mut exchange, ME, 300);
    let fills: Vec<_> = exchange
        .fills()
        .filter(|fill| fill.order_id == id)
        .copied()
        .collect();
    assert!(fills.len() > 1, "half a coin takes several levels");
    assert_eq!(
        fills
            .iter()
            .map(|fill| fill.qty)
            .sum::<engine::money::Qty>(),
        qty("0.5")
    );
    let count = |kind| kinds(&events).iter().filter(|k| **k == kind).count();
    assert_eq!(
        (count(451), count(441), count(423), count(452)),
        (1, fills.len(), fills.len(), 0)
    );
    assert_eq!(exchange.order(id).unwrap().state(), State::Closed);
    assert_eq!(
        exchange.cancel(START.plus_ms(400), ME, id),
        Err(Refused::CouldNotBeCanceled)
    );
    let ids: std::collections::BTreeSet<_> = fills.iter().map(|fill| fill.id.0).collect();
    assert_eq!(ids.len(), fills.len());
    assert!(ids.iter().all(|id| id.to_string().len() == 19));
}

#[test]
fn what_a_fill_costs_is_price_quantity_fee_and_tax_to_the_last_digit() {
    let mut exchange = exchange(5, &[]);
    let before = exchange.ledger().balance(ME, asset("TRY")).total();
    let order = crossing_buy(&exchange, "0.12345678", "exact");
    let id = exchange.submit(START, ME, &order).unwrap().id;
    exchange.advance(START.plus_ms(300));
    let cost: Amount = exchange
        .fills()
        .filter(|fill| fill.order_id == id)
        .map(|fill| fill.price.value(fill.qty) + fill.charges.total())
        .sum();
    let after = exchange.ledger().balance(ME, asset("TRY"));
    assert_eq!(before - after.total(), cost);
    assert_eq!(after.locked, Amount::ZERO);
    assert!(exchange.fills().all(|fill| fill.role == Role::Taker));
}

#[test]
fn funds_of_a_fill_can_be_spent_only_after_they_settled() {
    let mut exchange = exchange(1, &[]);
    let all_btc = exchange
        .ledger()
        .balance(ME, asset("BTC"))
        .free
        .to_qty()
        .unwrap();
    let order = crossing_buy(&exchange, "0.01", "more");
    exchange.submit(START, ME, &order).unwrap();
    exchange.advance(START.plus_ms(60));
    let everything = (all_btc + qty("0.01")).to_string();
    let far = near(&exchange, Side::Sell, 160);
    let sell = OrderRequest::limit("BTCTRY", Side::Sell, &everything, &far, "all");
    assert_eq!(
        exchange.submit(START.plus_ms(61), ME, &sell),
        Err(Refused::Funds)
    );
    assert!(exchange.submit(START.plus_ms(300), ME, &sell).is_ok());
}

#[test]
fn a_pair_with_fees_in_base_charges_coins_to_the_last_digit() {
    let mut exchange = exchange(1, &[]);
    let pair = exchange.find_pair("AAVETRY").unwrap();
    let (aave, lira) = (asset("AAVE"), asset("TRY"));
    let total = |exchange: &Exchange, asset| exchange.ledger().balance(ME, asset).total();
    let (mut coins, mut cash) = (total(&exchange, aave), total(&exchange, lira));
    let best = |side| exchange.book(pair).best(side).unwrap();
    let limits = [
        (Side::Buy, best(Side::Sell), 102),
        (Side::Sell, best(Side::Buy), 98),
    ];
    for (side, limit, percent) in limits {
        let limit = Price::from_units(limit.units() / 100 * percent).floor_to(price("0.01"));
        let order = OrderRequest::limit("AAVETRY", side, "1.5", &limit.to_string(), "x");
        exchange.submit(exchange.now(), ME, &order).unwrap();
        let later = exchange.now().plus_ms(1_000);
        exchange.advance(later);
    }
    let mut charged = Amount::ZERO;
    for fill in exchange.fills().filter(|fill| fill.account == ME) {
        let sign = |amount: Amount| match fill.side {
            Side::Buy => amount,
            Side::Sell => -amount,
        };
        coins += sign(fill.qty.amount()) - fill.charges.total();
        cash += sign(-fill.price.value(fill.qty));
        charged += fill.charges.total();
    }
    assert!(charged.is_positive());
    assert_eq!(total(&exchange, aave), coins);
    assert_eq!(total(&exchange, lira), cash);
    assert_eq!(exchange.ledger().collected(aave).total(), charged);
}

#[test]
fn deposits_and_withdrawals_move_balances_are_listed_and_conserve_money() {
    let mut exchange = exchange(1, &[]);
    let lira = asset("TRY");
    let (sum, held) = (
        exchange.ledger().sum(lira),
        exchange.ledger().balance(ME, lira).free,
    );
    let amount = |text: &str| Amount::parse(text).unwrap();
    assert!(exchange.transfer(START, ME, lira, amount("250.5")));
    assert!(exchange.transfer(START, ME, asset("BTC"), amount("-0.25")));
    assert!(!exchange.transfer(START, ME, lira, amount("-99999999")));
    assert_eq!(exchange.ledger().sum(lira), sum);
    let free = exchange.ledger().balance(ME, lira).free;
    assert_eq!(free, held + amount("250.5"));
    let notes: Vec<_> = exchange.transfers().map(|note| note.amount).collect();
    assert_eq!(notes, [amount("250.5"), amount("-0.25")]);
}

#[test]
fn a_market_buy_spends_its_quote_amount_and_gives_the_rest_back() {
    let mut exchange = exchange(2, &[]);
    let before = exchange.ledger().balance(ME, asset("TRY")).total();
    let order = OrderRequest::market("BTCTRY", Side::Buy, "5000", "spend");
    let id = exchange.submit(START, ME, &order).unwrap().id;
    exchange.advance(START.plus_ms(300));
    let spent = before - exchange.ledger().balance(ME, asset("TRY")).total();
    assert!(
        spent <= Amount::from_whole(5_000) && spent > Amount::from_whole(4_999),
        "{spent}"
    );
    assert_eq!(
        exchange.ledger().balance(ME, asset("TRY")).locked,
        Amount::ZERO
    );
    assert_eq!(exchange.order(id).unwrap().state(), State::Closed);
}

#[test]
fn an_order_over_the_balance_is_refused_and_leaves_nothing() {
    let mut exchange = exchange(1, &[]);
    let far = near(&exchange, Side::Buy, 60);
    let order = OrderRequest::limit("BTCTRY", Side::Buy, "900", &far, "huge");
    assert_eq!(exchange.submit(START, ME, &order), Err(Refused::Funds));
    assert_eq!(exchange.orders().count(), 0);
    assert_eq!(exchange.submits("huge"), 0);
}

#[test]
fn a_client_id_sent_twice_makes_two_orders_and_is_counted() {
    let mut exchange = exchange(1, &[]);
    let order = far_buy(&exchange, "twice");
    exchange.submit(START, ME, &order).unwrap();
    exchange.submit(START, ME, &order).unwrap();
    let nameless = OrderRequest {
        client_id: None,
        ..order
    };
    let guid = exchange.submit(START, ME, &nameless).unwrap().echo.unwrap();
    assert_eq!(exchange.submits("twice"), 2);
    assert_eq!(exchange.duplicate_client_ids(), 1);
    assert_eq!(
        guid.split('-').map(str::len).collect::<Vec<_>>(),
        [8, 4, 4, 4, 12]
    );
    exchange.advance(START.plus_ms(100));
    assert_eq!(
        exchange
            .orders()
            .filter(|order| order.state() == State::Untouched)
            .count(),
        3
    );
}

#[test]
fn another_accounts_order_cannot_be_seen_or_cancelled() {
    let mut exchange = exchange(1, &[]);
    let order = far_buy(&exchange, "mine");
    let id = exchange.submit(START, ME, &order).unwrap().id;
    assert_eq!(
        exchange.cancel(START.plus_ms(100), OTHER, id),
        Err(Refused::NoOrderMatches)
    );
    assert!(
        exchange
            .shown_orders(START.plus_ms(500), OTHER, None)
            .is_empty()
    );
    assert!(
        exchange
            .shown_order(START.plus_ms(500), OTHER, id)
            .is_none()
    );
    assert_eq!(told(&mut exchange, OTHER, 1_000), []);
    assert_eq!(
        exchange.cancel(START.plus_ms(1_000), ME, OrderId(5)),
        Err(Refused::NoOrderMatches)
    );
}

#[test]
fn a_cancel_that_loses_the_race_gets_fills_and_no_452() {
    // The order needs longer to the book than the cancel to the engine, and then it trades at once.
    let mut exchange = exchange(1, &["insert_delay_ms=200", "event_before_reply=0"]);
    let order = crossing_buy(&exchange, "0.01", "racer");
    let id = exchange.submit(START, ME, &order).unwrap().id;
    assert_eq!(exchange.cancel(START.plus_ms(10), ME, id), Ok(()));
    let kinds = kinds(&told(&mut exchange, ME, 1_000));
    assert!(kinds.contains(&423) && !kinds.contains(&452), "{kinds:?}");
    assert_eq!(exchange.order(id).unwrap().state(), State::Closed);
}

#[test]
fn lists_lag_but_never_go_back() {
    let mut exchange = exchange(9, &["lists_lag_ms=0..400"]);
    let order = far_buy(&exchange, "lagging");
    let id = exchange.submit(START, ME, &order).unwrap().id;
    exchange.advance(START.plus_ms(1_000));
    exchange.cancel(START.plus_ms(1_000), ME, id).unwrap();
    let mut seen = Vec::new();
    for step in 0..200 {
        let view = exchange.shown_order(START.plus_ms(1_000 + step * 5), ME, id);
        seen.push(view.map(|view| view.shown.state));
    }
    let first = seen
        .iter()
        .position(|state| *state == Some(State::Canceled))
        .unwrap();
    assert!(first > 2, "the cancel is not shown at once");
    assert!(
        seen[..first]
            .iter()
            .all(|state| *state == Some(State::Untouched))
    );
    assert!(
        seen[first..]
            .iter()
            .all(|state| *state == Some(State::Canceled))
    );
}

#[test]
fn transactions_and_balances_lag_by_their_documented_times() {
    let mut exchange = exchange(4, &[]);
    let before = exchange.ledger().balance(ME, asset("BTC")).total();
    let order = crossing_buy(&exchange, "0.001", "late");
    exchange.submit(START, ME, &order).unwrap();
    exchange.advance(START.plus_ms(60));
    let at = exchange.fills().next().expect("filled within 60 ms").at;
    assert!(exchange.shown_fills(at.plus_ms(499), ME).is_empty());
    assert_eq!(exchange.shown_fills(at.plus_ms(500), ME).len(), 1);
    let mut other = self::exchange(4, &[]);
    let order = crossing_buy(&other, "0.001", "late");
    other.submit(START, ME, &order).unwrap();
    let shown = |exchange: &mut Exchange, ms| {
        exchange.shown_balances(at.plus_ms(ms), ME).1[&asset("BTC")].total()
    };
    assert_eq!(shown(&mut other, 149), before);
    assert_eq!(shown(&mut other, 150), before + qty("0.001").amount());
}

#[test]
fn a_passive_order_at_the_best_price_is_filled_by_the_crowd() {
    for seed in 1..=10 {
        let mut exchange = exchange(seed, &[]);
        let best = exchange.book(BTCTRY).best(Side::Buy).unwrap();
        let order = OrderRequest::limit("BTCTRY", Side::Buy, "0.002", &best.to_string(), "passive");
        let id = exchange.submit(START, ME, &order).unwrap().id;
        exchange.advance(START.plus_ms(10_000));
        assert_eq!(
            exchange.order(id).unwrap().state(),
            State::Closed,
            "seed {seed}"
        );
        let makers = exchange
            .fills()
            .filter(|fill| fill.role == Role::Maker)
            .count();
        assert!(makers > 0, "seed {seed}");
    }
}

#[test]
fn a_quote_twenty_basis_points_off_is_reached_within_ten_seconds_on_most_pairs() {
    let mut reached = 0;
    for seed in 1..=20 {
        let mut exchange = exchange(seed, &[]);
        let mut ids = Vec::new();
        for symbol in ["BTCTRY", "ETHTRY", "SOLTRY"] {
            let pair = exchange.find_pair(symbol).unwrap();
            for side in [Side::Buy, Side::Sell] {
                let best = exchange.book(pair).best(side).unwrap();
                let bps = if side == Side::Buy { 9_980 } else { 10_020 };
                let at = best
                    .times_bps(bps)
                    .unwrap()
                    .floor_to(exchange.pairs()[pair.0].tick);
                let size = Amount::from_whole(500)
                    .qty_at(at)
                    .unwrap()
                    .floor_to(qty("0.0001"));
                let order =
                    OrderRequest::limit(symbol, side, &size.to_string(), &at.to_string(), "quote");
                ids.push(exchange.submit(START, ME, &order).unwrap().id);
            }
        }
        exchange.advance(START.plus_ms(10_000));
        let filled = |id: &OrderId| exchange.order(*id).unwrap().state() == State::Closed;
        reached += usize::from(ids.iter().any(filled));
    }
    assert!(reached >= 19, "{reached} of 20 seeds");
}

#[test]
fn fees_of_maker_and_taker_differ_and_tax_is_a_fifth() {
    let mut exchange = exchange(1, &[]);
    let best = exchange.book(BTCTRY).best(Side::Buy).unwrap() + price("10");
    let passive = OrderRequest::limit("BTCTRY", Side::Buy, "0.01", &best.to_string(), "maker");
    let id = exchange.submit(START, ME, &passive).unwrap().id;
    exchange.advance(START.plus_ms(200));
    let against = OrderRequest::limit("BTCTRY", Side::Sell, "0.01", &best.to_string(), "taker");
    exchange
        .submit(START.plus_ms(200), OTHER, &against)
        .unwrap();
    exchange.advance(START.plus_ms(15_000));
    let makers: Vec<_> = exchange
        .fills()
        .filter(|fill| fill.order_id == id)
        .collect();
    assert!(!makers.is_empty());
    for fill in makers {
        let value = fill.price.value(fill.qty);
        let exact = value.times_ratio(5, 10_000).unwrap();
        assert!(
            fill.charges.fee <= exact
                && exact - fill.charges.fee < Amount::parse("0.00000001").unwrap()
        );
        let tax = fill.charges.fee.times_ratio(1, 5).unwrap();
        assert!(
            fill.charges.tax <= tax
                && tax - fill.charges.tax < Amount::parse("0.00000001").unwrap()
        );
    }
}

#[test]
fn stream_ids_differ_from_row_ids_only_where_the_profile_says_so() {
    for (setting, equal) in [
        ("trade_ids_equal=true", true),
        ("trade_ids_equal=false", false),
    ] {
        let mut exchange = exchange(1, &[setting]);
        let order = crossing_buy(&exchange, "0.01", "ids");
        exchange.submit(START, ME, &order).unwrap();
        exchange.advance(START.plus_ms(200));
        assert!(exchange.fills().count() > 0);
        assert!(
            exchange
                .fills()
                .all(|fill| (fill.id == fill.stream_id) == equal)
        );
    }
}

#[test]
fn echoes_follow_the_profile_and_the_truth_is_kept() {
    for (setting, expected) in [
        ("client_id_echo=missing", None),
        ("client_id_echo=replaced", Some(false)),
    ] {
        let mut exchange = exchange(1, &[setting]);
        let order = far_buy(&exchange, "truth");
        let accepted = exchange.submit(START, ME, &order).unwrap();
        assert_eq!(accepted.echo.map(|echo| echo == "truth"), expected);
        assert_eq!(exchange.order(accepted.id).unwrap().client_id, "truth");
        assert_eq!(exchange.submits("truth"), 1);
    }
}

/// Plays a script of orders and cancels, and hands on everything that happened.
fn play(
    seed: u64,
    script: &[(u8, i64, i64)],
    mut say: impl FnMut(&dyn std::fmt::Debug),
) -> Exchange {
    let mut exchange = exchange(seed, &["cancel_without_452=0.1"]);
    let mut now: Timestamp = START;
    let mut ids = Vec::new();
    for (what, size, wait_ms) in script {
        now = now.plus_ms(*wait_ms);
        let pair = [
            "BTCTRY", "ETHTRY", "SOLTRY", "BTCUSDT", "ETHUSDT", "AAVETRY",
        ][usize::from(what / 8) % 6];
        let index = exchange.find_pair(pair).unwrap();
        let side = if what % 2 == 0 { Side::Buy } else { Side::Sell };
        let best = exchange.book(index).best(side.opposite()).unwrap();
        let bps = [9_900, 9_990, 10_000, 10_010, 10_100][usize::try_from(*size).unwrap() % 5];
        let at: Price = best
            .times_bps(bps)
            .unwrap()
            .floor_to(exchange.pairs()[index.0].tick);
        let size = Amount::from_whole(*size)
            .qty_at(at)
            .unwrap()
            .floor_to(qty("0.0001"));
        let account = if what % 3 == 0 { OTHER } else { ME };
        let request = match what % 8 {
            7 => OrderRequest::market(pair, Side::Sell, &size.to_string(), "m"),
            6 => OrderRequest::market(pair, Side::Buy, "1234.5", "m"),
            _ => OrderRequest::limit(pair, side, &size.to_string(), &at.to_string(), "l"),
        };
        let verdict = exchange.submit(now, account, &request);
        say(&verdict);
        ids.extend(verdict.ok().map(|accepted| (account, accepted.id)));
        if let Some((account, id)) = ids.get(usize::from(*what) % ids.len().max(1)) {
            let verdict = exchange.cancel(now, *account, *id);
            say(&verdict);
        }
        say(&exchange.advance(now));
    }
    say(&exchange.advance(now.plus_ms(2_000)));
    exchange
}

/// Everything that happened, as text.
fn output(seed: u64, script: &[(u8, i64, i64)]) -> String {
    let mut text = String::new();
    play(seed, script, |what| text.push_str(&format!("{what:?}\n")));
    text
}

fn script() -> impl Strategy<Value = Vec<(u8, i64, i64)>> {
    prop::collection::vec((any::<u8>(), 50i64..200_000, 0i64..400), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn money_is_conserved_and_never_negative(seed in 0u64..1_000, script in script()) {
        let sums = |exchange: &Exchange| ASSETS.map(|name| exchange.ledger().sum(asset(name)));
        let before = sums(&exchange(seed, &[]));
        let exchange = play(seed, &script, |_| ());
        prop_assert_eq!(sums(&exchange), before);
        for account in [ME, OTHER] {
            let mut held: std::collections::BTreeMap<Asset, Amount> = std::collections::BTreeMap::new();
            for order in exchange.orders().filter(|order| order.account == account) {
                let pair = &exchange.pairs()[order.pair.0];
                let asset = if order.side == Side::Buy { pair.quote } else { pair.base };
                prop_assert!(order.state().is_open() || order.reserved == Amount::ZERO);
                *held.entry(asset).or_default() += order.reserved;
            }
            for (asset, balance) in exchange.ledger().balances(account) {
                prop_assert!(!balance.free.is_negative());
                prop_assert_eq!(balance.locked, held.get(asset).copied().unwrap_or_default());
                prop_assert!(!balance.spendable().is_negative());
            }
        }
        for order in exchange.orders() {
            let fills = exchange.fills().filter(|fill| fill.order_id == order.id);
            prop_assert_eq!(fills.map(|fill| fill.qty).sum::<engine::money::Qty>(), order.filled);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_same_seed_and_inputs_give_the_same_output(seed in 0u64..1_000, script in script()) {
        prop_assert_eq!(output(seed, &script), output(seed, &script));
    }
}

#[test]
fn another_seed_gives_another_market() {
    let script = [(1u8, 5_000i64, 100i64), (9, 700, 300)];
    assert_ne!(output(1, &script), output(2, &script));
}

#[test]
fn private_messages_of_one_type_keep_their_order() {
    let mut exchange = exchange(1, &["private.delay_ms=0..500"]);
    for n in 0..20 {
        let order = crossing_buy(&exchange, "0.3", &format!("o{n}"));
        exchange.submit(START.plus_ms(n * 20), ME, &order).unwrap();
    }
    let events = exchange.advance(START.plus_ms(5_000));
    let traded = events.iter().filter_map(|event| match event {
        Event::Private {
            event: PrivateEvent::Traded { fill, .. },
            ..
        } => Some(fill.id),
        Event::Private { .. }
        | Event::BookDiff { .. }
        | Event::BookFull { .. }
        | Event::Trade { .. }
        | Event::Ticker(_) => None,
    });
    let told: Vec<_> = traded.collect();
    let booked: Vec<_> = exchange.fills().map(|fill| fill.id).collect();
    assert_eq!(told, booked);
}
