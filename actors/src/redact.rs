//! The second line of defence against secrets in output; the first is that secret types cannot be printed.
//!
//! It replaces every loaded secret in every form, and masks what stands under a sensitive name. The one idea: names are
//! compared folded to letters and digits and by their end, so that all spellings are found and `token_bucket` is not.

use config::redact::Redactor;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

/// What stands in place of a value under a sensitive key.
pub const MASKED_VALUE: &str = "***REDACTED***";
/// What stands in place of a value inside a text.
pub const MASKED_TEXT: &str = "[REDACTED]";
/// Nesting that is walked; what lies deeper is replaced whole.
pub const DEPTH_MAX: usize = 16;
/// A bearer text shorter than this is an ordinary word.
const BEARER_LEN_MIN: usize = 8;

/// Endings of sensitive names, folded.
const SENSITIVE_ENDS: [&str; 14] = [
    "apikey",
    "apisecret",
    "secret",
    "secretkey",
    "privatekey",
    "passphrase",
    "password",
    "passwd",
    "token",
    "signature",
    "authorization",
    "cookie",
    "xpck",
    "xstamp",
];
/// Names that are sensitive as they are, folded.
const SENSITIVE_NAMES: [&str; 2] = ["auth", "bearer"];
/// Names whose value runs to the end of its line, folded ends.
const LINE_ENDS: [&str; 2] = ["authorization", "cookie"];

/// Cleans texts and values. Cheap to clone; secrets that are loaded later are known to every clone.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    known: Arc<RwLock<Option<Arc<Redactor>>>>,
}

impl Filter {
    /// Puts the forms of the loaded secrets into use, in place of the ones before.
    pub fn load(&self, redactor: Redactor) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(redactor));
    }

    /// Returns a text without secrets.
    pub fn clean(&self, text: &str) -> String {
        let known = self
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let text = match &known {
            Some(redactor) => redactor.redact(text),
            None => Cow::Borrowed(text),
        };
        mask_text(&text)
    }

    /// Returns a value without secrets; `key` is the name it stands under.
    pub fn clean_value(&self, key: &str, value: Value) -> Value {
        if is_sensitive(key) {
            return Value::from(MASKED_VALUE);
        }
        self.walk(value, 0)
    }

    fn walk(&self, value: Value, depth: usize) -> Value {
        if depth >= DEPTH_MAX && (value.is_object() || value.is_array()) {
            return Value::from(MASKED_VALUE);
        }
        match value {
            Value::Object(members) => {
                let clean = |(key, value): (String, Value)| {
                    let value = if is_sensitive(&key) {
                        Value::from(MASKED_VALUE)
                    } else {
                        self.walk(value, depth + 1)
                    };
                    (key, value)
                };
                Value::Object(members.into_iter().map(clean).collect())
            }
            Value::Array(items) => {
                let clean = |item| self.walk(item, depth + 1);
                Value::Array(items.into_iter().map(clean).collect())
            }
            Value::String(text) => Value::from(self.walk_text(&text, depth)),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// A string that holds JSON is walked like the JSON itself.
    fn walk_text(&self, text: &str, depth: usize) -> String {
        let looks_like_json = text.trim_start().starts_with(['{', '[']);
        let parsed = looks_like_json.then(|| serde_json::from_str::<Value>(text));
        match parsed {
            Some(Ok(value)) => self.clean(&self.walk(value, depth + 1).to_string()),
            Some(Err(_)) | None => self.clean(text),
        }
    }
}

/// Returns whether what stands under this name is a secret.
pub fn is_sensitive(name: &str) -> bool {
    let folded = folded(name);
    SENSITIVE_NAMES.contains(&folded.as_str())
        || SENSITIVE_ENDS.iter().any(|end| folded.ends_with(end))
}

fn folded(name: &str) -> String {
    let plain = name.chars().filter(char::is_ascii_alphanumeric);
    plain.map(|c| c.to_ascii_lowercase()).collect()
}

/// Masks values that follow a sensitive name and `:` or `=`, and what follows `Bearer`.
fn mask_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find([':', '=', ' ']) {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        rest = match masked_len(&out, after) {
            Some((kept, masked)) => {
                out.push_str(&after[..kept]);
                out.push_str(MASKED_TEXT);
                &after[kept + masked..]
            }
            None => after,
        };
    }
    out.push_str(rest);
    out
}

/// Returns how many bytes of `after` to keep and then to mask, if what was written so far ends in a sensitive name.
fn masked_len(before: &str, after: &str) -> Option<(usize, usize)> {
    let separator = before.chars().next_back()?;
    let head = &before[..before.len() - separator.len_utf8()];
    if separator == ' ' {
        let is_bearer = folded(last_name(head)) == "bearer";
        let len = token_len(after);
        return (is_bearer && len >= BEARER_LEN_MIN).then_some((0, len));
    }
    let name = last_name(head.trim_end().trim_end_matches(['"', '\'', '\\']));
    if !is_sensitive(name) {
        return None;
    }
    let folded = folded(name);
    let value = after.trim_start_matches([' ', '\t', '\\']);
    let kept = after.len() - value.len();
    let len = if value.starts_with(['"', '\'']) {
        let quote = value.chars().next()?;
        // The quotes stay, so that JSON stays JSON.
        let is_nested = after[..kept].ends_with('\\');
        return Some((kept + 1, quoted_len(&value[1..], quote, is_nested)));
    } else if LINE_ENDS.iter().any(|end| folded.ends_with(end)) {
        value.find(['\r', '\n']).unwrap_or(value.len())
    } else {
        token_len(value)
    };
    (len > 0).then_some((kept, len))
}

