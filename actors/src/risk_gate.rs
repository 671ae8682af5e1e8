//! The RiskGate actor: hands approvals to the router, records to the journal, and the mode to the egress gate.
//!
//! The order path does not lose messages: where one cannot be handed on, the gate is shut at once.

use crate::gate::{Flag, Gate, GateOwner, Serial};
use crate::journal::Journal;
use crate::link::{Link, Sent};
use crate::observer::{Decision, Eyes, Process, Standing};
use crate::shell::Perform;
use engine::core::Core;
use engine::intent::CancelReason;
use engine::mode::{Mode, ModeCode, Scope};
use engine::msg::{ModeReport, ReconcileIn, RiskEffect, RiskIn, RouterIn, StrategyIn};
use engine::record::Record;
use engine::risk::RiskGate;
use engine::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Messages that may wait; beyond it the order path is shut.
pub const MAILBOX: usize = 1_024;

/// Where decisions go.
pub struct RiskGatePort {
    /// The router.
    pub router: Link<RouterIn>,
    /// The strategies.
    pub strategy: Link<StrategyIn>,
    /// The reconciler.
    pub reconciler: Link<ReconcileIn>,
    /// The gate core itself, for questions that wait their turn.
    pub risk: Link<RiskIn>,
    /// Durable records.
    pub journal: Journal,
    /// The egress gate's owner: the only place that lowers `Observe`.
    pub owner: Arc<GateOwner>,
    /// Kills that were passed on: each trips once, however often it is reported.
    pub kills: BTreeSet<(ModeCode, Scope, Timestamp)>,
    /// Status and log.
    pub eyes: Eyes,
}

impl RiskGatePort {
    fn to_router(&self, message: RouterIn) {
        let sent = self.router.send(message);
        if sent != Sent::Delivered {
            shut(&self.owner.gate(), &self.eyes, "risk_to_router");
        }
    }

    fn persist(&self, now: Timestamp, record: Record) {
        if let Record::Opening { at, .. } = &record {
            // Strangers' trades before the opening balances are part of them; the router books only later ones.
            self.to_router(RouterIn::Opened(*at));
        }
        if self.journal.append(now, record).is_err() {
            shut(&self.owner.gate(), &self.eyes, "risk_to_journal");
        }
    }

    fn mode(&mut self, report: ModeReport) {
        let gate = self.owner.gate();
        self.kill(&report);
        match report.mode {
            Mode::Normal | Mode::ReduceRiskOnly => self.ask_to_open(),
            Mode::ObserveOnly => {
                if !gate.is_raised(Flag::Observe) {
                    gate.raise(Flag::Observe);
                }
            }
            Mode::KillSwitch => {
                // Whoever trades the pairs: every own order goes (D02). The router asks once for each.
                self.to_router(RouterIn::CancelAll(CancelReason::Kill));
            }
        }
        self.eyes.see(Standing::Mode(report));
    }

    /// Trips for every kill that was not there before. The configuration's own shuts the gate and latches nothing.
    fn kill(&mut self, report: &ModeReport) {
        let gate = self.owner.gate();
        let voices = (report.voices.iter()).filter(|voice| voice.mode == Mode::KillSwitch);
        let kills: BTreeSet<_> = voices
            .map(|voice| (voice.code, voice.scope, voice.since))
            .collect();
        for (code, ..) in kills.difference(&self.kills) {
            if *code == ModeCode::ConfiguredKill {
                gate.raise(Flag::Disarmed);
            } else {
                gate.kill(*code);
            }
        }
        self.kills = kills;
    }

    /// Whoever raises `Observe` tells the core behind it. So the core is asked once more, behind all that waits, and
    /// its answer opens the gate only if nothing was raised since the question.
    fn ask_to_open(&self) {
        let gate = self.owner.gate();
        if gate.is_raised(Flag::Observe)
            && self.risk.send(RiskIn::Confirm(gate.serial().number())) != Sent::Delivered
        {
            shut(&gate, &self.eyes, "risk_to_itself");
        }
    }

    fn confirmed(&self, asked_at: u64, mode: Mode) {
        match mode {
            Mode::Normal | Mode::ReduceRiskOnly => {
                let asked_at = Serial::of(asked_at);
                if self.owner.lower(Flag::Observe, asked_at).is_err() {
                    self.ask_to_open();
                }
            }
            Mode::ObserveOnly | Mode::KillSwitch => {}
        }
    }
}

/// Shuts the gate for good: a message of the order path could not be handed on.
pub fn shut(gate: &Gate, eyes: &Eyes, link: &'static str) {
    gate.kill(ModeCode::OrderPathBroken);
    tracing::error!(
        event = "order_path_broken",
        link,
        msg = "a message could not be handed on; the gate is shut"
    );
    eyes.see(Process::LinkTrouble(link, "order path broken, gate shut"));
}

impl Perform for RiskGatePort {
    type Core = RiskGate;

