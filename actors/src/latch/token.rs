//! A file whose name alone says something: present, or not to be told, means set.
//!
//! It is made by renaming one that was written beforehand, so a full disk cannot stop it; what it holds is for people
//! and comes after. The one idea: setting needs no byte, and clearing is the same rename the other way.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Size of the prepared file, bytes: more than any content.
const BYTES: usize = 4_096;

/// One name in the state directory, and the file that is kept ready for it.
#[derive(Debug)]
pub struct Token {
    dir: PathBuf,
    path: PathBuf,
    spare: PathBuf,
}

/// What the name says.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// Not set.
    Absent,
    /// Set, with what can be read of it.
    Present(String),
}

impl Token {
    /// Names a token of a directory; touches nothing.
    pub fn new(dir: &Path, name: &str, spare: &str) -> Self {
        Self {
            path: dir.join(name),
            spare: dir.join(spare),
            dir: dir.to_owned(),
        }
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns where the token lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks. Only the certain absence of the name is absence.
    pub fn look(&self) -> Look {
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Look::Absent,
            Ok(meta) if meta.is_file() => Look::Present(self.text().unwrap_or_default()),
            Ok(_) | Err(_) => Look::Present(String::new()),
        }
    }

    fn text(&self) -> io::Result<String> {
        let mut text = String::new();
        let most = u64::try_from(BYTES).unwrap_or(u64::MAX);
        File::open(&self.path)?
            .take(most)
            .read_to_string(&mut text)?;
        Ok(text.trim().to_owned())
    }

    /// Keeps a file ready.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn prepare(&self) -> io::Result<()> {
        let is_ready = fs::metadata(&self.spare).is_ok_and(|meta| meta.len() == BYTES as u64);
        if !is_ready {
            self.fill(&self.spare, "", true)?;
            self.sync_dir()?;
        }
        Ok(())
    }

    /// Sets the token: one rename, which waits for no disk and outlives this process.
    ///
    /// # Errors
    /// Neither the prepared file nor a fresh one could get the name.
    pub fn set(&self) -> io::Result<()> {
        if self.look() != Look::Absent || fs::rename(&self.spare, &self.path).is_ok() {
            return Ok(());
        }
        self.fill(&self.path, "", true)
    }

    /// Writes what it is about into a token that is set, and waits until file and name are on disk.
    ///
    /// # Errors
    /// The name is there but takes no text, or the disk failed.
    pub fn describe(&self, text: &str) -> io::Result<()> {
        self.fill(&self.path, text, false)?;
        self.sync_dir()
    }

    /// Takes the token back, and waits until that is on disk.
    ///
    /// # Errors
    /// Something that is no plain file has the name, or the disk failed; then the token counts as set.
    pub fn clear(&self) -> io::Result<()> {
        let meta = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.prepare(),
            meta => meta?,
        };
        if !meta.is_file() {
            let text = format!("{} is not a plain file: remove it", self.path.display());
            return Err(io::Error::other(text));
        }
        fs::rename(&self.path, &self.spare)?;
        self.fill(&self.spare, "", true)?;
        self.sync_dir()
    }

    fn fill(&self, path: &Path, text: &str, may_create: bool) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(may_create)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        let mut bytes = text.as_bytes().to_vec();
        bytes.truncate(BYTES - 1);
        bytes.resize(BYTES - 1, b' ');
        bytes.push(b'\n');
        file.write_all(&bytes)?;
        file.sync_all()
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(dir: &Path) -> Token {
        Token::new(dir, "kill.latch", "kill.spare")
    }

    #[test]
    fn a_token_is_set_described_and_taken_back() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let token = token(dir.path());
        assert_eq!(token.look(), Look::Absent);
        token.prepare().expect("writable");
        token.set().expect("a rename");
        assert!(!dir.path().join("kill.spare").exists(), "it was renamed");
        assert_eq!(token.look(), Look::Present(String::new()));
        token.describe("who and why").expect("writable");
        token.set().expect("set already");
        assert_eq!(token.look(), Look::Present("who and why".to_owned()));
        token.clear().expect("a plain file");
        assert_eq!(token.look(), Look::Absent);
        token.set().expect("a rename");
        assert_eq!(
            token.look(),
            Look::Present(String::new()),
            "nothing of the last time is left"
        );
    }

    #[test]
    fn whatever_has_the_name_sets_it() {
        let check = |what: &str, make: fn(&Path)| {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let token = token(dir.path());
            make(token.path());
            assert!(matches!(token.look(), Look::Present(_)), "{what}");
            assert!(matches!(token.set(), Ok(())), "{what}");
        };
        check("touched", |path| drop(File::create(path)));
        check("bytes", |path| {
            fs::write(path, [0xff, 0]).expect("writable")
        });
        check("a directory", |path| {
            fs::create_dir(path).expect("writable")
        });
        check("a dangling link", |path| {
            std::os::unix::fs::symlink("nowhere", path).expect("writable");
        });
    }

    #[test]
    fn what_is_no_plain_file_is_not_taken_back() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let token = token(dir.path());
        fs::create_dir(token.path()).expect("writable");
        let error = token.clear().expect_err("a directory");
        assert!(error.to_string().contains("kill.latch"), "{error}");
        assert_ne!(token.look(), Look::Absent);
    }
}
