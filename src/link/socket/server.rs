//! The engine's end: a thread that lets front ends in and writes to each what it has not seen yet.

use super::{
    frames::{FrameError, Frames},
    place::{self, PlaceError},
};
use crate::{
    link::{
        hub::{Hub, Seat, hub},
        mailbox::{Mailbox, Taken},
    },
    protocol::{
        Command, CommandId, CommandOutcome, Delta, Farewell, FromEngine, FromFrontEnd, Incoming,
        Order, Outlet, Role, Update, Welcome,
        codec::{CodecError, LONGEST_FROM_FRONT_END, Message},
    },
};
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, mpsc::UnboundedReceiver, watch},
    task::JoinSet,
    time::timeout,
};

/// Front ends at once.
const MOST_CLIENTS: usize = 64;

/// A client has to say hello within this time.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// Commands of one client whose outcome it has not read yet. It is not listened to beyond.
const MOST_UNANSWERED: usize = 64;

/// Status changes that may wait for one client; beyond, it gets a snapshot.
const MOST_CHANGES: usize = 20_000;

/// How often it is looked whether the socket is still there: a user's runtime folder may be
/// cleared away when the last login ends.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long clients may take for the last words.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);

/// The id of the server's own orders.
const OWN_ID: CommandId = CommandId(0);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("the run's socket {path} cannot be made: {source}; --foreground needs none")]
    Bind { path: PathBuf, source: io::Error },
    #[error("the thread for dashboards cannot be started: {0}; --foreground needs none")]
    Thread(io::Error),
}

/// The server, as the engine's process holds it.
pub struct Server {
    hub: Hub,
    farewell: watch::Sender<Option<Farewell>>,
    joined: watch::Receiver<u64>,
    thread: thread::JoinHandle<()>,
}

/// What every client's task knows.
struct Shared {
    hub: Hub,
    run: String,
    joined: watch::Sender<u64>,
    farewell: watch::Receiver<Option<Farewell>>,
    frames: DeltaFrames,
}

impl Server {
    /// Makes the socket of a run file and lets front ends in from now on. The caller holds the
    /// run's lock, so a socket that is there already was left behind. The queue is for the engine.
    ///
    /// # Errors
    /// Where no socket can be made.
    pub fn start(
        run_file: &Path,
        run: &str,
    ) -> Result<(Self, UnboundedReceiver<Incoming>), ServeError> {
        let name = place::socket_name(run_file)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ServeError::Thread)?;
        let socket = {
            let _inside = runtime.enter();
            Socket::bind(&name)?
        };
        let (hub, incoming) = hub();
        let (farewell, told) = watch::channel(None);
        let (joined, joins) = watch::channel(0);
        let shared = Arc::new(Shared {
            hub: hub.clone(),
            run: run.to_owned(),
            joined,
            farewell: told,
            frames: DeltaFrames::default(),
        });
        let thread = thread::Builder::new()
            .name("front-ends".to_owned())
            .spawn(move || runtime.block_on(serve(name, socket, shared)))
            .map_err(ServeError::Thread)?;
        Ok((Self { hub, farewell, joined: joins, thread }, incoming))
    }

    /// Waits until a front end has joined, but no longer than this.
    pub async fn wait_for_front_end(&mut self, within: Duration) {
        let _ = timeout(within, self.joined.wait_for(|&joined| joined > 0)).await;
    }

    /// Orders something in nobody's name.
    pub fn order(&self, order: Order) {
        self.hub.order(Command { id: OWN_ID, order });
    }

    /// Another way to order.
    pub fn orders(&self) -> impl Fn(Order) + Send + 'static {
        let hub = self.hub.clone();
        move |order| hub.order(Command { id: OWN_ID, order })
    }

    /// Says the last words to all who are still there, and takes the socket away.
    pub fn end(self, farewell: Farewell) {
        self.farewell.send_replace(Some(farewell));
        // A thread that panicked has said why.
        let _ = self.thread.join();
    }
}

