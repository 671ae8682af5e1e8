//! Storms on real sockets, by name.

use chaos::storms::{Report, Storm, run};

fn check(storm: Storm) -> Report {
    let report = run(storm, 1).expect("the system trades");
    assert!(report.broken.is_empty(), "{report:#?}");
    report
}

#[test]
fn reconnect_storm() {
    let report = check(Storm::Reconnects);
    assert!(report.connections > 0 && !report.is_killed, "{report:?}");
}

#[test]
fn throttle_storm_with_and_without_retry_after() {
    for storm in [Storm::Throttle, Storm::ThrottleUnexplained] {
        let report = check(storm);
        assert!(report.requests > 0, "{report:?}");
    }
}

#[test]
fn partial_outage() {
    let report = check(Storm::PartialOutage);
    assert!(report.requests > 0, "{report:?}");
}
