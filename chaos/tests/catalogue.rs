//! The catalogue of faults is true of this tree.

use std::path::Path;

#[test]
fn every_fault_has_a_test_and_every_injector_a_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let report = chaos::faults::check(&root).expect("the tree can be read");
    assert!(report.is_ok(), "{report:#?}");
    assert!(report.rows_total >= 70, "the page was read: {report:?}");
}
