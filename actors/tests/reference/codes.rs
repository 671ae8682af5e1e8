//! The page of stable codes, read from the sources of the enums: the code is an arm of `as_str`, its meaning the
//! comment of the variant. A variant without either fails here.

use std::fmt::Write as _;
use std::path::Path;

/// Where an enum of codes is, and what its codes are for.
struct Codes {
    file: &'static str,
    name: &'static str,
    title: &'static str,
    about: &'static str,
}

const fn codes(
    file: &'static str,
    name: &'static str,
    title: &'static str,
    about: &'static str,
) -> Codes {
    Codes {
        file,
        name,
        title,
        about,
    }
}

#[rustfmt::skip]
const ALL: &[Codes] = &[
    codes("engine/src/mode.rs", "Mode", "Modes", "From free to shut; the strictest voice holds."),
    codes("engine/src/mode.rs", "ModeCode", "Mode codes and causes of kills", "Why a mode is asked for; a kill is latched under the code that tripped it."),
    codes("config/src/arming.rs", "BlockReason", "Arming reasons", "Why the live exchange is out of reach; a denial carries them as `policy_block:<code>`."),
    codes("engine/src/risk/deny.rs", "DenyCode", "Deny codes", "Why the risk gate denied an intent, in the order of the checks, numbered as in the decision's record."),
    codes("engine/src/intent.rs", "IntentReason", "Intent reasons", "Why a strategy wanted an order."),
    codes("engine/src/intent.rs", "SilentReason", "Silent reasons", "Why a strategy wanted nothing; shown as `strategy:<code>`."),
    codes("engine/src/order.rs", "OrderState", "Order states", "Where an own order stands, its ends last."),
    codes("engine/src/answer.rs", "NotSent", "Not sent", "Why no byte of a submit left."),
    codes("engine/src/answer.rs", "Refusal", "Rejected", "What the exchange refused an order for, by meaning."),
    codes("engine/src/answer.rs", "UnknownCause", "Unknown", "Why the fate of a submit cannot be told."),
    codes("engine/src/router/absence.rs", "Unproven", "Unproven", "Why a look that did not show an order proves nothing about it."),
    codes("engine/src/intent.rs", "CancelReason", "Cancel reasons", "Why a cancel was asked for."),
    codes("engine/src/order.rs", "Resolution", "Resolutions", "How an operator settles an order of unknown fate."),
    codes("engine/src/book.rs", "Distrust", "Untrusted books", "Why a book may not be traded on."),
    codes("engine/src/budget/mod.rs", "Cause", "Causes on the ladder", "What moves the ladder."),
    codes("engine/src/budget/mod.rs", "Rung", "Rungs of the ladder", "What follows, mildest first."),
];

/// The page.
pub fn reasons() -> String {
    let mut text = "<!-- Made by `make reference`; do not edit. -->\n\n# Stable codes\n\n\
        Logs, metrics, `/status`, answers and the journal use these texts. None changes its meaning.\n"
        .to_owned();
    for codes in ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(codes.file);
        let source = std::fs::read_to_string(&path).expect("a source of this repository");
        let rows = rows(&source, codes.name);
        assert!(
            rows.len() > 1,
            "{} of {} has no codes",
            codes.name,
            codes.file
        );
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n| code | meaning |\n|---|---|\n",
            codes.title, codes.about
        );
        for (code, meaning) in rows {
            let _ = writeln!(text, "| `{code}` | {} |", meaning.replace('|', "\\|"));
        }
    }
    text
}

/// Each code with its meaning, in the order of the variants.
fn rows(source: &str, name: &str) -> Vec<(String, String)> {
    let arms = arms(source, name);
    let variants = variants(source, name);
    let coded = variants.into_iter().filter_map(|(variant, meaning)| {
        let code = arms.iter().find(|(arm, _)| *arm == variant);
        assert!(
            code.is_some() || variant == "Policy",
            "{name}::{variant} has no code"
        );
        Some((code?.1.clone(), meaning))
    });
    coded.collect()
}

/// The variants of an enum with their comments, one line each.
fn variants(source: &str, name: &str) -> Vec<(String, String)> {
    let body = section(source, &format!("pub enum {name} {{"), "\n}");
    let mut found = Vec::new();
    let mut comment = String::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            comment.push_str(text);
            comment.push(' ');
        } else if line.starts_with(|c: char| c.is_ascii_uppercase()) {
            let end = line
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(line.len());
            assert!(!comment.is_empty(), "{name}: {line} has no comment");
            found.push((
                line[..end].to_owned(),
                std::mem::take(&mut comment).trim().to_owned(),
            ));
        }
    }
    found
}

/// The arms `Self::Variant => "code"` of the first function of the enum that returns texts.
fn arms(source: &str, name: &str) -> Vec<(String, String)> {
    let body = section(source, &format!("impl {name} {{"), "\n}");
    let body = section(body, "-> &'static str {", "\n    }");
    let arm = |line: &str| {
        let (variant, code) = line.trim().strip_prefix("Self::")?.split_once(" => \"")?;
        let end = variant
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(variant.len());
        Some((
            variant[..end].to_owned(),
            code.split('"').next()?.to_owned(),
        ))
    };
    body.lines().filter_map(arm).collect()
}

fn section<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let behind = text.split_once(from).expect(from).1;
    behind.split_once(to).expect(to).0
}
