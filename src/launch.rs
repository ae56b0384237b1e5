//! Builds engine, link and front end, and sees a run through: in one process here, in two of
//! them by `engine_process` and `attached`.

mod attached;
mod engine_process;
mod kept;
mod talk;

pub use attached::{Target, attach, tell};
pub use engine_process::{Ready, Started, Terms, serve, start};
pub use kept::{kept_config, talk_access};
pub use talk::{talk_live, talk_over};

use crate::{
    cache::CacheFile,
    cli::{Color, DisplayArgs, EngineArgs},
    config::Config,
    engine::{self, EngineParts, RunEnd, TalkAccess},
    error::{Exit, Problem},
    headless,
    link::{self, FrontEndLink, Orders},
    model::{LogRing, Speed},
    protocol::{Incoming, Order, RunHeader},
    signals::{self, HangUp, Interrupt},
    store::{OpenRun, RunReader},
    ui,
};
use std::{
    future::Future,
    io::{self, IsTerminal, Write},
    time::Duration,
};
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};

/// How a run is shown.
pub enum FrontEnd {
    Dashboard(ui::Options),
    Headless(headless::Format),
}

impl FrontEnd {
    /// What the flags ask for, and what the terminal can do.
    ///
    /// # Errors
    /// A theme that does not exist.
    pub fn choose(args: &DisplayArgs) -> Result<Self, Problem> {
        if let Some(theme) = &args.theme {
            ui::theme::Theme::built_in(theme).map_err(Problem::input)?;
        }
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let screen = io::stdout().is_terminal() && io::stdin().is_terminal() && !dumb;
        Ok(if args.json {
            Self::Headless(headless::Format::Json)
        } else if args.plain || !screen {
            Self::Headless(headless::Format::Plain)
        } else {
            Self::Dashboard(ui::Options {
                ascii: args.ascii.then_some(true),
                fps: args.fps,
                line_rate: args.line_rate,
                theme: args.theme.clone(),
                color: match args.color {
                    Color::Auto => ui::ColorChoice::Auto,
                    Color::Always => ui::ColorChoice::Always,
                    Color::Never => ui::ColorChoice::Never,
                },
                keep_open: !args.exit,
                attachment: ui::Attachment::InProcess,
            })
        })
    }

    /// How the end of a run is written.
    const fn closing_format(&self) -> headless::Format {
        match self {
            Self::Dashboard(_) => headless::Format::Plain,
            Self::Headless(format) => *format,
        }
    }
}

/// Where the engine of a run is, and what shows it.
pub enum Manner {
    /// In this process.
    Foreground(FrontEnd),
    /// In a process of its own; nothing shows it at first where there is no front end.
    Own(Option<FrontEnd>),
}

impl Manner {
    /// What the flags ask for; or else a process of its own where there is a dashboard that could
    /// be cut off from it.
    ///
    /// # Errors
    /// As [`FrontEnd::choose`].
    pub fn choose(display: &DisplayArgs, engine: &EngineArgs) -> Result<Self, Problem> {
        let front_end = FrontEnd::choose(display)?;
        let ci = std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
        Ok(match front_end {
            _ if engine.detach => Self::Own(None),
            FrontEnd::Dashboard(options) if !engine.foreground && !ci => {
                let attachment = ui::Attachment::Control;
                Self::Own(Some(FrontEnd::Dashboard(ui::Options { attachment, ..options })))
            }
            front_end => Self::Foreground(front_end),
        })
    }
}

/// Everything of a run but its front end.
pub struct PreparedRun {
    pub header: RunHeader,
    /// How the user finds the run again: its name or its file.
    pub handle: String,
    pub config: Config,
    pub open: OpenRun,
    /// Whether nobody was asked before.
    pub fresh: bool,
    pub cache: Option<CacheFile>,
    /// Nobody is asked: only what the answers come to is made.
    pub only_analysis: bool,
    pub log: LogRing,
}

impl PreparedRun {
    /// All that an engine needs.
    fn with(self, front_ends: UnboundedReceiver<Incoming>) -> EngineParts {
        let Self { header, handle: _, config, open, fresh, only_analysis, cache, log } = self;
        EngineParts { header, config, open, fresh, only_analysis, cache, front_ends, log }
    }
}

/// Carries a run through, shows it, and says how it ended. SIGTERM waits no longer than `grace` for
/// what is in flight.
///
/// # Errors
/// Where the run cannot start, or its last answers cannot be stored.
pub fn see_through(
    run: PreparedRun,
    front_end: FrontEnd,
    grace: Duration,
) -> Result<Exit, Problem> {
    let (format, handle) = (front_end.closing_format(), run.handle.clone());
    let end = runtime()?.block_on(async {
        signals::survive_file_size_limit().map_err(Problem::could_not_run)?;
        let stays = matches!(&front_end, FrontEnd::Dashboard(options) if options.keep_open);
        let (link, front_ends) = link::in_process(stays);
        let engine = tokio::spawn(engine::run(run.with(front_ends)));
        show(link, front_end, grace).await?;
        let end: Result<RunEnd, _> =
            engine.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
        end.map_err(Problem::could_not_run)
    })?;
    // A terminal that has gone takes no closing words; the exit code still tells.
    let _ =
        headless::write_end(&mut io::stdout().lock(), format, &end.summary, &end.phase, &handle);
    Ok(Exit::of_run(&end.summary, &end.phase))
}

