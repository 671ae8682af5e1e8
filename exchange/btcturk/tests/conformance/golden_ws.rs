//! Golden frames: every message type, every trap of docs/EXCHANGE.md 9 to 12.

use super::*;
use btcbot_btcturk::ws::{
    AckSubject, Channel, DecodeError, Frame, Join, ack_subject, join, trades_again,
};
use engine::answer::{OrderEvent, OwnTrade, PrivateEvent, TradeSource};
use engine::ids::{Asset, OrderId, Symbol, TradeId};
use engine::market::*;
use engine::time::Timestamp;

fn soltry() -> Symbol {
    Symbol::parse("SOLTRY").expect("a pair")
}

fn level(at: &str, amount: &str) -> Level {
    Level {
        price: price(at),
        qty: qty(amount),
    }
}

fn market(name: &str) -> MarketEvent {
    match frame(name).frame {
        Frame::Market(event) => event,
        other => panic!("{name}: {other:?}"),
    }
}

fn private(name: &str) -> PrivateEvent {
    match frame(name).frame {
        Frame::Private(event) => event,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn golden_ws_frames_decode_and_join_matches_wire() {
    for row in rows(GOLDEN_FRAMES) {
        let decoded = ws::decode(row.text());
        assert!(decoded.is_ok(), "{}: {decoded:?}", row.name);
    }
    let subscribe = |channel, mode| join(channel, soltry(), mode);
    assert_eq!(
        subscribe(Channel::ObDiff, Join::Join),
        r#"[151,{"type":151,"channel":"obdiff","event":"SOLTRY","join":true}]"#
    );
    assert_eq!(
        subscribe(Channel::OrderBook, Join::Leave),
        r#"[151,{"type":151,"channel":"orderbook","event":"SOLTRY","join":false}]"#
    );
    assert_eq!(
        trades_again(soltry()),
        r#"[101,{"type":101,"code":421,"channel":"trade","event":"SOLTRY"}]"#
    );
}

#[test]
fn golden_frames_cover_every_message_type() {
    let documented = [
        100, 112, 114, 201, 401, 402, 411, 421, 422, 423, 428, 431, 432, 441, 451, 452, 453, 801,
        802, 991,
    ];
    let rows = rows(GOLDEN_FRAMES);
    let kinds: Vec<u16> = rows
        .iter()
        .map(|row| {
            wire::read_server(row.text())
                .expect("golden frames read")
                .kind()
        })
        .collect();
    for kind in documented {
        assert!(kinds.contains(&kind), "no golden frame of type {kind}");
        let decoded =
            ws::decode(rows[kinds.iter().position(|k| *k == kind).unwrap()].text()).unwrap();
        assert!(
            !matches!(decoded.frame, Frame::Unknown(_)),
            "{kind} is documented"
        );
    }
}

#[test]
fn golden_frames_survive_a_round_trip_to_the_character() {
    for row in rows(GOLDEN_FRAMES) {
        if !["ask_bid", "undocumented"].contains(&row.name.as_str()) {
            check_frame_round_trip(row.text());
        }
    }
}

#[test]
fn a_full_book_keeps_its_order_and_counts_cut_amounts() {
    let decoded = frame("book_full");
    let expected = BookFull {
        symbol: soltry(),
        channel: BookChannel::Diff,
        change: 990_001,
        bids: vec![level("5100.5", "0.75"), level("5100", "10")],
        asks: vec![
            level("5101", "0.30001234"),
            level("5101.5", "2"),
            level("5103", "1.5"),
        ],
    };
    assert_eq!(decoded.frame, Frame::Market(MarketEvent::Full(expected)));
    assert_eq!((decoded.cuts, decoded.mismatches), (2, 0));
}

#[test]
fn odd_books_decode() {
    let full = |name: &str| match market(name) {
        MarketEvent::Full(book) => book,
        other => panic!("{name}: {other:?}"),
    };
    let periodic = full("book_full_periodic");
    assert_eq!(
        (periodic.channel, periodic.change),
        (BookChannel::Periodic, -1_700_000_000)
    );
    assert!(full("book_full_one_side").bids.is_empty());
    assert_eq!(full("book_full_pair_null").symbol, soltry());
}

#[test]
fn a_difference_keeps_kinds_and_the_last_amount_of_what_left() {
    let change = |kind, at, amount| LevelChange {
        kind,
        level: level(at, amount),
    };
    let expected = BookDiff {
        symbol: soltry(),
        change: 990_010,
        bids: vec![
            change(ChangeKind::Entered, "5100.9", "4.1"),
            change(ChangeKind::Left, "4600.1", "9.9"),
        ],
        asks: vec![change(ChangeKind::Changed, "5101", "0.4")],
    };
    assert_eq!(market("book_diff_first"), MarketEvent::Diff(expected));
}

#[test]
fn trades_carry_the_takers_side_where_the_frame_says_it() {
    let trade = |name: &str| match market(name) {
        MarketEvent::Trade(trade) => trade,
        other => panic!("{name}: {other:?}"),
    };
    let expected = PublicTrade {
        symbol: soltry(),
        price: price("5100.5"),
        qty: qty("0.00123456"),
        taker: Some(Side::Sell),
        at: Timestamp::from_ms(1_760_000_000_300),
        id: Some(TradeId(100_060_000_000_000_003)),
    };
    assert_eq!((trade("trade"), frame("trade").cuts), (expected, 1));
    assert_eq!(frame("trade_exact").cuts, 0);
    let list = |name: &str| match market(name) {
        MarketEvent::Trades(trades) => trades,
        other => panic!("{name}: {other:?}"),
    };
    let takers: Vec<_> = list("trade_list").iter().map(|trade| trade.taker).collect();
    assert_eq!(takers, [Some(Side::Buy), Some(Side::Sell)]);
    let old = list("trade_list_2020");
    assert!(old.iter().all(|trade| trade.taker.is_none()) && old[0].at > old[1].at);
    assert_eq!(frame("trade_list_2020").cuts, 1);
}

#[test]
fn the_pair_decides_and_a_different_event_is_counted() {
    let decoded = frame("trade_mismatch");
    let Frame::Market(MarketEvent::Trade(trade)) = decoded.frame else {
        panic!("a trade");
    };
    assert_eq!((trade.symbol.as_str(), decoded.mismatches), ("SOLUSDT", 1));
}

#[test]
fn one_pair_without_trades_does_not_hide_the_other_tickers() {
    let decoded = frame("ticker_all");
    let Frame::Tickers(rows) = decoded.frame else {
        panic!("tickers");
    };
    let pairs: Vec<_> = rows.iter().map(|row| row.symbol.to_string()).collect();
    assert_eq!(
        (pairs, decoded.skipped),
        (vec!["SOLTRY".to_owned(), "SOLUSDT".to_owned()], 1)
    );
    let expected = Ticker {
        symbol: soltry(),
        bid: price("5100.5"),
        ask: price("5101"),
        last: price("5101"),
    };
    assert_eq!(market("ticker"), MarketEvent::Ticker(expected));
}

#[test]
fn golden_sell_trade_reduces_position_and_books_fee_and_tax() {
    let PrivateEvent::Trade(sell) = private("user_trade_sell") else {
        panic!("a trade");
    };
    let expected = OwnTrade {
        source: TradeSource::Stream,
        id: TradeId(1_190_000_000_000_000_001),
        order_id: OrderId(28_000_000_001),
        client_id: None,
        base: Asset::parse("SOL").unwrap(),
        quote: Asset::parse("TRY").unwrap(),
        side: Side::Sell,
        price: price("5101"),
        qty: qty("2.5"),
        fee: amount("6.37625"),
        tax: amount("1.27525"),
        at: Timestamp::from_ms(1_760_000_000_400),
        fee_in_base: false,
    };
    assert_eq!(sell, expected);
}

#[test]
fn an_own_trade_is_sized_by_its_precise_amount() {
    let decoded = frame("user_trade_buy_typed");
    let Frame::Private(PrivateEvent::Trade(buy)) = decoded.frame else {
        panic!("a trade");
    };
    assert_eq!(
        (buy.side, buy.qty, decoded.cuts),
        (Side::Buy, qty("0.27581234"), 1)
    );
    assert_eq!(
        (buy.client_id, buy.fee),
        (Some(our_client_id()), amount("0.70364215"))
    );
}

#[test]
fn order_events_are_hints_with_an_optional_side() {
    let expected = OrderEvent {
        id: OrderId(28_000_000_002),
        client_id: Some(our_client_id()),
        symbol: soltry(),
        side: Some(Side::Buy),
        price: price("5100.5"),
        left: qty("1.25"),
    };
    assert_eq!(private("insert"), PrivateEvent::Inserted(expected.clone()));
    let deleted = OrderEvent {
        side: Some(Side::Sell),
        left: qty("0.95"),
        ..expected
    };
    assert_eq!(private("delete_partial"), PrivateEvent::Deleted(deleted));
    let PrivateEvent::Inserted(old) = private("insert_2021") else {
        panic!("an insert");
    };
    assert_eq!((old.side, old.client_id), (None, None));
    let first = ClientId::parse("bacct000007boot770000000041").unwrap();
    let matched = |order_id, client_id| PrivateEvent::Matched {
        order_id: OrderId(order_id),
        client_id,
    };
    assert_eq!(private("match"), matched(28_000_000_001, Some(first)));
    assert_eq!(private("match_stamped"), matched(0, None));
}

#[test]
fn matched_amounts_keep_ten_decimals_on_the_wire() {
    let matched = |name: &str| {
        let text = frame_text(name);
        let Ok(wire::ServerFrame::Match(body)) = wire::read_server(&text) else {
            panic!("a match");
        };
        amount(body.amount.as_deref().unwrap())
    };
    assert_eq!(matched("match") + matched("match_stamped"), amount("1"));
}

#[test]
fn sessions_say_who_joined_logged_in_and_greeted() {
    let login = |ok, user_id| Frame::Private(PrivateEvent::Login { ok, user_id });
    let version = |current: &str| Frame::Version {
        current: current.to_owned(),
        min: Some("2.3.0".to_owned()),
    };
    let ack = |text: &str| Frame::Ack {
        ok: true,
        text: text.to_owned(),
    };
    let notice = |kind, text: &str| Frame::Notice {
        kind,
        text: text.to_owned(),
    };
    let check = |name: &str, expected: Frame| assert_eq!(frame(name).frame, expected, "{name}");
    check("login_ok", login(true, 100_001));
    check("login_refused", login(false, 0));
    check("version", version("6.0.0"));
    check("version_old", version("5.1.0"));
    check("join_ack", ack("join|obdiff:SOLTRY"));
    check("balance_hint", Frame::Private(PrivateEvent::BalanceHint));
    check("system_message", notice(801, "Maintenance at 03:00"));
    check("logout", notice(802, ""));
    check("legacy_login", Frame::Ignored(112));
    check("ask_bid", Frame::Ignored(411));
    check("bar", Frame::Ignored(428));
    check("update", Frame::Ignored(453));
    check("undocumented", Frame::Unknown(777));
}

#[test]
fn acknowledgements_and_balance_hints_come_apart() {
    let subject = |join, channel, event| {
        Some(AckSubject {
            join,
            channel,
            event,
        })
    };
    assert_eq!(
        ack_subject("join|obdiff:SOLTRY"),
        subject(Join::Join, "obdiff", "SOLTRY")
    );
    assert_eq!(
        ack_subject("leave|trade:SOLTRY"),
        subject(Join::Leave, "trade", "SOLTRY")
    );
    assert_eq!(ack_subject("joined obdiff"), None);
    let text = frame_text("balance_hint");
    let Ok(wire::ServerFrame::Balance(hint)) = wire::read_server(&text) else {
        panic!("a balance hint");
    };
    assert_eq!(hint.ids(), Some([77, 41, 1]));
}

/// Forgets where the parser stopped: that is its business, not ours.
fn without_column(error: DecodeError) -> DecodeError {
    match error {
        DecodeError::NotAFrame { .. } => DecodeError::NotAFrame { column: 0 },
        DecodeError::Body { kind, .. } => DecodeError::Body { kind, column: 0 },
        DecodeError::TooLong { .. } | DecodeError::Field { .. } => error,
    }
}

#[test]
fn what_is_no_frame_names_type_and_member() {
    let check = |text: &str, expected: DecodeError| {
        assert_eq!(
            ws::decode(text).map_err(without_column),
            Err(expected),
            "{text}"
        );
    };
    let not_a_frame = DecodeError::NotAFrame { column: 0 };
    let body = |kind| DecodeError::Body { kind, column: 0 };
    let field = |kind, field| DecodeError::Field { kind, field };
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#"["431",{}]"#,
        "[70000,{}]",
        "[-1,{}]",
        "[431.5,{}]",
    ] {
        check(text, not_a_frame);
    }
    for text in ["[777]", "[777,{}", "[777,{},1]", "[777,{}]x", "[777,{]"] {
        check(text, body(777));
    }
    let bytes = ws::FRAME_BYTES_MAX + 1;
    check(&" ".repeat(bytes), DecodeError::TooLong { bytes });
    let diff = |row: &str| format!(r#"[432,{{"CS":1,"PS":"SOLTRY","AO":[{row}],"BO":[]}}]"#);
    check(&diff(r#"{"CP":2,"P":"1","A":"1"}"#), field(432, "CP"));
    check(&diff(r#"{"CP":0,"P":"1e3","A":"1"}"#), field(432, "P"));
    check(
        &diff(r#"{"CP":0,"P":"0.000000001","A":"1"}"#),
        field(432, "P"),
    );
    check(&diff(r#"{"CP":0,"P":"1","A":"-1"}"#), field(432, "A"));
    check(&diff(r#"{"CP":0,"P":"1"}"#), body(432));
    let rows = vec![r#"{"CP":0,"P":"1","A":"1"}"#; ws::LEVELS_MAX + 1].join(",");
    check(&diff(&rows), field(432, "AO"));
    let full = |pair: &str, channel: &str| {
        format!(r#"[431,{{"CS":1,"PS":"{pair}","AO":[],"BO":[],"channel":"{channel}"}}]"#)
    };
    check(&full("SOLTRY", "other"), field(431, "channel"));
    check(&full("SOL/TRY", "obdiff"), field(431, "pair"));
    check(r#"[432,{"CS":1,"AO":[],"BO":[]}]"#, field(432, "PS"));
}

#[test]
fn a_missing_side_of_a_book_is_an_error_and_not_an_empty_side() {
    let without = r#"[431,{"CS":1,"PS":"SOLTRY","AO":[],"channel":"obdiff"}]"#;
    assert!(matches!(
        ws::decode(without),
        Err(DecodeError::Body { kind: 431, .. })
    ));
}

#[test]
fn escaped_names_and_numbers_in_quotes_read_the_same() {
    let plain = frame("user_trade_sell");
    let text = frame_text("user_trade_sell")
        .replace("28000000001", r#""28000000001""#)
        .replace("1760000000400", r#""1760000000400""#)
        .replace(r#""sell""#, r#""\u0053ELL""#);
    assert_eq!(ws::decode(&text), Ok(plain));
}

#[test]
fn client_frames_are_read_as_they_are_written() {
    let read = |text: &str| match wire::read_client(text) {
        Ok(wire::ClientFrame::Join(body)) => {
            format!("join {} {} {}", &*body.channel, &*body.event, body.join)
        }
        Ok(wire::ClientFrame::Login(body)) => {
            format!("login {} {}", body.timestamp.ms(), body.nonce)
        }
        Ok(wire::ClientFrame::Trades(body)) => format!("trades {} {}", body.code, &*body.event),
        Ok(wire::ClientFrame::Unknown(kind)) => format!("unknown {kind}"),
        Err(error) => error.to_string(),
    };
    assert_eq!(
        read(&join(Channel::Trade, soltry(), Join::Leave)),
        "join trade SOLTRY false"
    );
    assert_eq!(read(&trades_again(soltry())), "trades 421 SOLTRY");
    assert_eq!(read("[111,{}]"), "unknown 111");
    let login =
        r#"[114,{"publicKey":"k","timestamp":"1700000000000","nonce":3000,"signature":"s"}]"#;
    assert_eq!(read(login), "login 1700000000000 3000");
    assert_eq!(read("[151,{}]"), "unreadable at column 7, type Some(151)");
}
