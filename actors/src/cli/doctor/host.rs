//! Rows about this machine, its limits and its disk.

use super::Finding;
use super::facts::Facts;

/// Sockets, journal, log and some reserve.
const OPEN_FILES_MIN: u64 = 1_024;
/// Free space from which the operator is warned.
const FREE_BYTES_WARN: u64 = 1 << 30;
/// Free space below which the journal is at risk.
const FREE_BYTES_FAIL: u64 = 200 << 20;
/// Variables that other clients obey and ours does not.
const PROXY_NAMES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

pub(super) fn synchronised(facts: &Facts) -> Finding {
    match facts.host.is_synchronised {
        None => Finding::skip("this system does not say whether its clock is synchronised"),
        Some(true) => Finding::ok("the clock is synchronised"),
        Some(false) => Finding::warn(
            "the clock has not been synchronised since the boot",
            "timedatectl set-ntp true",
        ),
    }
}

pub(super) fn proxy(facts: &Facts) -> Finding {
    let names = facts.env_names.iter();
    let set: Vec<&str> = names
        .filter(|name| PROXY_NAMES.contains(&name.to_uppercase().as_str()))
        .map(String::as_str)
        .collect();
    if set.is_empty() {
        Finding::ok("no proxy is set")
    } else {
        let detail = format!("{} is set, and no proxy is ever used", set.join(", "));
        Finding::warn(detail, "give this host a direct way out, and unset it")
    }
}

pub(super) fn not_root(facts: &Facts) -> Finding {
    if facts.host.is_root {
        Finding::warn("running as root", "run it as a user of its own")
    } else {
        Finding::ok(format!("running as user {}", facts.host.uid))
    }
}

pub(super) fn descriptors(facts: &Facts) -> Finding {
    match facts.host.open_files {
        Some(limit) if limit < OPEN_FILES_MIN => Finding::warn(
            format!("at most {limit} open files"),
            format!("ulimit -n {OPEN_FILES_MIN}, or LimitNOFILE= in the unit"),
        ),
        Some(limit) => Finding::ok(format!("at most {limit} open files")),
        None => Finding::ok("open files are not limited"),
    }
}

pub(super) fn core_dumps(facts: &Facts) -> Finding {
    if facts.host.core_bytes == Some(0) {
        return Finding::ok("core dumps are off");
    }
    Finding::warn(
        "core dumps are on: one would hold the keys",
        "ulimit -c 0, or LimitCORE=0 in the unit",
    )
}

pub(super) fn space(facts: &Facts) -> Finding {
    let Some(free) = facts.host.free_bytes else {
        return Finding::fail(
            "the free space cannot be read",
            "check the disk of state.dir",
        );
    };
    let detail = format!("{} MiB free", free >> 20);
    let fix = "make room on the disk of state.dir";
    if free < FREE_BYTES_FAIL {
        Finding::fail(detail, fix)
    } else if free < FREE_BYTES_WARN {
        Finding::warn(detail, fix)
    } else {
        Finding::ok(detail)
    }
}

pub(super) fn writable(facts: &Facts) -> Finding {
    let dir = facts.state_dir.display();
    if facts.host.is_writable {
        Finding::ok(format!("{dir} can be written"))
    } else {
        let fix = format!("chown {} {dir}", facts.host.uid);
        Finding::fail(format!("{dir} cannot be written by this user"), fix)
    }
}
