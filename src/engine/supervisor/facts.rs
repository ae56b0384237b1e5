//! What the supervisor hears of interviews. Every attempt and every step is written down and
//! counted; how an interview ended decides whether its persona is through, goes back to the queue,
//! or makes the run pause.

use super::Supervisor;
use crate::{
    engine::{
        fact::{Ending, Fact, NewSteps},
        interview::LeftOff,
    },
    limiter::{Constraint, HeadWaited},
    model::{
        Attempt, FailureKind, Fate, InterviewStatus, PauseReason, PersonaIndex, RunPhase,
        UnixMillis,
    },
    store::Record,
};
use std::time::Duration;

/// Without an answer for this long, a call that cannot connect means that nobody can.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(30);

impl Supervisor {
    pub(super) fn take_in(&mut self, fact: Fact) {
        if !self.packs.is_empty() {
            self.follow_the_first(&fact);
        }
        self.analysis.follow(&fact);
        match fact {
            Fact::Sent { persona } => {
                self.state.progress(persona, InterviewStatus::InFlight, None);
            }
            Fact::BackedOff { attempt, until } => {
                self.meters.attempted(&attempt);
                self.state.progress(attempt.persona, InterviewStatus::BackingOff, Some(until));
                self.writer.write(Record::Attempted(attempt));
                self.put_back_what_waits();
            }
            Fact::RejoinedLine { persona } => {
                self.state.rejoin_line(persona);
                self.put_back_what_waits();
            }
            Fact::Stepped { persona, attempt, steps } => {
                let records = self.of_stage(persona, attempt, steps);
                self.write(records);
                self.state.rejoin_line(persona);
                self.put_back_what_waits();
            }
            Fact::OfBatches(fact) => self.take_from_batches(fact),
            Fact::Said(said) => self.said(*said),
            Fact::Packed(packed) => self.unpack(*packed),
            Fact::PieceEnded { piece, last, given } => self.piece_ended(piece, last, given),
            Fact::Ended { persona, weight, last, steps, left_off, ending } => {
                let mut records = self.of_stage(persona, last, steps);
                // Where a stop has put the persona back already, its late answer still counts.
                self.state.end_task(persona);
                let ending = self.judge(persona, ending);
                records.extend(self.end(persona, weight, left_off, ending));
                self.write(records);
            }
        }
    }

    /// Counts an attempt and the steps that came of it. What is to be on file of them comes back.
    pub(in crate::engine) fn of_stage(
        &mut self,
        persona: PersonaIndex,
        attempt: Option<Box<Attempt>>,
        new: NewSteps,
    ) -> Vec<Record> {
        if let Some(attempt) = &attempt {
            self.meters.attempted(attempt);
        }
        self.meters.stepped(&new.steps);
        let attempt = attempt.map(Record::Attempted);
        attempt.into_iter().chain(new.records(persona)).collect()
    }

    /// Has what belongs together written down as a whole or not at all: after a crash, no attempt
    /// stands there without the steps that it gave, and no last step without the end.
    pub(in crate::engine) fn write(&self, records: Vec<Record>) {
        if !records.is_empty() {
            self.writer.write(Record::Together(records));
        }
    }

    /// While the run stops or moves to batches, nobody waits for another attempt.
    pub(in crate::engine) fn put_back_what_waits(&mut self) {
        if self.stop.is_some() || self.desk.is_on() {
            self.abort(|status| status != InterviewStatus::InFlight);
        }
    }

    /// Whether a failure means that nobody would be answered. A persona that found nobody there
    /// twice in a row must not keep the others from trying.
    pub(in crate::engine) fn judge(&mut self, persona: PersonaIndex, ending: Ending) -> Ending {
        match ending {
            Ending::Settled(Fate::Failed(failure))
                if failure.kind == FailureKind::Connection
                    && !self.answered_lately()
                    && self.found_nobody != Some(persona) =>
            {
                self.found_nobody = Some(persona);
                Ending::FoundNobody(failure)
            }
            other => other,
        }
    }

    /// Ends an interview, for now or for good. What is to be on file of its end comes back.
    #[must_use]
    pub(in crate::engine) fn end(
        &mut self,
        persona: PersonaIndex,
        weight: Option<f64>,
        left_off: LeftOff,
        ending: Ending,
    ) -> Option<Record> {
        let attempts = left_off.attempts;
        if !matches!(&ending, Ending::Settled(fate) if fate.status() != InterviewStatus::Failed) {
            self.left_off.insert(persona, left_off);
        }
        match ending {
            Ending::FoundNobody(failure) => {
                self.give_back(persona);
                self.pause(PauseReason::Unreachable { failure });
            }
            Ending::Settled(fate) => {
                if let Fate::Failed(failure) = &fate {
                    tracing::error!(attempts, "persona {persona} failed: {failure}");
                    self.meters.failed(failure, persona);
                }
                if let Some(answer) = fate.answer() {
                    self.meters.answered(persona, weight, answer);
                }
                // The status follows when the answer is on disk.
                self.unsaved += 1;
                return Some(Record::Finished { persona, fate, attempts });
            }
            Ending::GaveBack => self.give_back(persona),
            Ending::OverBudget { spent, budget } => {
                self.give_back(persona);
                self.pause(PauseReason::BudgetSpent { spent, budget });
            }
            Ending::ProviderRefused(failure) => {
                self.give_back(persona);
                self.pause(PauseReason::ProviderRefuses { failure });
            }
        }
        None
    }

    fn answered_lately(&self) -> bool {
        let ago = |at| UnixMillis::now().since(at);
        self.meters.last_success().is_some_and(|at| ago(at) <= UNREACHABLE_AFTER)
    }

    pub(super) fn head_waited(&mut self, wait: &HeadWaited) {
        let status = match wait.on {
            Constraint::Requests => InterviewStatus::WaitingForRequests,
            Constraint::Tokens => InterviewStatus::WaitingForTokens,
            // A provider that asked to wait; where the whole run is paused, nobody is to blame.
            Constraint::Pause if self.state.phase == RunPhase::Running => {
                InterviewStatus::WaitingForRequests
            }
            Constraint::Slot | Constraint::Pause => InterviewStatus::WaitingForSlot,
        };
        self.state.line_waits_for(status);
    }
}
