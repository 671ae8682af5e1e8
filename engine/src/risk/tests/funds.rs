//! Checks 19 and 22 to 27: a wish that passes, one that fails, one on the boundary.

use super::*;

fn as_set(_: &mut RiskSettings) {}

#[test]
fn a_sale_needs_coins_that_are_ours_and_free() {
    check(
        |settings| settings.limits.max_order_notional = amount("5000"),
        &[
            "sell BTCTRY 1.00000001 @ 1000",
            "sell BTCTRY 0.6 @ 1000",
            "sell BTCTRY 0.4 @ 1001",
            "sell BTCTRY 0.01 @ 1002",
            "fill 1 0.6",
            "cancel 2",
            "sell BTCTRY 0.40000001 @ 1003",
            "sell BTCTRY 0.4 @ 1003",
        ],
        &[
            "risk_block:spot_sell_requires_inventory",
            "ok",
            "ok",
            "risk_block:spot_sell_requires_inventory",
            "risk_block:spot_sell_requires_inventory",
            "ok",
        ],
    );
    check(
        as_set,
        &[
            "wait 10001",
            "balances TRY=10000 BTC=1/0.7",
            "sell BTCTRY 0.31 @ 1001",
            "sell BTCTRY 0.3 @ 1001",
        ],
        &["risk_block:spot_sell_requires_inventory", "ok"],
    );
}

#[test]
fn unrealised_loss_trips_the_daily_limit() {
    check(
        |settings| settings.limits.max_daily_loss = amount("50"),
        &[
            "book BTCTRY 949.01 951.01",
            "buy BTCTRY 0.1 @ 950",
            "book BTCTRY 949 951",
            "buy BTCTRY 0.2 @ 950",
            "sell BTCTRY 0.2 @ 951",
        ],
        &["ok", "risk_block:max_daily_loss", "ok"],
    );
}

#[test]
fn drawdown_from_the_peak_refuses_new_risk() {
    let change = |settings: &mut RiskSettings| {
        settings.limits.max_daily_loss = amount("5000");
        settings.limits.max_drawdown_bps = 100;
    };
    // Equity 11000, then 12000 at the peak; one hundredth of it is 120.
    check(
        change,
        &[
            "book BTCTRY 1999 2001",
            "wait 1000",
            "book BTCTRY 1879.01 1881.01",
            "buy BTCTRY 0.1 @ 1880",
            "book BTCTRY 1879 1881",
            "buy BTCTRY 0.2 @ 1880",
            "sell BTCTRY 0.2 @ 1881",
        ],
        &["ok", "risk_block:max_drawdown", "ok"],
    );
}

#[test]
fn equity_that_is_unknown_refuses_new_risk() {
    let mut bench = Bench::bare(as_set);
    bench.play(&[
        "rules BTCTRY",
        "rules ETHTRY",
        "book BTCTRY 999 1001",
        "balances TRY=10000 ETH=2",
    ]);
    bench.play(&[
        "buy BTCTRY 0.1 @ 1000",
        "age 30000",
        "book BTCTRY 999 1001",
        "buy BTCTRY 0.1 @ 1000",
    ]);
    bench.play(&["book ETHTRY 99.9 100.1", "buy BTCTRY 0.1 @ 1000"]);
    assert_eq!(
        bench.verdicts,
        [
            "risk_block:balances_unknown",
            "risk_block:max_daily_loss",
            "ok"
        ]
    );
}

#[test]
fn worst_case_exposure_stays_inside_its_limits() {
    check(
        |settings| settings.limits.max_position_notional = amount("1300"),
        &[
            "buy BTCTRY 0.2 @ 1000",
            "buy BTCTRY 0.10000001 @ 1001",
            "buy BTCTRY 0.1 @ 1000.01",
            "buy BTCTRY 0.1 @ 990",
            "sell BTCTRY 0.3 @ 1002",
            "cancel 3",
            "buy BTCTRY 0.1 @ 1000",
        ],
        &[
            "ok",
            "risk_block:max_position_notional_try",
            "risk_block:max_position_notional_try",
            "ok",
            "ok",
            "risk_block:max_position_notional_try",
        ],
    );
    check(
        |settings| settings.limits.max_gross_exposure = amount("1300"),
        &[
            "buy BTCTRY 0.2 @ 1000",
            "buy ETHTRY 1.01 @ 100",
            "buy ETHTRY 1 @ 100",
            "buy ETHTRY 0.2 @ 99",
        ],
        &[
            "ok",
            "risk_block:max_gross_exposure",
            "ok",
            "risk_block:max_gross_exposure",
        ],
    );
}

#[test]
fn a_position_without_a_trusted_book_counts_a_tenth_more() {
    check(
        |settings| settings.limits.max_gross_exposure = amount("1200"),
        &[
            "distrust BTCTRY",
            "buy ETHTRY 1.01 @ 100",
            "buy ETHTRY 1 @ 100",
        ],
        &["risk_block:max_gross_exposure", "ok"],
    );
}

