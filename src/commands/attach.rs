//! `voxpop attach`: the dashboard on a live run.

use super::{
    preparation::header,
    runs_folder::{RunsFolder, store_problem},
};
use crate::{
    cli::AttachArgs,
    config::Flags,
    error::{Exit, Problem},
    launch::{self, FrontEnd, Target},
    protocol::Role,
    store::{RunReader, is_live},
    ui,
};
use std::io::{self, Write};

pub(super) fn attach(args: &AttachArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    let front_end = FrontEnd::choose(&args.display)?;
    let run_file = runs.resolve_live(&args.run)?;
    let reader = RunReader::open(&run_file).map_err(store_problem)?;
    let info = reader.run().map_err(store_problem)?;
    let handle = runs.handle(&info.name, &run_file);
    if !is_live(&run_file) {
        // Its end is what there is to see.
        let _ = writeln!(io::stderr(), "{}: the run is not live; this is how it ended", info.name);
        let header = header(&info.name, &run_file, &info.survey, info.created_at, false);
        let access = launch::talk_access(&run_file, Flags::default());
        return launch::look_at(header, reader, front_end, access);
    }
    drop(reader);
    let (role, front_end) = match front_end {
        FrontEnd::Dashboard(options) => {
            let (role, attachment) = if args.read_only {
                (Role::Watch, ui::Attachment::ReadOnly)
            } else {
                (Role::Control, ui::Attachment::Control)
            };
            (role, FrontEnd::Dashboard(ui::Options { attachment, ..options }))
        }
        // Lines have no keys.
        headless @ FrontEnd::Headless(_) => (Role::Watch, headless),
    };
    launch::attach(&Target { run_file, handle }, front_end, role)
}
