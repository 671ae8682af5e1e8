//! What the exchange shows of the account before a live start, held against journal and limits.
//!
//! Everything is read; the one request that is no read asks to cancel an order whose number cannot exist, which tells
//! whether the key may trade and can change nothing.

use super::Made;
use crate::cli::alone::ask;
use crate::clock::Clock;
use crate::driver::reads::Reads;
use crate::secrets;
use config::load::Loaded;
use config::settings::Settings;
use engine::answer::{BalanceRow, CancelReply};
use engine::ids::{Asset, OrderId, Symbol};
use engine::instrument::{Instrument, QuantiseError, RuleFacts};
use engine::intent::StrategyKind;
use engine::ledger::Ledger;
use engine::market::{Side, Ticker};
use engine::money::{Amount, Price};
use engine::pacing::Urgency;
use engine::risk::account_differences;
use std::collections::BTreeMap;

/// No order has it: the exchange counts upwards, and is ten digits away.
const NO_ORDER: OrderId = OrderId(i64::MAX);

/// One look at the exchange with the configured key.
pub(super) struct Seen {
    /// What a cancel of an order that cannot exist was answered.
    pub(super) cancel: CancelReply,
    /// Balances of all assets.
    pub(super) balances: Vec<BalanceRow>,
    /// Rules of the configured pairs.
    pub(super) rules: Vec<RuleFacts>,
    /// What one coin of each configured pair costs.
    pub(super) prices: BTreeMap<Symbol, Price>,
}

impl Seen {
    /// Looks.
    ///
    /// # Errors
    /// A text: there is no usable key, or a question was not answered.
    pub(super) fn read(loaded: &Loaded, clock: &Clock) -> Result<Self, String> {
        let settings = loaded.settings();
        let url = &settings.exchange.rest_url;
        if !url.is_exchange() && !url.is_loopback() {
            return Err("a signature is sent to the exchange's own hosts only".to_owned());
        }
        let signer = secrets::signer(loaded)?.ok_or("no key")?;
        let symbols = &settings.market.symbols;
        let look = async |reads: Reads| Self::look(&reads, symbols).await;
        ask(loaded, signer, clock, look).map_err(|error| error.to_string())?
    }

    async fn look(reads: &Reads, symbols: &[Symbol]) -> Result<Self, String> {
        let balances = reads
            .balances()
            .await
            .map_err(|error| format!("balances: {error}"))?;
        let rules = reads
            .exchange_info()
            .await
            .map_err(|error| format!("rules: {error}"))?;
        let mut prices = BTreeMap::new();
        for symbol in symbols {
            let tickers = reads.ticker(*symbol).await;
            let tickers = tickers.map_err(|error| format!("price of {symbol}: {error}"))?;
            let of = |ticker: &&Ticker| ticker.symbol == *symbol;
            if let Some(ticker) = tickers.rows.iter().find(of) {
                prices.insert(*symbol, ticker.bid);
            }
        }
        let wanted = |facts: &RuleFacts| symbols.contains(&facts.symbol);
        Ok(Self {
            cancel: reads.delete_order(NO_ORDER, Urgency::Ordinary).await,
            balances,
            rules: rules.rows.into_iter().filter(wanted).collect(),
            prices,
        })
    }
}

/// Judges that the key may trade: a key that may not is refused before anybody looks for the order.
pub(super) fn trade_right(cancel: CancelReply) -> Made {
    let name = "trade_right";
    match cancel {
        CancelReply::LookUp => Made::yes(name, "a cancel of no order was answered as such"),
        CancelReply::Unauthorized => Made::no(
            name,
            "the exchange refuses a cancel with this key: give the key the right to trade",
        ),
        CancelReply::Acknowledged
        | CancelReply::Blocked
        | CancelReply::RateLimited(_)
        | CancelReply::Failed => Made::no(
            name,
            format!("a cancel of no order was answered {cancel:?}; try again"),
        ),
    }
}

/// Judges that the balances are those of the books, but for what rounding explains.
pub(super) fn no_drift(balances: &[BalanceRow], books: &Ledger) -> Made {
    let name = "no_drift";
    if !books.is_opened(books.quote()) {
        return Made::yes(name, "the books are not opened yet");
    }
    let differences: Vec<String> = account_differences(balances, books)
        .into_iter()
        .map(|(asset, here, there)| format!("{asset} {here} in the books, {there} there"))
        .collect();
    if differences.is_empty() {
        Made::yes(name, "every balance is that of the books")
    } else {
        Made::no(name, differences.join("; "))
    }
}

