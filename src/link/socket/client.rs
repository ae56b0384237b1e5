//! A front end's end: the same [`FrontEndLink`](crate::link::FrontEndLink) as within one process,
//! fed from a socket.

use super::{
    frames::{FrameError, Frames},
    place,
};
use crate::{
    link::LocalOutlet,
    model::RunPhase,
    protocol::{
        Command, CommandId, CommandOutcome, Farewell, FromEngine, FromFrontEnd, Hello, Order,
        Outlet, PROTOCOL_VERSION, Role, Snapshot, Update, Welcome,
        codec::{LONGEST_FROM_ENGINE, Message},
    },
};
use std::{io, path::Path, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep, timeout},
};

/// An engine has to answer a hello within this time.
const WELCOME_WITHIN: Duration = Duration::from_secs(5);

/// An engine that is about to end has to close the run file within this time.
const FAREWELL_WITHIN: Duration = Duration::from_secs(15);

/// One that was told to stop gets a moment for it; should it hang, nobody waits for it.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// An engine that is well answers an order within this time.
const OUTCOME_WITHIN: Duration = Duration::from_secs(10);

/// Between two tries to reach an engine: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// An engine that is gone counts as dead after so long: something may be about to start another.
const DEAD_AFTER: Duration = Duration::from_secs(1);

/// Why an engine cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// No socket, or nobody behind it.
    #[error("no engine listens for this run")]
    NotThere,
    /// The engine's own words.
    #[error("{0}")]
    Refused(String),
    #[error("the run's socket belongs to user {0}: nothing is said to it")]
    Stranger(u32),
    #[error("the engine does not answer: it hangs or is stopped")]
    Silent,
    #[error("the engine is voxpop {version} (protocol {protocol}) and this is voxpop {} (protocol \
             {PROTOCOL_VERSION}): use the voxpop that started the run", env!("CARGO_PKG_VERSION"))]
    OtherVersion { version: String, protocol: u32 },
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A connection to an engine that has said welcome.
pub struct Attachment {
    from: Frames<OwnedReadHalf, FromEngine>,
    to: OwnedWriteHalf,
}

impl Attachment {
    /// Connects to the engine of a run file.
    ///
    /// # Errors
    /// Where there is none, or it does not want us.
    pub async fn connect(run_file: &Path, role: Role, stays: bool) -> Result<Self, AttachError> {
        let stream = reach(run_file).await?;
        match stream.peer_cred().map_err(FrameError::from)?.uid() {
            uid if uid == place::own_uid() => {}
            uid => return Err(AttachError::Stranger(uid)),
        }
        let (from, to) = stream.into_split();
        let mut attachment = Self { from: Frames::new(from, LONGEST_FROM_ENGINE), to };
        // One that refuses may have closed by now, and has still said why.
        let _ = attachment.say(FromFrontEnd::Hello(Hello::new(role, stays))).await;
        let answer = timeout(WELCOME_WITHIN, attachment.from.next());
        match answer.await.map_err(|_| AttachError::Silent)?? {
            Some(FromEngine::Welcome(Welcome { protocol, voxpop_version, .. })) => {
                if protocol == PROTOCOL_VERSION {
                    Ok(attachment)
                } else {
                    Err(AttachError::OtherVersion { version: voxpop_version, protocol })
                }
            }
            Some(FromEngine::Refused { why }) => Err(AttachError::Refused(why)),
            Some(FromEngine::Update(_) | FromEngine::Farewell(_)) | None => {
                Err(AttachError::NotThere)
            }
        }
    }

    async fn say(&mut self, message: FromFrontEnd) -> Result<(), FrameError> {
        say(&mut self.to, message).await
    }
}

async fn say(to: &mut OwnedWriteHalf, message: FromFrontEnd) -> Result<(), FrameError> {
    let frame = message.encode()?;
    Ok(to.write_all(&frame).await?)
}