/// Returns the name that `text` ends with.
fn last_name(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = text.rfind(|c: char| !is_part(c));
    start.map_or(text, |at| {
        let width = text[at..].chars().next().map_or(1, char::len_utf8);
        &text[at + width..]
    })
}

/// Length up to the closing quote. Inside a string within a string the escaped quote closes, elsewhere it is text.
fn quoted_len(text: &str, quote: char, is_nested: bool) -> usize {
    let mut is_protected = false;
    for (at, c) in text.char_indices() {
        let is_end = if is_nested {
            c == '\\' && text[at + 1..].starts_with(quote)
        } else {
            c == quote && !is_protected
        };
        if is_end {
            return at;
        }
        is_protected = c == '\\' && !is_protected;
    }
    text.len()
}

/// Length of a value without quotes around it; quotes inside, as in `Some("...")`, are part of it.
fn token_len(text: &str) -> usize {
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        if c == '"' {
            is_quoted = !is_quoted;
        } else if !is_quoted && (c.is_whitespace() || matches!(c, ',' | ';' | '&' | '}' | ']')) {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redaction_masks_all_spellings_and_spares_lookalikes() {
        let sensitive = [
            "X-API-Key",
            "apiSecret",
            "api_secret",
            "BTCTURK_API_KEY",
            "client-secret",
            "secretKey",
            "privateKey",
            "passphrase",
            "Password",
            "db.passwd",
            "access_token",
            "X-Signature",
            "Authorization",
            "Set-Cookie",
            "X-PCK",
            "x_stamp",
            "auth",
            "bearer",
            "Bearer",
        ];
        for name in sensitive {
            assert!(is_sensitive(name), "{name}");
            let filter = Filter::default();
            assert_eq!(
                filter.clean_value(name, Value::from("v4lue")),
                Value::from(MASKED_VALUE)
            );
            for text in [
                format!("{name}=v4lue"),
                format!("{name}: v4lue"),
                format!("{{\"{name}\":\"v4lue\"}}"),
            ] {
                let clean = filter.clean(&text);
                assert!(!clean.contains("v4lue") && clean.contains(name), "{clean}");
            }
        }
        let spared = [
            "token_bucket",
            "api_key_rotated_at",
            "secret_max_age_days",
            "secret_source",
            "signature_latency_ms",
            "public_key_fingerprint",
            "author",
            "authenticated",
            "stamp",
            "cookies_enabled",
        ];
        for name in spared {
            assert!(!is_sensitive(name), "{name}");
            let text = format!("{name}=8 and \"{name}\": \"8\"");
            assert_eq!(Filter::default().clean(&text), text);
        }
    }

    #[test]
    fn only_the_value_is_replaced_inside_a_text() {
        let check =
            |text: &str, expected: &str| assert_eq!(Filter::default().clean(text), expected);
        check(
            "get /x?apiKey=abc&symbol=BTCTRY",
            "get /x?apiKey=[REDACTED]&symbol=BTCTRY",
        );
        check(
            "Authorization: Bearer abc.def\nHost: x",
            "Authorization: [REDACTED]\nHost: x",
        );
        check("sent Bearer abcdefghij to x", "sent Bearer [REDACTED] to x");
        check("the bearer of news", "the bearer of news");
        check(
            "Keys { api_key: Some(\"a b\"), n: 1 }",
            "Keys { api_key: [REDACTED], n: 1 }",
        );
        check(
            r#"{"password":"a\"b","n":1}"#,
            r#"{"password":"[REDACTED]","n":1}"#,
        );
        check(
            "{'token': 'abc', 'n': 1}",
            "{'token': '[REDACTED]', 'n': 1}",
        );
        check(
            "body {\\\"apiSecret\\\":\\\"abc\\\"}",
            "body {\\\"apiSecret\\\":\\\"[REDACTED]\\\"}",
        );
        check("at https://host:80/path n=1", "at https://host:80/path n=1");
        check(
            "şifre password=çok gizli",
            "şifre password=[REDACTED] gizli",
        );
        check("token=", "token=");
        check("", "");
    }

    #[test]
    fn nested_values_are_walked_and_too_deep_ones_are_replaced_whole() {
        let filter = Filter::default();
        let value = serde_json::json!({
            "list": [{"token": "abc", "n": 1}],
            "text": "{\"apiKey\":\"abc\",\"n\":2}",
            "note": "secret=abc",
        });
        let clean = filter.clean_value("data", value).to_string();
        assert!(!clean.contains("abc"), "{clean}");
        assert!(
            clean.contains("\"n\":1") && clean.contains("\\\"n\\\":2"),
            "{clean}"
        );
        let mut deep = Value::from("abc");
        for _ in 0..=DEPTH_MAX {
            deep = Value::Array(vec![deep]);
        }
        let clean = filter.clean_value("data", deep).to_string();
        assert!(
            clean.contains(MASKED_VALUE) && !clean.contains("abc"),
            "{clean}"
        );
    }
}
