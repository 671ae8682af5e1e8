//! The doctor's table: every row with its place in the pages, in the order in which it is shown.
//!
//! It checks nothing by itself.

use super::{Check, Look, host, remote, settings, state};

const ARMING: &str = "docs/RUNBOOK.md#arming";
const ROTATION: &str = "docs/RUNBOOK.md#key-rotation";
const CLOCK: &str = "docs/RUNBOOK.md#clock";
const BOUNDARIES: &str = "docs/THREAT_MODEL.md#boundaries-of-trust";
const RISKS: &str = "docs/THREAT_MODEL.md#risks";
const JOURNAL: &str = "docs/RUNBOOK.md#journal";
const DOWN: &str = "docs/RUNBOOK.md#process-down";
const KEYS: &str = "docs/reference/configuration.md#configuration";

pub(super) const fn row(
    category: &'static str,
    name: &'static str,
    docs: &'static str,
    look: Look,
) -> Check {
    Check {
        category,
        name,
        docs,
        look,
    }
}

/// Every row, in the order in which it is shown.
pub(super) const CHECKS: &[Check] = &[
    row("config", "readable", KEYS, Look::Host(settings::readable)),
    row(
        "config",
        "warnings",
        KEYS,
        Look::Configured(settings::warnings),
    ),
    row(
        "config",
        "files",
        BOUNDARIES,
        Look::Configured(settings::files),
    ),
    row(
        "config",
        "limits",
        ARMING,
        Look::Configured(settings::limits),
    ),
    row(
        "policy",
        "arming",
        "docs/RUNBOOK.md#deployment-modes",
        Look::Configured(settings::arming),
    ),
    row(
        "policy",
        "acknowledgement",
        ARMING,
        Look::Configured(settings::acknowledgement),
    ),
    row(
        "policy",
        "kill_latch",
        "docs/RUNBOOK.md#kill-switch",
        Look::Configured(state::kill_latch),
    ),
    row(
        "secrets",
        "present",
        ARMING,
        Look::Configured(settings::present),
    ),
    row(
        "secrets",
        "scopes",
        ARMING,
        Look::Configured(settings::scopes),
    ),
    row("secrets", "age", ROTATION, Look::Configured(settings::age)),
    row(
        "secrets",
        "file_mode",
        ROTATION,
        Look::Configured(settings::file_mode),
    ),
    row(
        "secrets",
        "source",
        ROTATION,
        Look::Configured(settings::source),
    ),
    row(
        "secrets",
        "dotenv_mode",
        ROTATION,
        Look::Configured(settings::dotenv_mode),
    ),
    row(
        "clock",
        "synchronised",
        CLOCK,
        Look::Host(host::synchronised),
    ),
    row("clock", "offset", CLOCK, Look::Online(remote::offset)),
    row("network", "proxy", RISKS, Look::Host(host::proxy)),
    row(
        "network",
        "rest",
        "docs/RUNBOOK.md#exchange-outage",
        Look::Online(remote::rest),
    ),
    row(
        "network",
        "stream",
        "docs/RUNBOOK.md#btcbotstreamdown",
        Look::Online(remote::stream),
    ),
    row(
        "exchange",
        "symbols",
        "docs/EXCHANGE.md#42-serverexchangeinfo",
        Look::Online(remote::symbols),
    ),
    row(
        "account",
        "private_read",
        ROTATION,
        Look::Online(remote::private_read),
    ),
    row(
        "account",
        "open_orders",
        "docs/RUNBOOK.md#balance-mismatch",
        Look::Online(remote::open_orders),
    ),
    row(
        "state",
        "directory",
        "docs/RUNBOOK.md#move-or-restore",
        Look::Configured(state::directory),
    ),
    row(
        "state",
        "journal",
        JOURNAL,
        Look::Configured(state::journal),
    ),
    row(
        "process",
        "not_root",
        BOUNDARIES,
        Look::Host(host::not_root),
    ),
    row(
        "process",
        "descriptors",
        DOWN,
        Look::Host(host::descriptors),
    ),
    row("process", "core_dumps", RISKS, Look::Host(host::core_dumps)),
    row("process", "running", DOWN, Look::Online(remote::running)),
    row(
        "disk",
        "space",
        "docs/RUNBOOK.md#btcbotdisklow",
        Look::Host(host::space),
    ),
    row("disk", "writable", JOURNAL, Look::Host(host::writable)),
    row(
        "observability",
        "bind",
        BOUNDARIES,
        Look::Configured(settings::bind),
    ),
    row(
        "observability",
        "exporter",
        "docs/SLO.md#signals-with-a-bound",
        Look::Configured(settings::exporter),
    ),
    row(
        "observability",
        "scrape",
        "docs/RUNBOOK.md#btcbotdown",
        Look::Online(remote::scrape),
    ),
];
