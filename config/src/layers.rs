//! One layer of the configuration: typed values with their places, handed to figment as a provider.
//!
//! A layer never holds a secret; those were split off by the reader that filled it.

use crate::errors::{Origin, Place, Problem};
use crate::kind::Plain;
use crate::names::{Key, SAFETY_SECTION};
use crate::secret_sources::Candidate;
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use std::collections::BTreeMap;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) plain: Plain,
    pub(crate) origin: Origin,
}

/// One layer; `rank` is its height.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) rank: usize,
    pub(crate) entries: BTreeMap<&'static str, Entry>,
}

/// What reading all layers brings together.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) layers: Vec<Layer>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) secrets: Vec<Candidate>,
    pub(crate) warnings: Vec<String>,
}

impl Reading {
    /// Starts the next layer and returns its rank.
    pub(crate) fn open_layer(&mut self) -> usize {
        let rank = self.layers.len();
        self.layers.push(Layer {
            rank,
            entries: BTreeMap::new(),
        });
        rank
    }

    /// Puts a value into the open layer; `None` and a second value for the same key are problems.
    pub(crate) fn set(
        &mut self,
        key: &'static Key,
        shown: &str,
        plain: Option<Plain>,
        origin: Origin,
        value_place: Place,
    ) {
        let Some(plain) = plain else {
            self.problems
                .push(Problem::new(value_place, shown, key.kind.expectation()));
            return;
        };
        let layer = self
            .layers
            .last_mut()
            .expect("a layer was opened before its values");
        if let Some(before) = layer.entries.get(key.path) {
            let message = format!(
                "sets {} a second time; the first is {}",
                key.path, before.origin
            );
            self.problems
                .push(Problem::new(value_place, shown, message));
            return;
        }
        layer.entries.insert(key.path, Entry { plain, origin });
    }
}

impl Layer {
    /// Returns whether the layer holds anything about safety.
    pub(crate) fn sets_safety(&self) -> bool {
        self.entries
            .keys()
            .any(|path| path.starts_with(SAFETY_SECTION))
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        // figment keeps this name beside every value; it is how a merged value finds back to its layer.
        Metadata::named(self.rank.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut root = Dict::new();
        for (path, entry) in &self.entries {
            insert(&mut root, path, value_of(&entry.plain));
        }
        Ok(Map::from([(Profile::Default, root)]))
    }
}

fn value_of(plain: &Plain) -> Value {
    match plain {
        Plain::Bool(value) => Value::from(*value),
        Plain::Int(value) => Value::from(*value),
        Plain::Text(value) => Value::from(value.as_str()),
        Plain::List(values) => Value::from(values.clone()),
    }
}

fn insert(dict: &mut Dict, path: &str, value: Value) {
    let Some((section, rest)) = path.split_once('.') else {
        dict.insert(path.to_owned(), value);
        return;
    };
    let table = dict
        .entry(section.to_owned())
        .or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, inner) = table {
        insert(inner, rest, value);
    }
}
