//! The flood, small enough for a debug build; the command makes the figures and judges the times.

use chaos::flood::{Asked, run};

#[test]
fn flood_closes_gate_within_ten_ms() {
    let asked = Asked {
        rate: 2_000,
        trips: 20,
        seed: 1,
    };
    let report = run(asked).expect("the system trades");
    assert!(report.unsafe_acts().is_empty(), "{report:#?}");
    assert_eq!((report.trips_past, report.trips_through), (10, 10));
}
