//! The key that signs events for the operator's webhook: read from a private file, used, and never shown.
//!
//! It is not the exchange's key and opens nothing: with it a receiver tells our events from somebody else's.

use crate::files::{self, Fault, Links};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::fmt;
use std::path::Path;

/// Mode bits that must be clear. The group may read: so systemd's credentials look.
const OPEN_BITS: u32 = 0o027;
/// Shortest key, characters: what a receiver must not be able to guess.
const CHARS_MIN: usize = 16;
/// Longest key, characters.
const CHARS_MAX: usize = 4_096;

/// Why there is no key. Carries no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookKeyError {
    /// The file could not be read.
    #[error("{0}")]
    File(&'static str),
    /// Others may read or write it.
    #[error("others may read or write the file; run: chmod 0400 on it")]
    Open,
    /// Neither ours nor root's.
    #[error("the file belongs to another user")]
    Owner,
    /// Too short or too long.
    #[error("expected one line of {CHARS_MIN} to {CHARS_MAX} characters")]
    Length,
}

impl HookKeyError {
    /// Returns whether the file is there and its rights are wrong.
    pub(crate) const fn is_permission(self) -> bool {
        match self {
            Self::Open | Self::Owner => true,
            Self::File(_) | Self::Length => false,
        }
    }
}

/// The key.
pub struct HookKey(SecretString);

impl fmt::Debug for HookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookKey")
    }
}

impl HookKey {
    /// Reads the key from a file of this user or of root.
    ///
    /// # Errors
    /// See [`HookKeyError`].
    pub fn read(path: &Path, uid: u32) -> Result<Self, HookKeyError> {
        // Kubernetes lays secrets out as links; the rights that count are those of the file that was opened.
        let content = files::read(path, Links::Follow)
            .map_err(|fault: Fault| HookKeyError::File(fault.text()))?;
        if content.mode & OPEN_BITS != 0 {
            return Err(HookKeyError::Open);
        }
        if content.owner != uid && content.owner != 0 {
            return Err(HookKeyError::Owner);
        }
        let text = std::str::from_utf8(&content.bytes)
            .map_err(|_| HookKeyError::File(Fault::NotText.text()))?;
        let text = text.trim_end_matches(['\r', '\n']);
        if !(CHARS_MIN..=CHARS_MAX).contains(&text.len()) || text.contains('\n') {
            return Err(HookKeyError::Length);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// Returns the HMAC-SHA256 of some bytes, in lower-case hexadecimal.
    ///
    /// # Panics
    /// Never: a key of any length will do.
    pub fn sign(&self, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes())
            .expect("a key of any length will do");
        mac.update(body);
        let tag = mac.finalize().into_bytes();
        tag.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn read(text: &str, mode: u32) -> Result<HookKey, HookKeyError> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("key");
        fs::write(&path, text).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
        HookKey::read(&path, rustix::process::geteuid().as_raw())
    }

    #[test]
    fn a_private_file_with_a_line_of_sixteen_characters_is_a_key() {
        for (text, mode, expected) in [
            ("0123456789abcdef\n", 0o400, None),
            ("0123456789abcdef", 0o640, None),
            ("0123456789abcde\n", 0o400, Some(HookKeyError::Length)),
            ("0123456789\nabcdef\n", 0o400, Some(HookKeyError::Length)),
            ("0123456789abcdef\n", 0o604, Some(HookKeyError::Open)),
            ("0123456789abcdef\n", 0o620, Some(HookKeyError::Open)),
        ] {
            assert_eq!(read(text, mode).err(), expected, "{text:?} {mode:o}");
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "0123456789abcdef").expect("writable");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        for (mode, expected) in [(0o400, None), (0o644, Some(HookKeyError::Open))] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("ours");
            let uid = rustix::process::geteuid().as_raw();
            assert_eq!(HookKey::read(&link, uid).err(), expected, "{mode:o}");
        }
        let missing = HookKey::read(Path::new("/nonexistent/key"), 0).err();
        assert_eq!(missing, Some(HookKeyError::File(Fault::Missing.text())));
    }

    #[test]
    fn signatures_are_those_of_the_standard() {
        // HMAC-SHA256 of an empty body under a key of sixteen zeros, computed with another program.
        let key = read("0000000000000000", 0o400).expect("a key");
        assert_eq!(
            key.sign(b""),
            "e971d28e8f29bfb8c689fc0ff9209247c2b54446dcb8e23e055d34d3705439a1"
        );
        assert_eq!(
            key.sign(b"{}"),
            "588b5a1776beafef2be6821922a58e0d83a6a3d00732e6aa273686e6bbc92f0d"
        );
    }
}
