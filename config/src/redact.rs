//! Replaces every loaded secret in a text, in each form in which one could slip into a log line.
//!
//! The forms stay inside: callers hand in text and get clean text back. This is the second line of defence; the
//! first is that secret types cannot be printed.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What stands in place of a secret.
pub const REDACTED: &str = "[REDACTED]";
/// Shorter forms are not searched for: they would blank ordinary words.
const FORM_LEN_MIN: usize = 4;

/// The forms of all loaded secrets. Has no way to print them.
pub struct Redactor {
    /// Longest first, so that a form inside another does not leave the rest of it behind.
    forms: Vec<SecretString>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} forms)", self.forms.len())
    }
}

impl Redactor {
    /// Collects the forms of these byte strings.
    pub(crate) fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut texts: BTreeSet<String> = BTreeSet::new();
        for secret in secrets {
            texts.extend(forms_of(secret));
        }
        let mut texts: Vec<String> = texts
            .into_iter()
            .filter(|text| text.len() >= FORM_LEN_MIN)
            .collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self {
            forms: texts.into_iter().map(SecretString::from).collect(),
        }
    }

    /// Returns a redactor that knows the secrets of both.
    pub fn joined(&self, other: &Self) -> Self {
        let both = self.forms.iter().chain(&other.forms);
        let mut forms: Vec<SecretString> = both.cloned().collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.expose_secret().len()));
        Self { forms }
    }

    /// Returns the text with every form of every secret replaced; borrowed when there was nothing to replace.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        for form in &self.forms {
            if clean.contains(form.expose_secret()) {
                clean = Cow::Owned(clean.replace(form.expose_secret(), REDACTED));
            }
        }
        clean
    }

    /// Returns whether a form of a secret occurs in the text.
    pub fn finds(&self, text: &str) -> bool {
        self.forms
            .iter()
            .any(|form| text.contains(form.expose_secret()))
    }

    /// Lends each form to a filter that does its own matching. The forms must not be kept, logged or sent.
    pub fn each_form(&self, mut visit: impl FnMut(&str)) {
        for form in &self.forms {
            visit(form.expose_secret());
        }
    }
}

fn forms_of(secret: &[u8]) -> Vec<String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        hex.to_uppercase(),
        hex,
    ];
    if let Ok(text) = std::str::from_utf8(secret) {
        forms.push(text.to_owned());
        forms.push(url_encoded(text, false));
        forms.push(url_encoded(text, true));
        // Some JSON writers escape the slash, which base64 text is full of.
        forms.push(text.replace('/', "\\/"));
    }
    forms
}

fn url_encoded(text: &str, lower: bool) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else if lower {
            encoded.push_str(&format!("%{byte:02x}"));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_replaced_wherever_it_stands() {
        let redactor = Redactor::new([b"top/secret+value==".as_slice()].into_iter());
        for form in [
            "top/secret+value==",
            "top%2Fsecret%2Bvalue%3D%3D",
            "top%2fsecret%2bvalue%3d%3d",
            "dG9wL3NlY3JldCt2YWx1ZT09",
            "746f702f7365637265742b76616c75653d3d",
            "746F702F7365637265742B76616C75653D3D",
            "top\\/secret+value==",
        ] {
            let line = format!("a{form}b {form}");
            assert!(redactor.finds(&line), "{form}");
            assert_eq!(
                redactor.redact(&line),
                format!("a{REDACTED}b {REDACTED}"),
                "{form}"
            );
        }
        let other = Redactor::new([b"the-other-secret".as_slice()].into_iter());
        let both = redactor
            .joined(&other)
            .redact("top/secret+value== the-other-secret")
            .into_owned();
        assert_eq!(both, format!("{REDACTED} {REDACTED}"));
        assert!(matches!(redactor.redact("nothing here"), Cow::Borrowed(_)));
        assert!(!format!("{redactor:?}").contains("secret"));
    }
}
