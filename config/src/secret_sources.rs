//! Looks for a credential in each place where one may lie, and checks the files it finds.
//!
//! Sources in order: environment, dotenv, the named file, systemd's credentials, /run/secrets. Files are judged by
//! their open descriptor. What is found goes to [`crate::secrets`]; nothing here prints or keeps a value.

use crate::errors::{Origin, Place, Problem};
use crate::files::{self, Content, Fault, Links};
use crate::secrets::{Held, SecretName};
use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Mode bits that must be clear on a file of our own: everything of group and others.
const OPEN_BITS: u32 = 0o077;
/// Mode bits that must be clear inside a secret mount. Reading by the group is allowed there, because systemd grants
/// a service its credentials by an access list, which shows as group bits.
const OPEN_BITS_IN_MOUNT: u32 = 0o027;
/// Rank of problems with secrets: behind those of all layers.
pub(crate) const RANK: usize = usize::MAX;

/// A secret found in one source.
pub(crate) struct Candidate {
    pub(crate) name: SecretName,
    text: SecretString,
    pub(crate) source: Source,
}

/// Where a secret was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// As it is printed.
    pub(crate) label: String,
    /// Permission bits of the file, if it is a file of its own.
    pub(crate) mode: Option<u32>,
    /// It is the process environment.
    pub(crate) environment: bool,
    /// Others may read the file.
    pub(crate) too_open: bool,
}

impl Candidate {
    /// Makes a candidate out of the environment or a dotenv file.
    pub(crate) fn flat(name: SecretName, text: &str, origin: &Origin) -> Self {
        let environment = matches!(origin, Origin::Environment { .. });
        let label = if environment {
            "environment".to_owned()
        } else {
            origin.to_string()
        };
        let source = Source {
            label,
            mode: None,
            environment,
            too_open: false,
        };
        Self {
            name,
            text: SecretString::from(without_newline(text)),
            source,
        }
    }
}

fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Where files with secrets are looked for.
pub(crate) struct SecretFiles {
    /// From the configuration, with the place that named the file; in the order of [`SecretName::ALL`].
    pub(crate) named: [Option<(PathBuf, Place)>; 2],
    /// `$CREDENTIALS_DIRECTORY` and `/run/secrets`, as far as they exist.
    pub(crate) mounts: Vec<PathBuf>,
    /// Our user id.
    pub(crate) uid: u32,
}

/// Collects the candidates of one secret in their order, and refuses contradictions.
pub(crate) fn pick(
    name: SecretName,
    mut found: Vec<Candidate>,
    named: Option<&(PathBuf, Place)>,
    files: &SecretFiles,
    problems: &mut Vec<Problem>,
) -> Option<Held> {
    if let Some((path, place)) = named {
        if !found.is_empty() {
            let message = format!("{} is set too; keep one of the two", name.env());
            problems.push(Problem::new(
                place.clone(),
                format!("{}_FILE", name.env()),
                message,
            ));
            return None;
        }
        found.extend(from_named(name, path, place, files, problems));
    }
    for mount in &files.mounts {
        found.extend(from_mount(
            name,
            mount,
            &mount.join(name.file()),
            files.uid,
            problems,
        ));
    }
    let mut found = found.into_iter();
    let first = found.next()?;
    for other in found {
        if other.text.expose_secret() != first.text.expose_secret() {
            let place = Place::whole(RANK, first.source.label.clone());
            let message = format!(
                "secret_source_conflict: {} holds a different value; keep one",
                other.source.label
            );
            problems.push(Problem::new(place, name.env(), message));
        }
    }
    Some(Held {
        text: first.text,
        source: first.source,
    })
}

/// A path that does not exist is not printed: it may be the secret itself.
fn named_fault(name: SecretName, fault: Fault, path: &Path, place: &Place, uid: u32) -> Problem {
    let key = format!("{}_FILE", name.env());
    match fault {
        Fault::Denied => Problem::new(
            place.clone(),
            key,
            format!("{}; {}", fault.text(), remedy(path, uid)),
        )
        .permission(),
        Fault::Link => {
            let message = format!("{}; name the file itself", fault.text());
            Problem::new(place.clone(), key, message).permission()
        }
        Fault::Missing
        | Fault::NotRegular
        | Fault::TooLong
        | Fault::NotText
        | Fault::Unreadable => Problem::new(place.clone(), key, fault.text()),
    }
}

fn remedy(path: &Path, uid: u32) -> String {
    let path = path.display();
    format!("run: chown {uid} {path} && chmod 0400 {path}")
}

/// Reads the file that the configuration names. Inside a secret mount the rules of the mount hold.
fn from_named(
    name: SecretName,
    path: &Path,
    place: &Place,
    files: &SecretFiles,
    problems: &mut Vec<Problem>,
) -> Option<Candidate> {
    let exists = path.symlink_metadata().is_ok();
    if exists && let Some(mount) = files.mounts.iter().find(|mount| path.starts_with(mount)) {
        return from_mount(name, mount, path, files.uid, problems);
    }
    match files::read(path, Links::Refuse) {
        Ok(content) => {
            let label = path.display().to_string();
            from_file(name, content, label, OPEN_BITS, files.uid, problems)
        }
        Err(fault) => {
            problems.push(named_fault(name, fault, path, place, files.uid));
            None
        }
    }
}

/// Reads a file of a secret mount; one that is not there is no problem.
fn from_mount(
    name: SecretName,
    mount: &Path,
    path: &Path,
    uid: u32,
    problems: &mut Vec<Problem>,
) -> Option<Candidate> {
    path.symlink_metadata().ok()?;
    let label = path.display().to_string();
    let mut refuse = |message: String| {
        let place = Place::whole(RANK, label.clone());
        problems.push(Problem::new(place, name.env(), message).permission());
    };
    // Kubernetes lays secrets out as links inside the mount; a link that leaves it is refused.
    let (Ok(root), Ok(target)) = (mount.canonicalize(), path.canonicalize()) else {
        refuse(format!(
            "{}; {}",
            Fault::Unreadable.text(),
            remedy(path, uid)
        ));
        return None;
    };
    if !target.starts_with(&root) {
        refuse("a symbolic link leads out of the secret mount".to_owned());
        return None;
    }
    match files::read(&target, Links::Refuse) {
        Ok(content) => from_file(name, content, label, OPEN_BITS_IN_MOUNT, uid, problems),
        Err(fault) => {
            refuse(format!("{}; {}", fault.text(), remedy(path, uid)));
            None
        }
    }
}

fn from_file(
    name: SecretName,
    content: Content,
    label: String,
    open_bits: u32,
    uid: u32,
    problems: &mut Vec<Problem>,
) -> Option<Candidate> {
    let place = Place::whole(RANK, label.clone());
    if content.owner != uid && content.owner != 0 {
        let message = format!(
            "the file belongs to another user; {}",
            remedy(Path::new(&label), uid)
        );
        problems.push(Problem::new(place, name.env(), message).permission());
        return None;
    }
    let Ok(text) = std::str::from_utf8(&content.bytes) else {
        problems.push(Problem::new(place, name.env(), "expected UTF-8 text").permission());
        return None;
    };
    let text = Zeroizing::new(without_newline(text).to_owned());
    if text.is_empty() {
        problems.push(Problem::new(place, name.env(), "the file is empty"));
        return None;
    }
    let too_open = content.mode & open_bits != 0;
    let source = Source {
        label,
        mode: Some(content.mode),
        environment: false,
        too_open,
    };
    Some(Candidate {
        name,
        text: SecretString::from(text.as_str()),
        source,
    })
}
