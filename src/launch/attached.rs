//! A front end on an engine in another process.

use super::{FrontEnd, on_own_thread, runtime, talk_access};
use crate::{
    config::Flags,
    engine,
    error::{Exit, Problem},
    headless,
    link::{
        self, LocalOutlet,
        socket::{Answers, AttachError, Attachment, Following, follow},
    },
    model::{RunPhase, RunSummary},
    protocol::{Command, Farewell, Order, Role, RunHeader},
    store::{self, RunReader},
    ui,
};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::sync::mpsc::UnboundedReceiver;

/// How long an engine that has the run may take to open its socket.
const SOCKET_WITHIN: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Which run, and how its user names it.
pub struct Target {
    pub run_file: PathBuf,
    pub handle: String,
}

/// What came of a front end.
enum Seen {
    /// The run goes on.
    GoesOn,
    Ended(Box<RunSummary>, RunPhase),
    Failed(String),
    /// The terminal is gone.
    HungUp,
}

/// Shows a live run until it has ended or nobody looks any more.
///
/// # Errors
/// Where there is no engine, it does not want this front end, or it failed.
pub fn attach(target: &Target, front_end: FrontEnd, role: Role) -> Result<Exit, Problem> {
    let format = front_end.closing_format();
    let seen = runtime()?.block_on(watch(target, front_end, role))?;
    let Target { handle, .. } = target;
    match seen {
        Seen::GoesOn => {
            let _ = writeln!(
                io::stdout(),
                "the run goes on without this screen\n  \
                 come back to it:          voxpop attach {handle}\n  \
                 finish what is in flight: voxpop tell {handle} stop"
            );
            Ok(Exit::AllAnswered)
        }
        Seen::HungUp => Ok(Exit::Interrupted),
        Seen::Failed(why) => Err(Problem::could_not_run(why)),
        Seen::Ended(summary, phase) => {
            // A terminal that has gone takes no closing words; the exit code still tells.
            let _ = headless::write_end(&mut io::stdout().lock(), format, &summary, &phase, handle);
            Ok(Exit::of_run(&summary, &phase))
        }
    }
}

async fn watch(target: &Target, front_end: FrontEnd, role: Role) -> Result<Seen, Problem> {
    let run_file = &target.run_file;
    let stays = matches!(&front_end, FrontEnd::Dashboard(options) if options.keep_open);
    let attachment = connect(run_file, role, stays).await?;
    let (link, outlet, commands) = link::local();
    let follower = Follower { run_file: run_file.clone(), role, stays, outlet, commands };
    let (exit, followed) = match front_end {
        FrontEnd::Headless(format) => {
            let following = tokio::spawn(follower.follow(attachment, false));
            let runtime = runtime()?;
            // A reader that has gone has seen what it wanted.
            let watch = move || runtime.block_on(headless::look_on(link, format, io::stdout()));
            let _ = on_own_thread(watch)?.await;
            (ui::Exit::Left, following.await)
        }
        FrontEnd::Dashboard(options) => {
            let following = tokio::spawn(follower.follow(attachment, true));
            let exit = on_own_thread(move || ui::run(link, options))?.await;
            match exit {
                Ok(Ok(exit @ (ui::Exit::HungUp | ui::Exit::Detached))) => {
                    following.abort();
                    return Ok(if exit == ui::Exit::HungUp { Seen::HungUp } else { Seen::GoesOn });
                }
                Ok(Ok(exit)) => (exit, following.await),
                Ok(Err(error)) => return Err(screen_problem(&error, target)),
                Err(_) => return Err(screen_problem(&"it crashed", target)),
            }
        }
    };
    let followed = followed.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
    let followed = followed.map_err(Problem::could_not_run)?;
    Ok(match followed {
        Following::Ended { farewell, .. } | Following::Left(Some(farewell)) => match farewell {
            Farewell::Ended { summary, phase } => Seen::Ended(Box::new(summary), phase),
            Farewell::Failed { why } => Seen::Failed(why),
        },
        Following::Refused(why) => Seen::Failed(why),
        // The run file knows.
        Following::Left(None) | Following::Died => {
            let info = RunReader::open(run_file).and_then(|reader| reader.run());
            let info = info.map_err(Problem::could_not_run)?;
            match (info.phase, info.summary) {
                (Some(phase @ (RunPhase::Finished | RunPhase::Stopped { .. })), Some(summary)) => {
                    Seen::Ended(Box::new(summary), phase)
                }
                (Some(RunPhase::Stopped { .. }), None) => Seen::Failed(format!(
                    "the run's engine was killed; `voxpop resume {}` goes on where it was",
                    target.handle
                )),
                _ if exit == ui::Exit::Left => Seen::GoesOn,
                _ => Seen::Failed("the run's engine is gone".to_owned()),
            }
        }
    })
}

fn screen_problem(why: &dyn std::fmt::Display, target: &Target) -> Problem {
    let handle = &target.handle;
    Problem::could_not_run(format!(
        "the dashboard stopped: {why}; the run goes on: `voxpop attach {handle}` shows it"
    ))
}

/// Orders something of a live run, without a screen.
///
/// # Errors
/// Where its engine cannot be reached.
pub fn tell(run_file: &Path, orders: Vec<Order>) -> Result<Answers, Problem> {
    runtime()?
        .block_on(async { Ok(connect(run_file, Role::Control, false).await?.ask(orders).await) })
}

/// Connects; an engine that has only just started gets a moment.
pub(super) async fn connect(
    run_file: &Path,
    role: Role,
    stays: bool,
) -> Result<Attachment, Problem> {
    let until = tokio::time::Instant::now() + SOCKET_WITHIN;
    loop {
        match Attachment::connect(run_file, role, stays).await {
            Ok(attachment) => return Ok(attachment),
            Err(AttachError::NotThere)
                if store::is_live(run_file) && tokio::time::Instant::now() < until =>
            {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(AttachError::NotThere) if store::is_live(run_file) => {
                return Err(Problem::could_not_run(
                    "the run is live, but its process has no socket: it was started with \
                     --foreground, or by an older voxpop",
                ));
            }
            Err(error) => return Err(Problem::could_not_run(error)),
        }
    }
}

/// What feeds the link of a front end.
struct Follower {
    run_file: PathBuf,
    role: Role,
    stays: bool,
    outlet: LocalOutlet,
    commands: UnboundedReceiver<Command>,
}

impl Follower {
    /// Follows the engine, and after its end shows the run file where somebody still looks.
    async fn follow(
        mut self,
        attachment: Attachment,
        look_on: bool,
    ) -> Result<Following, engine::ViewError> {
        let is_live = || store::is_live(&self.run_file);
        let role = (self.role, self.stays);
        let (outlet, commands) = (&self.outlet, &mut self.commands);
        let followed = follow(attachment, &self.run_file, role, is_live, outlet, commands).await;
        // Who has seen the end keeps the picture of it.
        let show = !matches!(followed, Following::Ended { end_shown: true, .. });
        if look_on && !matches!(followed, Following::Left(_)) {
            let reader = RunReader::open(&self.run_file)?;
            let info = reader.run()?;
            let header = RunHeader {
                run: info.name,
                run_file: self.run_file.clone(),
                survey: info.survey.name.clone(),
                question: info.survey.question.clone(),
                support: info.survey.grid.support,
                pack: info.survey.pack,
                started_at: info.created_at,
                live: false,
            };
            let access = talk_access(&self.run_file, Flags::default());
            engine::view(header, reader, &self.outlet, &mut self.commands, show, access).await?;
        }
        Ok(followed)
    }
}
