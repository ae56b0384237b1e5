//! Carrying out what front ends order in a talk, while the run is live.

use super::{
    fact::Ending,
    orders::{applied, refused},
    reading::{Asker, Request},
    supervisor::Supervisor,
    talks::Said,
};
use crate::{
    model::{PauseReason, PersonaIndex, RunPhase},
    protocol::CommandOutcome,
    store::Record,
};

impl Supervisor {
    /// Opens a talk. Without an outcome, it is looked up, and the outcome follows.
    pub(super) fn open_talk(&mut self, persona: PersonaIndex, by: Asker) -> Option<CommandOutcome> {
        match self.state.status(persona) {
            None => {
                let last = self.state.total().saturating_sub(1);
                let why = format!("there is no persona {persona}; the last one is {last}");
                return Some(refused(&why));
            }
            Some(status) if !status.is_answered() => {
                return Some(refused(&format!(
                    "persona {persona} has given no answer to talk about: it is {}",
                    status.label()
                )));
            }
            Some(_) => {}
        }
        match self.talks.joined(persona, by.front_end) {
            Some(talk) => {
                self.publisher.talk(by.front_end, talk);
                Some(applied("the talk is open"))
            }
            None => {
                self.reading.ask(Request::OpenTalk(persona, by));
                None
            }
        }
    }

    pub(super) fn say(&mut self, persona: PersonaIndex, text: &str) -> CommandOutcome {
        if self.stop.is_some() {
            return refused("the run is stopping: talk when it has stopped");
        }
        match &self.state.phase {
            RunPhase::Paused { reason: PauseReason::User } => {
                return refused("the run is paused and sends nothing: resume it first");
            }
            RunPhase::Paused { reason } => {
                return refused(&format!("the run is paused: {reason}; mend it and resume first"));
            }
            // What held up a run that is over holds up no talk: who asks may have mended it.
            _ if self.ended.is_some() => {
                self.limiter.resume();
                self.limiter.put_back();
            }
            _ => {}
        }
        match self.talks.say(persona, text, &self.interviewer) {
            Ok(record) => {
                self.writer.write(record);
                self.publish_talk(persona);
                applied("asked")
            }
            Err(why) => refused(&why),
        }
    }

    /// A persona answered, or did not.
    pub(super) fn said(&mut self, said: Said) {
        let persona = said.persona;
        if let (Err(Ending::ProviderRefused(failure)), true) = (&said.result, self.ended.is_none())
        {
            self.pause(PauseReason::ProviderRefuses { failure: failure.clone() });
        }
        for record in self.talks.said(said) {
            if let Record::Attempted(attempt) = &record {
                self.meters.attempted(attempt);
                self.publisher.touch();
            }
            self.writer.write(record);
        }
        if self.ended.is_some() {
            self.interviewer.ledger.close();
        }
        self.publish_talk(persona);
    }

    /// Nobody is asked any more.
    pub(super) fn break_talks_off(&mut self) {
        for record in self.talks.break_off() {
            let persona = match &record {
                Record::Talked { persona, .. } => *persona,
                _ => continue,
            };
            self.writer.write(record);
            self.publish_talk(persona);
        }
    }

    fn publish_talk(&self, persona: PersonaIndex) {
        let Some((talk, listeners)) = self.talks.news(persona) else { return };
        for listener in listeners {
            self.publisher.talk(*listener, talk.clone());
        }
    }
}
