//! The settings that a run file kept, as they hold when it is gone on with.

use crate::{
    config::{self, Config, Flags, Keys, RunSettings, Sources},
    engine::TalkAccess,
    error::Problem,
    model::LimitSetBy,
    store::{RunInfo, RunReader},
};
use std::path::Path;

/// What the run kept, with the limits as they were tuned last, overruled by the flags.
///
/// # Errors
/// A run file that cannot be read, flags that cannot be, a key that cannot be had.
pub fn kept_config(info: RunInfo, reader: &RunReader, flags: &Flags) -> Result<Config, Problem> {
    let path = reader.path();
    let mut settings: RunSettings = serde_json::from_value(info.settings).map_err(|error| {
        Problem::could_not_run(format!(
            "the settings in {} cannot be read: {error}; was the file changed by hand?",
            path.display()
        ))
    })?;
    for change in reader.limit_changes().map_err(Problem::could_not_run)? {
        if change.set_by == LimitSetBy::User {
            settings.set_limit(change.endpoint, change.limit, change.to);
        }
    }
    let sources = Sources {
        survey: path,
        dotenv_dir: Path::new("."),
        environment: &|name| std::env::var(name).ok(),
        flags,
        keys: Keys::Fetched,
    };
    config::load_resumed(info.survey, &settings, &sources).map_err(Problem::input)
}

/// How to talk with personas of a run that is over.
pub fn talk_access(run_file: &Path, flags: Flags) -> TalkAccess {
    let run_file = run_file.to_owned();
    Box::new(move || {
        let reader = RunReader::open(&run_file).map_err(|error| error.to_string())?;
        let info = reader.run().map_err(|error| error.to_string())?;
        kept_config(info, &reader, &flags).map_err(|problem| problem.to_string())
    })
}
