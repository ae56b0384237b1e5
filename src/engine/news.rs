//! What the supervisor hears of the run file: what is on disk, and what was read.

use super::{
    detail::detail,
    orders::{applied, refused},
    packing::alike_first,
    reading::{Asker, Found, Request},
    supervisor::Supervisor,
};
use crate::{
    model::{PauseReason, PersonaIndex, ReviewMode, RunPhase},
    protocol::CommandOutcome,
    store::Notice,
};
use std::sync::Arc;

impl Supervisor {
    pub(super) fn take_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Committed(ended) => {
                for (persona, status) in ended.into_iter().filter(|(_, status)| status.is_over()) {
                    if let Some(piece) = persona.piece() {
                        self.analysis.committed(piece);
                        self.publisher.touch();
                        continue;
                    }
                    self.unsaved = self.unsaved.saturating_sub(1);
                    self.meters.ended(persona);
                    self.state.set_status(persona, status);
                    // Of one that failed, the run file has it all by now.
                    self.left_off.remove(&persona);
                }
            }
            Notice::Kept { ticket } => self.desk.kept(ticket),
            Notice::Stalled { message } => {
                tracing::error!("the run file cannot be written: {message}");
                self.stalled = true;
                self.pause(PauseReason::CannotStore { message });
            }
            Notice::Recovered => {
                tracing::info!("the run file can be written again");
                self.stalled = false;
                if matches!(
                    self.state.phase,
                    RunPhase::Paused { reason: PauseReason::CannotStore { .. } }
                ) {
                    if self.paused_by_user {
                        self.enter(RunPhase::Paused { reason: PauseReason::User });
                    } else {
                        self.go_on();
                    }
                }
            }
        }
    }

    /// The store's thread has died: what it has not committed will not be.
    pub(super) fn lose_writer(&mut self) {
        self.writer_is_gone = true;
        let message = "the thread that writes has stopped; start again with `voxpop resume`";
        self.take_notice(Notice::Stalled { message: message.to_owned() });
    }

    pub(super) fn take_found(&mut self, found: Found) {
        match found {
            Found::Counted(distribution) => self.meters.distribution.add(&distribution),
            Found::Personas(mut personas) => {
                personas.retain(|queued| self.on_the_way.contains(&queued.persona.index));
                if self.interviewer.stages.survey.pack > 1 {
                    alike_first(&mut personas);
                }
                self.fetched.extend(personas);
            }
            Found::Record(Some(record), by) => {
                let persona = record.persona.index;
                let status = self.state.status(persona).unwrap_or_default();
                let activity = self.state.activity(persona);
                let prompts = &self.interviewer.stages.prompts;
                self.publisher.detail(by.front_end, detail(*record, status, activity, prompts));
                self.answer(by, applied("looked up"));
            }
            Found::Record(None, by) | Found::Talk(None, by) => {
                self.answer(by, refused("there is no such persona in the run file"));
            }
            // Who has left in the meantime listens to no talk.
            Found::Talk(Some(_), by) if !self.publisher.has(by.front_end) => {}
            Found::Talk(Some(record), by) => {
                let talk = self.talks.opened(*record, by.front_end);
                self.publisher.talk(by.front_end, talk);
                self.answer(by, applied("the talk is open"));
            }
            Found::NotFetched { wanted, error } => {
                tracing::error!("personas cannot be read: {error}");
                for persona in wanted {
                    self.on_the_way.remove(&persona);
                    self.cursor = self.cursor.min(persona);
                }
                self.pause(PauseReason::CannotRead { message: error.to_string() });
            }
            Found::Got(got) => self.take_got(got),
            Found::NotAnalysed(error) => {
                tracing::error!("the answers cannot be read: {error}");
                self.analysis_not_read();
                self.pause(PauseReason::CannotRead { message: error.to_string() });
            }
            Found::NotInspected(error, by) => {
                tracing::error!("a persona cannot be shown: {error}");
                self.answer(by, refused(&format!("it cannot be shown: {error}")));
            }
            Found::Recalled { next: Some(next) } => self.recall(Some(next)),
            Found::Recalled { next: None } => {}
            Found::NotRecalled(error) => {
                tracing::error!("verdicts of before cannot be read, and are not lent: {error}");
            }
        }
    }

    /// What became of a command for which the run file had to be read.
    fn answer(&self, by: Asker, outcome: CommandOutcome) {
        self.publisher.applied(by.front_end, by.command, outcome);
    }

    /// Has the judged answers of an earlier part of the run remembered, piece by piece, where
    /// verdicts are lent.
    pub(super) fn recall(&self, from: Option<PersonaIndex>) {
        let reviewed = self.interviewer.stages.survey.review.mode != ReviewMode::Off;
        if let Some(similar) = &self.interviewer.similar
            && reviewed
            && self.stop.is_none()
        {
            self.reading.ask(Request::Recall { into: Arc::clone(similar), from });
        }
    }
}