/// Carries a run's analysis through, and shows nothing of it: SIGINT ends it after what is in
/// flight, and a second one at once.
///
/// # Errors
/// As [`see_through`].
pub fn summarize(run: PreparedRun) -> Result<RunEnd, Problem> {
    runtime()?.block_on(async {
        signals::survive_file_size_limit().map_err(Problem::could_not_run)?;
        let (link, front_ends) = link::in_process(false);
        let engine = tokio::spawn(engine::run(run.with(front_ends)));
        let interrupts = signals::interrupts(HangUp::Interrupts).map_err(Problem::could_not_run)?;
        tokio::spawn(stop_on(interrupts, ordering(link.orders()), Duration::MAX));
        headless::watch(link, headless::Format::Plain, io::sink()).await;
        let end = engine.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
        end.map_err(Problem::could_not_run)
    })
}

/// Shows a run without running it. `access` is for who talks with a persona.
///
/// # Errors
/// Where the run file cannot be read.
pub fn look_at(
    header: RunHeader,
    reader: RunReader,
    front_end: FrontEnd,
    access: TalkAccess,
) -> Result<Exit, Problem> {
    runtime()?.block_on(async {
        let (link, outlet, mut commands) = link::local();
        // The outlet has to go when the view is over.
        let viewing =
            async move { engine::view(header, reader, &outlet, &mut commands, true, access).await };
        let showing = async {
            match front_end {
                FrontEnd::Headless(format) => {
                    headless::describe(link, format, &mut io::stdout().lock()).await;
                    Ok(())
                }
                dashboard => show(link, dashboard, Duration::MAX).await,
            }
        };
        let (viewed, shown) = tokio::join!(viewing, showing);
        viewed.map_err(Problem::could_not_run)?;
        shown
    })?;
    Ok(Exit::AllAnswered)
}

/// Plays a run that is over, without running it.
///
/// # Errors
/// Where the run file cannot be read.
pub fn replay(
    header: RunHeader,
    reader: RunReader,
    options: ui::Options,
    speed: Speed,
) -> Result<Exit, Problem> {
    runtime()?.block_on(async {
        let (link, outlet, mut commands) = link::local();
        // The outlet has to go when the replay is over.
        let playing =
            async move { engine::replay(header, reader, &outlet, &mut commands, speed).await };
        let showing = show(link, FrontEnd::Dashboard(options), Duration::MAX);
        let (played, shown) = tokio::join!(playing, showing);
        played.map_err(Problem::could_not_run)?;
        shown
    })?;
    Ok(Exit::AllAnswered)
}

/// Shows a run until it has ended and nobody looks any more. Every front end has its own thread,
/// so that a terminal or a pipe which takes no bytes stalls nobody else.
async fn show(link: FrontEndLink, front_end: FrontEnd, grace: Duration) -> Result<(), Problem> {
    match front_end {
        FrontEnd::Headless(format) => {
            let interrupts =
                signals::interrupts(HangUp::Interrupts).map_err(Problem::could_not_run)?;
            let stopping = tokio::spawn(stop_on(interrupts, ordering(link.orders()), grace));
            let runtime = runtime()?;
            let watch = move || runtime.block_on(headless::watch(link, format, io::stdout()));
            // It ends with the engine; where it crashed, the run goes on unseen.
            let _ = on_own_thread(watch)?.await;
            stopping.abort();
        }
        FrontEnd::Dashboard(options) => {
            let orders = link.orders();
            let exit = on_own_thread(move || ui::run(link, options))?.await;
            let said = match exit {
                Ok(Ok(ui::Exit::Left | ui::Exit::EngineGone | ui::Exit::Detached)) => return Ok(()),
                Ok(Ok(ui::Exit::HungUp)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("it crashed".to_owned()),
            };
            // Nobody is left who could tune the run or mend it: what is in flight is finished,
            // and the rest is kept for `resume`.
            if let Some(said) = said {
                let _ = writeln!(io::stderr(), "the dashboard stopped: {said}; so does the run");
            }
            orders.send(Order::FinishAndStop);
            let interrupts =
                signals::interrupts(HangUp::Interrupts).map_err(Problem::could_not_run)?;
            tokio::spawn(stop_on(interrupts, ordering(orders), grace));
        }
    }
    Ok(())
}

/// Orders whose outcome only the screen tells.
fn ordering(orders: Orders) -> impl Fn(Order) + Send + 'static {
    move |order| {
        orders.send(order);
    }
}

/// The first interrupt lets what is in flight finish, within `grace` where it is the system's; the
/// second does not; the third waits for nobody.
async fn stop_on(
    mut interrupts: UnboundedReceiver<Interrupt>,
    order: impl Fn(Order),
    grace: Duration,
) {
    let Some(first) = interrupts.recv().await else { return };
    order(Order::FinishAndStop);
    match first {
        Interrupt::BySystem => {
            let _ = tokio::time::timeout(grace, interrupts.recv()).await;
        }
        Interrupt::ByTerminal if interrupts.recv().await.is_none() => return,
        Interrupt::ByTerminal => {}
    }
    order(Order::StopNow);
    if interrupts.recv().await.is_some() {
        std::process::exit(130);
    }
}

/// Does something on a thread of its own.
fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<impl Future<Output = Result<T, oneshot::error::RecvError>>, Problem> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new()
        .name("front-end".to_owned())
        .spawn(move || {
            let _ = done.send(work());
        })
        .map_err(Problem::could_not_run)?;
    Ok(result)
}

fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Problem::could_not_run)
}
