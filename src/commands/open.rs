//! `voxpop open`: look at a run on the dashboard, or watch it once more.

use super::{
    preparation::header,
    runs_folder::{RunsFolder, store_problem},
};
use crate::{
    cli::{EndpointArgs, LimitArgs, OpenArgs},
    error::{Exit, Problem},
    launch::{self, FrontEnd},
    store::{RunReader, is_live},
    ui,
};

pub(super) fn open(args: &OpenArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    let front_end = FrontEnd::choose(&args.display)?;
    let path = runs.resolve(&args.run)?;
    let reader = RunReader::open(&path).map_err(store_problem)?;
    let info = reader.run().map_err(Problem::could_not_run)?;
    let header = header(&info.name, &path, &info.survey, info.created_at, false);
    let Some(speed) = args.replay else {
        let endpoint = EndpointArgs { base_url: args.base_url.clone(), ..EndpointArgs::default() };
        let access = launch::talk_access(&path, LimitArgs::default().flags(&endpoint));
        return launch::look_at(header, reader, front_end, access);
    };
    let FrontEnd::Dashboard(options) = front_end else {
        return Err(Problem::input(
            "--replay needs the dashboard: a terminal, and neither --plain nor --json; without \
             --replay the run is told in words",
        ));
    };
    if is_live(&path) {
        return Err(Problem::input(format!(
            "{} is live, and not over yet: `voxpop attach` shows it",
            info.name
        )));
    }
    let attachment = ui::Attachment::Replay;
    launch::replay(header, reader, ui::Options { attachment, ..options }, speed)
}
