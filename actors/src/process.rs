//! What the kernel says about this process.

use std::fs;

/// Clock ticks of a second in `/proc`; fixed by Linux for every architecture we build for.
const TICKS_PER_SECOND: i64 = 100;

/// Use of resources at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory, bytes.
    pub resident_bytes: i64,
    /// Open file descriptors.
    pub open_fds: i64,
    /// Threads.
    pub threads: i64,
    /// Processor time, user and system, milliseconds.
    pub cpu_ms: i64,
}

/// Reads the use of resources; `None` where `/proc` is not to be had.
pub fn usage() -> Option<Usage> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let open_fds = fs::read_dir("/proc/self/fd").ok()?.count();
    read(&stat, &status, i64::try_from(open_fds).ok()?)
}

fn read(stat: &str, status: &str, open_fds: i64) -> Option<Usage> {
    // The command's name may hold spaces and brackets: fields are counted after its last bracket.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<i64>().ok();
    let ticks = number(11)?.checked_add(number(12)?)?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = resident.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(Usage {
        resident_bytes: kib.checked_mul(1024)?,
        open_fds,
        threads: number(17)?,
        cpu_ms: ticks.checked_mul(1_000)? / TICKS_PER_SECOND,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_a_name_with_brackets() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 9 0 12345 1000 200";
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t9\n";
        let expected = Usage {
            resident_bytes: 2_097_152,
            open_fds: 5,
            threads: 9,
            cpu_ms: 2_000,
        };
        assert_eq!(read(stat, status, 5), Some(expected));
        assert_eq!(read("7 (a", status, 5), None);
        assert_eq!(read(stat, "Name:\tx\n", 5), None);
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = usage().expect("Linux has /proc");
        assert!(usage.resident_bytes > 1 << 20 && usage.open_fds > 2 && usage.threads >= 1);
    }
}
