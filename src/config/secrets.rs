//! Fetching keys from where they are: variables, files and commands.

use super::{
    FileError, KeySource, Origin, dotenv::Variable, headers, key, key_command, text_file::open_file,
};
use crate::model::strip_controls;
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// The variable that a survey without endpoints takes its key from.
const USUAL: &str = "OPENAI_API_KEY";

/// More than any key has; `/dev/zero` is a file too.
const LONGEST: u64 = 64 * 1024;

/// A secret and where it was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub secret: SecretString,
    pub origin: Origin,
}

/// All that keys can be fetched from. Each place is gone to once, so that a command which several
/// endpoints name does not ask for a password twice.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    variables: HashMap<String, Found>,
    /// What `~` stands for.
    home: Option<PathBuf>,
    fetched: Vec<(KeySource, Found)>,
    pub warnings: Vec<String>,
}

impl Secrets {
    pub(super) fn set_home(&mut self, home: Option<String>) {
        self.home = home.filter(|home| !home.is_empty()).map(PathBuf::from);
    }

    /// Keeps a variable for whoever names it. A blank one does not overrule one with a value.
    pub(super) fn add(&mut self, variable: Variable) {
        let Variable { name, value, origin } = variable;
        if !value.is_empty() || !self.variables.contains_key(&name) {
            self.variables.insert(name, Found { secret: value.into(), origin });
        }
    }

    /// A key, checked; `None` where the place may be empty and is. The error is what is wrong with
    /// the place or what is found there, without repeating it.
    pub(super) fn key(&mut self, source: &KeySource) -> Result<Option<Found>, String> {
        let Some(found) = self.fetch(source)? else { return Ok(None) };
        match key::check(found.secret.expose_secret()) {
            Ok(_) => Ok(Some(found)),
            Err(problem) => Err(format!("{} {problem}", what_is_at(&found.origin))),
        }
    }

    /// The secret of a header, checked.
    pub(super) fn header(&mut self, source: &KeySource) -> Result<Option<Found>, String> {
        let Some(found) = self.fetch(source)? else { return Ok(None) };
        match headers::check_value(found.secret.expose_secret()) {
            Ok(()) => Ok(Some(found)),
            Err(problem) => Err(format!("{} {problem}", what_is_at(&found.origin))),
        }
    }

    fn fetch(&mut self, source: &KeySource) -> Result<Option<Found>, String> {
        if let Some((_, found)) = self.fetched.iter().find(|(fetched, _)| fetched == source) {
            return Ok(Some(found.clone()));
        }
        let found = match source {
            KeySource::None => return Ok(None),
            KeySource::Usual => {
                let set = |found: &&Found| !found.secret.expose_secret().is_empty();
                return Ok(self.variables.get(USUAL).filter(set).cloned());
            }
            KeySource::Env(variable) => self.variable(variable)?,
            KeySource::File(file) => self.file(file)?,
            KeySource::Command(command) => Found {
                secret: key_command::run(command, key_command::TIMEOUT)
                    .map_err(|problem| format!("{source} {problem}"))?
                    .into(),
                origin: Origin::KeyCommand(command.clone()),
            },
        };
        self.fetched.push((source.clone(), found.clone()));
        Ok(Some(found))
    }

    fn variable(&self, name: &str) -> Result<Found, String> {
        let found = self.variables.get(name);
        match found {
            Some(found) if !found.secret.expose_secret().is_empty() => Ok(found.clone()),
            _ => {
                let state = if found.is_some() { "empty" } else { "not set" };
                // Somebody may have written the key where its variable should stand.
                let name = if name.chars().any(|c| c.is_ascii_lowercase()) && name.len() > 20 {
                    "named there"
                } else {
                    name
                };
                Err(format!(
                    "the variable {name} is {state}; set it in the environment, or in a file .env \
                     in the folder where you start voxpop"
                ))
            }
        }
    }

    fn file(&mut self, file: &Path) -> Result<Found, String> {
        let path = match (file.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => file.to_owned(),
        };
        let unreadable = |problem| FileError::new(&path, problem).to_string();
        let opened = open_file(&path).map_err(|problem| problem.to_string())?;
        self.warnings.extend(others_can_read(&opened, &path));
        let mut text = String::new();
        opened.take(LONGEST).read_to_string(&mut text).map_err(unreadable)?;
        match text.trim() {
            "" => Err(format!("the file {} is empty; put the key into it", path.display())),
            key => Ok(Found { secret: key.into(), origin: Origin::KeyFile(path) }),
        }
    }
}

/// What is found at a place, as the subject of a sentence.
fn what_is_at(origin: &Origin) -> String {
    match origin {
        Origin::KeyCommand(command) => format!("what `{}` prints", strip_controls(command)),
        other => other.to_string(),
    }
}

#[cfg(unix)]
fn others_can_read(file: &File, path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        let path = path.display();
        format!("others can read the key in {path} (mode {:o}); chmod 600 {path}", mode & 0o777)
    })
}

#[cfg(not(unix))]
fn others_can_read(_file: &File, _path: &Path) -> Option<String> {
    None
}
