//! What the journal of the configured venue says before a start: what is latched in it, and what nobody knows the fate of.
//!
//! It reads a private copy and changes nothing. The one idea: the fold of a start says what a start would find.

use super::Made;
use crate::cli::copy::read_copy;
use crate::cli::init::venue_dir;
use crate::cli::orders::journal::recovered;
use crate::cli::why::when;
use crate::locks;
use crate::params;
use crate::store::{StoreError, Venue};
use config::load::Loaded;
use engine::checkpoint::{Checkpoint, Fold};
use engine::ids::AccountTag;
use engine::order::OrderState;
use engine::time::Timestamp;

/// The journal's records, added up.
pub(super) struct Past {
    tag: String,
    fold: Fold,
}

impl Past {
    /// Reads the journal; `None` before the first dry run, which makes it.
    ///
    /// # Errors
    /// A text: a process holds it, or it cannot be used.
    pub(super) fn read(loaded: &Loaded) -> Result<Option<Self>, String> {
        let settings = loaded.settings();
        let venue = if settings.safety.dry_run {
            Venue::Dry
        } else {
            Venue::Live
        };
        if let Some(holder) = locks::holder(&settings.state.dir) {
            return Err(format!("the journal is in use by {holder}"));
        }
        let read = read_copy(&venue_dir(&settings.state.dir, venue), venue);
        let folded = read.and_then(|(tag, history)| {
            let fold = history.fold(params::account_quote())?;
            Ok(Self { tag, fold })
        });
        match folded {
            Ok(past) => Ok(Some(past)),
            Err(StoreError::Missing) if settings.safety.dry_run => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Returns what every record adds up to.
    pub(super) const fn sum(&self) -> &Checkpoint {
        self.fold.sum()
    }

    /// Returns everything in it that would keep a start from trading.
    pub(super) fn latches(&self, now: Timestamp) -> Vec<String> {
        let sum = self.sum();
        let kill = sum.kill().map(|kill| {
            let (cause, at) = (kill.cause.as_str(), when(kill.at));
            format!(
                "the kill switch was tripped at {at}: {cause} {}",
                kill.reason
            )
        });
        let restored = sum.restored_at();
        let safe = sum.money().safe_since().map(|at| match restored {
            Some(_) => format!("brought back at {}: an operator ends safe mode", when(at)),
            None => format!("safe mode since {}", when(at)),
        });
        let holds = sum.money().holds().iter();
        let holds = holds.filter(|hold| !hold.is_over(now)).map(|hold| {
            let of = hold
                .symbol
                .map_or("everything".to_owned(), |symbol| symbol.to_string());
            format!(
                "{of} is held back by {} since {}: {}",
                hold.by,
                when(hold.at),
                hold.reason
            )
        });
        kill.into_iter()
            .chain(safe)
            .chain(holds)
            .map(|text| text.trim_end().to_owned())
            .collect()
    }

    /// Judges that the fate of every own order is on record: one that was being sent would have to be found out.
    pub(super) fn no_unknown_orders(&self, now: Timestamp) -> Made {
        let Ok(tag) = AccountTag::parse(&self.tag) else {
            return Made::no(
                "no_unknown_orders",
                "the journal's account tag is unreadable",
            );
        };
        let router = recovered(tag, &self.fold, now);
        let is_unknown = |state: OrderState| matches!(state, OrderState::Unknown(_));
        let unknown: Vec<String> = router
            .living()
            .filter(|view| is_unknown(view.state))
            .map(|view| view.client_id().to_string())
            .collect();
        if unknown.is_empty() {
            let living = router.living().count();
            return Made::yes(
                "no_unknown_orders",
                format!("{living} own orders have not ended"),
            );
        }
        let text = format!(
            "{} of unknown fate: {}; start in safe mode, or btcbot orders cancel-all --offline",
            unknown.len(),
            unknown.join(" ")
        );
        Made::no("no_unknown_orders", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::answer::SubmitOutcome;
    use engine::hold::Hold;
    use engine::ids::{BootTag, ClientId, OrderId, Symbol};
    use engine::intent::{BookStamp, Intent, IntentClass, IntentReason, NewOrder, StrategyKind};
    use engine::kill::Kill;
    use engine::market::Side;
    use engine::mode::{Mode, ModeCode};
    use engine::money::{Amount, Price, Qty};
    use engine::record::{Record, RestoredFrom};
    use engine::router::Keep;

    const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn past(records: &[Record]) -> Past {
        let fold = Fold::of(params::account_quote(), Keep::default(), records);
        let tag = AccountTag::from_entropy(1).to_string();
        Past { tag, fold }
    }

    fn hold(symbol: Option<&str>, until: Option<Timestamp>) -> Record {
        Record::Held(Hold {
            symbol: symbol.map(|name| Symbol::parse(name).expect("a pair")),
            mode: Mode::ReduceRiskOnly,
            until,
            reason: "looks wrong".to_owned(),
            by: "uid 0".to_owned(),
            at: AT,
        })
    }

    #[test]
    fn every_latch_of_the_journal_is_named_and_one_that_is_over_is_not() {
        let check = |records: &[Record], expected: &[&str]| {
            let latches = past(records).latches(AT.plus_ms(1_000));
            assert_eq!(latches.len(), expected.len(), "{latches:?}");
            for (latch, part) in latches.iter().zip(expected) {
                assert!(latch.contains(part), "{latch} {part}");
            }
        };
        let kill = Kill::new(None, ModeCode::OperatorKill, ("a drill", "uid 0"), AT);
        let killed = Record::Kill(kill.clone());
        let reset = Record::Reset {
            id: kill.id,
            reason: "over".to_owned(),
            by: "uid 0".to_owned(),
            at: AT,
        };
        let safe = |on| Record::SafeMode { on, at: AT };
        let restored = Record::Restored {
            from: RestoredFrom::Backup,
            reason: "a new disk".to_owned(),
            at: AT,
        };
        check(&[], &[]);
        check(std::slice::from_ref(&killed), &["a drill"]);
        check(&[killed.clone(), reset], &[]);
        check(&[safe(true)], &["safe mode since"]);
        check(&[safe(true), safe(false)], &[]);
        check(&[restored], &["brought back"]);
        check(
            &[hold(Some("BTCTRY"), None)],
            &["BTCTRY is held back by uid 0"],
        );
        check(&[hold(None, Some(AT.plus_ms(999)))], &[]);
        check(
            &[hold(None, Some(AT.plus_ms(9_999)))],
            &["everything is held back"],
        );
        check(
            &[killed, safe(true), hold(None, None)],
            &["a drill", "safe mode", "everything"],
        );
    }

    fn sending() -> (ClientId, Record) {
        let intent = Intent {
            strategy: StrategyKind::MarketMaker,
            symbol: Symbol::parse("BTCTRY").expect("a pair"),
            side: Side::Buy,
            qty: Qty::from_units(7),
            limit: Price::from_units(100_000_000),
            class: IntentClass::Quote,
            reason: IntentReason::QuoteBid,
            at: AT,
            book: BookStamp::default(),
            mid: Price::from_units(100_000_000),
            cycle: 1,
        };
        let client_id = ClientId::new(AccountTag::from_entropy(1), 1, BootTag::from_entropy(2), 1);
        let order = NewOrder {
            client_id,
            intent,
            reserved: Amount::ZERO,
            fee_in_base: false,
        };
        let stamp_max = AT;
        (client_id, Record::Sending { order, stamp_max })
    }

    #[test]
    fn an_order_whose_answer_is_not_on_record_is_of_unknown_fate() {
        let (client_id, sending) = sending();
        let made = past(std::slice::from_ref(&sending)).no_unknown_orders(AT);
        assert!(
            !made.ok && made.detail.contains(&client_id.to_string()),
            "{made:?}"
        );
        let answered = Record::Outcome {
            client_id,
            outcome: SubmitOutcome::Accepted(OrderId(5)),
            at: AT,
        };
        let made = past(&[sending, answered]).no_unknown_orders(AT);
        assert_eq!(
            made,
            Made::yes("no_unknown_orders", "1 own orders have not ended")
        );
        assert!(past(&[]).no_unknown_orders(AT).ok);
    }
}
