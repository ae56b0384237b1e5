//! Messages as bytes on a socket.
//!
//! ```text
//! "vox1" | length of the JSON, u32 LE | length of the tail, u32 LE | JSON | tail
//! ```
//!
//! The tail has what would be too large as JSON: the statuses of a snapshot, one byte a run of
//! equal ones, and the status changes of a delta, one byte and up each. A snapshot of 1,000,000
//! personas is at most 1,000,000 bytes and some kilobytes of JSON.

use super::{FromEngine, FromFrontEnd, StatusChange, Update};
use crate::model::{InterviewStatus, PersonaIndex};
use serde::{Serialize, de::DeserializeOwned};

/// A frame from an engine is at most so long: a snapshot of 16 million personas at its worst.
pub const LONGEST_FROM_ENGINE: usize = 16 * 1024 * 1024 + 512 * 1024;

/// A frame from a front end is at most so long.
pub const LONGEST_FROM_FRONT_END: usize = 64 * 1024;

/// How every frame begins.
const MARK: &[u8; 4] = b"vox1";

/// Mark and lengths.
pub const HEADER: usize = 12;

/// Bytes that are no message.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("what was sent is not voxpop's protocol: use `voxpop attach` or `voxpop tell`")]
    Garbage,
    #[error("a message of {length} bytes is over the limit of {most}")]
    TooLong { length: usize, most: usize },
    #[error("a message cannot be understood: {0}; use the voxpop that started the run")]
    Json(#[from] serde_json::Error),
    #[error("a message's statuses cannot be understood; use the voxpop that started the run")]
    Statuses,
}

/// How long the two parts of a frame are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    pub json: usize,
    pub tail: usize,
}

impl Lengths {
    /// Reads a header; `most` is the longest frame that is let in.
    ///
    /// # Errors
    /// What does not begin like a frame, or is too long.
    pub fn read(header: [u8; HEADER], most: usize) -> Result<Self, CodecError> {
        let [m0, m1, m2, m3, j0, j1, j2, j3, t0, t1, t2, t3] = header;
        if [m0, m1, m2, m3] != *MARK {
            return Err(CodecError::Garbage);
        }
        let length = |bytes| usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        let (json, tail) = (length([j0, j1, j2, j3]), length([t0, t1, t2, t3]));
        let whole = json.saturating_add(tail);
        if whole > most {
            return Err(CodecError::TooLong { length: whole, most });
        }
        Ok(Self { json, tail })
    }

    /// Both parts.
    pub const fn whole(self) -> usize {
        self.json + self.tail
    }
}

/// A message that can travel.
pub trait Message: Sized {
    /// The whole frame.
    ///
    /// # Errors
    /// What cannot be written as JSON, such as a path that is not Unicode, and what the other side
    /// would not take for its length.
    fn encode(self) -> Result<Vec<u8>, CodecError>;

    /// From the two parts of a frame.
    ///
    /// # Errors
    /// What is no such message.
    fn decode(json: &[u8], tail: &[u8]) -> Result<Self, CodecError>;
}

impl Message for FromFrontEnd {
    fn encode(self) -> Result<Vec<u8>, CodecError> {
        frame(&self, &[], LONGEST_FROM_FRONT_END)
    }

    fn decode(json: &[u8], _: &[u8]) -> Result<Self, CodecError> {
        parse(json)
    }
}

impl Message for FromEngine {
    fn encode(mut self) -> Result<Vec<u8>, CodecError> {
        let mut tail = Vec::new();
        match &mut self {
            Self::Update(Update::Snapshot(snapshot)) => {
                put_statuses(&std::mem::take(&mut snapshot.statuses.0), &mut tail);
            }
            Self::Update(Update::Delta(delta)) => {
                put_changes(&std::mem::take(&mut delta.statuses), &mut tail);
            }
            _ => {}
        }
        frame(&self, &tail, LONGEST_FROM_ENGINE)
    }

