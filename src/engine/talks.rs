//! Talks with personas after their answers: whose turn it is, and the call that answers.
//!
//! A talk goes through the same limiter and ledger as the interviews, and its attempts are kept as
//! theirs are, so that money is counted once. It changes nothing of an answer or a status.

use super::{
    call::Call,
    fact::{Ending, Fact},
    interview::Interviewer,
    stages::Asked,
};
use crate::{
    model::{
        Answer, Attempt, Failure, FailureKind, Fate, Persona, PersonaIndex, Stage, Turn, TurnBy,
        UnixMillis, strip_controls_keep_lines,
    },
    prompt::{self, Form},
    protocol::{Conversation, FrontEndId, LONGEST_SAID},
    store::{Record, RunReader, StoreError},
};
use std::{collections::HashMap, sync::Arc};
use tokio::task::AbortHandle;

/// What the run file has on a talk.
pub(super) struct TalkRecord {
    pub persona: Persona,
    pub answer: Option<Answer>,
    pub turns: Vec<Turn>,
    /// Attempts made so far, those of the interview included.
    pub attempts: u32,
}

impl TalkRecord {
    /// Reads it; `None` where there is no such persona.
    pub(super) fn read(
        reader: &RunReader,
        index: PersonaIndex,
    ) -> Result<Option<Self>, StoreError> {
        let Some(persona) = reader.persona(index)? else { return Ok(None) };
        let fate = reader.interview(index)?.map(|interview| interview.fate);
        Ok(Some(Self {
            persona,
            answer: fate.as_ref().and_then(Fate::answer).cloned(),
            turns: reader.talk(index)?,
            attempts: reader.attempts_made(index)?,
        }))
    }
}

/// All talks of an engine. Those that were ever opened are kept: the run file may be behind.
#[derive(Default)]
pub(super) struct Talks(HashMap<PersonaIndex, Talk>);

struct Talk {
    persona: Persona,
    answer: Answer,
    turns: Vec<Turn>,
    attempts: u32,
    thinking: Option<Thinking>,
    listeners: Vec<FrontEndId>,
}

struct Thinking {
    since: UnixMillis,
    task: AbortHandle,
}

/// What came of a call in a talk.
pub(super) struct Said {
    pub persona: PersonaIndex,
    /// All that were made so far.
    pub attempts: u32,
    pub last: Option<Box<Attempt>>,
    pub result: Result<String, Ending>,
}

impl Talks {
    /// The talk is known: nothing has to be read for it.
    pub(super) fn joined(&mut self, persona: PersonaIndex, by: FrontEndId) -> Option<Conversation> {
        let talk = self.0.get_mut(&persona)?;
        if !talk.listeners.contains(&by) {
            talk.listeners.push(by);
        }
        Some(talk.conversation())
    }

    /// A talk was looked up for a front end.
    pub(super) fn opened(&mut self, record: TalkRecord, by: FrontEndId) -> Conversation {
        let index = record.persona.index;
        if let Some(conversation) = self.joined(index, by) {
            return conversation;
        }
        let TalkRecord { persona, answer, turns, attempts } = record;
        let Some(answer) = answer else {
            return Conversation {
                persona: index,
                id: persona.id,
                turns,
                thinking_since: None,
                closed: Some(format!("persona {index} has given no answer to talk about")),
            };
        };
        let listeners = vec![by];
        let talk = Talk { persona, answer, turns, attempts, thinking: None, listeners };
        let conversation = talk.conversation();
        self.0.insert(index, talk);
        conversation
    }

    /// A front end listens no more.
    pub(super) fn left(&mut self, persona: PersonaIndex, by: FrontEndId) {
        if let Some(talk) = self.0.get_mut(&persona) {
            talk.listeners.retain(|listener| *listener != by);
        }
    }

    /// A front end is gone, whatever it listened to.
    pub(super) fn left_all(&mut self, by: FrontEndId) {
        for talk in self.0.values_mut() {
            talk.listeners.retain(|listener| *listener != by);
        }
    }

    /// All front ends are gone.
    pub(super) fn nobody_listens(&mut self) {
        for talk in self.0.values_mut() {
            talk.listeners.clear();
        }
    }

    /// Whether a persona is being asked.
    pub(super) fn thinking(&self) -> bool {
        self.0.values().any(|talk| talk.thinking.is_some())
    }

    /// Asks a persona. What is to be kept of it comes back.
    ///
    /// # Errors
    /// Why it is not asked, in a sentence.
    pub(super) fn say(
        &mut self,
        persona: PersonaIndex,
        text: &str,
        interviewer: &Arc<Interviewer>,
    ) -> Result<Record, String> {
        let Some(talk) = self.0.get_mut(&persona) else {
            return Err(format!("no talk with persona {persona} is open"));
        };
        let text = strip_controls_keep_lines(text).trim().to_owned();
        if text.is_empty() {
            return Err("nothing was said".to_owned());
        }
        if text.chars().nth(LONGEST_SAID).is_some() {
            return Err(format!("say it in at most {LONGEST_SAID} characters"));
        }
        if talk.thinking.is_some() {
            return Err(format!("persona {persona} is still thinking"));
        }
        let prompts = &interviewer.stages.prompts;
        let prompt = prompts
            .said(&talk.persona, &talk.answer, &talk.turns, &text)
            .map_err(|error| error.to_string())?;
        let since = UnixMillis::now();
        let record = talk.add(Turn { at: since, by: TurnBy::Asker, text, usage: None });
        let (interviewer, attempts) = (Arc::clone(interviewer), talk.attempts);
        let asking = async move { interviewer.talk(persona, prompt, attempts).await };
        let task = tokio::spawn(Box::pin(asking)).abort_handle();
        talk.thinking = Some(Thinking { since, task });
        Ok(record)
    }

