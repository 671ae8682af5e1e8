//! Rows about configuration, policy and secrets; they look at what was read and at nothing else.

use super::Finding;
use super::facts::Facts;
use config::arming::{BlockReason, KeyAge, assess, key_age, unset_limits};
use config::load::Loaded;
use config::settings::{Acknowledgement, Exporter, Scope};

/// A condition that stops live trading and is only worth a word in a dry run.
fn for_live(loaded: &Loaded, detail: &str, reason: BlockReason) -> Finding {
    if loaded.settings().safety.dry_run {
        Finding::warn(detail, reason.meaning())
    } else {
        Finding::fail(detail, reason.meaning())
    }
}

pub(super) fn readable(facts: &Facts) -> Finding {
    match &facts.loaded {
        Ok(loaded) => Finding::ok(format!("hash {}", loaded.config_hash())),
        Err(errors) => Finding::fail(errors.to_string(), "btcbot config check"),
    }
}

pub(super) fn warnings(_: &Facts, loaded: &Loaded) -> Finding {
    if loaded.warnings().is_empty() {
        Finding::ok("nothing unusual")
    } else {
        Finding::warn(loaded.warnings().join("\n"), "btcbot config show")
    }
}

/// Whoever owns a file that decides about trading decides about trading.
pub(super) fn files(facts: &Facts, loaded: &Loaded) -> Finding {
    let is_foreign = |owner: u32| owner != facts.host.uid && owner != 0;
    let foreign = loaded.files().iter().filter(|file| is_foreign(file.owner));
    let foreign: Vec<&str> = foreign.map(|file| file.path.as_str()).collect();
    if !foreign.is_empty() {
        let detail = format!("{} belongs to another user", foreign.join(", "));
        return Finding::warn(detail, format!("chown {} the file", facts.host.uid));
    }
    let read: Vec<&str> = loaded
        .files()
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    if read.is_empty() {
        Finding::ok("no file: defaults and environment")
    } else {
        Finding::ok(read.join(", "))
    }
}

pub(super) fn limits(_: &Facts, loaded: &Loaded) -> Finding {
    let unset = unset_limits(loaded);
    if unset.is_empty() {
        return Finding::ok("every limit was set by the operator");
    }
    let detail = format!("still examples: {}", unset.join(" "));
    if loaded.settings().safety.dry_run {
        Finding::skip(format!("{detail}; live trading needs them set"))
    } else {
        Finding::fail(detail, BlockReason::LimitsNotSet.meaning())
    }
}

/// Says where the process would stand; blocked is a state, not a fault.
pub(super) fn arming(facts: &Facts, loaded: &Loaded) -> Finding {
    let assessment = assess(loaded, facts.clock.now());
    let venue = assessment.venue.as_str();
    if assessment.is_armed() {
        return Finding::ok(format!(
            "venue {venue}: would arm, orders reach the exchange"
        ));
    }
    let codes: Vec<&str> = assessment
        .reasons
        .iter()
        .map(|reason| reason.code())
        .collect();
    Finding::ok(format!("venue {venue}: would not arm: {}", codes.join(" ")))
}

pub(super) fn acknowledgement(_: &Facts, loaded: &Loaded) -> Finding {
    let safety = &loaded.settings().safety;
    let fix = BlockReason::AckMissing.meaning();
    match safety.live_trading_ack {
        Acknowledgement::Wrong => Finding::fail("LIVE_TRADING_ACK is not the phrase", fix),
        Acknowledgement::Missing if safety.live_trading => {
            Finding::warn("LIVE_TRADING=true without LIVE_TRADING_ACK", fix)
        }
        Acknowledgement::Missing => Finding::skip("live trading is not asked for"),
        Acknowledgement::Given => Finding::ok("given"),
    }
}

pub(super) fn present(_: &Facts, loaded: &Loaded) -> Finding {
    let secrets = loaded.secrets();
    if let (Some(_), Some(key)) = (secrets.credentials(), secrets.fingerprint()) {
        return Finding::ok(format!("key {key}"));
    }
    if loaded.settings().safety.dry_run && !secrets.any() {
        return Finding::skip("no key; a dry run needs none");
    }
    for_live(
        loaded,
        "no complete key pair",
        BlockReason::CredentialsMissing,
    )
}

pub(super) fn scopes(_: &Facts, loaded: &Loaded) -> Finding {
    let scopes = &loaded.settings().secrets.scopes;
    if scopes.contains(&Scope::Withdraw) {
        let fix = "make a key without that right and declare read,trade; run refuses this one";
        return Finding::fail("the key is declared to allow withdrawals", fix);
    }
    if scopes.contains(&Scope::Read) && scopes.contains(&Scope::Trade) {
        Finding::ok("read and trade, as declared")
    } else {
        for_live(
            loaded,
            "read or trade is not declared",
            BlockReason::ScopeMissing,
        )
    }
}

pub(super) fn age(facts: &Facts, loaded: &Loaded) -> Finding {
    if !loaded.secrets().any() {
        return Finding::skip("no key");
    }
    match key_age(loaded, facts.clock.now()) {
        KeyAge::Fresh => Finding::ok("young enough"),
        KeyAge::Ageing => Finding::warn("beyond 80 % of its greatest age", "make a new key"),
        KeyAge::Expired => for_live(
            loaded,
            "beyond its greatest age",
            BlockReason::SecretAgeExpired,
        ),
        KeyAge::Unknown => for_live(
            loaded,
            "nobody knows how old the key is",
            BlockReason::SecretRotationUnknown,
        ),
    }
}

pub(super) fn file_mode(_: &Facts, loaded: &Loaded) -> Finding {
    if loaded.secrets().file_too_open() {
        for_live(
            loaded,
            "others may read a file that holds a secret",
            BlockReason::SecretFileMode,
        )
    } else {
        Finding::ok("no secret file is open to others")
    }
}

pub(super) fn source(_: &Facts, loaded: &Loaded) -> Finding {
    if loaded.secrets().from_environment() {
        Finding::warn(
            "a secret stands in the process environment, which /proc shows to every process of this user",
            "put it into a file: BTCTURK_API_KEY_FILE, BTCTURK_API_SECRET_FILE",
        )
    } else {
        Finding::ok("no secret stands in the environment")
    }
}

pub(super) fn dotenv_mode(_: &Facts, loaded: &Loaded) -> Finding {
    if loaded.env_file_too_open() {
        for_live(
            loaded,
            "the dotenv file is a link, not ours, or open to others",
            BlockReason::EnvFileMode,
        )
    } else {
        Finding::ok("the dotenv file is private, or there is none")
    }
}

pub(super) fn bind(_: &Facts, loaded: &Loaded) -> Finding {
    let ops = &loaded.settings().ops;
    let detail = format!("the status plane listens on {}", ops.address);
    if ops.address.is_loopback() {
        Finding::ok(detail)
    } else {
        Finding::warn(
            format!("{detail}: others on the network may read it"),
            "publish the port on loopback only, or set BTCBOT__OPS__ADDRESS=127.0.0.1",
        )
    }
}

pub(super) fn exporter(_: &Facts, loaded: &Loaded) -> Finding {
    let observability = &loaded.settings().observability;
    match (observability.enabled, observability.exporter) {
        (true, Exporter::Prometheus) => Finding::ok("prometheus"),
        (true, Exporter::Otlp) => Finding::ok("prometheus and otlp"),
        (true, Exporter::None) | (false, _) => Finding::warn(
            "no metrics are exported",
            "set OBSERVABILITY_ENABLED=true and OBSERVABILITY_METRICS_EXPORTER=prometheus",
        ),
    }
}