    fn decode(json: &[u8], tail: &[u8]) -> Result<Self, CodecError> {
        let mut message = parse(json)?;
        match &mut message {
            Self::Update(Update::Snapshot(snapshot)) => {
                snapshot.statuses.0 = statuses(tail).ok_or(CodecError::Statuses)?;
            }
            Self::Update(Update::Delta(delta)) => {
                delta.statuses = changes(tail).ok_or(CodecError::Statuses)?;
            }
            _ => {}
        }
        Ok(message)
    }
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, CodecError> {
    Ok(serde_json::from_slice(json)?)
}

fn frame(message: &impl Serialize, tail: &[u8], most: usize) -> Result<Vec<u8>, CodecError> {
    let mut frame = vec![0; HEADER];
    serde_json::to_writer(&mut frame, message)?;
    // For people who look at the socket with a tool of their own.
    frame.push(b'\n');
    let json = frame.len() - HEADER;
    frame.extend_from_slice(tail);
    let too_long = || CodecError::TooLong { length: json + tail.len(), most };
    if json + tail.len() > most {
        return Err(too_long());
    }
    let length = |length: usize| u32::try_from(length).map_err(|_| too_long());
    frame[..4].copy_from_slice(MARK);
    frame[4..8].copy_from_slice(&length(json)?.to_le_bytes());
    frame[8..12].copy_from_slice(&length(tail.len())?.to_le_bytes());
    Ok(frame)
}

/// The most that one byte says of a run of equal statuses: beyond it, a number follows.
const SHORT_RUN: usize = 15;

/// Runs of equal statuses: the code in the lower half of a byte, the length less one in the upper
/// one. Never longer than a byte each.
fn put_statuses(statuses: &[InterviewStatus], out: &mut Vec<u8>) {
    for run in statuses.chunk_by(|a, b| a == b) {
        let Some(status) = run.first() else { continue };
        let more = run.len() - 1;
        let short = u8::try_from(more.min(SHORT_RUN)).unwrap_or(0);
        out.push(short << 4 | status.code());
        if more >= SHORT_RUN {
            put_number((more - SHORT_RUN) as u64, out);
        }
    }
}

fn statuses(mut bytes: &[u8]) -> Option<Vec<InterviewStatus>> {
    let mut statuses = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        bytes = rest;
        let status = InterviewStatus::from_code(first & 0x0f)?;
        let mut more = usize::from(first >> 4);
        if more == SHORT_RUN {
            more = more.checked_add(usize::try_from(number(&mut bytes)?).ok()?)?;
        }
        let len = statuses.len().checked_add(more)?.checked_add(1)?;
        // As many personas as can have an index.
        u32::try_from(len).ok()?;
        statuses.resize(len, status);
    }
    Some(statuses)
}

/// Sorted changes: the distance to the one before and the code, in one number each.
fn put_changes(changes: &[StatusChange], out: &mut Vec<u8>) {
    let mut next = 0_u32;
    for change in changes {
        let distance = u64::from(change.persona.0.wrapping_sub(next));
        put_number(distance << 4 | u64::from(change.status.code()), out);
        next = change.persona.0.wrapping_add(1);
    }
}

fn changes(mut bytes: &[u8]) -> Option<Vec<StatusChange>> {
    let mut changes = Vec::new();
    let mut next = 0_u32;
    while !bytes.is_empty() {
        let number = number(&mut bytes)?;
        let status = InterviewStatus::from_code((number & 0x0f) as u8)?;
        let persona = next.wrapping_add(u32::try_from(number >> 4).ok()?);
        changes.push(StatusChange { persona: PersonaIndex(persona), status });
        next = persona.wrapping_add(1);
    }
    Some(changes)
}

