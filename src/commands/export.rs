//! `voxpop export`: a run's records as a file.

use super::runs_folder::{RunsFolder, store_problem};
use crate::{
    cli::{ExportArgs, ExportFormat},
    error::{Exit, Problem},
    export::{self, Format},
    store::RunReader,
};

pub(super) fn export(args: &ExportArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    let reader = RunReader::open(&runs.resolve(&args.run)?).map_err(store_problem)?;
    let format = match args.format {
        ExportFormat::Jsonl => Format::Jsonl,
        ExportFormat::Json => Format::Json,
        ExportFormat::Csv => Format::Csv,
    };
    match &args.out {
        Some(path) => export::export_to_file(&reader, format, path),
        None => export::export(&reader, format, &mut std::io::stdout().lock()),
    }
    .map_err(Problem::could_not_run)?;
    Ok(Exit::AllAnswered)
}
