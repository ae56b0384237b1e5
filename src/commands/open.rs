//! `voxpop open`: look at a run on the dashboard.

use super::{
    preparation::header,
    runs_folder::{RunsFolder, store_problem},
};
use crate::{
    cli::{EndpointArgs, LimitArgs, OpenArgs},
    error::{Exit, Problem},
    launch::{self, FrontEnd},
    store::RunReader,
};

pub(super) fn open(args: &OpenArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    let front_end = FrontEnd::choose(&args.display)?;
    let path = runs.resolve(&args.run)?;
    let reader = RunReader::open(&path).map_err(store_problem)?;
    let info = reader.run().map_err(Problem::could_not_run)?;
    let header = header(&info.name, &path, &info.survey, info.created_at, false);
    let endpoint = EndpointArgs { base_url: args.base_url.clone(), ..EndpointArgs::default() };
    let access = launch::talk_access(&path, LimitArgs::default().flags(&endpoint));
    launch::look_at(header, reader, front_end, access)
}