/// Judges that each configured size makes an order that the exchange takes and our own limits let through, and that
/// the limits are smaller than the account.
pub(super) fn limits_fit(settings: &Settings, seen: &Seen) -> Made {
    let mut wrong = Vec::new();
    let sizes = sizes(settings);
    let most = settings.risk.max_order_notional_try;
    for (name, size) in sizes.iter().filter(|(_, size)| *size > most) {
        wrong.push(format!(
            "{name} {size} is above MAX_ORDER_NOTIONAL_TRY {most}"
        ));
    }
    for symbol in &settings.market.symbols {
        let facts = seen.rules.iter().find(|facts| facts.symbol == *symbol);
        let price = seen.prices.get(symbol);
        let (Some(facts), Some(price)) = (facts, price) else {
            wrong.push(format!("{symbol}: no rules or no price"));
            continue;
        };
        match facts.instrument() {
            Ok(rules) => wrong.extend(misfits(&rules, *price, &sizes, settings)),
            Err(error) => wrong.push(format!("{symbol}: {error}")),
        }
    }
    let equity = equity(seen);
    let mut notes = vec![format!("equity {equity}")];
    let risk = &settings.risk;
    for (name, limit) in [
        ("MAX_ORDER_NOTIONAL_TRY", most),
        ("MAX_DAILY_LOSS_TRY", risk.max_daily_loss_try),
    ] {
        if limit >= equity {
            wrong.push(format!("{name} {limit} is not below the equity {equity}"));
        }
    }
    for (name, limit) in [
        ("MAX_POSITION_NOTIONAL_TRY", risk.max_position_notional_try),
        ("MAX_GROSS_EXPOSURE_TRY", risk.max_gross_exposure_try),
    ] {
        if limit > equity {
            notes.push(format!("{name} {limit} is above it"));
        }
    }
    if wrong.is_empty() {
        Made::yes("limits_fit", notes.join("; "))
    } else {
        Made::no("limits_fit", wrong.join("; "))
    }
}

/// The sizes that the configured strategies order.
fn sizes(settings: &Settings) -> Vec<(&'static str, Amount)> {
    let strategy = &settings.strategy;
    let mut sizes = vec![(
        "MAX_ORDER_NOTIONAL_TRY",
        settings.risk.max_order_notional_try,
    )];
    let runs = |kind: StrategyKind| {
        let mut claims = strategy.strategies.iter();
        claims.any(|claim| claim.strategy == kind)
    };
    if runs(StrategyKind::MeanReversion) {
        sizes.push(("INTENT_NOTIONAL_TRY", strategy.intent_notional_try));
    }
    if runs(StrategyKind::MarketMaker) {
        sizes.push(("MM_ORDER_TRY", strategy.market_maker.order_try));
    }
    sizes
}

/// Sizes of which the pair's grid and limits leave no order at this price.
fn misfits(
    rules: &Instrument,
    price: Price,
    sizes: &[(&str, Amount)],
    settings: &Settings,
) -> Vec<String> {
    let (symbol, own_min) = (rules.symbol, settings.risk.min_order_notional_try);
    let least = rules.value_min.max(own_min);
    let why = |size: Amount| {
        let Some(qty) = size.qty_at(price) else {
            return Some("is more than an order can hold".to_owned());
        };
        match rules.quantise(Side::Buy, price, qty, own_min) {
            Ok(_) => None,
            Err(QuantiseError::NonPositive) => Some(format!(
                "is less than one step of {} at {price}",
                rules.qty_step
            )),
            Err(QuantiseError::PriceOutOfRange) => Some(format!(
                "cannot be ordered at {price}: outside the pair's price limits"
            )),
            Err(QuantiseError::BelowMinimum) => {
                Some(format!("is below the smallest order of {least} at {price}"))
            }
        }
    };
    let misfit = |(name, size): &(&str, Amount)| {
        why(*size).map(|why| format!("{symbol}: {name} {size} {why}"))
    };
    sizes.iter().filter_map(misfit).collect()
}