/// LEB128: seven bits a byte, the lowest first.
fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            EndpointIndex, LimitChange, LimitName, LimitSetBy, LogLevel, LogLine, RunPhase,
            UnixMillis,
        },
        protocol::{
            Command, CommandId, HISTORY_SECONDS, Hello, LIMIT_CHANGES, LOG_LINES, Meters, Order,
            PROTOCOL_VERSION, RateSample, Role, RunHeader, Snapshot, Statuses,
        },
    };
    use InterviewStatus as S;
    use proptest::prelude::*;

    fn some_statuses() -> impl Strategy<Value = Vec<S>> {
        let run = (0..S::COUNT, 1_usize..400);
        proptest::collection::vec(run, 0..40).prop_map(|runs| {
            runs.into_iter().flat_map(|(n, len)| std::iter::repeat_n(S::ALL[n], len)).collect()
        })
    }

    proptest! {
        #[test]
        fn statuses_come_back_in_no_more_than_a_byte_each(all in some_statuses()) {
            let mut bytes = Vec::new();
            put_statuses(&all, &mut bytes);
            prop_assert!(bytes.len() <= all.len());
            prop_assert_eq!(statuses(&bytes), Some(all));
        }

        #[test]
        fn changes_come_back(
            all in proptest::collection::btree_map(any::<u32>(), 0..S::COUNT, 0..50),
        ) {
            let all: Vec<_> = all
                .into_iter()
                .map(|(n, s)| StatusChange { persona: PersonaIndex(n), status: S::ALL[s] })
                .collect();
            let mut bytes = Vec::new();
            put_changes(&all, &mut bytes);
            prop_assert_eq!(changes(&bytes), Some(all));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            // A run of statuses may be as long as a number says: only short ones are tried.
            if bytes.iter().all(|byte| byte >> 4 != 15) {
                let _ = statuses(&bytes);
            }
            let _ = changes(&bytes);
            let _ = FromEngine::decode(&bytes, &bytes);
            let _ = FromFrontEnd::decode(&bytes, &[]);
        }
    }

    #[test]
    fn a_snapshot_of_a_million_personas_is_small() {
        // The worst order that there can be: no two neighbours are the same.
        let statuses: Vec<_> = (0..1_000_000).map(|n| S::ALL[n % S::COUNT]).collect();
        let snapshot = snapshot_of(statuses.clone());
        let message = FromEngine::Update(Update::Snapshot(Box::new(snapshot.clone())));
        let frame = message.encode().unwrap();
        assert!(frame.len() <= 1_500_000, "{}", frame.len());
        let (header, rest) = frame.split_first_chunk().unwrap();
        let lengths = Lengths::read(*header, LONGEST_FROM_ENGINE).unwrap();
        let (json, tail) = rest.split_at(lengths.json);
        let FromEngine::Update(Update::Snapshot(back)) = FromEngine::decode(json, tail).unwrap()
        else {
            panic!("it is a snapshot")
        };
        assert_eq!(*back, snapshot);
    }

    fn snapshot_of(statuses: Vec<S>) -> Snapshot {
        let line = LogLine {
            at: UnixMillis(1_760_011_400_000),
            level: LogLevel::Warn,
            text: "persona 123456 server error: The server had an error while processing".into(),
        };
        let change = LimitChange {
            at: UnixMillis(1_760_011_400_000),
            endpoint: EndpointIndex(3),
            limit: LimitName::RequestsPerMinute,
            from: Some(10_000),
            to: None,
            set_by: LimitSetBy::Adaptation,
            reason: "the provider has answered faster since, for more than a minute".into(),
        };
        let sample =
            RateSample { requests: 1_234.5, tokens: 987_654.3, in_flight: 500, failures: 7 };
        Snapshot {
            version: PROTOCOL_VERSION,
            header: RunHeader {
                run: "parking-7f3a".into(),
                run_file: "/runs/parking-7f3a.voxpop".into(),
                survey: "parking".into(),
                question: "Should it?".into(),
                support: "Support".into(),
                pack: 1,
                started_at: UnixMillis(0),
                live: true,
            },
            phase: RunPhase::Running,
            statuses: Statuses(statuses),
            meters: Meters::default(),
            history: vec![sample; HISTORY_SECONDS],
            log: vec![line; LOG_LINES],
            changes: vec![change; LIMIT_CHANGES],
            summary: None,
            analysis: None,
        }
    }

    #[test]
    fn a_frame_says_how_long_it_is() {
        let command = Command { id: CommandId(7), order: Order::Pause };
        for message in
            [FromFrontEnd::Hello(Hello::new(Role::Watch, true)), FromFrontEnd::Ordered(command)]
        {
            let frame = message.clone().encode().unwrap();
            let (header, rest) = frame.split_first_chunk().unwrap();
            let lengths = Lengths::read(*header, LONGEST_FROM_FRONT_END).unwrap();
            assert_eq!((lengths.whole(), lengths.tail), (rest.len(), 0));
            assert_eq!(FromFrontEnd::decode(rest, &[]).unwrap(), message);
            let error = Lengths::read(*header, 3).unwrap_err();
            assert!(error.to_string().contains("over the limit of 3"), "{error}");
        }
        let error = Lengths::read(*b"GET / HTTP/1", LONGEST_FROM_FRONT_END).unwrap_err();
        assert!(error.to_string().contains("not voxpop's protocol"), "{error}");
    }
}
