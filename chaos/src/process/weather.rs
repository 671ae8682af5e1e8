//! How the exchange behaves while a life lasts.
//!
//! Drawn from the seed, switched on before the process starts and left on until it dies.

use engine::dice::Dice;
use serde::Serialize;
use simulator::profile::Profile;

/// What is switched on whatever the weather. A process that is killed twenty times a minute logs in and reads the
/// whole account twenty times a minute: the quotas would only slow the campaign, and they are proven elsewhere.
/// Answers take as long as over the internet, so that kills fall into the time between a request and its answer.
const ALWAYS: [&str; 2] = ["limits.enabled=false", "rest.latency_ms=5..40"];

/// One kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weather {
    /// None.
    Calm,
    /// Three replies in ten never come; what they answered was done.
    LostReplies,
    /// A third of the accepted orders is answered with 500.
    ErrorsBehindOrders,
    /// A fifth of the replies takes seconds.
    SlowReplies,
    /// The stream is cut about every three seconds.
    CutStreams,
}

impl Weather {
    /// All of them, equally likely.
    const ALL: [Self; 5] = [
        Self::Calm,
        Self::LostReplies,
        Self::ErrorsBehindOrders,
        Self::SlowReplies,
        Self::CutStreams,
    ];

    /// Draws one.
    pub fn draw(dice: &mut Dice) -> Self {
        let last = i64::try_from(Self::ALL.len()).expect("a short table") - 1;
        let place = usize::try_from(dice.between(0, last)).expect("not negative");
        Self::ALL[place]
    }

    const fn switches(self) -> &'static [&'static str] {
        match self {
            Self::Calm => &[],
            Self::LostReplies => &["fault.reply_lost=0.3"],
            Self::ErrorsBehindOrders => &["fault.internal_error_accepted=0.33"],
            Self::SlowReplies => &["fault.reply_slow=0.2", "fault.reply_slow_ms=500..5000"],
            Self::CutStreams => &["fault.ws_reset=0.33"],
        }
    }

    /// Returns the exchange's switches.
    pub fn profile(self) -> Profile {
        let mut profile = Profile::faithful();
        for switch in ALWAYS.iter().chain(self.switches()) {
            profile.set(switch).expect("the table holds known switches");
        }
        profile
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_weather_is_drawn_and_differs_from_the_others() {
        let mut dice = Dice::new(1);
        let drawn: BTreeSet<Weather> = (0..200).map(|_| Weather::draw(&mut dice)).collect();
        assert_eq!(drawn.len(), Weather::ALL.len());
        let switches: BTreeSet<Vec<String>> = (drawn.iter())
            .map(|weather| weather.profile().differences())
            .collect();
        assert_eq!(switches.len(), Weather::ALL.len());
    }
}
