//! `voxpop chat`: talk with a persona about its answer.

use super::{
    preparation::{header, start_log},
    runs_folder::{RunsFolder, store_problem},
};
use crate::{
    cli::{ChatArgs, EndpointArgs},
    error::{Exit, Problem},
    launch,
    model::PersonaIndex,
    store::{RunReader, is_live},
};

pub(super) fn chat(args: &ChatArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    let run_file = runs.resolve(&args.run)?;
    let reader = RunReader::open(&run_file).map_err(store_problem)?;
    let persona = find(&reader, args)?;
    let talked = if is_live(&run_file) {
        drop(reader);
        launch::talk_live(&run_file, persona)?
    } else {
        let info = reader.run().map_err(store_problem)?;
        let (_log_guard, _) = start_log(runs)?;
        let header = header(&info.name, &run_file, &info.survey, info.created_at, false);
        let endpoint = EndpointArgs { base_url: args.base_url.clone(), ..EndpointArgs::default() };
        launch::talk_over(header, reader, persona, args.limits.flags(&endpoint))?
    };
    Ok(if talked.unanswered > 0 { Exit::FinishedWithFailures } else { Exit::AllAnswered })
}

/// Whom the user means: a number as on the screens, or else an id.
fn find(reader: &RunReader, args: &ChatArgs) -> Result<PersonaIndex, Problem> {
    let asked = args.persona.as_str();
    let number = asked.parse::<u32>().ok().filter(|&n| n < reader.total() && !args.by_id);
    if let Some(number) = number {
        return Ok(PersonaIndex(number));
    }
    reader.persona_with_id(asked).map_err(store_problem)?.ok_or_else(|| {
        let last = reader.total().saturating_sub(1);
        Problem::input(format!(
            "there is no persona {asked:?}: give a number from 0 to {last}, as screens show it, or \
             an id"
        ))
    })
}
