use super::{frames::Frames, place, *};
use crate::{
    link,
    model::{InterviewStatus as S, PersonaIndex, RunPhase, UnixMillis},
    protocol::{
        Command, CommandOutcome, Conversation, Delta, Farewell, FromEngine, FromFrontEnd, Incoming,
        Meters, Order, Outlet, PROTOCOL_VERSION, Role, RunHeader, Snapshot, StatusChange, Statuses,
        Update, Welcome,
        codec::{LONGEST_FROM_FRONT_END, Message},
    },
};
use std::{fs, path::PathBuf};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
};

/// A file that has an identity, as a run file does.
fn run_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.voxpop");
    fs::write(&file, "").unwrap();
    (folder, file)
}

fn snapshot(total: usize) -> Update {
    Update::Snapshot(Box::new(Snapshot {
        version: PROTOCOL_VERSION,
        header: RunHeader {
            run: "a".into(),
            run_file: "/a.voxpop".into(),
            survey: "a".into(),
            question: "Should it?".into(),
            support: "Support".into(),
            pack: 1,
            started_at: UnixMillis(0),
            live: true,
        },
        phase: RunPhase::Running,
        statuses: Statuses(vec![S::Queued; total]),
        meters: Meters::default(),
        history: Vec::new(),
        log: Vec::new(),
        changes: Vec::new(),
        summary: None,
        analysis: None,
    }))
}

fn delta(range: std::ops::Range<u32>, status: S) -> Update {
    let change = |n| StatusChange { persona: PersonaIndex(n), status };
    Update::Delta(Box::new(Delta {
        phase: RunPhase::Running,
        statuses: range.map(change).collect(),
        meters: Meters::default(),
        history: Vec::new(),
        log: Vec::new(),
        changes: Vec::new(),
        summary: None,
        analysis: None,
    }))
}

/// The next front end that joins.
async fn joined(
    incoming: &mut tokio::sync::mpsc::UnboundedReceiver<Incoming>,
) -> (crate::protocol::FrontEndId, Box<dyn Outlet>) {
    loop {
        if let Incoming::Joined { from, outlet, .. } = incoming.recv().await.unwrap() {
            return (from, outlet);
        }
    }
}

async fn ordered(incoming: &mut tokio::sync::mpsc::UnboundedReceiver<Incoming>) -> Command {
    loop {
        if let Incoming::Ordered { command, .. } = incoming.recv().await.unwrap() {
            return command;
        }
    }
}

#[tokio::test]
async fn a_front_end_far_away_sees_and_orders_as_one_that_is_near() {
    let (_folder, file) = run_file();
    let (server, mut incoming) = Server::start(&file, "a").unwrap();
    let attachment = Attachment::connect(&file, Role::Control, true).await.unwrap();
    let (near, outlet, mut commands) = link::local();
    let followed = tokio::spawn({
        let file = file.clone();
        async move {
            let role = (Role::Control, true);
            follow(attachment, &file, role, || true, &outlet, &mut commands).await
        }
    });
    let (_, engine) = joined(&mut incoming).await;
    let told = [snapshot(10), delta(2..5, S::Done)];
    for update in told {
        engine.publish(update.clone());
        assert_eq!(near.next().await, Some(update));
    }
    let id = near.send(Order::Pause);
    assert_eq!(ordered(&mut incoming).await, Command { id, order: Order::Pause });
    let applied =
        Update::Applied { id, outcome: CommandOutcome::Applied { what: "paused".to_owned() } };
    engine.publish(applied.clone());
    assert_eq!(near.next().await, Some(applied));

    drop(engine);
    let farewell = Farewell::Failed { why: "the disk is full".to_owned() };
    let end = farewell.clone();
    tokio::task::spawn_blocking(move || server.end(end)).await.unwrap();
    assert_eq!(near.next().await, None);
    assert!(
        matches!(followed.await.unwrap(), Following::Ended { farewell: f, .. } if f == farewell)
    );
    let gone = Attachment::connect(&file, Role::Watch, false).await;
    assert!(matches!(gone, Err(AttachError::NotThere)));
}

