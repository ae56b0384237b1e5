//! A front end without a screen: it counts the bytes that come, and keeps the statuses.

use crate::place::Place;
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};
use voxpop::{
    model::InterviewStatus,
    protocol::{
        FromEngine, FromFrontEnd, Hello, Role, Update,
        codec::{HEADER, LONGEST_FROM_ENGINE, Lengths, Message},
    },
};

/// The front end.
pub struct Watcher {
    stream: UnixStream,
    pub statuses: Vec<InterviewStatus>,
    /// The whole frame of the snapshot.
    pub snapshot_bytes: usize,
    /// From connecting until the snapshot was here as a whole.
    pub snapshot_took: Duration,
}

impl Watcher {
    /// Joins a run, and takes in the snapshot.
    pub fn join(place: &Place, run: &str) -> Self {
        let path = place.socket(run);
        let started = Instant::now();
        let mut stream = loop {
            match UnixStream::connect(&path) {
                Ok(stream) => break stream,
                Err(error) => {
                    assert!(started.elapsed() < Duration::from_secs(10), "{error}");
                    thread::sleep(Duration::from_millis(1));
                }
            }
        };
        let hello = FromFrontEnd::Hello(Hello::new(Role::Watch, false));
        stream.write_all(&hello.encode().expect("it is plain")).expect("the engine listens");
        let mut watcher =
            Self { stream, statuses: Vec::new(), snapshot_bytes: 0, snapshot_took: Duration::ZERO };
        while watcher.statuses.is_empty() {
            let (message, bytes) = watcher.next().expect("a snapshot comes first");
            watcher.snapshot_took = started.elapsed();
            watcher.snapshot_bytes = bytes;
            watcher.take(message);
        }
        watcher
    }

    /// Looks on until the engine is gone, and gives back what was shown last.
    pub fn look_on(mut self) -> Vec<InterviewStatus> {
        while let Some((message, _)) = self.next() {
            self.take(message);
        }
        self.statuses
    }

    fn next(&mut self) -> Option<(FromEngine, usize)> {
        let mut header = [0; HEADER];
        self.stream.read_exact(&mut header).ok()?;
        let lengths = Lengths::read(header, LONGEST_FROM_ENGINE).expect("an engine speaks");
        let mut frame = vec![0; lengths.whole()];
        self.stream.read_exact(&mut frame).ok()?;
        let (json, tail) = frame.split_at(lengths.json);
        let message = FromEngine::decode(json, tail).expect("an engine speaks");
        Some((message, HEADER + frame.len()))
    }

    fn take(&mut self, message: FromEngine) {
        match message {
            FromEngine::Update(Update::Snapshot(snapshot)) => self.statuses = snapshot.statuses.0,
            FromEngine::Update(Update::Delta(delta)) => {
                for change in delta.statuses {
                    self.statuses[change.persona.as_usize()] = change.status;
                }
            }
            _ => {}
        }
    }
}