/// The first of the places that somebody listens at.
async fn reach(run_file: &Path) -> Result<UnixStream, AttachError> {
    let Ok(name) = place::socket_name(run_file) else { return Err(AttachError::NotThere) };
    for path in place::candidates(&name) {
        match UnixStream::connect(&path).await {
            Ok(stream) => return Ok(stream),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => return Err(FrameError::from(error).into()),
        }
    }
    Err(AttachError::NotThere)
}

/// How a connection ended.
enum Relayed {
    /// The front end has left.
    Left,
    Farewell(Farewell),
    Lost,
    Refused(String),
}

impl Attachment {
    /// Carries updates to the front end and commands to the engine until one of them goes, and
    /// keeps in mind what the front end has seen and ordered.
    async fn relay(
        &mut self,
        outlet: &LocalOutlet,
        commands: &mut UnboundedReceiver<Command>,
        known: &mut Known,
    ) -> Relayed {
        let Self { from, to } = self;
        let Known { end_shown, stop_ordered } = known;
        let reading = async {
            loop {
                match from.next().await {
                    Ok(Some(FromEngine::Update(update))) => {
                        *end_shown = shows_end(&update).unwrap_or(*end_shown);
                        outlet.publish(update);
                    }
                    Ok(Some(FromEngine::Farewell(farewell))) => {
                        return Relayed::Farewell(farewell);
                    }
                    Ok(Some(FromEngine::Refused { why })) => return Relayed::Refused(why),
                    Ok(Some(FromEngine::Welcome(_))) => {}
                    Ok(None) | Err(FrameError::Io(_)) => return Relayed::Lost,
                    Err(FrameError::Codec(error)) => return Relayed::Refused(error.to_string()),
                }
            }
        };
        let writing = async {
            while let Some(command) = commands.recv().await {
                *stop_ordered |= matches!(command.order, Order::FinishAndStop | Order::StopNow);
                if say(to, FromFrontEnd::Ordered(command)).await.is_err() {
                    // Whoever reads hears that the engine is gone.
                    std::future::pending::<()>().await;
                }
            }
            Relayed::Left
        };
        tokio::select! { biased;
            relayed = reading => relayed,
            relayed = writing => relayed,
        }
    }

    /// Leaves. Where the run is over, the engine gets time to close the run file, unless it goes on
    /// for others; where it goes on, nobody waits for it.
    async fn part(mut self, known: &Known) -> Option<Farewell> {
        let within = match known {
            Known { end_shown: true, .. } => FAREWELL_WITHIN,
            Known { stop_ordered: true, .. } => STOP_WITHIN,
            Known { .. } => return None,
        };
        self.say(FromFrontEnd::Leaving).await.ok()?;
        let last = async {
            loop {
                match self.from.next().await {
                    Ok(Some(FromEngine::Farewell(farewell))) => return Some(farewell),
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return None,
                }
            }
        };
        timeout(within, last).await.ok().flatten()
    }
}

/// What a front end has seen of the run it follows, and ordered.
#[derive(Default)]
struct Known {
    /// The picture that it has is that of the run's end.
    end_shown: bool,
    stop_ordered: bool,
}

/// Whether the picture is that of the run's end once this has come; `None` where it stays what it
/// was.
fn shows_end(update: &Update) -> Option<bool> {
    match update {
        Update::Snapshot(snapshot) => Some(snapshot.summary.is_some()),
        Update::Delta(delta) if delta.summary.is_some() => Some(true),
        // Somebody has the failed asked again.
        Update::Delta(delta) if delta.phase == RunPhase::Running => Some(false),
        _ => None,
    }
}

/// How following a run ended.
#[derive(Debug)]
pub enum Following {
    /// The front end has left; the engine's last words, where it ended then.
    Left(Option<Farewell>),
    /// The engine has ended. Who joined in its last moments may have no picture of the end.
    Ended { farewell: Farewell, end_shown: bool },
    /// The engine is gone without a word.
    Died,
    /// The engine does not want to talk any more.
    Refused(String),
}

