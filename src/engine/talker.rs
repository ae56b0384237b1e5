//! Talks with personas of a run that nobody carries on: for the time of a talk there is a limiter,
//! a ledger and the locked run file, and nobody else is asked anything.

use super::{
    fact::Fact,
    interview::Interviewer,
    setup::Found,
    talks::{TalkRecord, Talks},
};
use crate::{
    config::Config,
    model::PersonaIndex,
    protocol::{Conversation, FrontEndId},
    store::{Notice, OpenRun, Record, RunReader, StoreError, Writer},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc::{self, UnboundedReceiver};

/// The settings under which personas of a run that is over are asked, keys included: they are
/// fetched when somebody speaks, and not before. The error says what to do.
pub type TalkAccess = Box<dyn Fn() -> Result<Config, String> + Send>;

/// The one front end that there is.
const VIEWER: FrontEndId = FrontEndId(0);

/// How long closing the run file may take where the disk is full.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct Talker {
    run_file: PathBuf,
    access: TalkAccess,
    talks: Talks,
    session: Option<Session>,
    /// The talk was left while the persona was thinking.
    closing: bool,
}

/// What there is while somebody talks.
struct Session {
    interviewer: Arc<Interviewer>,
    facts: UnboundedReceiver<Fact>,
    writer: Writer,
}

impl Talker {
    pub(super) fn new(run_file: &Path, access: TalkAccess) -> Self {
        let run_file = run_file.to_owned();
        Self { run_file, access, talks: Talks::default(), session: None, closing: false }
    }

    /// The talk with a persona, as it is on file or going on.
    pub(super) fn open(&mut self, persona: PersonaIndex) -> Result<Conversation, String> {
        self.closing = false;
        if let Some(talk) = self.talks.joined(persona, VIEWER) {
            return Ok(talk);
        }
        let reader = RunReader::open(&self.run_file).map_err(words)?;
        let record = TalkRecord::read(&reader, persona).map_err(words)?;
        let record = record.ok_or_else(|| format!("there is no persona {persona}"))?;
        Ok(self.talks.opened(record, VIEWER))
    }

    /// Says something to a persona whose talk is open.
    pub(super) fn say(&mut self, persona: PersonaIndex, text: &str) -> Result<(), String> {
        if self.session.is_none() {
            self.session = Some(self.begin(persona)?);
        }
        let Some(Session { interviewer, writer, .. }) = &self.session else {
            return Err("no talk is open".to_owned());
        };
        // Who asks again may have mended what kept an endpoint from serving.
        interviewer.limiter.put_back();
        writer.write(self.talks.say(persona, text, interviewer)?);
        Ok(())
    }

    /// Locks the run file, and reads again what another process may have added to it.
    fn begin(&mut self, persona: PersonaIndex) -> Result<Session, String> {
        // The lock comes first: what is read after it, nobody else changes.
        let open = OpenRun::open(&self.run_file).map_err(words)?;
        let reader = RunReader::open(&self.run_file).map_err(words)?;
        let record = TalkRecord::read(&reader, persona).map_err(words)?;
        self.talks = Talks::default();
        if let Some(record) = record {
            self.talks.opened(record, VIEWER);
        }
        let config = (self.access)()?;
        let run = reader.run().map_err(words)?.name;
        let (facts_out, facts) = mpsc::unbounded_channel();
        let (waits_out, _) = mpsc::unbounded_channel();
        let writer = open.writer(|notice| {
            if let Notice::Stalled { message } = notice {
                tracing::error!("the run file cannot be written: {message}");
            }
        });
        let writer = writer.map_err(words)?;
        let found =
            Found { before: Some(&reader), recorder: Some(writer.recorder()), ..Found::default() };
        let interviewer = Interviewer::start(&run, config, found, facts_out, waits_out)
            .map_err(|error| error.to_string())?;
        Ok(Session { interviewer: Arc::new(interviewer), facts, writer })
    }

    /// The next thing that happened; never where nobody talks. Dropping the future loses nothing.
    pub(super) async fn fact(&mut self) -> Fact {
        match &mut self.session {
            Some(session) => match session.facts.recv().await {
                Some(fact) => fact,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// Takes in what happened; the talk where something was said.
    pub(super) fn take_in(&mut self, fact: Fact) -> Option<Conversation> {
        let session = self.session.as_ref()?;
        match fact {
            Fact::BackedOff { attempt, .. } => {
                session.writer.write(Record::Attempted(attempt));
                None
            }
            Fact::Said(said) => {
                let persona = said.persona;
                for record in self.talks.said(*said) {
                    session.writer.write(record);
                }
                let news = self.talks.news(persona).map(|(talk, _)| talk);
                if self.closing {
                    self.close();
                }
                news
            }
            Fact::Sent { .. }
            | Fact::RejoinedLine { .. }
            | Fact::Stepped { .. }
            | Fact::Packed(_)
            | Fact::PieceEnded { .. }
            | Fact::OfBatches(_)
            | Fact::Ended { .. } => None,
        }
    }

    /// Nobody looks at the talk any more. The run file is let go of, once nobody is thinking.
    pub(super) fn leave(&mut self) {
        if self.talks.thinking() {
            self.closing = true;
        } else {
            self.close();
        }
    }

    /// Lets go of the run file; who is being asked is asked no more.
    pub(super) fn close(&mut self) {
        self.closing = false;
        let broken_off = self.talks.break_off();
        self.talks = Talks::default();
        let Some(Session { writer, interviewer, .. }) = self.session.take() else { return };
        for record in broken_off {
            writer.write(record);
        }
        interviewer.ledger.close();
        if let Err(error) = writer.close(CLOSE_WITHIN) {
            tracing::error!("the talk could not be kept: {error}");
        }
    }
}

fn words(error: StoreError) -> String {
    error.to_string()
}
