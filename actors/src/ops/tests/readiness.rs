//! `/readyz`, condition by condition: each falls alone, is named, and comes back.

use super::*;
use crate::status::Status;
use engine::book::{BookLimits, BookView, Books, Distrust};
use engine::core::{Core, Outbox};
use engine::ids::Symbol;
use engine::kill::Kill;
use engine::market::{BookChannel, BookFull, Level, MarketEvent};
use engine::mode::{Contribution, Mode, ModeCode, Scope};
use engine::money::{Price, Qty};
use engine::msg::{BookEffect, BookIn};
use std::collections::BTreeSet;

/// One way to lose readiness.
struct Fall {
    check: &'static str,
    seen: &'static str,
    strike: fn(&mut Status, &mut Vitals),
}

const fn fall(
    check: &'static str,
    seen: &'static str,
    strike: fn(&mut Status, &mut Vitals),
) -> Fall {
    Fall {
        check,
        seen,
        strike,
    }
}

fn symbol() -> Symbol {
    Symbol::parse("BTCTRY").expect("a pair")
}

fn trusted() -> BookView {
    let level = |price: &str| Level {
        price: Price::parse(price).expect("a price"),
        qty: Qty::parse("1").expect("a quantity"),
    };
    let full = BookFull {
        symbol: symbol(),
        channel: BookChannel::Diff,
        change: 1,
        bids: vec![level("100")],
        asks: vec![level("101")],
    };
    let mut books = Books::new(BookLimits::default(), &[symbol()]);
    let mut out = Outbox::default();
    books.handle(START, BookIn::SessionUp(1), &mut out);
    books.handle(START, BookIn::Market(MarketEvent::Full(full)), &mut out);
    let views = out.drain().filter_map(|effect| match effect {
        BookEffect::View(view) => Some(view),
        BookEffect::Resync(_) => None,
    });
    views.last().expect("a full book makes a view")
}

fn distrusted() -> BookView {
    BookView::Untrusted {
        symbol: symbol(),
        why: Distrust::Empty,
        since: START,
    }
}

fn voice(code: ModeCode, mode: Mode) -> Contribution {
    Contribution {
        code,
        scope: Scope::Global,
        mode,
        since: START,
    }
}

/// A process that is ready, and everything of it that moves.
fn ready() -> (Status, Vitals) {
    let mut status = Status {
        last_clean: Some(START),
        offset_ms: Some(12),
        ..Status::default()
    };
    status.books.insert(symbol(), trusted());
    let beats = Beat::ALL.into_iter().map(|who| (who, 20)).collect();
    let vitals = Vitals {
        beats,
        gate: Vec::new(),
    };
    (status, vitals)
}

const FALLS: [Fall; 9] = [
    fall("reconciled", "waiting", |status, _| {
        status.last_clean = None
    }),
    fall("book_trusted", "0 of 1", |status, _| {
        status.books.insert(symbol(), distrusted());
    }),
    fall("book_trusted", "0 of 0", |status, _| status.books.clear()),
    fall("clock", "unknown", |status, _| status.offset_ms = None),
    fall("not_killed", "KILL_SWITCH", |status, _| {
        status.mode = Mode::KillSwitch;
    }),
    fall("not_killed", "", |status, _| {
        let who = ("a drill", "uid 7");
        status.kill = Some(Kill::new(None, ModeCode::OperatorKill, who, START));
    }),
    fall("not_stopping", "", |status, _| {
        status.voices = vec![voice(ModeCode::Stopping, Mode::ObserveOnly)];
    }),
    fall("trade", "", |_, vitals| {
        vitals.beats = vec![(Beat::Trade, 3_001)];
    }),
    fall("journal", "", |_, vitals| {
        vitals.beats = vec![(Beat::Journal, 10_001)];
    }),
];

impl Rig {
    fn show(&self, (status, vitals): &(Status, Vitals)) {
        let picture = status.picture(self.clock.now(), vitals);
        self.pictures.put(picture);
    }

    /// The status code, and the lines that fail.
    async fn readiness(&self) -> (String, Vec<String>) {
        let answer = self.get("/readyz").await;
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let failing = body.lines().filter(|line| line.starts_with("[-]"));
        (
            code(&answer).to_owned(),
            failing.map(str::to_owned).collect(),
        )
    }
}

#[tokio::test]
async fn readiness_falls_for_each_condition_alone_and_comes_back() {
    let rig = rig().await;
    let well = ready();
    for Fall {
        check,
        seen,
        strike,
    } in FALLS
    {
        rig.show(&well);
        assert_eq!(rig.readiness().await, ("200".to_owned(), vec![]), "{check}");
        let (mut status, mut vitals) = ready();
        strike(&mut status, &mut vitals);
        rig.show(&(status, vitals));
        let (code, failing) = rig.readiness().await;
        assert_eq!((code.as_str(), failing.len()), ("503", 1), "{failing:?}");
        let named = failing[0].starts_with(&format!("[-]{check}"));
        assert!(named && failing[0].contains(seen), "{check}: {failing:?}");
    }
    rig.show(&well);
    rig.clock.advance_ms(PICTURE_AGE_MS_MAX + 1);
    let (code, failing) = rig.readiness().await;
    assert_eq!((code.as_str(), failing.len()), ("503", 1), "{failing:?}");
    assert!(failing[0].starts_with("[-]picture"), "{failing:?}");
    rig.show(&well);
    assert_eq!(rig.readiness().await.0, "200");
}

#[test]
fn every_condition_of_readiness_is_in_the_table() {
    let (status, _) = ready();
    let conditions = status.readiness(START);
    let conditions: BTreeSet<&str> = conditions.iter().map(|check| check.name).collect();
    let threads: BTreeSet<&str> = Beat::ALL.iter().map(|who| who.as_str()).collect();
    let struck: BTreeSet<&str> = FALLS.iter().map(|fall| fall.check).collect();
    let of_status: BTreeSet<&str> = struck.difference(&threads).copied().collect();
    assert_eq!(of_status, conditions);
    assert!(struck.intersection(&threads).count() > 1, "{struck:?}");
}

#[tokio::test]
async fn safe_mode_stays_ready_and_the_answer_says_so() {
    let rig = rig().await;
    for mode in [Mode::ReduceRiskOnly, Mode::ObserveOnly] {
        let (mut status, vitals) = ready();
        status.mode = mode;
        status.voices = vec![voice(ModeCode::OperatorSafeMode, mode)];
        rig.show(&(status, vitals));
        let answer = rig.get("/readyz?verbose").await;
        assert_eq!(code(&answer), "200", "{answer}");
        assert!(answer.contains(mode.as_str()), "{answer}");
    }
}