    fn perform(&mut self, now: Timestamp, effect: <RiskGate as Core>::Effect) {
        match effect {
            RiskEffect::Decided(decision) => {
                self.journal.accompany(now, Record::Decided(decision));
            }
            RiskEffect::Submit(approved) => self.to_router(RouterIn::Submit(approved)),
            RiskEffect::Cancel(id, reason) => self.to_router(RouterIn::Cancel(id, reason)),
            RiskEffect::Denied(denial) => self.eyes.see(Decision::Denied(denial)),
            RiskEffect::Desk(view) => {
                if self.strategy.send(StrategyIn::Desk(view)) != Sent::Delivered {
                    self.eyes.see(Process::LinkTrouble(
                        "risk_to_strategy",
                        "desk view dropped",
                    ));
                }
            }
            RiskEffect::Persist(record) => self.persist(now, record),
            RiskEffect::Mode(report) => self.mode(report),
            RiskEffect::Confirmed(asked_at, mode) => self.confirmed(asked_at, mode),
            RiskEffect::Money(report) => self.eyes.see(Standing::Money(report)),
            RiskEffect::Explain => {
                // One that is lost comes again with the next look that differs.
                if self.reconciler.send(ReconcileIn::Explain) != Sent::Delivered {
                    let what = "question dropped";
                    self.eyes
                        .see(Process::LinkTrouble("risk_to_reconciler", what));
                }
            }
            RiskEffect::Note(note) => self.eyes.see(Process::Gate(note)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beats::Beats;
    use crate::clock::Clock;
    use crate::link::Tell;
    use crate::link::tests::Ear;
    use crate::shell::Shell;
    use crate::store::{Header, Store, Venue};
    use actix::{Actor, Addr};
    use engine::checkpoint::Fold;
    use engine::ids::{AccountTag, Asset, BootTag, ClientId};
    use engine::risk::{IdSource, RiskSettings};
    use std::collections::BTreeMap;
    use tokio::sync::mpsc;

    const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);

    fn settings() -> RiskSettings {
        let sources = config::load::Sources::demo(BTreeMap::new(), "/".into(), START);
        let loaded = config::load::load(sources).expect("the defaults are valid");
        RiskSettings {
            quote: Asset::parse("TRY").expect("a short name"),
            limits: crate::params::risk_limits(loaded.settings()),
            venue: engine::risk::Venue::Live,
            policy_blocks: Vec::new(),
            owners: BTreeMap::new(),
            foreign: Default::default(),
            started_at: START,
            ids: IdSource {
                tag: AccountTag::from_entropy(1),
                epoch: 1,
                boot: BootTag::from_entropy(1),
                seq: 1,
            },
        }
    }

    struct Rig {
        risk: Addr<Shell<RiskGatePort>>,
        owner: Arc<GateOwner>,
        heard: mpsc::UnboundedReceiver<RouterIn>,
    }

    impl Rig {
        fn new() -> Self {
            let header = Header::new(Venue::Demo, "abcd", START);
            let store = Store::in_memory(&header).expect("memory");
            let fold = Fold::new(crate::params::account_quote());
            let beats = Beats::new(Clock::manual(START));
            let started = Journal::start(store, fold, beats, |_| ());
            let (journal, _thread) = started.expect("a thread");
            let (send, heard) = mpsc::unbounded_channel();
            let router = Link::default();
            router.publish(Ear(send).start().recipient());
            let (link, owner) = (Link::default(), Arc::new(GateOwner::new()));
            let port = RiskGatePort {
                router,
                strategy: Link::default(),
                reconciler: Link::default(),
                risk: link.clone(),
                journal,
                owner: Arc::clone(&owner),
                kills: BTreeSet::new(),
                eyes: Eyes::default(),
            };
            let core = RiskGate::new(settings());
            let risk = Shell::new(core, port, Clock::manual(START), MAILBOX).start();
            link.publish(risk.clone().recipient());
            Self { risk, owner, heard }
        }

        fn tell(&self, message: RiskIn) {
            self.risk.try_send(Tell(message, None)).expect("room");
        }

        /// Waits until everything told so far was handled, and what the gate asked itself meanwhile.
        async fn settle(&mut self) {
            for _ in 0..3 {
                self.tell(RiskIn::Cancel(id(), CancelReason::Operator));
                let heard = self.heard.recv().await;
                assert_eq!(heard, Some(RouterIn::Cancel(id(), CancelReason::Operator)));
            }
        }
    }

    fn id() -> ClientId {
        ClientId::new(AccountTag::from_entropy(1), 1, BootTag::from_entropy(1), 7)
    }

    #[actix_rt::test]
    async fn kill_cancels_all_own_orders_and_no_mode_blocks_a_cancel() {
        let mut rig = Rig::new();
        let gate = rig.owner.gate();
        for mode in Mode::ALL {
            rig.tell(RiskIn::Raise(ModeCode::OperatorKill, Scope::Global, mode));
            rig.tell(RiskIn::Cancel(id(), CancelReason::Operator));
            let mut news = rig.heard.recv().await;
            if mode == Mode::KillSwitch {
                assert_eq!(news, Some(RouterIn::CancelAll(CancelReason::Kill)));
                assert!(gate.is_raised(Flag::Kill));
                news = rig.heard.recv().await;
            }
            let passed = RouterIn::Cancel(id(), CancelReason::Operator);
            assert_eq!(news, Some(passed), "{}", mode.as_str());
        }
    }

    #[actix_rt::test]
    async fn x_08_what_is_raised_before_its_reason_is_told_is_never_opened_in_between() {
        let mut rig = Rig::new();
        let gate = rig.owner.gate();
        for flag in [Flag::Kill, Flag::Disarmed, Flag::Safe, Flag::Drain] {
            let serial = gate.serial();
            rig.owner.lower(flag, serial).expect("nobody raises");
        }
        rig.tell(RiskIn::Reconciled { clean: true });
        rig.settle().await;
        assert!(gate.is_open_for_submit(), "every reason is gone");

        // As the supervisor does it: the flag at once, the reason behind whatever waits.
        let raised = gate.raise(Flag::Observe);
        rig.tell(RiskIn::Resend);
        let lost = ModeCode::ActorLost;
        rig.tell(RiskIn::Raise(lost, Scope::Global, Mode::ObserveOnly));
        rig.settle().await;
        assert!(gate.is_raised(Flag::Observe));
        assert_eq!(gate.serial(), raised, "it was not opened and raised again");

        rig.tell(RiskIn::Clear(lost, Scope::Global));
        rig.settle().await;
        assert!(gate.is_open_for_submit());
    }
}
