//! Exit codes: one meaning each, the same for every command (`doctor` alone answers 0, 1, 2).

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; a graceful stop with nothing left behind.
    Ok,
    /// A failure not listed here; for `doctor`: warnings only.
    Failure,
    /// The command line was wrong; for `doctor`: a check failed.
    Usage,
    /// A check said no.
    CheckFailed,
    /// No running process answers.
    NotRunning,
    /// A deadline passed; leftovers are listed.
    Deadline,
    /// Refused by a safety rule.
    Refused,
    /// The state directory or the account is held by another process.
    AlreadyRunning,
    /// The exchange cannot be reached.
    Unreachable,
    /// An internal fault; the gate was shut before the exit.
    Internal,
    /// The durable store failed.
    Store,
    /// Credentials or permissions.
    Permission,
    /// The configuration cannot be read.
    Config,
    /// A batch command was interrupted.
    Interrupted,
    /// Diagnostics were asked for with QUIT.
    Quit,
}

impl Exit {
    /// Every exit, in the order of its code.
    pub const ALL: [Self; 15] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::CheckFailed,
        Self::NotRunning,
        Self::Deadline,
        Self::Refused,
        Self::AlreadyRunning,
        Self::Unreachable,
        Self::Internal,
        Self::Store,
        Self::Permission,
        Self::Config,
        Self::Interrupted,
        Self::Quit,
    ];

    /// Returns the process exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::CheckFailed => 3,
            Self::NotRunning => 4,
            Self::Deadline => 5,
            Self::Refused => 6,
            Self::AlreadyRunning => 7,
            Self::Unreachable => 69,
            Self::Internal => 70,
            Self::Store => 74,
            Self::Permission => 77,
            Self::Config => 78,
            Self::Interrupted => 130,
            Self::Quit => 131,
        }
    }

    /// Returns the meaning for `--help` and the reference.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done; a graceful stop with nothing left behind",
            Self::Failure => "failure not listed here (doctor: warnings only)",
            Self::Usage => "usage (doctor: a check failed)",
            Self::CheckFailed => "a check said no",
            Self::NotRunning => "no running process answers",
            Self::Deadline => "deadline passed, leftovers are listed",
            Self::Refused => "refused by a safety rule",
            Self::AlreadyRunning => "state directory or account held by another process",
            Self::Unreachable => "the exchange cannot be reached",
            Self::Internal => "internal fault; the gate was shut first",
            Self::Store => "the durable store failed, is damaged or is not ours",
            Self::Permission => "credentials or permissions",
            Self::Config => "configuration",
            Self::Interrupted => "batch command interrupted",
            Self::Quit => "SIGQUIT: sealed without cancelling",
        }
    }
}

/// A command's failure: what to say on stderr, and how to exit.
#[derive(Debug)]
pub struct Failed {
    /// The exit code.
    pub exit: Exit,
    /// For people; never holds a secret.
    pub message: String,
}

impl Failed {
    /// Makes a failure.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// Makes the failure of standard output.
    pub fn stdout(error: std::io::Error) -> Self {
        Self::new(Exit::Failure, format!("cannot write to stdout: {error}"))
    }
}

/// What a command gives back.
pub type Outcome = Result<Exit, Failed>;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_exit_has_a_code_of_its_own() {
        let codes: BTreeSet<u8> = Exit::ALL.into_iter().map(Exit::code).collect();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}
