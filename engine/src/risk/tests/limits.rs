//! I5 against a naive model: whatever is wanted, filled and cancelled, the limits hold at every moment.

use super::*;
use proptest::prelude::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Wish {
        is_buy: bool,
        pair: usize,
        qty: i64,
        price: i64,
    },
    Fill {
        order: usize,
        parts: i64,
        fee: i64,
    },
    Unknown {
        order: usize,
    },
    Cancel {
        order: usize,
    },
    Reject {
        order: usize,
    },
    Wait {
        ms: i64,
    },
}

const PAIRS: [(&str, i64); 2] = [("BTCTRY", 1_000), ("ETHTRY", 100)];

fn any_step() -> impl Strategy<Value = Step> {
    let order = 0..12usize;
    prop_oneof![
        6 => (any::<bool>(), 0..2usize, 1..70_000_000i64, -8..10i64)
            .prop_map(|(is_buy, pair, qty, price)| Step::Wish { is_buy, pair, qty, price }),
        3 => (order.clone(), 1..4i64, -10..20i64).prop_map(|(order, parts, fee)| Step::Fill { order, parts, fee }),
        1 => order.clone().prop_map(|order| Step::Unknown { order }),
        2 => order.clone().prop_map(|order| Step::Cancel { order }),
        1 => order.prop_map(|order| Step::Reject { order }),
        2 => (1..20_000i64).prop_map(|ms| Step::Wait { ms }),
    ]
}

/// An order as the model remembers it.
struct Known {
    order: NewOrder,
    filled: Qty,
    is_living: bool,
}

/// The plainest account of the same events.
#[derive(Default)]
struct Model {
    orders: Vec<Known>,
    cash: Amount,
    coins: [Amount; 2],
}

impl Model {
    fn living(&self) -> impl Iterator<Item = &Known> {
        self.orders.iter().filter(|known| known.is_living)
    }

    fn left(known: &Known) -> Qty {
        known.order.intent.qty - known.filled
    }

    fn of(&self, pair: usize, side: Side) -> impl Iterator<Item = &Known> {
        let name = symbol(PAIRS[pair].0);
        self.living()
            .filter(move |k| k.order.intent.symbol == name && k.order.intent.side == side)
    }

    fn exposure(&self, pair: usize) -> Amount {
        let mark = i128::from(PAIRS[pair].1);
        let buys: Amount = self
            .of(pair, Side::Buy)
            .map(|k| k.order.intent.limit.value(Self::left(k)))
            .sum();
        Amount::from_units(self.coins[pair].units() * mark) + buys
    }

    /// Worst case of every open buy with 20 bps of fee and a fifth of that as tax.
    fn reserved(&self) -> Amount {
        let buys = self.living().filter(|k| k.order.intent.side == Side::Buy);
        buys.map(|k| {
            let value = k.order.intent.limit.value(Self::left(k)).units();
            Amount::from_units(value + value * 24 / 10_000)
        })
        .sum()
    }
}

fn check_limits(bench: &Bench, model: &Model, limits: &Limits) {
    let exposures = [model.exposure(0), model.exposure(1)];
    for (pair, exposure) in exposures.iter().enumerate() {
        assert!(
            *exposure <= limits.max_position_notional,
            "pair {pair}: {exposure}"
        );
        let selling: Qty = model.of(pair, Side::Sell).map(Model::left).sum();
        assert!(selling.amount() <= model.coins[pair], "sales are covered");
        let count = model.of(pair, Side::Buy).count();
        assert!(
            count <= limits.max_open_orders_per_symbol,
            "{count} buys of a pair"
        );
    }
    assert!(exposures[0] + exposures[1] <= limits.max_gross_exposure);
    let (held, needed) = (bench.gate.quote_reserved(), model.reserved());
    assert!(
        !held.is_negative() && held >= needed,
        "{held} holds the worst case {needed}"
    );
    let slack = Amount::from_units(i128::try_from(model.orders.len()).expect("few") * 4);
    assert!(
        held <= needed + slack,
        "{held} holds no more than the worst case {needed}"
    );
    assert!(
        model.cash - held >= limits.try_cash_target,
        "the cash target stays"
    );
    assert_eq!(bench.gate.ledger().balance(asset("TRY")), model.cash);
    assert_eq!(bench.gate.ledger().check(), Ok(()));
}

