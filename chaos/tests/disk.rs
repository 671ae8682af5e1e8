//! A few hundred power cuts, failing disks and planted mistakes; the command makes many more.

use chaos::disk::{self, Options, Plant};

/// Cuts of a test run.
const CUTS_MIN: u64 = 300;

fn few(plant: Option<Plant>) -> disk::Report {
    let options = Options {
        from: 3,
        seeds: 1,
        stride: 11,
        plant,
        ..Options::default()
    };
    disk::run(&options)
}

#[test]
fn no_cut_loses_or_tears_what_was_acknowledged() {
    let report = few(None);
    assert!(report.is_ok(), "{report:#?}");
    assert!(report.power_cuts >= CUTS_MIN, "{}", report.power_cuts);
    assert!(report.recoveries >= report.power_cuts / 2);
    assert!(report.bit_flips.refused > 0, "{:?}", report.bit_flips);
    for faults in [&report.fsync_failures, &report.write_failures] {
        assert!(faults.points >= 40 && faults.retried == 0, "{faults:?}");
    }
}

#[test]
fn an_acknowledgement_before_the_sync_is_found() {
    for plant in [Plant::EarlyAck, Plant::NoSync] {
        let report = few(Some(plant));
        assert!(report.lost_acked > 0, "{plant:?}: {report:#?}");
    }
}

#[test]
fn a_group_in_two_commits_is_found() {
    let report = few(Some(Plant::SplitGroup));
    assert!(report.torn > 0 && report.lost_acked == 0, "{report:#?}");
}
