//! Rules of the layout that no compiler checks, read off the manifests and the files.
//!
//! A failure here names the file, the line and the rule. Sizes are printed, never judged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 8] = [
    "engine",
    "exchange/btcturk",
    "exchange/simulator",
    "config",
    "actors",
    "soak/installation",
    "chaos",
    "soak",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the workspace exists")
}

/// Every Rust file below a folder, without build output.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)
        .expect("a folder of ours")
        .map(|entry| entry.expect("an entry"))
    {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lines that are code: comments and blank lines dropped.
fn code_lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    source
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(n, line)| (n + 1, line))
}

/// Asserts that none of the words stands in code below a folder, outside the allowed files.
fn banned(dir: &str, words: &[&str], allowed: &[&str], why: &str) {
    let root = root();
    let mut found = Vec::new();
    for path in rust_files(&root.join(dir)) {
        let name = path
            .strip_prefix(&root)
            .expect("below the root")
            .display()
            .to_string();
        if allowed.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let source = text(&path);
        for (line, code) in code_lines(&source) {
            if let Some(word) = words.iter().find(|word| code.contains(**word)) {
                found.push(format!("{name}:{line}: {word}"));
            }
        }
    }
    assert!(found.is_empty(), "{why}:\n{}", found.join("\n"));
}

/// The names under `[dependencies]` of a crate.
fn dependencies(krate: &str) -> BTreeSet<String> {
    let manifest = text(&root().join(krate).join("Cargo.toml"));
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    section
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let ours: BTreeSet<String> = [
        "engine",
        "btcturk",
        "simulator",
        "config",
        "actors",
        "installation",
    ]
    .map(str::to_owned)
    .into();
    let edges: [(&str, &[&str]); 8] = [
        ("engine", &[]),
        ("exchange/btcturk", &["engine"]),
        ("exchange/simulator", &["engine", "btcturk"]),
        ("config", &["engine"]),
        ("actors", &["engine", "btcturk", "simulator", "config"]),
        ("soak/installation", &["engine", "simulator"]),
        ("chaos", &["engine", "simulator", "actors", "installation"]),
        ("soak", &["engine", "simulator", "installation"]),
    ];
    for (krate, allowed) in edges {
        let allowed: BTreeSet<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let used: BTreeSet<String> = dependencies(krate).intersection(&ours).cloned().collect();
        assert!(
            used.is_subset(&allowed),
            "{krate} may depend on {allowed:?}, depends on {used:?}"
        );
    }
}

#[test]
fn the_engine_is_pure() {
    let words = [
        "tokio",
        "SystemTime",
        "Instant",
        "rand::",
        "HashMap",
        "HashSet",
        "std::net",
        "std::fs",
        "std::thread",
        "f64",
        "f32",
    ];
    banned(
        "engine/src",
        &words,
        &[],
        "the engine has no I/O, no clock, no hash order and no float",
    );
    let small = dependencies("engine").len();
    assert!(
        small <= 3,
        "the engine has {small} direct dependencies, 3 are allowed"
    );
}

#[test]
fn the_codec_opens_nothing() {
    let words = ["tokio", "std::net", "std::fs", "reqwest", "hyper"];
    banned(
        "exchange/btcturk/src",
        &words,
        &[],
        "the codec turns bytes into values and opens nothing",
    );
}

#[test]
fn only_the_server_half_of_the_simulator_is_asynchronous() {
    let server = [
        "exchange/simulator/src/server",
        "exchange/simulator/src/clock.rs",
    ];
    banned(
        "exchange/simulator/src",
        &["tokio", "hyper", "axum"],
        &server,
        "the simulated exchange itself is pure",
    );
}

#[test]
fn secrets_are_read_in_config_and_the_signer_only() {
    let allowed = [
        "config/src/secret",
        "config/src/redact.rs",
        "exchange/btcturk/src/sign.rs",
    ];
    for krate in CRATES {
        banned(
            &format!("{krate}/src"),
            &["expose_secret"],
            &allowed,
            "secrets are readable in config and the signer only",
        );
    }
}

#[test]
fn clocks_are_read_in_their_homes() {
    let homes = [
        "actors/src/clock.rs",
        "exchange/simulator/src/clock.rs",
        "exchange/simulator/src/server",
    ];
    for krate in CRATES {
        banned(
            &format!("{krate}/src"),
            &["SystemTime::now", "Instant::now"],
            &homes,
            "time is passed in",
        );
    }
}

