//! What is written about each key: its default, what it does, whether live needs it, how a reload treats it.
//!
//! Nothing is written here: the words stand beside the defaults in `default.toml`, the ranges in the table of keys.
//! Reference, schema and listing are made from these pages, so that they cannot say anything else.

use crate::kind::Kind;
use crate::load::DEFAULT_TOML;
use crate::names::{KEYS, Key, LIMITS_FOR_LIVE, Reload};

/// What is written about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Names, range and reload.
    pub key: &'static Key,
    /// The default as TOML, such as `"100"` or `["read", "trade"]`.
    pub default: String,
    /// What the key does, one line.
    pub about: String,
}

impl Page {
    /// Returns whether live is blocked until the operator has set the key.
    pub fn is_required_for_live(&self) -> bool {
        LIMITS_FOR_LIVE.contains(&self.key.path)
    }

    /// Returns what a reload does with a changed value.
    pub const fn reload(&self) -> &'static str {
        match self.key.reload {
            Reload::Cold => "restart",
            Reload::Hot => "hot",
            Reload::TightenDown => "hot; raised only while OBSERVE_ONLY or stricter",
            Reload::TightenUp => "hot; lowered only while OBSERVE_ONLY or stricter",
            Reload::SafeAt(_) => "hot to its safe side, restart to the other",
        }
    }
}

impl Kind {
    /// Returns the type in one word.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Bool => "flag",
            Self::Int { .. } => "integer",
            Self::Positive | Self::NotNegative => "decimal text",
            Self::Choice(_) | Self::Exporter | Self::Level => "word",
            Self::Phrase | Self::Moment => "text",
            Self::Scopes | Self::Symbols | Self::Strategies | Self::Hosts => "list",
            Self::Url(_) | Self::OptionalUrl | Self::Address => "address",
            Self::Dir | Self::OptionalPath => "path",
        }
    }
}

/// Returns the page of each key, in the order of `default.toml`.
pub fn pages() -> Vec<Page> {
    let mut section = "";
    let mut comment = "";
    let mut pages = Vec::with_capacity(KEYS.len());
    for line in DEFAULT_TOML.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some(text) = line.strip_prefix("# ") {
            comment = text;
        } else if let Some((name, default)) = line.split_once(" = ") {
            pages.extend(page(section, name, default, comment));
        }
    }
    pages
}

fn page(section: &str, name: &str, default: &str, comment: &str) -> Option<Page> {
    let path = format!("{section}.{name}");
    let key = KEYS.iter().find(|key| key.path == path)?;
    let about = comment.strip_prefix(key.env).unwrap_or(comment);
    let about = about.trim_start_matches(": ");
    // How a reload treats it stands in the table, too.
    let about = about.split(" (hot)").next().unwrap_or(about);
    let about = about
        .split(" (tightens while running")
        .next()
        .unwrap_or(about);
    Some(Page {
        key,
        default: default.to_owned(),
        about: about.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_page_in_the_order_of_the_table() {
        let pages = pages();
        let paths: Vec<&str> = pages.iter().map(|page| page.key.path).collect();
        let table: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
        assert_eq!(paths, table);
        for page in &pages {
            assert!(
                page.about.ends_with('.'),
                "{}: {}",
                page.key.path,
                page.about
            );
            assert!(!page.default.is_empty(), "{}", page.key.path);
        }
    }

    #[test]
    fn a_page_says_what_the_file_says() {
        let pages = pages();
        let page = pages
            .iter()
            .find(|page| page.key.env == "MAX_ORDER_NOTIONAL_TRY")
            .expect("a key");
        assert_eq!(
            (page.default.as_str(), page.about.as_str()),
            ("\"500\"", "per order.")
        );
        assert!(page.is_required_for_live());
        assert_eq!(
            page.reload(),
            "hot; raised only while OBSERVE_ONLY or stricter"
        );
    }
}
