//! `voxpop cache`: what the cache of replies holds, and emptying it. And where it is.

use crate::{
    cache::{CacheFile, CacheStats, Opened},
    cli::{CacheArgs, CacheCommand},
    config::Config,
    error::{Exit, Problem},
};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

pub(super) fn cache(args: &CacheArgs) -> Result<Exit, Problem> {
    let path = path().ok_or_else(|| {
        Problem::input("no home folder was found: say where the cache is with VOXPOP_CACHE")
    })?;
    let file = CacheFile::open_existing(&path).map_err(Problem::could_not_run)?;
    let stats = match &file {
        Some(file) => file.stats().map_err(Problem::could_not_run)?,
        None => CacheStats::default(),
    };
    let clear = matches!(args.command, Some(CacheCommand::Clear));
    if let (true, Some(file)) = (clear, &file) {
        file.clear().map_err(Problem::could_not_run)?;
    }
    let text = match (args.json, clear) {
        (true, _) => as_json(&path, &stats, clear).to_string() + "\n",
        (false, true) => format!(
            "{}: {} entries thrown out, {}\n",
            path.display(),
            stats.entries,
            megabytes(stats.bytes)
        ),
        (false, false) => as_text(&path, &stats),
    };
    // A pipe that is closed early has seen what it wanted.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(Exit::AllAnswered)
}

/// Opens the cache for a run that wants it. What is wrong with it ends no run: it is said, and the
/// run goes on without.
pub(super) fn open(config: &Config) -> Option<CacheFile> {
    if !config.cache.on {
        return None;
    }
    match CacheFile::open(&path()?, config.cache.limits) {
        Ok(Opened { file, set_aside }) => {
            if let Some(aside) = set_aside {
                warn(&format!(
                    "the cache {} was damaged; it is now {}, and a new one is begun",
                    file.path().display(),
                    aside.display()
                ));
            }
            Some(file)
        }
        Err(error) => {
            warn(&format!("the run goes on without its cache: {error}"));
            None
        }
    }
}

fn warn(what: &str) {
    eprintln!("warning: {what}");
    tracing::warn!("{what}");
}

/// The one file of all runs, whatever folder they are in.
fn path() -> Option<PathBuf> {
    let asked = std::env::var_os("VOXPOP_CACHE").filter(|path| !path.is_empty());
    asked.map(PathBuf::from).or_else(|| {
        directories::ProjectDirs::from("", "", "voxpop")
            .map(|dirs| dirs.data_dir().join("cache.sqlite"))
    })
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / f64::from(1 << 20))
}

fn as_text(path: &Path, stats: &CacheStats) -> String {
    let CacheStats { entries, bytes, limits, hits, prompt_tokens, completion_tokens } = stats;
    format!(
        "cache    {}\n\
         entries  {entries}\n\
         size     {} of {} MB\n\
         age      {} days at the most\n\
         hits     {hits}, which saved {prompt_tokens} tokens in and {completion_tokens} out\n",
        path.display(),
        megabytes(*bytes),
        limits.megabytes,
        limits.days
    )
}

fn as_json(path: &Path, stats: &CacheStats, cleared: bool) -> serde_json::Value {
    serde_json::json!({
        "path": path,
        "cleared": cleared,
        "entries": stats.entries,
        "bytes": stats.bytes,
        "size_mb": stats.limits.megabytes,
        "days": stats.limits.days,
        "hits": stats.hits,
        "saved_prompt_tokens": stats.prompt_tokens,
        "saved_completion_tokens": stats.completion_tokens,
    })
}