#[test]
fn every_select_is_biased() {
    let root = root();
    let mut found = Vec::new();
    for krate in CRATES {
        for path in rust_files(&root.join(krate).join("src")) {
            let source = text(&path);
            for (at, _) in source.match_indices("select! {") {
                if !source[at + "select! {".len()..]
                    .trim_start()
                    .starts_with("biased;")
                {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    assert!(
        found.is_empty(),
        "select! without biased; picks at random: {found:?}"
    );
}

#[test]
fn every_crate_forbids_unsafe_code_and_has_no_unfinished_work() {
    for krate in CRATES {
        let lib = text(&root().join(krate).join("src/lib.rs"));
        assert!(
            lib.contains("#![forbid(unsafe_code)]"),
            "{krate} does not forbid unsafe code"
        );
        let words = [
            "todo!(",
            "unimplemented!(",
            ".do_send(",
            "#[ignore",
            "dbg!(",
        ];
        banned(&format!("{krate}/src"), &words, &[], "unfinished or banned");
    }
}

#[test]
fn the_longest_files_are_shown() {
    let root = root();
    let mut sizes: Vec<(usize, String)> = CRATES
        .iter()
        .flat_map(|krate| rust_files(&root.join(krate).join("src")))
        .map(|path| {
            (
                text(&path).lines().count(),
                path.strip_prefix(&root)
                    .expect("below the root")
                    .display()
                    .to_string(),
            )
        })
        .collect();
    sizes.sort();
    assert!(!sizes.is_empty());
    for (lines, name) in sizes.iter().rev().take(10) {
        println!("{lines:5} {name}");
    }
}

/// What closes a row of the register: a test of this name, a script of the gate, or a type that rules the mistake out.
fn is_closed(row: &str, root: &Path, sources: &[String]) -> bool {
    let name = closed_by(row);
    let cell = row.rsplit('|').nth(1).unwrap_or_default().trim();
    let has = |head: &str| sources.iter().any(|source| source.contains(head));
    if cell.starts_with("impossible: ") {
        return ["struct", "enum"]
            .iter()
            .any(|kind| has(&format!("pub {kind} {name} {{")));
    }
    is_proof(name, root, sources)
}

/// A test of this name, or a script that another one of the gate calls.
fn is_proof(name: &str, root: &Path, sources: &[String]) -> bool {
    if name.starts_with(".ci/") {
        let called = fs::read_dir(root.join(".ci")).expect("a folder of ours");
        let mut scripts = called.map(|entry| entry.expect("an entry").path());
        return root.join(name).is_file()
            && scripts.any(|path| !path.ends_with(name) && text(&path).contains(name));
    }
    let head = format!("fn {name}(");
    sources.iter().any(|source| source.contains(&head))
}

/// The last word in backticks of a row.
fn closed_by(row: &str) -> &str {
    row.split('`').nth_back(1).unwrap_or_default()
}

/// Every Rust file of ours.
fn sources(root: &Path) -> Vec<String> {
    CRATES
        .iter()
        .flat_map(|krate| rust_files(&root.join(krate)))
        .map(|path| text(&path))
        .collect()
}

#[test]
fn every_defect_of_the_register_has_its_test() {
    let root = root();
    let sources = sources(&root);
    let register = text(&root.join("docs/DEFECTS.md"));
    let rows: Vec<&str> = register
        .lines()
        .filter(|line| line.starts_with("| D") || line.starts_with("| E"))
        .collect();
    assert!(rows.len() > 60, "the register was read: {}", rows.len());
    let (mut ids, mut tests) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        let id = row.split('|').nth(1).unwrap_or_default().trim();
        assert!(ids.insert(id), "two rows are called {id}");
        let is_shared = !row.contains("| impossible: ") && !tests.insert(closed_by(row));
        assert!(!is_shared, "two rows share a test: {row}");
    }
    let open: Vec<&str> = rows
        .into_iter()
        .filter(|row| !is_closed(row, &root, &sources))
        .collect();
    assert!(open.is_empty(), "nothing closes:\n{}", open.join("\n"));
}

/// The words in backticks of a cell.
fn in_backticks(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_risk_of_the_threat_model_names_tests_and_files_that_exist() {
    let root = root();
    let sources = sources(&root);
    let page = text(&root.join("docs/THREAT_MODEL.md"));
    let rows = page.lines().filter(|line| line.starts_with("| R-"));
    let rows: Vec<Vec<&str>> = rows
        .map(|row| row.split('|').map(str::trim).collect())
        .collect();
    let ids: Vec<&str> = rows.iter().map(|cells| cells[1]).collect();
    let expected: Vec<String> = (1..=17).map(|n| format!("R-{n:02}")).collect();
    assert_eq!(ids, expected, "one row for each risk, in order");
    for cells in rows {
        let [_, id, _, control, tests, remains, _] = cells[..] else {
            panic!("{}: a row has five cells: {cells:?}", cells[1]);
        };
        assert!(!remains.is_empty(), "{id}: something always remains");
        assert!(in_backticks(tests).count() > 0, "{id} names no test");
        for name in in_backticks(tests) {
            assert!(is_proof(name, &root, &sources), "{id}: no test {name}");
        }
        for path in in_backticks(control).filter(|word| word.contains('/')) {
            assert!(root.join(path).is_file(), "{id}: no file {path}");
        }
    }
}

#[test]
fn every_metric_alert_and_setting_of_the_slo_page_exists() {
    let root = root();
    let [page, metrics, alerts, settings] = [
        "docs/SLO.md",
        "actors/src/metrics.rs",
        "deploy/prometheus/btcbot.rules.yml",
        "config/default.toml",
    ]
    .map(|path| text(&root.join(path)));
    let modes = ["OBSERVE_ONLY", "KILL_SWITCH"];
    let mut seen = 0;
    for word in page.lines().flat_map(in_backticks) {
        let is_capital = word.contains('_') && word == word.to_uppercase();
        let exists = if word.starts_with("Btcbot") {
            alerts.contains(&format!("alert: {word}\n"))
        } else if is_capital && !modes.contains(&word) {
            settings.contains(&format!("# {word}: "))
        } else if word.contains('_') && word == word.to_lowercase() && !word.contains('/') {
            metrics.contains(&format!("\"{word}\""))
        } else {
            continue;
        };
        assert!(exists, "docs/SLO.md names {word}, which does not exist");
        seen += 1;
    }
    assert!(seen > 40, "the page was read: {seen}");
}
