//! The runs in a folder.

use super::{RunReader, StoreError, files, lock};
use crate::model::{RunPhase, StatusCounts, UnixMillis};
use std::{
    io,
    path::{Path, PathBuf},
};

/// One run file of a folder, readable or not.
#[derive(Debug)]
pub struct Listed {
    pub path: PathBuf,
    /// As the file's name gives it.
    pub name: String,
    /// What is in it, or why that cannot be said.
    pub run: Result<ListedRun, StoreError>,
}

/// What a list of runs shows of one.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRun {
    /// The survey's name.
    pub survey: String,
    pub created_at: UnixMillis,
    pub counts: StatusCounts,
    /// `None` where the run has never started.
    pub phase: Option<RunPhase>,
    /// Whether a process is running it now.
    pub live: bool,
    /// How many interviews were over a minute, in the last minute in which any were; `None` for
    /// fewer than two.
    pub per_minute: Option<f64>,
}

/// The runs in a folder, newest first; files that cannot be read are at the end, with the reason.
/// A folder that is not there has no runs.
///
/// # Errors
/// A folder that cannot be read.
pub fn list(dir: &Path) -> Result<Vec<Listed>, StoreError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io(dir, e)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| StoreError::io(dir, e))?.path();
        if files::is_run_path(&path) {
            let run = look_at(&path);
            runs.push(Listed { name: files::name_of(&path), path, run });
        }
    }
    runs.sort_by(|a, b| {
        let age = |listed: &Listed| listed.run.as_ref().ok().map(|run| run.created_at);
        age(b).cmp(&age(a)).then_with(|| a.name.cmp(&b.name))
    });
    Ok(runs)
}

fn look_at(path: &Path) -> Result<ListedRun, StoreError> {
    let reader = RunReader::open(path)?;
    let info = reader.run()?;
    let per_minute = reader.last_per_minute(&info)?;
    Ok(ListedRun {
        survey: info.survey.name,
        created_at: info.created_at,
        counts: reader.counts()?,
        phase: info.phase,
        live: lock::is_live(path),
        per_minute,
    })
}