#[test]
fn unknown_balances_refuse_every_order() {
    check(
        as_set,
        &[
            "wait 60000",
            "buy BTCTRY 0.1 @ 1000",
            "wait 1",
            "buy BTCTRY 0.2 @ 1000",
            "sell BTCTRY 0.1 @ 1001",
            "balances TRY=10000 BTC=1",
            "sell BTCTRY 0.1 @ 1001",
        ],
        &[
            "ok",
            "risk_block:balances_unknown",
            "risk_block:balances_unknown",
            "ok",
        ],
    );
}

#[test]
fn no_buy_when_nothing_is_investable() {
    // 500 x 1.0024 = 501.2 is the whole of what is above the target, then one unit too much.
    let target = |text: &'static str| {
        move |settings: &mut RiskSettings| settings.limits.try_cash_target = amount(text)
    };
    check(
        target("9498.8"),
        &["buy BTCTRY 0.5 @ 1000", "free"],
        &["ok", "0"],
    );
    check(
        target("9498.8000000000000001"),
        &["buy BTCTRY 0.5 @ 1000", "sell BTCTRY 0.1 @ 1000"],
        &["risk_block:cash_reserve_target", "ok"],
    );
    check(
        target("10000"),
        &["free", "buy BTCTRY 0.01 @ 1000"],
        &["0", "risk_block:cash_reserve_target"],
    );
    check(
        target("20000"),
        &["free", "buy BTCTRY 0.01 @ 1000"],
        &["0", "risk_block:cash_reserve_target"],
    );
}

#[test]
fn a_buy_needs_quote_that_the_exchange_shows_as_free() {
    // 9498.8 locked by somebody else leaves exactly 501.2.
    check(
        as_set,
        &["balances TRY=10000/9498.8 BTC=1", "buy BTCTRY 0.5 @ 1000"],
        &["ok"],
    );
    check(
        as_set,
        &[
            "balances TRY=10000/9498.81 BTC=1",
            "buy BTCTRY 0.5 @ 1000",
            "buy BTCTRY 0.4 @ 1000",
        ],
        &["execution_reject:insufficient_balance_precheck", "ok"],
    );
}

#[test]
fn a_cost_that_does_not_fit_is_refused() {
    check(
        |settings| settings.limits.fee_bps_taker = i64::MAX,
        &["buy BTCTRY 0.1 @ 1000", "sell BTCTRY 0.1 @ 1000"],
        &["risk_block:arithmetic", "ok"],
    );
}

#[test]
fn absurd_numbers_are_refused_not_wrapped() {
    let most = "92233720368.54775807";
    let script = [
        format!("buy BTCTRY {most} @ {most}"),
        format!("sell BTCTRY {most} @ {most}"),
    ];
    check(
        as_set,
        &[&script[0], &script[1], "buy BTCTRY 92233720368 @ 1000"],
        &[
            "risk_block:price_out_of_range",
            "risk_block:price_out_of_range",
            "ok",
        ],
    );
}

#[test]
fn each_approval_lowers_what_the_next_one_sees() {
    check(
        |settings| settings.limits.try_cash_target = amount("9598"),
        &[
            "free",
            "buy BTCTRY 0.2 @ 1000",
            "free",
            "buy BTCTRY 0.2 @ 990",
            "free",
            "buy ETHTRY 1 @ 100",
            "cancel 2",
            "free",
            "buy ETHTRY 1 @ 100",
        ],
        &[
            "402",
            "ok",
            "201.52",
            "ok",
            "3.0448",
            "risk_block:cash_reserve_target",
            "201.52",
            "ok",
        ],
    );
    check(
        |settings| settings.limits.try_cash_target = amount("9000"),
        &[
            "sell BTCTRY 0.5 @ 1001",
            "free",
            "buy BTCTRY 0.2 @ 1000",
            "fill 2 0.05",
            "free",
            "fill 2 0.15",
            "free",
        ],
        &["ok", "1000", "ok", "799.64", "800"],
    );
}

#[test]
fn reducing_sell_at_a_loss_is_allowed() {
    let tight = |settings: &mut RiskSettings| {
        settings.limits.max_daily_loss = amount("1");
        settings.limits.max_drawdown_bps = 1;
        settings.limits.max_position_notional = amount("1");
        settings.limits.max_gross_exposure = amount("1");
        settings.limits.max_orders_per_minute = 0;
        settings.limits.max_open_orders = 0;
        settings.limits.max_open_orders_per_symbol = 0;
        settings.limits.max_notional_per_minute = Amount::ZERO;
        settings.limits.max_spread_bps = 0;
        settings.limits.try_cash_target = amount("1000000");
    };
    check(
        tight,
        &[
            "book BTCTRY 499 501",
            "raise reduce",
            "sell BTCTRY 0.9 @ 499 protective",
            "buy BTCTRY 0.1 @ 500",
        ],
        &["ok", "mode_block:reduce_risk_only"],
    );
}

#[test]
fn the_worst_cost_is_rounded_up() {
    let limits = base_limits();
    let cost = |units: i128| {
        limits
            .worst_cost(Amount::from_units(units))
            .map(Amount::units)
    };
    assert_eq!(
        (cost(0), cost(1), cost(10_000), cost(10_001)),
        (Some(0), Some(2), Some(10_024), Some(10_026))
    );
    assert_eq!(cost(i128::MAX), None);
}