/// Feeds a front end from an engine, through lost connections, until one of them is gone for good.
/// `is_live` says whether an engine has the run.
pub async fn follow(
    mut attachment: Attachment,
    run_file: &Path,
    (role, stays): (Role, bool),
    is_live: impl Fn() -> bool,
    outlet: &LocalOutlet,
    commands: &mut UnboundedReceiver<Command>,
) -> Following {
    let mut known = Known::default();
    loop {
        match attachment.relay(outlet, commands, &mut known).await {
            Relayed::Left => return Following::Left(attachment.part(&known).await),
            Relayed::Farewell(farewell) => {
                return Following::Ended { farewell, end_shown: known.end_shown };
            }
            Relayed::Refused(why) => return Following::Refused(why),
            Relayed::Lost => outlet.publish(Update::Reconnecting),
        }
        let lost = Instant::now();
        let mut pause = FIRST_PAUSE;
        attachment = loop {
            match Attachment::connect(run_file, role, stays).await {
                Ok(attachment) => break attachment,
                Err(AttachError::Refused(why)) => return Following::Refused(why),
                Err(_) if lost.elapsed() >= DEAD_AFTER && !is_live() => return Following::Died,
                Err(_) => {}
            }
            if refuse_for(pause, outlet, commands).await.is_none() {
                return Following::Left(None);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
    }
}

/// Refuses commands for a while; `None` where the front end has left.
async fn refuse_for(
    time: Duration,
    outlet: &LocalOutlet,
    commands: &mut UnboundedReceiver<Command>,
) -> Option<()> {
    let over = sleep(time);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return Some(()),
            command = commands.recv() => {
                let why = "the engine is not heard at the moment: try again".to_owned();
                let outcome = CommandOutcome::Refused { why };
                outlet.publish(Update::Applied { id: command?.id, outcome });
            }
        }
    }
}

/// What became of orders.
#[derive(Debug)]
pub struct Answers {
    /// Of the first orders, in their order.
    pub outcomes: Vec<CommandOutcome>,
    /// Why there is none of the others.
    pub broken_off: Option<AttachError>,
}

impl Attachment {
    /// Orders something without a screen.
    pub async fn ask(mut self, orders: Vec<Order>) -> Answers {
        let mut outcomes = Vec::with_capacity(orders.len());
        for (order, number) in orders.into_iter().zip(1..) {
            let command = Command { id: CommandId(number), order };
            let outcome = timeout(OUTCOME_WITHIN, self.outcome(command)).await;
            match outcome.unwrap_or(Err(AttachError::Silent)) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => return Answers { outcomes, broken_off: Some(error) },
            }
        }
        Answers { outcomes, broken_off: None }
    }

    async fn outcome(&mut self, command: Command) -> Result<CommandOutcome, AttachError> {
        let asked = command.id;
        self.say(FromFrontEnd::Ordered(command)).await?;
        loop {
            match self.from.next().await? {
                Some(FromEngine::Update(Update::Applied { id, outcome })) if id == asked => {
                    return Ok(outcome);
                }
                Some(FromEngine::Refused { why }) => return Err(AttachError::Refused(why)),
                Some(FromEngine::Farewell(_)) | None => return Err(AttachError::NotThere),
                Some(FromEngine::Update(_) | FromEngine::Welcome(_)) => {}
            }
        }
    }
}

/// What one look at a live run shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Looked {
    Snapshot(Box<Snapshot>),
    /// It has no socket, or does not want to be looked at.
    NotThere,
    /// Its engine takes the connection and says nothing: it hangs, or is stopped.
    Silent,
}

/// One look at a live run.
pub async fn look(run_file: &Path, within: Duration) -> Looked {
    let looking = async {
        let mut attachment = Attachment::connect(run_file, Role::Watch, false).await.ok()?;
        loop {
            match attachment.from.next().await.ok()?? {
                FromEngine::Update(Update::Snapshot(snapshot)) => return Some(snapshot),
                FromEngine::Update(_) | FromEngine::Welcome(_) => {}
                FromEngine::Refused { .. } | FromEngine::Farewell(_) => return None,
            }
        }
    };
    match timeout(within, looking).await {
        Ok(Some(snapshot)) => Looked::Snapshot(snapshot),
        Ok(None) => Looked::NotThere,
        Err(_) => Looked::Silent,
    }
}
