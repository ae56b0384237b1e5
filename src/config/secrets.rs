//! Fetching keys from where they are: variables, files and commands.

use super::{
    ConfigError, FileError, KeySource, Keys, Origin, dotenv::Variable, headers, key, key_command,
    text_file::open_file,
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

/// What came of looking for a secret.
#[derive(Clone, Debug)]
pub(super) enum Sought {
    Found(Found),
    /// The place may be empty, and is.
    Absent,
    /// A command that nobody has started.
    NotAsked(Origin),
    /// Something is wrong with the place or with what is there, and has been noted.
    Wrong,
}

impl Sought {
    pub(super) fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::Found(found) => Some(&found.secret),
            Self::Absent | Self::NotAsked(_) | Self::Wrong => None,
        }
    }
}

/// All that keys can be fetched from. Each place is gone to once, so that a command which several
/// endpoints name does not ask for a password twice.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    variables: HashMap<String, Found>,
    /// What `~` stands for.
    home: Option<PathBuf>,
    fetched: Vec<(KeySource, Found)>,
    keys: Keys,
    pub warnings: Vec<String>,
    /// What is wrong with secrets, where it is enough to look.
    pub problems: Vec<String>,
}

impl Secrets {
    /// Says what `~` stands for, and whether the secrets are needed.
    pub(super) fn fetch_from(&mut self, home: Option<String>, keys: Keys) {
        self.home = home.filter(|home| !home.is_empty()).map(PathBuf::from);
        self.keys = keys;
    }

    /// Keeps a variable for whoever names it. A blank one does not overrule one with a value.
    pub(super) fn add(&mut self, variable: Variable) {
        let Variable { name, value, origin } = variable;
        if !value.is_empty() || !self.variables.contains_key(&name) {
            self.variables.insert(name, Found { secret: value.into(), origin });
        }
    }

    /// A key, checked. The error is what is wrong with the place or what is found there, without
    /// repeating it.
    pub(super) fn key(&mut self, source: &KeySource) -> Result<Sought, String> {
        self.checked(source, |key| key::check(key).map(drop))
    }

    /// The secret of a header, checked.
    pub(super) fn header(&mut self, source: &KeySource) -> Result<Sought, String> {
        self.checked(source, |value| headers::check_value(value).map_err(str::to_owned))
    }

    /// Where nothing is sent, a secret that cannot be had is no reason to stop.
    pub(super) fn or_noted(
        &mut self,
        sought: Result<Sought, ConfigError>,
    ) -> Result<Sought, ConfigError> {
        match (sought, self.keys) {
            (Err(problem), Keys::LookedAt) => {
                self.problems.push(problem.to_string());
                Ok(Sought::Wrong)
            }
            (sought, _) => sought,
        }
    }

    fn checked(
        &mut self,
        source: &KeySource,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Sought, String> {
        let sought = self.fetch(source)?;
        if let Sought::Found(found) = &sought {
            check(found.secret.expose_secret())
                .map_err(|problem| format!("{} {problem}", what_is_at(&found.origin)))?;
        }
        Ok(sought)
    }

    fn fetch(&mut self, source: &KeySource) -> Result<Sought, String> {
        if let Some((_, found)) = self.fetched.iter().find(|(fetched, _)| fetched == source) {
            return Ok(Sought::Found(found.clone()));
        }
        let found = match source {
            KeySource::None => return Ok(Sought::Absent),
            KeySource::Usual => {
                let set = |found: &&Found| !found.secret.expose_secret().is_empty();
                let found = self.variables.get(USUAL).filter(set).cloned();
                return Ok(found.map_or(Sought::Absent, Sought::Found));
            }
            KeySource::Env(variable) => self.variable(variable)?,
            KeySource::File(file) => self.file(file)?,
            KeySource::Command(command) if self.keys == Keys::LookedAt => {
                return Ok(Sought::NotAsked(Origin::KeyCommand(command.clone())));
            }
            KeySource::Command(command) => Found {
                secret: key_command::run(command, key_command::TIMEOUT)
                    .map_err(|problem| format!("{source} {problem}"))?
                    .into(),
                origin: Origin::KeyCommand(command.clone()),
            },
        };
        self.fetched.push((source.clone(), found.clone()));
        Ok(Sought::Found(found))
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
