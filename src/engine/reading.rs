//! The thread that reads the run file for the engine, so that a slow disk holds up nobody who
//! sends.

use super::{
    analysis::{Desk, Got, Task},
    interview::{LeftOff, Queued},
    similar::Similar,
    talks::TalkRecord,
};
use crate::{
    model::{Attempt, Fate, Persona, PersonaIndex, Step},
    protocol::{CommandId, Distribution, FrontEndId},
    store::{RunReader, StoreError},
};
use std::{
    sync::{Arc, mpsc as blocking},
    thread::JoinHandle,
};
use tokio::sync::mpsc::UnboundedSender;

/// What the supervisor asks of the thread.
pub(super) enum Request {
    /// Load these personas, which are in order, for their interviews. `fresh` says that the run
    /// file has no attempts that must be counted.
    Fetch { wanted: Vec<PersonaIndex>, fresh: bool },
    /// Load everything about one persona.
    Inspect(PersonaIndex, Asker),
    /// Load the talk with one persona.
    OpenTalk(PersonaIndex, Asker),
    /// Something that the analysis needs.
    Analyse(Task),
    /// Remember a piece of the judged answers.
    Recall { into: Arc<Similar>, from: Option<PersonaIndex> },
}

/// Which front end wants to know, and the command that it hears the outcome of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub front_end: FrontEndId,
    pub command: CommandId,
}

/// What the thread found.
pub(super) enum Found {
    Personas(Vec<Queued>),
    /// `None` where there is no such persona.
    Record(Option<Box<PersonaRecord>>, Asker),
    /// `None` where there is no such persona.
    Talk(Option<Box<TalkRecord>>, Asker),
    /// These stay where they are: the run file could not be read.
    NotFetched {
        wanted: Vec<PersonaIndex>,
        error: StoreError,
    },
    NotInspected(StoreError, Asker),
    /// The answers that were there when the run went on.
    Counted(Distribution),
    /// For the analysis.
    Got(Got),
    NotAnalysed(StoreError),
    /// A piece of the judged answers is remembered, and another one begins there.
    Recalled {
        next: Option<PersonaIndex>,
    },
    NotRecalled(StoreError),
}

/// Everything that the run file has on one persona.
pub(super) struct PersonaRecord {
    pub persona: Persona,
    pub attempts: Vec<Attempt>,
    pub steps: Vec<Step>,
    pub fate: Option<Fate>,
    pub packed: Option<u32>,
}

impl PersonaRecord {
    /// Reads it; `None` where there is no such persona.
    pub(super) fn read(
        reader: &RunReader,
        index: PersonaIndex,
    ) -> Result<Option<Self>, StoreError> {
        let Some(persona) = reader.persona(index)? else { return Ok(None) };
        let attempts = reader.attempts(index)?;
        let steps = reader.steps(index)?;
        let fate = reader.interview(index)?.map(|interview| interview.fate);
        let packed = reader.packed(index)?;
        Ok(Some(Self { persona, attempts, steps, fate, packed }))
    }
}

/// The thread, as the supervisor holds it.
pub(super) struct Reading {
    requests: blocking::Sender<Request>,
    thread: JoinHandle<()>,
}

impl Reading {
    /// Asks the thread for something.
    pub(super) fn ask(&self, request: Request) {
        // The thread ends only after this sender is dropped, or where nobody listens any more.
        let _ = self.requests.send(request);
    }

    /// Ends the thread. SQLite clears its write-ahead log away when the last connection is closed,
    /// so this one must be gone before the writer's, or the run is left in three files.
    pub(super) fn end(self) {
        drop(self.requests);
        // A thread that panicked has dropped its connection as well, and has said why.
        let _ = self.thread.join();
    }
}

/// Starts the thread.
///
/// # Errors
/// Where the system has no room for another thread.
pub(super) fn spawn(
    reader: RunReader,
    desk: Desk,
    found: UnboundedSender<Found>,
) -> std::io::Result<Reading> {
    let (requests, asked) = blocking::channel();
    let thread =
        std::thread::Builder::new().name("run-file-reader".to_owned()).spawn(move || {
            for request in asked {
                let answer = match request {
                    Request::Fetch { wanted, fresh } => match fetch(&reader, &wanted, fresh) {
                        Ok(personas) => Found::Personas(personas),
                        Err(error) => Found::NotFetched { wanted, error },
                    },
                    Request::Inspect(persona, by) => match PersonaRecord::read(&reader, persona) {
                        Ok(record) => Found::Record(record.map(Box::new), by),
                        Err(error) => Found::NotInspected(error, by),
                    },
                    Request::OpenTalk(persona, by) => match TalkRecord::read(&reader, persona) {
                        Ok(record) => Found::Talk(record.map(Box::new), by),
                        Err(error) => Found::NotInspected(error, by),
                    },
                    Request::Analyse(task) => {
                        desk.work(&reader, task).map_or_else(Found::NotAnalysed, Found::Got)
                    }
                    Request::Recall { into, from } => into
                        .recall(&reader, from)
                        .map_or_else(Found::NotRecalled, |next| Found::Recalled { next }),
                };
                if found.send(answer).is_err() {
                    return;
                }
            }
        })?;
    Ok(Reading { requests, thread })
}

/// Loads personas: with one range read where they lie close together, as in a fresh run, or one
/// by one, as where a few failed ones are asked again.
fn fetch(
    reader: &RunReader,
    wanted: &[PersonaIndex],
    fresh: bool,
) -> Result<Vec<Queued>, StoreError> {
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
        return Ok(Vec::new());
    };
    let span = last.as_usize() - first.as_usize() + 1;
    let personas = if span <= wanted.len() * 4 {
        let mut range = reader.personas(*first, span)?;
        range.retain(|persona| wanted.binary_search(&persona.index).is_ok());
        range
    } else {
        let mut picked = Vec::with_capacity(wanted.len());
        for persona in wanted {
            picked.extend(reader.persona(*persona)?);
        }
        picked
    };
    (personas.into_iter())
        .map(|persona| {
            let left_off =
                if fresh { LeftOff::default() } else { left_off(reader, persona.index)? };
            Ok(Queued { persona, left_off })
        })
        .collect()
}

/// Where an interview of an earlier part of the run was broken off.
pub(super) fn left_off(reader: &RunReader, persona: PersonaIndex) -> Result<LeftOff, StoreError> {
    let attempts = reader.attempts_made(persona)?;
    // Of a pack, only the first has attempts, and all of them an answer.
    let steps = reader.steps(persona)?;
    Ok(LeftOff { attempts, sent: attempts > 0 || !steps.is_empty(), steps })
}
