//! What the configuration allows, what the account shows, and where the state lies: figures of standing, not of events.

use super::report::flag;
use super::*;
use config::settings::{Rotation, Settings};
use engine::mode::Contribution;
use engine::money::BPS_PER_ONE;
use engine::msg::MoneyReport;

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

impl Metrics {
    /// What is true at the start: nothing is late, and nothing is known yet.
    pub(super) fn standing(&self, symbols: &[Symbol], started: Timestamp) {
        for symbol in symbols {
            self.market_data(*symbol, started);
        }
        self.beats(&[], started);
        self.set(DISK_FREE, f64::NAN);
        self.set(SECRET_AGE, f64::NAN);
    }

    /// What the configuration says; again after a reload.
    pub fn configured(&self, settings: &Settings) {
        self.set(LIVE_CONFIGURED, flag(settings.safety.live_trading));
        let limit = settings.secrets.age_days_max.saturating_mul(DAY_SECONDS);
        self.set(SECRET_AGE_LIMIT, float(limit));
        self.rates().rotated_at = match settings.secrets.rotated_at {
            Rotation::At(at) => Some(at),
            Rotation::Unset | Rotation::Unreadable => None,
        };
        let slo = &settings.slo;
        for (budget, limit) in [
            ("reconnects", slo.reconnects_per_day),
            ("throttled", slo.throttled_per_day),
        ] {
            self.gauge(BUDGET_LIMIT, of(BUDGET_LIMIT, budget))
                .set(f64::from(limit));
        }
    }

    /// A reason, as its stable code, for which this process may place no real order.
    pub fn arming_blocked(&self, reason: &'static str) {
        self.gauge(ARMING_BLOCKED, of(ARMING_BLOCKED, reason))
            .set(1.0);
    }

    /// Every contribution to the mode.
    pub fn contributions(&self, voices: &[Contribution]) {
        for source in SOURCES {
            let modes = voices.iter().filter(|voice| voice.code.as_str() == source);
            let mode = modes.map(|voice| voice.mode).max().unwrap_or_default();
            self.gauge(MODE_CONTRIBUTION, of(MODE_CONTRIBUTION, source))
                .set(mode_figure(mode));
        }
    }

    /// The account in figures; a figure that is not known keeps its last value.
    pub fn money(&self, report: &MoneyReport) {
        if let Some(equity) = report.equity {
            self.set(EQUITY, shown(equity));
        }
        if let Some(day_pnl) = report.day_pnl {
            self.set(DAY_PNL, shown(day_pnl));
        }
        self.set(EXPOSURE, shown(report.exposure));
        self.set(DRAWDOWN, ratio(report.drawdown_bps));
        let used = &report.used;
        for (limit, bps) in [
            ("day_loss", used.day_loss),
            ("drawdown", used.drawdown),
            ("position", used.position),
            ("gross_exposure", used.gross_exposure),
            ("open_orders", used.open_orders),
            ("orders_per_minute", used.orders_per_minute),
            ("notional_per_minute", used.notional_per_minute),
        ] {
            self.gauge(LIMIT_USED, of(LIMIT_USED, limit))
                .set(ratio(bps));
        }
    }

    /// Where the state lies: free bytes of its disk, and bytes of the journal's file.
    pub fn state_disk(&self, look: disk::Look) {
        self.set(DISK_FREE, look.free_bytes.map_or(f64::NAN, float));
        self.set(STATE_FILE, float(look.file_bytes));
    }
}

fn ratio(bps: i64) -> f64 {
    float(bps) / float(BPS_PER_ONE)
}

const fn mode_figure(mode: Mode) -> f64 {
    match mode {
        Mode::Normal => 0.0,
        Mode::ReduceRiskOnly => 1.0,
        Mode::ObserveOnly => 2.0,
        Mode::KillSwitch => 3.0,
    }
}
