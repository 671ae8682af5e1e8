//! A panic at every message of every actor; the command does the same and prints what it saw.

#[test]
fn panic_matrix() {
    let report = chaos::panics::run(1);
    assert!(report.is_ok(), "{report:#?}");
    assert!(report.pairs > 40, "{report:?}");
}
