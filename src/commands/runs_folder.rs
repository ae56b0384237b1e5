//! The folder of run files, and finding a run in it by what a user types.

use crate::{
    error::Problem,
    model::strip_controls,
    store::{self, EXTENSION, StoreError},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Letters and digits that cannot be taken for each other.
const NAME_LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// The folder of run files.
pub(super) struct RunsFolder(PathBuf);

impl RunsFolder {
    /// The folder that was asked for, or the one in the user's data folder.
    pub(super) fn find(asked: Option<PathBuf>) -> Result<Self, Problem> {
        asked
            .or_else(|| {
                directories::ProjectDirs::from("", "", "voxpop")
                    .map(|dirs| dirs.data_dir().join("runs"))
            })
            .map(Self)
            .ok_or_else(|| {
                Problem::input("no home folder was found: say where runs live with --runs DIR")
            })
    }

    /// How a user who does not repeat `--runs` finds a run: by name, or where the folder was given
    /// as an argument, by file.
    pub(super) fn handle(&self, name: &str, file: &Path) -> String {
        let usual = std::env::var_os("VOXPOP_RUNS").map(PathBuf::from);
        match usual.map_or_else(|| Self::find(None), |folder| Ok(Self(folder))) {
            Ok(usual) if usual.0 == self.0 => name.to_owned(),
            _ => strip_controls(&file.display().to_string()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Where logs go.
    pub(super) fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// Makes the folder where it is not there yet.
    pub(super) fn create(&self) -> Result<(), Problem> {
        fs::create_dir_all(&self.0).map_err(|error| {
            Problem::could_not_run(format!(
                "the folder for runs {} cannot be made: {error}; choose another with --runs DIR",
                self.0.display()
            ))
        })
    }

    /// The name and the file of a new run. `asked` is the name that the user wants, if any.
    pub(super) fn new_run(
        &self,
        asked: Option<&str>,
        survey: &str,
    ) -> Result<(String, PathBuf), Problem> {
        if let Some(name) = asked {
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
                return Err(Problem::input(format!(
                    "--name {name:?} cannot be a file's name: use letters, digits, '-' and '_'"
                )));
            }
            let file = self.file(name);
            if file.exists() {
                return Err(Problem::input(format!(
                    "there is a run named {name} already ({}): choose another --name, or go on \
                     with it by `voxpop resume {name}`",
                    file.display()
                )));
            }
            return Ok((name.to_owned(), file));
        }
        loop {
            let letters: String = (0..4)
                .map(|_| char::from(NAME_LETTERS[fastrand::usize(..NAME_LETTERS.len())]))
                .collect();
            let name = format!("{}-{letters}", file_name(survey));
            let file = self.file(&name);
            if !file.exists() {
                return Ok((name, file));
            }
        }
    }

    /// The file that `asked` means: a path, `latest`, a run's name, or the beginning of one.
    pub(super) fn resolve(&self, asked: &str) -> Result<PathBuf, Problem> {
        let path = Path::new(asked);
        let looks_like_a_path =
            path.components().count() > 1 || path.extension().is_some_and(|e| e == EXTENSION);
        if looks_like_a_path && path.exists() {
            return Ok(path.to_owned());
        }
        let exact = self.file(asked);
        if !looks_like_a_path && exact.exists() {
            return Ok(exact);
        }
        let mut runs = self.run_files()?;
        if asked == "latest" {
            runs.sort_by_key(|(_, changed, _)| std::cmp::Reverse(*changed));
            return runs.into_iter().next().map(|(_, _, file)| file).ok_or_else(|| {
                Problem::input(format!("there are no runs in {}", self.0.display()))
            });
        }
        runs.retain(|(name, _, _)| name.starts_with(asked));
        match runs.as_slice() {
            [(_, _, file)] => Ok(file.clone()),
            [] => Err(Problem::input(format!(
                "there is no run {asked:?} in {}: `voxpop ls` lists the runs",
                self.0.display()
            ))),
            several => {
                let names: Vec<_> = several.iter().map(|(name, _, _)| name.as_str()).collect();
                Err(Problem::input(format!(
                    "{asked:?} could be any of {}: type more of the name",
                    names.join(", ")
                )))
            }
        }
    }

    /// The same for a command about live runs: `latest` is the latest of those, where any is live.
    pub(super) fn resolve_live(&self, asked: &str) -> Result<PathBuf, Problem> {
        if asked == "latest" {
            let mut live = self.run_files()?;
            live.retain(|(_, _, file)| store::is_live(file));
            if let Some((_, _, file)) = live.into_iter().max_by_key(|(_, changed, _)| *changed) {
                return Ok(file);
            }
        }
        self.resolve(asked)
    }

    fn file(&self, name: &str) -> PathBuf {
        store::run_path(&self.0, name)
    }

    fn run_files(&self) -> Result<Vec<(String, SystemTime, PathBuf)>, Problem> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let folder = self.0.display();
                return Err(Problem::could_not_run(format!(
                    "the folder for runs {folder} cannot be read: {error}; choose another with \
                     --runs DIR"
                )));
            }
        };
        Ok(entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let file = entry.path();
                let name = file.file_stem()?.to_str()?.to_owned();
                let changed = entry.metadata().ok()?.modified().ok()?;
                (file.extension()? == EXTENSION).then_some((name, changed, file))
            })
            .collect())
    }
}

/// A file that is missing or is none of ours was named wrongly; all else is the world's fault.
pub(super) fn store_problem(error: StoreError) -> Problem {
    match error {
        StoreError::Missing { .. } | StoreError::NotARun { .. } => Problem::input(error),
        other => Problem::could_not_run(other),
    }
}

/// A survey's name as part of a file's name.
fn file_name(survey: &str) -> String {
    let mut name = String::new();
    for c in survey.chars().take(60) {
        if c.is_alphanumeric() {
            name.extend(c.to_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() { "run".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_by_what_a_user_types() {
        let folder = tempfile::tempdir().unwrap();
        let runs = RunsFolder(folder.path().to_owned());
        for name in ["parking-ab2c", "parking-x9yz", "parks-7f3a"] {
            fs::write(runs.file(name), "").unwrap();
        }
        let found = |asked: &str| runs.resolve(asked).map_err(|problem| problem.to_string());
        assert_eq!(found("parks"), Ok(runs.file("parks-7f3a")));
        assert_eq!(found("parking-ab2c"), Ok(runs.file("parking-ab2c")));
        let by_path = runs.file("parking-ab2c");
        assert_eq!(found(by_path.to_str().unwrap()), Ok(by_path));
        assert!(found("latest").is_ok());
        assert!(
            found("parking").unwrap_err().contains("parking-ab2c, parking-x9yz")
                || found("parking").unwrap_err().contains("parking-x9yz, parking-ab2c")
        );
        assert!(found("zoo").unwrap_err().contains("voxpop ls"));
    }

    #[test]
    fn a_new_run_never_takes_an_old_ones_place() {
        let folder = tempfile::tempdir().unwrap();
        let runs = RunsFolder(folder.path().to_owned());
        fs::write(runs.file("mine"), "").unwrap();
        assert!(runs.new_run(Some("mine"), "s").is_err());
        assert!(runs.new_run(Some("../up"), "s").is_err());
        let (name, file) = runs.new_run(None, "Car parks: yes or no?").unwrap();
        assert!(name.starts_with("car-parks-yes-or-no-"), "{name}");
        assert!(!file.exists());
    }
}