/// Cash, and the coins of the configured pairs at their prices.
fn equity(seen: &Seen) -> Amount {
    let quote = crate::params::account_quote();
    let total = |asset: Asset| {
        let row = seen.balances.iter().find(|row| row.asset == asset);
        row.map_or(Amount::ZERO, BalanceRow::total)
    };
    let coins = seen.rules.iter().filter(|facts| facts.quote == quote);
    let values = coins.filter_map(|facts| {
        let price = seen.prices.get(&facts.symbol)?;
        engine::ledger::value_at(total(facts.base), *price)
    });
    total(quote) + values.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::load::{Flag, Sources};
    use engine::ids::Asset;
    use engine::money::Qty;
    use engine::time::Timestamp;

    const AT: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn asset(name: &str) -> Asset {
        Asset::parse(name).expect("an asset")
    }

    fn amount(text: &str) -> Amount {
        Amount::parse(text).expect("a decimal")
    }

    fn balance(name: &str, free: &str) -> BalanceRow {
        BalanceRow {
            asset: asset(name),
            free: amount(free),
            locked: Amount::ZERO,
        }
    }

    #[test]
    fn only_the_answer_that_there_is_no_such_order_shows_the_right_to_trade() {
        let check = |reply: CancelReply, expected: bool| {
            let made = trade_right(reply);
            assert_eq!(made.ok, expected, "{made:?}");
        };
        check(CancelReply::LookUp, true);
        check(CancelReply::Unauthorized, false);
        check(CancelReply::Acknowledged, false);
        check(CancelReply::Blocked, false);
        check(CancelReply::RateLimited(1), false);
        check(CancelReply::Failed, false);
    }

    #[test]
    fn a_balance_that_is_not_the_books_is_named_with_both_sums() {
        let quote = crate::params::account_quote();
        let check = |opened: Option<&str>, rows: &[BalanceRow], part: &str, expected: bool| {
            let mut books = Ledger::new(quote);
            if let Some(cash) = opened {
                books.book_opening(quote, amount(cash), None, AT);
            }
            let made = no_drift(rows, &books);
            assert_eq!(made.ok, expected, "{made:?}");
            assert!(made.detail.contains(part), "{made:?}");
        };
        let cash = [balance("TRY", "100")];
        check(None, &cash, "not opened yet", true);
        check(Some("100"), &cash, "that of the books", true);
        check(
            Some("100"),
            &[cash[0], balance("BTC", "1")],
            "BTC 0 in the books, 1 there",
            false,
        );
        check(
            Some("99.5"),
            &cash,
            "TRY 99.5 in the books, 100 there",
            false,
        );
        check(Some("100"), &[], "TRY 100 in the books, 0 there", false);
    }

    fn seen() -> Seen {
        let symbol = Symbol::parse("BTCTRY").expect("a pair");
        let rules = RuleFacts {
            symbol,
            base: asset("BTC"),
            quote: asset("TRY"),
            is_trading: true,
            has_limit_orders: true,
            qty_scale: 4,
            price_scale: 0,
            has_fraction: false,
            tick: None,
            value_min: Some(amount("100")),
            qty_min: None,
            qty_max: None,
            price_min: None,
            price_max: None,
            fee_in_base: false,
        };
        Seen {
            cancel: CancelReply::LookUp,
            balances: vec![balance("TRY", "10000"), balance("BTC", "0.01")],
            rules: vec![rules],
            prices: BTreeMap::from([(symbol, Price::parse("1000000").expect("a price"))]),
        }
    }

    /// Puts settings or a change into an account and limits that fit.
    fn check(set: &[&str], change: impl FnOnce(&mut Seen), parts: &[&str]) {
        let mut sources = Sources::demo(Default::default(), "/".into(), AT);
        let fitting = [
            "market.symbols=BTCTRY",
            "strategy.strategies=market_maker",
            "strategy.market_maker.order_try=300",
            "strategy.intent_notional_try=300",
            "risk.min_order_notional_try=100",
            "risk.max_order_notional_try=500",
            "risk.max_position_notional_try=5000",
            "risk.max_gross_exposure_try=10000",
            "risk.max_daily_loss_try=500",
        ];
        let all = fitting.iter().chain(set);
        sources.flags = all.map(|flag| Flag::Set((*flag).to_owned())).collect();
        let loaded = config::load::load(sources).map_err(|errors| errors.to_string());
        let mut seen = seen();
        change(&mut seen);
        let made = limits_fit(loaded.expect("it loads").settings(), &seen);
        assert_eq!(made.ok, parts.is_empty(), "{made:?}");
        for part in parts {
            assert!(made.detail.contains(part), "{made:?} {part}");
        }
    }

    #[test]
    fn each_size_that_makes_no_order_and_each_limit_above_the_account_is_named() {
        let same = |_: &mut Seen| {};
        check(&[], same, &[]);
        let small = "strategy.market_maker.order_try=99";
        check(
            &[small],
            same,
            &["BTCTRY: MM_ORDER_TRY 99 is less than one step"],
        );
        let coarse = |seen: &mut Seen| seen.rules[0].qty_scale = 2;
        check(
            &[],
            coarse,
            &[
                "MM_ORDER_TRY 300 is less than one step of 0.01",
                "MAX_ORDER_NOTIONAL_TRY",
            ],
        );
        let dear = |seen: &mut Seen| seen.rules[0].value_min = Some(amount("400"));
        check(
            &[],
            dear,
            &["MM_ORDER_TRY 300 is below the smallest order of 400"],
        );
        let many =
            |seen: &mut Seen| seen.rules[0].qty_min = Some(Qty::parse("1").expect("a quantity"));
        check(&[], many, &["is below the smallest order"]);
        let high = |seen: &mut Seen| seen.rules[0].price_max = Some(Price::from_units(1));
        check(&[], high, &["outside the pair's price limits"]);
        check(
            &["strategy.market_maker.order_try=600"],
            same,
            &["MM_ORDER_TRY 600 is above MAX_ORDER_NOTIONAL_TRY 500"],
        );
        check(&[], |seen| seen.rules.clear(), &["no rules or no price"]);
        check(&[], |seen| seen.prices.clear(), &["no rules or no price"]);
        check(
            &["risk.max_daily_loss_try=20000"],
            same,
            &["MAX_DAILY_LOSS_TRY 20000 is not below the equity 20000"],
        );
        check(
            &[],
            |seen| seen.balances.clear(),
            &["MAX_ORDER_NOTIONAL_TRY 500 is not below the equity 0"],
        );
    }
}
