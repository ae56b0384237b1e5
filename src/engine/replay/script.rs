//! What happened in a run, in order, read a little ahead of who watches.

use crate::{
    model::{Attempt, LimitChange, RunPhase, UnixMillis},
    store::{Recorded, RecordedEvent, RunReader, StoreError},
};
use std::{collections::VecDeque, ops::ControlFlow, thread};
use tokio::sync::mpsc;

/// As many are read at once, and so many times as many wait at most.
const CHUNK: usize = 2_048;
const CHUNKS: usize = 4;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Happening {
    Interview(RecordedEvent),
    Phase(RunPhase),
    Limit(LimitChange),
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    At(UnixMillis),
    /// It has not been read yet.
    NotRead,
    End,
}

/// All that happens.
pub(super) struct Script {
    phases: VecDeque<(UnixMillis, RunPhase)>,
    limits: VecDeque<LimitChange>,
    interviews: VecDeque<Recorded>,
    source: mpsc::Receiver<Result<Vec<Recorded>, StoreError>>,
    ended: bool,
}

impl Script {
    /// Of a run. What there is little of is read now, and the rest by a thread with a connection
    /// of its own.
    pub(super) fn of(reader: &RunReader) -> Result<Self, StoreError> {
        let own = RunReader::open(reader.path())?;
        let (out, source) = mpsc::channel(CHUNKS);
        thread::spawn(move || read(&own, &out));
        Ok(Self {
            phases: reader.phase_changes()?.into(),
            limits: reader.limit_changes()?.into(),
            interviews: VecDeque::new(),
            source,
            ended: false,
        })
    }

    /// When the run began.
    pub(super) fn start(&self) -> Option<UnixMillis> {
        self.phases.front().map(|(at, _)| *at)
    }

    /// Whether [`Self::read`] has something to do.
    pub(super) fn wants_more(&self) -> bool {
        !self.ended && self.interviews.len() < CHUNK
    }

    /// Reads on. Dropping the future loses nothing.
    pub(super) async fn read(&mut self) -> Result<(), StoreError> {
        match self.source.recv().await {
            Some(chunk) => self.interviews.extend(chunk?),
            None => self.ended = true,
        }
        Ok(())
    }

    /// When the next thing happens.
    pub(super) fn next(&self) -> Next {
        if self.interviews.is_empty() && !self.ended {
            return Next::NotRead;
        }
        let phase = self.phases.front().map(|(at, _)| *at);
        let limit = self.limits.front().map(|change| change.at);
        let interview = self.interviews.front().map(|recorded| recorded.at);
        [phase, limit, interview].into_iter().flatten().min().map_or(Next::End, Next::At)
    }

    /// The next thing. A run begins before anything happens in it, and ends after everything.
    pub(super) fn take(&mut self) -> Option<Happening> {
        let Next::At(now) = self.next() else { return None };
        let phase = self.phases.front().filter(|(at, _)| *at <= now);
        if !phase.is_some_and(|(_, phase)| *phase == RunPhase::Running) {
            if self.limits.front().is_some_and(|change| change.at <= now) {
                return self.limits.pop_front().map(Happening::Limit);
            }
            if self.interviews.front().is_some_and(|recorded| recorded.at <= now) {
                return self.interviews.pop_front().map(|r| Happening::Interview(r.event));
            }
        }
        self.phases.pop_front().map(|(_, phase)| Happening::Phase(phase))
    }
}

/// Reads all of it, until nobody wants more.
fn read(reader: &RunReader, out: &mpsc::Sender<Result<Vec<Recorded>, StoreError>>) {
    let mut chunk = Vec::with_capacity(CHUNK);
    let read = reader.for_each_recorded(|recorded| {
        chunk.push(recorded);
        if chunk.len() < CHUNK {
            return ControlFlow::Continue(());
        }
        let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
        match out.blocking_send(Ok(full)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    // Nobody may be there any more.
    let _ = out.blocking_send(read.map(|()| chunk));
}

/// When an attempt was over.
pub(super) fn came_at(attempt: &Attempt) -> UnixMillis {
    let took = attempt.timing.on_the_wire + attempt.timing.parsed;
    UnixMillis(
        attempt.sent_at.0.saturating_add(i64::try_from(took.as_millis()).unwrap_or(i64::MAX)),
    )
}
