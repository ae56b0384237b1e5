//! A front end's end: the same [`FrontEndLink`](crate::link::FrontEndLink) as within one process,
//! fed from a socket.

use super::{
    frames::{FrameError, Frames},
    place,
};
use crate::{
    link::LocalOutlet,
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
    #[error("the engine did not answer within {} s", WELCOME_WITHIN.as_secs())]
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
    /// Carries updates to the front end and commands to the engine until one of them goes.
    async fn relay(
        &mut self,
        outlet: &LocalOutlet,
        commands: &mut UnboundedReceiver<Command>,
    ) -> Relayed {
        let Self { from, to } = self;
        let reading = async {
            loop {
                match from.next().await {
                    Ok(Some(FromEngine::Update(update))) => outlet.publish(update),
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

    /// Leaves a run that is over, and waits for the engine to close the run file, unless it goes
    /// on for others.
    async fn part(mut self) -> Option<Farewell> {
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
        timeout(FAREWELL_WITHIN, last).await.ok().flatten()
    }
}

/// How following a run ended.
#[derive(Debug)]
pub enum Following {
    /// The front end has left; the engine's last words, where it ended then.
    Left(Option<Farewell>),
    /// The engine has ended.
    Ended(Farewell),
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
    loop {
        match attachment.relay(outlet, commands).await {
            Relayed::Left => return Following::Left(attachment.part().await),
            Relayed::Farewell(farewell) => return Following::Ended(farewell),
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

/// Orders something without a screen, and gives back what became of each order.
///
/// # Errors
/// Where the engine cannot be reached, or goes before it has answered.
pub async fn ask(run_file: &Path, orders: Vec<Order>) -> Result<Vec<CommandOutcome>, AttachError> {
    let mut attachment = Attachment::connect(run_file, Role::Control, false).await?;
    let mut outcomes = Vec::with_capacity(orders.len());
    for (order, number) in orders.into_iter().zip(1..) {
        let asked = CommandId(number);
        attachment.say(FromFrontEnd::Ordered(Command { id: asked, order })).await?;
        loop {
            match attachment.from.next().await? {
                Some(FromEngine::Update(Update::Applied { id, outcome })) if id == asked => {
                    outcomes.push(outcome);
                    break;
                }
                Some(FromEngine::Refused { why }) => return Err(AttachError::Refused(why)),
                Some(FromEngine::Farewell(_)) | None => return Err(AttachError::NotThere),
                Some(FromEngine::Update(_) | FromEngine::Welcome(_)) => {}
            }
        }
    }
    Ok(outcomes)
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
