//! Reading what came of a batch: its output file and its error file, line by line.

use super::CustomId;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashMap};

/// The lines of one batch, each taken once.
#[derive(Debug)]
pub struct Reading {
    lines: HashMap<CustomId, Taken>,
    counts: ReadCounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    No,
    Now,
    /// By a reading that did not come to its end.
    Before {
        read_again: bool,
    },
}

/// How many lines were read as what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
    pub answered: u64,
    pub failed: u64,
    /// Not run: sent again they cost nothing twice.
    pub expired: u64,
    /// Answers read again after a reading before had taken the line, as whatever.
    pub again: u64,
    /// Of which nothing was read so far.
    pub missing: u64,
    /// Taken for nothing: see [`Strange`].
    pub strange: u64,
}

/// One line, read.
#[derive(Debug)]
pub enum Read<'a> {
    /// To be taken now; the same name will not come again.
    Line(Line<'a>),
    /// It was taken by a reading before.
    Again { id: CustomId, answered: bool },
    /// To be logged and left.
    Strange(Strange),
}

/// What came of one request.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub id: CustomId,
    pub outcome: LineOutcome<'a>,
}

/// What came of one request. Bodies are the raw JSON of the reply.
#[derive(Debug, PartialEq, Eq)]
pub enum LineOutcome<'a> {
    /// A reply with status 200, which may be of no use all the same.
    Answered { request_id: Option<String>, body: &'a str },
    /// A reply with another status.
    Failed { status: u16, request_id: Option<String>, body: &'a str },
    /// No reply, for a reason of the provider's own.
    NoReply { code: String, message: String },
    /// The window ended, or the batch was cancelled, before its turn: it was not run.
    NotRun,
}

/// A line that is no answer to anything that was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Strange {
    #[error("a line of the batch's results does not read: {0}")]
    Unreadable(String),
    #[error("the batch's results have a line \"{0}\", which was not asked")]
    Unknown(String),
    #[error("the batch's results have the line \"{0}\" twice; the first is kept")]
    Doubled(CustomId),
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    custom_id: Cow<'a, str>,
    #[serde(borrow, default)]
    response: Option<Response<'a>>,
    #[serde(borrow, default)]
    error: Option<WireError<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    status_code: u16,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireError<'a> {
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

/// What is shown of a name that is none of ours.
const LONGEST_NAME: usize = 80;

/// The codes of lines that were not run.
const NOT_RUN: [&str; 2] = ["batch_expired", "batch_cancelled"];

impl Reading {
    /// A reading of the batch with these lines.
    pub fn new(ids: impl IntoIterator<Item = CustomId>) -> Self {
        let lines: HashMap<_, _> = ids.into_iter().map(|id| (id, Taken::No)).collect();
        let counts = ReadCounts { missing: lines.len() as u64, ..ReadCounts::default() };
        Self { lines, counts }
    }

    /// Says that a line was taken by a reading that did not come to its end.
    pub fn was_taken(&mut self, id: CustomId) {
        if let Some(taken) = self.lines.get_mut(&id).filter(|taken| **taken == Taken::No) {
            *taken = Taken::Before { read_again: false };
            self.counts.missing -= 1;
        }
    }

    /// Reads a line of either file. Where both have a line of one name, the first that is read is
    /// taken: read the output file first.
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Read<'a> {
        let read = self.look_at(line);
        let counts = &mut self.counts;
        match &read {
            Read::Line(line) => {
                counts.missing -= 1;
                *match line.outcome {
                    LineOutcome::Answered { .. } => &mut counts.answered,
                    LineOutcome::Failed { .. } | LineOutcome::NoReply { .. } => &mut counts.failed,
                    LineOutcome::NotRun => &mut counts.expired,
                } += 1;
            }
            Read::Again { answered, .. } => counts.again += u64::from(*answered),
            Read::Strange(_) => counts.strange += 1,
        }
        read
    }

    fn look_at<'a>(&mut self, line: &'a [u8]) -> Read<'a> {
        let wire: Wire<'a> = match serde_json::from_slice(line) {
            Ok(wire) => wire,
            Err(error) => return Read::Strange(Strange::Unreadable(error.to_string())),
        };
        let known = wire.custom_id.parse::<CustomId>().ok();
        let Some((id, taken)) = known.and_then(|id| Some((id, self.lines.get_mut(&id)?))) else {
            let name = wire.custom_id.chars().filter(|c| !c.is_control()).take(LONGEST_NAME);
            return Read::Strange(Strange::Unknown(name.collect()));
        };
        match *taken {
            Taken::No => {}
            Taken::Before { read_again: false } => {
                *taken = Taken::Before { read_again: true };
                let answered = wire.response.is_some_and(|reply| reply.status_code == 200);
                return Read::Again { id, answered };
            }
            Taken::Now | Taken::Before { read_again: true } => {
                return Read::Strange(Strange::Doubled(id));
            }
        }
        let outcome = match outcome(wire) {
            Ok(outcome) => outcome,
            Err(why) => return Read::Strange(Strange::Unreadable(format!("{id}: {why}"))),
        };
        *taken = Taken::Now;
        Read::Line(Line { id, outcome })
    }

    /// How many were read so far.
    pub const fn counts(&self) -> ReadCounts {
        self.counts
    }

    /// The lines of which nothing was read: like those that were not run, once both files were
    /// read to their ends.
    pub fn missing(&self) -> impl Iterator<Item = CustomId> {
        let missing = self.lines.iter().filter(|(_, taken)| **taken == Taken::No);
        missing.map(|(id, _)| *id)
    }
}

