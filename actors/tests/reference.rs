//! The pages of `docs/reference/` are what the program says of itself: this test makes them again and compares.
//!
//! `make reference` runs it with `BTCBOT_WRITE_REFERENCE=1`, which writes them. Nothing on those pages is written by
//! hand; what is wrong there is wrong in the code it comes from.

#[path = "reference/codes.rs"]
mod codes;
#[path = "reference/pages.rs"]
mod pages;

use std::path::PathBuf;

/// Set: the pages are written in place of compared.
const WRITE: &str = "BTCBOT_WRITE_REFERENCE";

fn dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference"))
}

#[test]
fn the_reference_says_what_the_program_says() {
    let pages = [
        ("README.md", pages::index()),
        ("cli.md", pages::cli()),
        ("exit-codes.md", pages::exit_codes()),
        ("configuration.md", pages::configuration()),
        ("metrics.md", pages::metrics()),
        ("reasons.md", codes::reasons()),
    ];
    let is_written = std::env::var_os(WRITE).is_some();
    if is_written {
        std::fs::create_dir_all(dir()).expect("the repository can be written");
    }
    for (name, text) in pages {
        let path = dir().join(name);
        if is_written {
            std::fs::write(&path, &text).expect("the repository can be written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = committed
            .lines()
            .zip(text.lines())
            .find(|(old, new)| old != new);
        assert!(
            committed == text,
            "docs/reference/{name} is not what `make reference` makes: {differs:?}"
        );
    }
}