#[tokio::test]
async fn who_reads_nothing_for_long_gets_a_snapshot_and_holds_up_nobody() {
    let (_folder, file) = run_file();
    let (_server, mut incoming) = Server::start(&file, "a").unwrap();
    let name = place::socket_name(&file).unwrap();
    let path = place::candidates(&name).into_iter().find(|path| path.exists()).unwrap();
    let mut stream = UnixStream::connect(path).await.unwrap();
    let hello = crate::protocol::Hello::new(Role::Control, true);
    stream.write_all(&FromFrontEnd::Hello(hello).encode().unwrap()).await.unwrap();
    let (_, engine) = joined(&mut incoming).await;
    engine.publish(snapshot(1_000_000));
    // More than any buffer on the way takes, and nothing is read: this would never end.
    for round in 0..40 {
        let status = if round % 2 == 0 { S::InFlight } else { S::Done };
        for start in (0..100_000).step_by(10_000) {
            engine.publish(delta(start..start + 10_000, status));
        }
    }
    // Once it reads again, the gap is found and a snapshot asked for.
    let mut frames = Frames::<_, FromEngine>::new(stream, codec_limit());
    let reading = tokio::spawn(async move {
        while let Some(message) = frames.next().await.unwrap() {
            if let FromEngine::Update(Update::Snapshot(snapshot)) = message
                && snapshot.statuses.0.len() == 7
            {
                return;
            }
        }
        panic!("the second snapshot never comes");
    });
    assert_eq!(ordered(&mut incoming).await.order, Order::SendSnapshot);
    engine.publish(snapshot(7));
    reading.await.unwrap();
}

#[tokio::test]
async fn what_is_too_long_to_be_told_is_refused_and_the_line_holds() {
    let (_folder, file) = run_file();
    let (_server, mut incoming) = Server::start(&file, "a").unwrap();
    let attachment = Attachment::connect(&file, Role::Control, true).await.unwrap();
    let (near, outlet, mut commands) = link::local();
    let at = file.clone();
    tokio::spawn(async move {
        let role = (Role::Control, true);
        follow(attachment, &at, role, || true, &outlet, &mut commands).await
    });
    let (_, engine) = joined(&mut incoming).await;
    let persona = PersonaIndex(3);
    let id = near.send(Order::OpenTalk { persona });
    ordered(&mut incoming).await;
    engine.publish(Update::Talk(Box::new(Conversation {
        persona,
        id: "x".repeat(codec_limit()),
        turns: Vec::new(),
        thinking_since: None,
        closed: None,
    })));
    let Some(Update::Applied { id: refused, outcome: CommandOutcome::Refused { why } }) =
        near.next().await
    else {
        panic!("it is refused")
    };
    assert_eq!(refused, id);
    assert!(why.contains("over the limit"), "{why}");
    engine.publish(snapshot(4));
    assert_eq!(near.next().await, Some(snapshot(4)));
}

const fn codec_limit() -> usize {
    crate::protocol::codec::LONGEST_FROM_ENGINE
}

#[tokio::test]
async fn a_lost_engine_is_looked_for_until_it_is_back() {
    let (_folder, file) = run_file();
    let name = place::socket_name(&file).unwrap();
    let path = place::make_room(&name).unwrap();
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    // An engine that says something and drops the line, twice.
    let engine = tokio::spawn(async move {
        for total in [1, 2] {
            let (stream, _) = listener.accept().await.unwrap();
            let mut frames = Frames::<_, FromFrontEnd>::new(stream, LONGEST_FROM_FRONT_END);
            assert!(matches!(frames.next().await.unwrap(), Some(FromFrontEnd::Hello(_))));
            let mut stream = frames.into_inner();
            for message in
                [FromEngine::Welcome(Welcome::new("a")), FromEngine::Update(snapshot(total))]
            {
                stream.write_all(&message.encode().unwrap()).await.unwrap();
            }
        }
        fs::remove_file(path).unwrap();
    });
    let attachment = Attachment::connect(&file, Role::Control, true).await.unwrap();
    let (near, outlet, mut commands) = link::local();
    let followed = tokio::spawn(async move {
        let role = (Role::Control, true);
        follow(attachment, &file, role, || false, &outlet, &mut commands).await
    });
    let mut seen = Vec::new();
    while let Some(update) = near.next().await {
        seen.push(update);
    }
    engine.await.unwrap();
    // A snapshot that comes at once takes the place of what was said before it.
    assert_eq!(seen.first(), Some(&snapshot(1)));
    assert!(seen.contains(&snapshot(2)), "{seen:?}");
    assert_eq!(seen.last(), Some(&Update::Reconnecting));
    assert!(matches!(followed.await.unwrap(), Following::Died));
}
