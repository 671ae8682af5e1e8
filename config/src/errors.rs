//! Where a value came from, and the list of everything that is wrong with a configuration.
//!
//! A problem holds names, places and expectations. It has no field for a value or a source line, because either may
//! hold a secret that was pasted in the wrong place.

use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The embedded `default.toml`.
    Default,
    /// A TOML file.
    File {
        /// The path as it was named.
        path: String,
        /// Line, from 1.
        line: u32,
        /// Column of the key in characters, from 1.
        column: u32,
    },
    /// A dotenv file.
    Dotenv {
        /// The path as it was named.
        path: String,
        /// Line, from 1.
        line: u32,
    },
    /// The process environment.
    Environment {
        /// The variable.
        name: String,
    },
    /// The command line.
    Flag {
        /// The flag.
        name: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Self::Dotenv { path, line } => write!(f, "{path}:{line}"),
            Self::Environment { name } => write!(f, "environment {name}"),
            Self::Flag { name } => write!(f, "flag {name}"),
        }
    }
}

/// What kind of refusal a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The configuration cannot be read: exit 78.
    Config,
    /// A file or a credential must not be used as it is: exit 77.
    Permission,
}

impl Class {
    /// Returns the exit code of the process.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Config => 78,
            Self::Permission => 77,
        }
    }
}

/// A place in one of the layers; orders problems.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) rank: usize,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) label: String,
}

impl Place {
    /// Names a whole source: a file that cannot be read, the environment, a flag.
    pub(crate) fn whole(rank: usize, label: impl Into<String>) -> Self {
        Self {
            rank,
            line: 0,
            column: 0,
            label: label.into(),
        }
    }

    /// Names the place an origin points at.
    pub(crate) fn of(rank: usize, origin: &Origin) -> Self {
        let (line, column) = match origin {
            Origin::File { line, column, .. } => (*line, *column),
            Origin::Dotenv { line, .. } => (*line, 0),
            Origin::Default | Origin::Environment { .. } | Origin::Flag { .. } => (0, 0),
        };
        let label = match origin {
            Origin::Environment { .. } => "environment".to_owned(),
            Origin::Default | Origin::File { .. } | Origin::Dotenv { .. } | Origin::Flag { .. } => {
                origin.to_string()
            }
        };
        Self {
            rank,
            line,
            column,
            label,
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    place: Place,
    key: String,
    message: String,
    suggestion: Option<String>,
    class: Class,
}

impl Problem {
    pub(crate) fn new(place: Place, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place,
            key: key.into(),
            message: message.into(),
            suggestion: None,
            class: Class::Config,
        }
    }

    pub(crate) fn suggest(mut self, name: Option<String>) -> Self {
        self.suggestion = name;
        self
    }

    pub(crate) fn permission(mut self) -> Self {
        self.class = Class::Permission;
        self
    }

    /// Returns the place: `file:line:column`, `file:line`, `environment`, `flag NAME`.
    pub fn place(&self) -> &str {
        &self.place.label
    }

    /// Returns the key as it was written; empty where there is none, or where it does not look like a name.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns what is wrong or expected.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the name that was probably meant.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    /// Returns what kind of refusal it is.
    pub const fn class(&self) -> Class {
        self.class
    }
}

/// Everything that is wrong, sorted by layer and line; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    problems: Vec<Problem>,
}

impl ConfigErrors {
    /// Sorts the problems; `None` if there are none.
    pub(crate) fn collect(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by(|a, b| (&a.place, &a.key).cmp(&(&b.place, &b.key)));
        (!problems.is_empty()).then_some(Self { problems })
    }

    /// Returns the problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns 77 if every problem is one of permission, else 78.
    pub fn class(&self) -> Class {
        if self
            .problems
            .iter()
            .all(|problem| problem.class == Class::Permission)
        {
            Class::Permission
        } else {
            Class::Config
        }
    }
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let width = |text: fn(&Problem) -> &str| {
            self.problems
                .iter()
                .map(|problem| text(problem).chars().count())
                .max()
                .unwrap_or(0)
        };
        let (place_width, key_width) = (width(Problem::place), width(Problem::key));
        write!(
            f,
            "configuration: {count} problem{}",
            if count == 1 { "" } else { "s" }
        )?;
        for problem in &self.problems {
            let (place, key, message) = (problem.place(), problem.key(), problem.message());
            write!(f, "\n  {place:place_width$}  {key:key_width$}  {message}")?;
            if let Some(name) = problem.suggestion() {
                write!(f, "; did you mean {name}?")?;
            }
        }
        Ok(())
    }
}