fn carry_out(bench: &mut Bench, model: &mut Model, step: &Step) {
    match step {
        Step::Wish {
            is_buy,
            pair,
            qty,
            price,
        } => {
            let (name, mark) = PAIRS[*pair];
            let side = if *is_buy { "buy" } else { "sell" };
            // Buys at or above the mark, so that a fill cannot raise exposure; sales around it.
            let offset = if *is_buy { price.abs() } else { *price };
            let limit = Price::from_units(mark * 100_000_000 + mark * offset * 100_000);
            let before = bench.approved.len();
            bench.play(&[&format!(
                "{side} {name} {} @ {limit}",
                Qty::from_units(*qty * (1_000 / mark))
            )]);
            for order in &bench.approved[before..] {
                assert!(order.intent.limit.value(order.intent.qty) <= amount("500"));
                model.orders.push(Known {
                    order: *order,
                    filled: Qty::ZERO,
                    is_living: true,
                });
            }
        }
        Step::Fill { order, parts, fee } => fill(bench, model, *order, *parts, *fee),
        Step::Unknown { order } => act(bench, model, *order, "unknown", true),
        Step::Cancel { order } => act(bench, model, *order, "cancel", false),
        Step::Reject { order }
            if model
                .orders
                .get(*order)
                .is_some_and(|k| k.filled == Qty::ZERO) =>
        {
            act(bench, model, *order, "reject", false);
        }
        Step::Reject { .. } => {}
        Step::Wait { ms } => {
            bench.play(&[&format!("wait {ms}")]);
            let (cash, btc, eth) = (model.cash, model.coins[0], model.coins[1]);
            bench.play(&[&format!("balances TRY={cash} BTC={btc} ETH={eth}")]);
        }
    }
}

fn act(bench: &mut Bench, model: &mut Model, order: usize, word: &str, stays: bool) {
    if let Some(known) = model.orders.get_mut(order).filter(|known| known.is_living) {
        known.is_living = stays;
        bench.play(&[&format!("{word} {}", order + 1)]);
    }
}

fn fill(bench: &mut Bench, model: &mut Model, order: usize, parts: i64, fee: i64) {
    let Some(known) = model.orders.get_mut(order).filter(|known| known.is_living) else {
        return;
    };
    let intent = known.order.intent;
    let left = Model::left(known);
    let part = Qty::from_units((left.units() / parts).max(1)).min(left);
    let value = intent.limit.value(part);
    // A rebate, nothing, or up to the assumed fee; tax is a fifth of it.
    let fee = value.times_bps(fee).expect("small");
    let tax = Amount::from_units(fee.units() / 5);
    known.filled += part;
    known.is_living = known.filled < intent.qty;
    let pair = usize::from(intent.symbol == symbol("ETHTRY"));
    let (cash, coins) = match intent.side {
        Side::Buy => (-value, part.amount()),
        Side::Sell => (value, -part.amount()),
    };
    model.cash += cash - fee - tax;
    model.coins[pair] += coins;
    bench.play(&[&format!("fill {} {part} fee {fee} tax {tax}", order + 1)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn limits_hold_at_every_moment_survive_a_restart_and_end_released(
        steps in proptest::collection::vec(any_step(), 1..60),
    ) {
        let tight = |settings: &mut RiskSettings| {
            settings.limits.max_position_notional = amount("1800");
            settings.limits.max_gross_exposure = amount("2500");
            settings.limits.try_cash_target = amount("8500");
            settings.limits.max_open_orders = 7;
            settings.limits.max_orders_per_minute = 300;
        };
        let mut bench = Bench::ready(tight);
        let mut model = Model { cash: amount("10000"), coins: [amount("1"), Amount::ZERO], ..Model::default() };
        let limits = bench.gate.settings.limits.clone();
        for step in &steps {
            carry_out(&mut bench, &mut model, step);
            check_limits(&bench, &model, &limits);
            prop_assert_eq!(bench.gate.orders().count(), model.living().count());
        }
        prop_assert_eq!(bench.gate.board().global(), Mode::Normal, "a correct engine does not drift");
        let mut restarted = Bench::bare(tight);
        restarted.recall(bench.journal());
        prop_assert_eq!(restarted.gate.ledger(), bench.gate.ledger());
        prop_assert_eq!(restarted.gate.quote_reserved(), bench.gate.quote_reserved());
        prop_assert_eq!(restarted.gate.orders().count(), bench.gate.orders().count());
        for order in 0..model.orders.len() {
            act(&mut bench, &mut model, order, "cancel", false);
        }
        prop_assert_eq!(bench.gate.quote_reserved(), Amount::ZERO);
        prop_assert_eq!(bench.gate.orders().count(), 0);
        prop_assert_eq!(bench.gate.free_to_sell(symbol("BTCTRY")), model.coins[0]);
    }
}
