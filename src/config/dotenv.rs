//! The `.env` file and the environment: the variables that voxpop knows, and those that a survey
//! names for its keys.

use super::{ConfigError, FileError, Origin, scalar::nearest, text_file::read_text};
use std::{
    cell::Cell,
    io::{self, Read},
    path::Path,
    rc::Rc,
};

/// Every variable that is read whatever the survey says.
pub(super) const VARIABLES: [&str; 6] = [
    "MAX_CONCURRENT_REQUESTS",
    "REQUESTS_PER_MINUTE",
    "TOKENS_PER_MINUTE",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_MODEL",
];

/// A variable that is there. A blank one says nothing, so that it overrules nothing.
pub(super) struct Variable {
    pub name: String,
    pub value: String,
    pub origin: Origin,
}

/// The variables of the environment: those that are known, and those that hold the `keys` of
/// endpoints.
pub(super) fn of_environment(
    environment: &dyn Fn(&str) -> Option<String>,
    keys: &[String],
) -> Vec<Variable> {
    let known = VARIABLES.into_iter().filter(|known| !keys.iter().any(|key| key == known));
    known
        .chain(keys.iter().map(String::as_str))
        .filter_map(|name| {
            let value = environment(name)?.trim().to_owned();
            let origin = Origin::Environment { variable: name.to_owned() };
            Some(Variable { name: name.to_owned(), value, origin })
        })
        .collect()
}

/// The same of the `.env` in `dir`; none where there is no such file. The last of several settings
/// of one variable counts, as it does in a shell and for python-dotenv. Lines of other programs
/// are none of our business, so one that cannot be parsed is a warning.
pub(super) fn of_dotenv(
    dir: &Path,
    keys: &[String],
    warnings: &mut Vec<String>,
) -> Result<Vec<Variable>, ConfigError> {
    let ours = || VARIABLES.into_iter().chain(keys.iter().map(String::as_str));
    let file = dir.join(".env");
    let text = match read_text(&file) {
        Ok(text) => text,
        Err(FileError::Missing(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let lines: Vec<&str> = text.lines().collect();
    let handed_out = Rc::new(Cell::new(0));
    let by_line = LineByLine { left: text.as_bytes(), handed_out: Rc::clone(&handed_out) };
    let mut found: Vec<Variable> = Vec::new();
    let mut line = 0;
    for item in dotenvy::from_read_iter(by_line) {
        let before = std::mem::replace(&mut line, handed_out.get().min(lines.len()));
        // The library's own error repeats the line, which may hold a key.
        let Ok((name, value)) = item else {
            // An open quote takes in every line after it, so the culprit is the first one of ours.
            let culprit =
                lines.iter().enumerate().take(line).skip(before).find_map(|(index, text)| {
                    let variable = ours().find(|variable| sets(text, variable))?;
                    Some((index + 1, variable.to_owned()))
                });
            match culprit {
                Some((line, variable)) => return Err(ConfigError::DotEnv { file, line, variable }),
                None => warnings.push(format!(
                    "{}:{line}: this line cannot be read and is left out; write NAME=\"value\"",
                    file.display()
                )),
            }
            continue;
        };
        if ours().any(|variable| variable == name) {
            let value = value.trim().to_owned();
            let origin = Origin::DotEnv { variable: name.clone(), file: file.clone(), line };
            found.retain(|variable| variable.name != name);
            found.push(Variable { name, value, origin });
        } else {
            warnings.extend(misspelt(&name, &file, line));
        }
    }
    Ok(found)
}

/// Whether a line of a `.env` sets the variable.
fn sets(line: &str, variable: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    line.strip_prefix(variable).is_some_and(|rest| rest.trim_start().starts_with('='))
}

/// A `.env` is shared with other programs, so only a near miss is worth a word.
fn misspelt(name: &str, file: &Path, line: usize) -> Option<String> {
    let lower: Vec<String> = VARIABLES.iter().map(|known| known.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let near = nearest(name, &lower)?;
    (strsim::damerau_levenshtein(&name.to_lowercase(), near) <= 2).then(|| {
        format!(
            "{}:{line}: {} is not read; did you mean {}?",
            file.display(),
            super::scalar::quoted(name),
            near.to_uppercase()
        )
    })
}

/// Hands out one line a read. The parser reads only when it needs another line, so the number of
/// lines handed out is the number of the line it is at, which it does not tell otherwise.
struct LineByLine<'a> {
    left: &'a [u8],
    handed_out: Rc<Cell<usize>>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.left.iter().position(|&b| b == b'\n').map_or(self.left.len(), |at| at + 1);
        let (now, left) = self.left.split_at(end.min(buffer.len()));
        if let Some(room) = buffer.get_mut(..now.len()) {
            room.copy_from_slice(now);
        }
        // A line longer than the buffer counts with its last piece, as does an unended last line.
        if now.ends_with(b"\n") || (left.is_empty() && !now.is_empty()) {
            self.handed_out.set(self.handed_out.get() + 1);
        }
        self.left = left;
        Ok(now.len())
    }
}
