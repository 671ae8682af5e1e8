//! The real store and the real journal on a disk that loses power, fails and rots.
//!
//! No exchange and no core is here. The one idea: a disk that logs its operations can be cut at every one of them, so
//! what an acknowledgement means is tried out and not believed.

mod cut;
mod faults;
mod flips;
mod records;
mod recover;
mod report;
mod sim;
mod story;
mod sweep;

pub use report::{Options, Report, SEEDS, run};
pub use story::Plant;
pub use sweep::Failure;
