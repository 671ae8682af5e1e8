//! Rows that ask the exchange or the running process. All of them read; none of them is repeated.
//!
//! A signed question goes to the exchange's own hosts or to this machine and nowhere else.

use super::Finding;
use super::facts::Facts;
use crate::cli::health::plane_url;
use crate::cli::probe::{Answer, Probe, ProbeError};
use crate::locks::LOCK_NAME;
use btcturk::rest::{ReadError, Reply, account, public, request};
use btcturk::sign::{SignError, Signer};
use config::load::Loaded;
use config::settings::Exporter;
use engine::instrument::RuleFacts;
use std::os::unix::fs::MetadataExt;

/// What every metric of ours begins with.
const METRIC_PREFIX: &str = "btcbot_";

fn reply(answer: &Answer) -> Reply<'_> {
    Reply {
        status: answer.status,
        retry_after_ms: None,
        body: &answer.body,
    }
}

/// Asks a public question.
fn asked(loaded: &Loaded, probe: &Probe, request: &request::Request) -> Result<Answer, ProbeError> {
    let base = loaded.settings().exchange.rest_url.as_str();
    probe.exchange(base, &request.target(), &[])
}

fn unreachable(error: &ProbeError) -> Finding {
    Finding::fail(
        error.to_string(),
        "check network, name resolution and firewall",
    )
}

fn unread(error: &ReadError) -> Finding {
    Finding::fail(
        format!("the exchange's answer: {error}"),
        "see whether the exchange is under maintenance; try again in a minute",
    )
}

pub(super) fn offset(facts: &Facts, loaded: &Loaded, probe: &Probe) -> Finding {
    let before = facts.clock.now();
    let answer = match asked(loaded, probe, &request::server_time()) {
        Ok(answer) => answer,
        Err(error) => return unreachable(&error),
    };
    let bound_ms = facts.clock.now().ms_since(before) / 2;
    match public::server_time(&reply(&answer)) {
        Ok(theirs) => {
            let offset_ms = theirs.ms_since(before.plus_ms(bound_ms));
            judged(loaded, offset_ms, bound_ms)
        }
        Err(error) => unread(&error),
    }
}

fn judged(loaded: &Loaded, offset_ms: i64, bound_ms: i64) -> Finding {
    let clock = &loaded.settings().exchange.clock;
    let detail = format!("the exchange's clock is {offset_ms} ms ahead (within {bound_ms} ms)");
    let fix = "synchronise this machine's clock";
    if offset_ms.saturating_abs() >= clock.skew_ms_kill {
        Finding::fail(detail, fix)
    } else if offset_ms.saturating_abs() >= clock.skew_ms_warn {
        Finding::warn(detail, fix)
    } else {
        Finding::ok(detail)
    }
}

pub(super) fn rest(_: &Facts, loaded: &Loaded, probe: &Probe) -> Finding {
    connects(loaded.settings().exchange.rest_url.as_str(), probe)
}

pub(super) fn stream(_: &Facts, loaded: &Loaded, probe: &Probe) -> Finding {
    connects(loaded.settings().exchange.ws_url.as_str(), probe)
}

fn connects(url: &str, probe: &Probe) -> Finding {
    match probe.connect(url) {
        Ok(()) => Finding::ok(format!("{url} connects")),
        Err(error) => unreachable(&error),
    }
}

pub(super) fn symbols(_: &Facts, loaded: &Loaded, probe: &Probe) -> Finding {
    let answer = match asked(loaded, probe, &request::exchange_info()) {
        Ok(answer) => answer,
        Err(error) => return unreachable(&error),
    };
    let rules = match public::exchange_info(&reply(&answer)) {
        Ok(rules) => rules.rows,
        Err(error) => return unread(&error),
    };
    let wanted = &loaded.settings().market.symbols;
    let troubles: Vec<String> = wanted
        .iter()
        .filter_map(|symbol| {
            let facts = rules.iter().find(|facts| facts.symbol == *symbol);
            let trouble = match facts {
                None => "the exchange does not know it".to_owned(),
                Some(facts) => trouble(loaded, facts)?,
            };
            Some(format!("{symbol}: {trouble}"))
        })
        .collect();
    if troubles.is_empty() {
        Finding::ok(format!(
            "{} pairs known, trading, rules complete",
            wanted.len()
        ))
    } else {
        Finding::warn(troubles.join("\n"), "change SYMBOLS or the limit")
    }
}

fn trouble(loaded: &Loaded, facts: &RuleFacts) -> Option<String> {
    match facts.instrument() {
        Err(error) => Some(error.to_string()),
        Ok(rules) if !rules.is_trading => Some("it is not trading".to_owned()),
        Ok(rules) => {
            let (ours, theirs) = (
                loaded.settings().risk.max_order_notional_try,
                rules.value_min,
            );
            let is_below = ours < theirs;
            is_below.then(|| format!("MAX_ORDER_NOTIONAL_TRY {ours} is below its minimum {theirs}"))
        }
    }
}

