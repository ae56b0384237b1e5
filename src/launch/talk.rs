//! A talk with one persona from a command line: with the run's engine where it is live, with one
//! for the talk alone where it is over.

use super::{attached, runtime, talk_access};
use crate::{
    config::Flags,
    engine,
    error::Problem,
    headless::{self, Talked},
    link::{self, FrontEndLink, socket},
    model::PersonaIndex,
    protocol::{Role, RunHeader},
    store::{self, RunReader},
};
use std::{
    io::{self, BufRead, IsTerminal},
    path::Path,
};
use tokio::sync::mpsc::{self, UnboundedReceiver};

/// Talks with a persona of a live run, through its engine.
///
/// # Errors
/// Where there is no engine to be reached, or there can be no talk.
pub fn talk_live(run_file: &Path, persona: PersonaIndex) -> Result<Talked, Problem> {
    runtime()?.block_on(async {
        let attachment = attached::connect(run_file, Role::Control, true).await?;
        let (link, outlet, mut commands) = link::local();
        let file = run_file.to_owned();
        let following = tokio::spawn(async move {
            let role = (Role::Control, true);
            let is_live = || store::is_live(&file);
            socket::follow(attachment, &file, role, is_live, &outlet, &mut commands).await;
        });
        let talked = talk(link, persona).await;
        following.abort();
        talked
    })
}

/// Talks with a persona of a run that nobody carries on.
///
/// # Errors
/// Where the run file cannot be read, or there can be no talk.
pub fn talk_over(
    header: RunHeader,
    reader: RunReader,
    persona: PersonaIndex,
    flags: Flags,
) -> Result<Talked, Problem> {
    runtime()?.block_on(async {
        let (link, outlet, mut commands) = link::local();
        let access = talk_access(reader.path(), flags);
        let viewing = async move {
            engine::view(header, reader, &outlet, &mut commands, false, access).await
        };
        let (viewed, talked) = tokio::join!(viewing, talk(link, persona));
        viewed.map_err(Problem::could_not_run)?;
        talked
    })
}

async fn talk(link: FrontEndLink, persona: PersonaIndex) -> Result<Talked, Problem> {
    let prompted = io::stdin().is_terminal() && io::stdout().is_terminal();
    let lines = lines().map_err(Problem::could_not_run)?;
    headless::chat(link, persona, lines, prompted, io::stdout())
        .await
        .map_err(Problem::could_not_run)
}

/// The lines of standard input, read on a thread of its own: whoever waits for one waits for
/// nobody else.
fn lines() -> io::Result<UnboundedReceiver<String>> {
    let (out, lines) = mpsc::unbounded_channel();
    std::thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if out.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    })?;
    Ok(lines)
}