/// A socket in its place. It goes when this is dropped.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
    inode: (u64, u64),
}

impl Socket {
    /// Made under a name of its own, given its mode, and put into its place: nobody ever sees it
    /// with another mode, and one that was left there is replaced.
    fn bind(name: &str) -> Result<Self, ServeError> {
        let path = place::make_room(name)?;
        let failed = |source| ServeError::Bind { path: path.clone(), source };
        let fresh = path.with_extension(format!("{}", std::process::id()));
        let _ = fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh).map_err(failed)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))
            .and_then(|()| fs::rename(&fresh, &path))
            .map_err(failed)?;
        let found = fs::symlink_metadata(&path).map_err(failed)?;
        Ok(Self { listener, inode: (found.dev(), found.ino()), path })
    }

    fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|it| (it.dev(), it.ino()) == self.inode)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

async fn serve(name: String, mut socket: Socket, shared: Arc<Shared>) {
    let mut clients = JoinSet::new();
    let mut farewell = shared.farewell.clone();
    let mut look = tokio::time::interval(LOOK_EVERY);
    if let Some(folder) = socket.path.parent() {
        place::sweep(folder).await;
    }
    loop {
        tokio::select! {
            accepted = socket.listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let crowded = clients.len() >= MOST_CLIENTS;
                    clients.spawn(receive(stream, Arc::clone(&shared), crowded));
                }
                Err(error) => {
                    // As where no more files can be opened: the next one may fare better.
                    tracing::warn!("a dashboard could not join: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = clients.join_next() => {}
            _ = look.tick() => {
                if !socket.is_there() {
                    match Socket::bind(&name) {
                        Ok(fresh) => {
                            tracing::info!("the socket was gone; it is at {} now", fresh.path.display());
                            socket = fresh;
                        }
                        Err(error) => tracing::debug!("the socket is gone: {error}"),
                    }
                }
            }
            _ = farewell.wait_for(Option::is_some) => break,
        }
    }
    // Whoever comes from now on finds the run file closed.
    drop(socket);
    let _ = timeout(FAREWELL_WITHIN, async { while clients.join_next().await.is_some() {} }).await;
}

/// One client, from its hello to its end.
async fn receive(stream: UnixStream, shared: Arc<Shared>, crowded: bool) {
    let stranger = match stream.peer_cred() {
        Ok(peer) if peer.uid() == place::own_uid() => None,
        Ok(peer) => Some(format!("this run belongs to another user than {}", peer.uid())),
        Err(error) => Some(format!("it cannot be told who you are: {error}")),
    };
    let (from, mut to) = stream.into_split();
    let mut from: Incomings = Frames::new(BufReader::new(from), LONGEST_FROM_FRONT_END);
    let refusal = match stranger {
        Some(why) => Err(why),
        None => greet(&mut from, crowded).await,
    };
    let (role, stays) = match refusal {
        Ok(Some(hello)) => hello,
        Ok(None) => return,
        Err(why) => {
            tracing::warn!("refused a dashboard: {why}");
            let _ = write(&mut to, FromEngine::Refused { why }).await;
            return;
        }
    };
    if write(&mut to, FromEngine::Welcome(Welcome::new(&shared.run))).await.is_err() {
        return;
    }
    let mailbox = Arc::new(Mailbox::new(MOST_CHANGES));
    let seat = shared.hub.join(Box::new(SocketOutlet(Arc::clone(&mailbox))), stays);
    shared.joined.send_modify(|joined| *joined += 1);
    let client = Client {
        role,
        seat: Mutex::new(Some(seat)),
        mailbox,
        unanswered: Semaphore::new(MOST_UNANSWERED),
        looks: Mutex::new(OWN_ID),
        parting: OnceLock::new(),
    };
    tokio::select! {
        () = client.tell(&mut to, &shared) => {}
        () = client.listen(&mut from) => {}
    }
    client.mailbox.abandon();
}

type Incomings = Frames<BufReader<OwnedReadHalf>, FromFrontEnd>;

/// Reads the hello; `None` where the client has left without a word. The error says why it is not
/// let in.
async fn greet(from: &mut Incomings, crowded: bool) -> Result<Option<(Role, bool)>, String> {
    match timeout(HELLO_WITHIN, from.next()).await {
        Err(_) => Err(format!("no hello came within {} s", HELLO_WITHIN.as_secs())),
        Ok(Err(FrameError::Io(_)) | Ok(None)) => Ok(None),
        Ok(Err(FrameError::Codec(error))) => Err(error.to_string()),
        Ok(Ok(Some(FromFrontEnd::Ordered(_) | FromFrontEnd::Leaving))) => {
            Err("an order came before the hello: use the voxpop that started the run".to_owned())
        }
        Ok(Ok(Some(FromFrontEnd::Hello(hello)))) => match hello.misfit() {
            Some(why) => Err(why),
            None if crowded => {
                Err(format!("{MOST_CLIENTS} dashboards are attached already: close one"))
            }
            None => Ok(Some((hello.role, hello.stays && hello.role == Role::Control))),
        },
    }
}

/// Whether a role may order this.
const fn may(role: Role, order: &Order) -> bool {
    match role {
        Role::Control => true,
        Role::Watch => matches!(order, Order::Inspect { .. } | Order::SendSnapshot),
    }
}

/// A client that is let in.
struct Client {
    role: Role,
    /// Empty once the client has left. The engine then drops the outlet, which closes the mailbox,
    /// which ends the writing.
    seat: Mutex<Option<Seat>>,
    mailbox: Arc<Mailbox>,
    /// Outcomes that may still be on their way.
    unanswered: Semaphore,
    /// The last command that asks for a persona or a talk.
    looks: Mutex<CommandId>,
    /// Set by whoever reads, for whoever writes.
    parting: OnceLock<Parting>,
}

/// How a client's end of the talk ended.
enum Parting {
    Gone,
    /// It said that it leaves, and waits for the last words.
    Leaving,
    Refused(String),
}

impl Client {
    /// Takes in what the client says. It never ends: the connection does with the writing.
    async fn listen(&self, from: &mut Incomings) {
        let parting = self.take_orders(from).await;
        if let Parting::Refused(why) = &parting {
            tracing::warn!("refused a dashboard: {why}");
            self.mailbox.abandon();
        }
        let _ = self.parting.set(parting);
        self.seat.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::future::pending().await
    }

    async fn take_orders(&self, from: &mut Incomings) -> Parting {
        loop {
            let command = match from.next().await {
                Ok(Some(FromFrontEnd::Ordered(command))) => command,
                Ok(Some(FromFrontEnd::Leaving)) => return Parting::Leaving,
                Ok(Some(FromFrontEnd::Hello(_))) => {
                    return Parting::Refused("it said hello twice".to_owned());
                }
                Ok(None) | Err(FrameError::Io(_)) => return Parting::Gone,
                Err(FrameError::Codec(error)) => return Parting::Refused(error.to_string()),
            };
            // The writer gives it back with the outcome.
            let Ok(permit) = self.unanswered.acquire().await else { return Parting::Gone };
            permit.forget();
            if let Order::Inspect { .. } | Order::OpenTalk { .. } | Order::Say { .. } =
                &command.order
            {
                *self.looks.lock().unwrap_or_else(PoisonError::into_inner) = command.id;
            }
            if may(self.role, &command.order) {
                self.order(command);
            } else {
                let why = "this dashboard only looks (--read-only): attach without it to steer";
                let outcome = CommandOutcome::Refused { why: why.to_owned() };
                self.mailbox.put(Update::Applied { id: command.id, outcome });
            }
        }
    }

    fn order(&self, command: Command) {
        if let Some(seat) = &*self.seat.lock().unwrap_or_else(PoisonError::into_inner) {
            seat.order(command);
        }
    }

    /// What the client is told in the place of a persona or a talk that it would not take: the rest
    /// of the run is still worth looking at.
    fn refuse_look(&self, error: &CodecError) -> io::Result<Vec<u8>> {
        tracing::warn!("a dashboard cannot be shown what it asked for: {error}");
        let id = *self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let why = format!("too much to show: {error}; `voxpop export` has all of it");
        let outcome = CommandOutcome::Refused { why };
        frame(FromEngine::Update(Update::Applied { id, outcome }))
    }

    /// Writes what comes, until the engine or the client has gone, and then the last words.
    async fn tell(&self, to: &mut OwnedWriteHalf, shared: &Shared) {
        while let Some(taken) = self.mailbox.take().await {
            let update = match taken {
                Taken::Gap => {
                    self.order(Command { id: OWN_ID, order: Order::SendSnapshot });
                    continue;
                }
                Taken::Delta(delta) => {
                    let Ok(frame) = shared.frames.of(&delta) else { return };
                    if to.write_all(&frame).await.is_err() {
                        return;
                    }
                    continue;
                }
                Taken::Update(update) => update,
            };
            if let Update::Applied { id, .. } = &update {
                if *id == OWN_ID {
                    continue;
                }
                self.unanswered.add_permits(1);
            }
            let is_look = matches!(&update, Update::Detail(_) | Update::Talk(_));
            let frame = match FromEngine::Update(update).encode() {
                Err(error @ CodecError::TooLong { .. }) if is_look => self.refuse_look(&error),
                encoded => checked(encoded),
            };
            let Ok(frame) = frame else { return };
            if to.write_all(&frame).await.is_err() {
                return;
            }
        }
        match self.parting.get() {
            Some(Parting::Gone) => return,
            Some(Parting::Refused(why)) => {
                let _ = write(to, FromEngine::Refused { why: why.clone() }).await;
                return;
            }
            // Where others stay, the engine goes on for them: nobody waits for that.
            Some(Parting::Leaving) if shared.hub.anyone_stays() => return,
            Some(Parting::Leaving) | None => {}
        }
        let mut farewell = shared.farewell.clone();
        let last = match farewell.wait_for(Option::is_some).await {
            Ok(last) => last.clone(),
            Err(_) => None,
        };
        if let Some(last) = last {
            let _ = write(to, FromEngine::Farewell(last)).await;
        }
    }
}

async fn write(to: &mut OwnedWriteHalf, message: FromEngine) -> io::Result<()> {
    to.write_all(&frame(message)?).await
}

fn frame(message: FromEngine) -> io::Result<Vec<u8>> {
    checked(message.encode())
}

fn checked(encoded: Result<Vec<u8>, CodecError>) -> io::Result<Vec<u8>> {
    encoded.map_err(|error| {
        tracing::error!("a dashboard cannot be told something: {error}");
        io::Error::other(error)
    })
}

/// The last delta as a frame: those who read at once all get the same one.
#[derive(Default)]
struct DeltaFrames(Mutex<Option<DeltaFrame>>);

struct DeltaFrame {
    of: Arc<Delta>,
    bytes: Arc<[u8]>,
}

impl DeltaFrames {
    fn of(&self, delta: &Arc<Delta>) -> io::Result<Arc<[u8]>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(frame) = &*last
            && Arc::ptr_eq(&frame.of, delta)
        {
            return Ok(Arc::clone(&frame.bytes));
        }
        let update = Update::Delta(Box::new(Delta::clone(delta)));
        let bytes: Arc<[u8]> = frame(FromEngine::Update(update))?.into();
        *last = Some(DeltaFrame { of: Arc::clone(delta), bytes: Arc::clone(&bytes) });
        Ok(bytes)
    }
}

/// The engine's side of a client's mailbox.
struct SocketOutlet(Arc<Mailbox>);

impl Outlet for SocketOutlet {
    fn publish(&self, update: Update) {
        self.0.put(update);
    }

    fn publish_shared(&self, delta: &Arc<Delta>) {
        self.0.put_shared(delta);
    }
}

impl Drop for SocketOutlet {
    fn drop(&mut self) {
        self.0.close();
    }
}