    /// A persona answered, or did not. What is to be kept of it comes back.
    pub(super) fn said(&mut self, said: Said) -> Vec<Record> {
        let Said { persona, attempts, last, result } = said;
        let usage = last.as_ref().and_then(|attempt| attempt.usage);
        let mut records: Vec<_> = last.map(Record::Attempted).into_iter().collect();
        if let Some(talk) = self.0.get_mut(&persona).filter(|talk| talk.thinking.is_some()) {
            talk.attempts = attempts;
            talk.thinking = None;
            let (by, text) = match result {
                Ok(text) => (TurnBy::Persona, text),
                Err(ending) => (TurnBy::Notice, why(ending)),
            };
            records.push(talk.add(Turn { at: UnixMillis::now(), by, text, usage }));
        }
        records
    }

    /// Nobody is asked any more. What is to be kept of it comes back.
    pub(super) fn break_off(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        for talk in self.0.values_mut() {
            if let Some(thinking) = talk.thinking.take() {
                thinking.task.abort();
                let text = "no answer: it was stopped before one came".to_owned();
                let turn = Turn { at: UnixMillis::now(), by: TurnBy::Notice, text, usage: None };
                records.push(talk.add(turn));
            }
        }
        records
    }

    /// The talk as it stands, and who is to be told.
    pub(super) fn news(&self, persona: PersonaIndex) -> Option<(Conversation, &[FrontEndId])> {
        let talk = self.0.get(&persona)?;
        Some((talk.conversation(), &talk.listeners))
    }
}

impl Talk {
    fn conversation(&self) -> Conversation {
        Conversation {
            persona: self.persona.index,
            id: self.persona.id.clone(),
            turns: self.turns.clone(),
            thinking_since: self.thinking.as_ref().map(|thinking| thinking.since),
            closed: None,
        }
    }

    fn add(&mut self, turn: Turn) -> Record {
        let number = u32::try_from(self.turns.len()).unwrap_or(u32::MAX);
        self.turns.push(turn.clone());
        Record::Talked { persona: self.persona.index, number, turn: Box::new(turn) }
    }
}

/// Why there is no answer, as it stands in the talk.
fn why(ending: Ending) -> String {
    match ending {
        Ending::Settled(Fate::Refused { reason }) => format!("the model declines: {reason}"),
        Ending::Settled(Fate::Failed(failure)) | Ending::FoundNobody(failure) => {
            format!("no answer: {failure}")
        }
        Ending::ProviderRefused(failure) => format!("no answer, the provider refuses: {failure}"),
        Ending::OverBudget { spent, budget } => {
            format!(
                "not asked: {spent} of the budget of {budget} is spent, which leaves too little"
            )
        }
        Ending::GaveBack
        | Ending::Settled(Fate::Answered(_) | Fate::Cached(_) | Fate::Flagged { .. }) => {
            "no answer: the run is stopping".to_owned()
        }
    }
}

impl Interviewer {
    /// One call of a talk, and tells what came of it.
    async fn talk(&self, persona: PersonaIndex, prompt: String, attempts: u32) {
        let mut report = Report { interviewer: self, said: None, persona, attempts };
        let asked = Asked::new(Stage::Chat, Form::Chat, prompt);
        let (mut attempts, mut sent) = (attempts, false);
        let call = Call::new(self, persona, &asked, &prompt::read_said, &mut attempts, &mut sent);
        let (last, result) = call.ask().await;
        report.said = Some(Said { persona, attempts, last, result });
    }
}

/// Tells how a call ended, even where its task panicked: nobody must think for ever.
struct Report<'a> {
    interviewer: &'a Interviewer,
    persona: PersonaIndex,
    attempts: u32,
    said: Option<Said>,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let Self { persona, attempts, .. } = *self;
        let said = self.said.take().or_else(|| {
            // One that was broken off has been told of already.
            std::thread::panicking().then(|| {
                let failure = Failure::new(
                    FailureKind::Cancelled,
                    "the talk crashed: this is a fault of voxpop, please report it",
                );
                let result = Err(Ending::Settled(Fate::Failed(failure)));
                Said { persona, attempts, last: None, result }
            })
        });
        if let Some(said) = said {
            self.interviewer.tell(Fact::Said(Box::new(said)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Score;

    #[test]
    fn who_is_gone_listens_to_no_talk() {
        let mut talks = Talks::default();
        let (here, gone) = (FrontEndId(1), FrontEndId(2));
        for index in [3, 4].map(PersonaIndex) {
            let persona =
                Persona { index, id: "p".to_owned(), weight: None, attributes: Vec::new() };
            let answer = Answer {
                narrative: "I am for it.".to_owned(),
                support_level: Score::try_from(4).unwrap(),
                impacts: Vec::new(),
                key_concerns: Vec::new(),
                suggested_improvements: Vec::new(),
            };
            let answer = Some(answer);
            let record = TalkRecord { persona, answer, turns: Vec::new(), attempts: 1 };
            talks.opened(record, gone);
            talks.joined(index, here);
        }
        talks.left_all(gone);
        for index in [3, 4].map(PersonaIndex) {
            assert_eq!(talks.news(index).unwrap().1, [here]);
        }
        talks.nobody_listens();
        assert!(talks.news(PersonaIndex(3)).unwrap().1.is_empty());
    }
}
