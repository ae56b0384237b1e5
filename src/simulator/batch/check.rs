//! The validation of an input file: everything about it that fails the whole batch.

use super::line::LineIn;
use crate::simulator::{chance::Chance, service::Service};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::HashSet,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

/// The most lines of a file.
const MOST_LINES: usize = 50_000;

/// The largest file.
const MOST_BYTES: u64 = 200_000_000;

/// So many problems are told; more would be no help.
const MOST_PROBLEMS: usize = 100;

/// Why a batch fails: an entry of its `errors.data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub code: &'static str,
    pub message: String,
    pub param: Option<&'static str>,
    pub line: Option<usize>,
}

/// Where a line is.
#[derive(Clone, Copy, Debug)]
pub struct LineAt {
    pub offset: u64,
    pub length: usize,
}

/// A file that can be worked on.
#[derive(Debug)]
pub struct Checked {
    pub lines: Vec<LineAt>,
    pub model: String,
    pub prompt_tokens: u64,
}

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
}

/// Reads a whole input file.
///
/// # Errors
/// Where the file cannot be read; problems of its content are the inner result.
pub fn check(
    service: &Service,
    path: &Path,
    endpoint: &str,
) -> io::Result<Result<Checked, Vec<Problem>>> {
    let file = File::open(path)?;
    if file.metadata()?.len() > MOST_BYTES {
        return Ok(Err(vec![of_file("file_too_large", "The input file is larger than 200 MB.")]));
    }
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut check = Check { service, endpoint, ids: HashSet::new(), model: None, tokens: 0 };
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    let (mut line, mut offset, mut number) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        number += 1;
        if !line.trim_ascii().is_empty() {
            lines.push(LineAt { offset, length });
            if lines.len() > MOST_LINES {
                let message = "The input file has more than 50,000 requests.";
                return Ok(Err(vec![of_file("too_many_tasks", message)]));
            }
            if let Err(problem) = check.line(&line)
                && problems.len() < MOST_PROBLEMS
            {
                problems.push(Problem { line: Some(number), ..problem });
            }
        }
        offset += length as u64;
    }
    if lines.is_empty() {
        problems.push(of_file("empty_file", "The input file has no requests."));
    }
    Ok(match check.model {
        Some(model) if problems.is_empty() => {
            Ok(Checked { lines, model, prompt_tokens: check.tokens })
        }
        _ => Err(problems),
    })
}

fn of_file(code: &'static str, message: &str) -> Problem {
    Problem { code, message: message.to_owned(), param: None, line: None }
}

struct Check<'a> {
    service: &'a Service,
    endpoint: &'a str,
    /// The hashes of the custom ids so far.
    ids: HashSet<u64>,
    model: Option<String>,
    tokens: u64,
}

impl Check<'_> {
    fn line(&mut self, line: &[u8]) -> Result<(), Problem> {
        let problem = |code, param, message: String| Problem { code, message, param, line: None };
        let missing = |param| {
            let message = format!("Missing required parameter: '{param}'.");
            problem("missing_required_parameter", Some(param), message)
        };
        let Ok(line) = serde_json::from_slice::<LineIn<'_>>(line) else {
            let message = "This line is not parseable as valid JSON.".to_owned();
            return Err(problem("invalid_json_line", None, message));
        };
        let id = line.custom_id.ok_or_else(|| missing("custom_id"))?;
        if !self.ids.insert(Chance::new(0).with(id.as_bytes()).bits()) {
            let message = format!(
                "The custom_id '{id}' is that of another request. It must be unique for each \
                 request in a batch."
            );
            return Err(problem("duplicate_custom_id", Some("custom_id"), message));
        }
        let method = line.method.ok_or_else(|| missing("method"))?;
        if method != "POST" {
            let message = format!("Invalid method: '{method}'. Only 'POST' is supported.");
            return Err(problem("invalid_method", Some("method"), message));
        }
        let url = line.url.ok_or_else(|| missing("url"))?;
        if url != self.endpoint {
            let message = format!(
                "The URL provided for this request does not match the batch endpoint: '{url}' is \
                 not '{}'.",
                self.endpoint
            );
            return Err(problem("mismatched_url", Some("url"), message));
        }
        let body = line.body.ok_or_else(|| missing("body"))?.get();
        let model = serde_json::from_str(body).ok().and_then(|Model { model }| model);
        let model = model.ok_or_else(|| missing("body.model"))?;
        match &self.model {
            None => self.model = Some(model.into_owned()),
            Some(first) if *first == model => {}
            Some(first) => {
                let message = format!(
                    "The provided model '{model}' does not match the model of the requests before \
                     it, '{first}'. A batch is for one model."
                );
                return Err(problem("mismatched_model", Some("body.model"), message));
            }
        }
        self.tokens += self.service.prompt_tokens(body.as_bytes());
        Ok(())
    }
}