fn outcome(wire: Wire<'_>) -> Result<LineOutcome<'_>, &'static str> {
    match (wire.response, wire.error) {
        (Some(Response { status_code, request_id, body }), _) => {
            let body = body.map_or("", RawValue::get);
            Ok(match status_code {
                200 => LineOutcome::Answered { request_id, body },
                status => LineOutcome::Failed { status, request_id, body },
            })
        }
        (None, Some(error)) => {
            let code = error.code.unwrap_or_default();
            if NOT_RUN.contains(&&*code) {
                return Ok(LineOutcome::NotRun);
            }
            let message = error.message.unwrap_or_default().into_owned();
            Ok(LineOutcome::NoReply { code: code.into_owned(), message })
        }
        (None, None) => Err("it has neither a response nor an error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn id(text: &str) -> CustomId {
        text.parse().unwrap()
    }

    fn reading() -> Reading {
        Reading::new((0..6).map(|persona| id(&format!("p{persona}-answer-r0-a1"))))
    }

    fn answered(persona: u32) -> Value {
        json!({"id": "x", "custom_id": format!("p{persona}-answer-r0-a1"), "error": null,
            "response": {"status_code": 200, "request_id": "r", "body": {"choices": []}}})
    }

    #[test]
    fn each_line_is_told_by_what_came_of_it() {
        let mut reading = reading();
        let mut outcome = |line: &Value| match reading.read(line.to_string().as_bytes()) {
            Read::Line(line) => format!("{:?}", line.outcome),
            other => panic!("{other:?}"),
        };
        let body = r#"Answered { request_id: Some("r"), body: "{\"choices\":[]}" }"#;
        assert_eq!(outcome(&answered(0)), body);
        let failed = json!({"custom_id": "p1-answer-r0-a1",
            "response": {"status_code": 400, "body": {"error": {}}}, "error": null});
        assert!(outcome(&failed).starts_with("Failed { status: 400, request_id: None"));
        for (persona, code, told) in [
            (2, "batch_expired", "NotRun"),
            (3, "batch_cancelled", "NotRun"),
            (4, "odd", "NoReply"),
        ] {
            let line = json!({"custom_id": format!("p{persona}-answer-r0-a1"), "response": null,
                "error": {"code": code, "message": "m"}});
            assert!(outcome(&line).starts_with(told), "{code}");
        }
        let counts =
            ReadCounts { answered: 1, failed: 2, expired: 2, missing: 1, ..Default::default() };
        assert_eq!(reading.counts(), counts);
        assert_eq!(reading.missing().collect::<Vec<_>>(), [id("p5-answer-r0-a1")]);
    }

    #[test]
    fn what_was_not_asked_or_comes_twice_is_never_taken() {
        let mut reading = reading();
        assert!(matches!(reading.read(answered(0).to_string().as_bytes()), Read::Line(_)));
        let strange = |reading: &mut Reading, line: &str| match reading.read(line.as_bytes()) {
            Read::Strange(strange) => strange.to_string(),
            other => panic!("{other:?}"),
        };
        for (line, says) in [
            (answered(0).to_string(), "\"p0-answer-r0-a1\" twice"),
            (answered(99).to_string(), "\"p99-answer-r0-a1\", which was not asked"),
            (r#"{"custom_id":"p1-answer-r0-a2"}"#.to_owned(), "which was not asked"),
            ("{\"custom_id\":\"\\u001b[2Jx\"}".to_owned(), "\"[2Jx\", which was not asked"),
            ("{\"custom_id\":".to_owned(), "does not read"),
            ("[]".to_owned(), "does not read"),
            (r#"{"custom_id":"p1-answer-r0-a1"}"#.to_owned(), "neither a response nor an error"),
        ] {
            let told = strange(&mut reading, &line);
            assert!(told.contains(says), "{line}: {told}");
        }
        assert_eq!(reading.counts().strange, 7);
        // What did not read is still to come.
        assert!(matches!(reading.read(answered(1).to_string().as_bytes()), Read::Line(_)));
    }

    #[test]
    fn a_reading_that_begins_again_takes_only_what_the_first_had_not() {
        let mut reading = reading();
        reading.was_taken(id("p0-answer-r0-a1"));
        reading.was_taken(id("p99-answer-r0-a1"));
        reading.was_taken(id("p5-answer-r0-a1"));
        assert!(matches!(
            reading.read(answered(0).to_string().as_bytes()),
            Read::Again { answered: true, .. }
        ));
        let expired = json!({"custom_id": "p5-answer-r0-a1", "response": null,
            "error": {"code": "batch_expired", "message": "m"}});
        assert!(matches!(
            reading.read(expired.to_string().as_bytes()),
            Read::Again { answered: false, .. }
        ));
        assert!(matches!(
            reading.read(answered(0).to_string().as_bytes()),
            Read::Strange(Strange::Doubled(_))
        ));
        assert!(matches!(reading.read(answered(1).to_string().as_bytes()), Read::Line(_)));
        assert_eq!((reading.missing().count(), reading.counts().missing), (3, 3));
        assert_eq!((reading.counts().again, reading.counts().answered), (1, 1));
    }
}