/// Asks a signed question, or says why it is not asked.
fn signed(
    facts: &Facts,
    loaded: &Loaded,
    probe: &Probe,
    request: &request::Request,
) -> Result<Answer, Finding> {
    let Some(credentials) = loaded.secrets().credentials() else {
        return Err(Finding::skip("no key"));
    };
    let url = &loaded.settings().exchange.rest_url;
    if !url.is_exchange() && !url.is_loopback() {
        return Err(Finding::skip(
            "a signature is sent to the exchange's own hosts only",
        ));
    }
    let signer: Result<Signer, SignError> = credentials.with(|exposed| {
        let (key, secret) = (exposed.api_key.to_owned(), exposed.secret_base64.to_owned());
        Signer::new(key.into(), &secret.into())
    });
    let signer = signer.map_err(|error| Finding::fail(error.to_string(), "check the key pair"))?;
    let headers = signer.rest_headers(facts.clock.now().ms());
    probe
        .exchange(url.as_str(), &request.target(), &headers.expose())
        .map_err(|error| unreachable(&error))
}

fn refused(error: &ReadError) -> Finding {
    match error {
        ReadError::Unauthorized => Finding::fail(
            "the exchange refuses the key",
            "check the pair, its rights, its list of addresses, and this machine's clock",
        ),
        ReadError::RateLimited { .. }
        | ReadError::Maintenance
        | ReadError::Server(_)
        | ReadError::Refused(_)
        | ReadError::Unexpected(_)
        | ReadError::Unreadable(_) => unread(error),
    }
}

pub(super) fn private_read(facts: &Facts, loaded: &Loaded, probe: &Probe) -> Finding {
    let answer = match signed(facts, loaded, probe, &request::balances()) {
        Ok(answer) => answer,
        Err(finding) => return finding,
    };
    match account::balances(&reply(&answer)) {
        Ok(balances) => Finding::ok(format!("{} balances read", balances.rows.len())),
        Err(error) => refused(&error),
    }
}

pub(super) fn open_orders(facts: &Facts, loaded: &Loaded, probe: &Probe) -> Finding {
    let answer = match signed(facts, loaded, probe, &request::open_orders()) {
        Ok(answer) => answer,
        Err(finding) => return finding,
    };
    let orders = match account::open_orders(&reply(&answer)) {
        Ok(orders) => orders.rows,
        Err(error) => return refused(&error),
    };
    let foreign = orders.iter().filter(|row| row.client_id.is_none()).count();
    let detail = format!("{} open, {foreign} of them not ours", orders.len());
    if foreign == 0 {
        Finding::ok(detail)
    } else {
        Finding::warn(
            detail,
            "give the bot an account of its own, or cancel them there",
        )
    }
}

/// A running bot is fine; a lock without an answer, or an answer without a lock, is not.
pub(super) fn running(facts: &Facts, loaded: &Loaded, probe: &Probe) -> Finding {
    let url = plane_url(&loaded.settings().ops);
    let lock = facts.state_dir.join(LOCK_NAME).metadata();
    let holder = lock.ok().and_then(|meta| facts.host.holder(meta.ino()));
    match (holder, probe.plane(&url, "/livez")) {
        (Some(holder), Ok(answer)) if answer.status == 200 => {
            Finding::ok(format!("{holder} runs and answers"))
        }
        (_, Ok(answer)) if answer.status != 200 => Finding::fail(
            format!("{url}/livez answers {}", answer.status),
            "read its log; a restart may help",
        ),
        (None, Ok(_)) => Finding::warn(
            format!("something answers at {url} and does not hold this state directory"),
            "give each instance its own OBSERVABILITY_PROMETHEUS_PORT and state directory",
        ),
        (Some(holder), Ok(_) | Err(_)) => Finding::fail(
            format!("{holder} holds the state directory and does not answer at {url}"),
            "check OBSERVABILITY_PROMETHEUS_PORT; if the process hangs, stop it",
        ),
        (None, Err(_)) => Finding::skip("no process runs"),
    }
}

pub(super) fn scrape(_: &Facts, loaded: &Loaded, probe: &Probe) -> Finding {
    let observability = &loaded.settings().observability;
    if !observability.enabled || observability.exporter == Exporter::None {
        return Finding::skip("no metrics are exported");
    }
    let url = plane_url(&loaded.settings().ops);
    match probe.plane(&url, "/metrics") {
        Err(ProbeError::Connect { .. }) => Finding::skip("no process runs"),
        Err(error @ (ProbeError::NoAnswer { .. } | ProbeError::Address(_))) => {
            Finding::fail(error.to_string(), "read the log of the process")
        }
        Ok(answer) => scraped(&answer),
    }
}

fn scraped(answer: &Answer) -> Finding {
    let text = String::from_utf8_lossy(&answer.body);
    let samples = text.lines().filter(|line| line.starts_with(METRIC_PREFIX));
    let (count, odd) = samples.fold((0, 0), |(count, odd), line| {
        let value = line.rsplit(' ').next().unwrap_or_default();
        (count + 1, odd + usize::from(!is_number(value)))
    });
    if answer.status != 200 || count == 0 || odd > 0 {
        let status = answer.status;
        let detail = format!("/metrics answers {status}, {count} samples, {odd} unreadable");
        return Finding::fail(detail, "see what listens on OBSERVABILITY_PROMETHEUS_PORT");
    }
    Finding::ok(format!("{count} samples"))
}

fn is_number(text: &str) -> bool {
    matches!(text, "NaN" | "+Inf" | "-Inf")
        || (text.bytes().any(|b| b.is_ascii_digit())
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)))
}
