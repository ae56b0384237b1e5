//! A run that is over, played again from what is on record of it: the same dashboard over the same
//! protocol, at any speed.
//!
//! ```text
//! run file --thread: Recorded, in the order of time--> Script --Happening--> Picture --> outlet
//!                                                         ^
//!                                         Clock: the run's time from the time of who watches
//! ```
//!
//! `clock` and `picture` are pure; this file is the loop. Bodies and answers are not read, but for
//! the persona that is looked at.

mod clock;
mod picture;
mod script;

use super::{detail::detail, distribution, reading::PersonaRecord, viewer::ViewError};
use crate::{
    model::{PersonaIndex, RunPhase, Speed},
    prompt::Prompts,
    protocol::{
        Command, CommandOutcome, Distribution, Order, Outlet, Replay, ReplayState, RunHeader,
        Snapshot, Update,
    },
    store::RunReader,
};
use clock::Clock;
use picture::Picture;
use script::{Next, Script};
use std::time::Duration;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, MissedTickBehavior, interval},
};

/// As often as a live run is published.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// How many things happen at most before commands are looked at again.
const MOST_AT_ONCE: usize = 20_000;

/// Nobody has watched for longer between two looks at the clock: the process was stopped.
const MOST_WATCHED: Duration = Duration::from_secs(1);

/// How long it is shown that something was left out.
const LEFT_OUT_SHOWS: Duration = Duration::from_secs(5);

/// Plays a run until its front end has gone.
///
/// # Errors
/// Where the run file cannot be read.
pub async fn replay(
    header: RunHeader,
    reader: RunReader,
    outlet: &dyn Outlet,
    commands: &mut UnboundedReceiver<Command>,
    speed: Speed,
) -> Result<(), ViewError> {
    let info = reader.run()?;
    let script = Script::of(&reader)?;
    let (count, mut counted) = unbounded_channel();
    let grid = info.survey.grid.clone();
    let tell = move |distribution| drop(count.send(distribution));
    distribution::count_apart(reader.path(), grid, tell)?;
    let start = script.start().unwrap_or(info.created_at);
    // Somebody orders here, even if it is only the speed.
    let header = RunHeader { live: true, started_at: start, ..header };
    let mut player = Player {
        prompts: Prompts::compile(&info.survey)?,
        picture: Picture::new(&info.name, &info.settings, reader.total(), start),
        clock: Clock::new(start, speed),
        header,
        script,
        reader,
        watched_until: Instant::now(),
        left_out: None,
        distribution: None,
        over: false,
        stale: false,
    };
    outlet.publish(Update::Snapshot(Box::new(player.snapshot())));
    let mut ticks = interval(PUBLISH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! { biased;
            command = commands.recv() => match command {
                Some(Command { order: Order::FinishAndStop | Order::StopNow, .. }) | None => {
                    return Ok(());
                }
                Some(command) => player.carry_out(command, outlet),
            },
            _ = ticks.tick() => {
                player.play(Instant::now())?;
                player.publish(outlet);
            }
            Some(distribution) = counted.recv() => player.counted(distribution),
            read = player.script.read(), if player.script.wants_more() => {
                read?;
                player.play(Instant::now())?;
            }
        }
    }
}

struct Player {
    header: RunHeader,
    reader: RunReader,
    prompts: Prompts,
    script: Script,
    clock: Clock,
    picture: Picture,
    /// Up to when who watches was shown something.
    watched_until: Instant,
    left_out: Option<(Duration, Instant)>,
    /// How the answers on file are spread, until that is shown.
    distribution: Option<Distribution>,
    over: bool,
    /// Something changed since the last delta.
    stale: bool,
}

impl Player {
    /// Lets happen what has come due.
    fn play(&mut self, now: Instant) -> Result<(), ViewError> {
        let watched = now.saturating_duration_since(self.watched_until).min(MOST_WATCHED);
        self.watched_until = now;
        if self.over || self.clock.paused() {
            return Ok(());
        }
        self.stale = true;
        match self.script.next() {
            Next::At(next) => {
                if let Some(left_out) = self.clock.pass(watched, next) {
                    self.picture.left_out(left_out, self.clock.now());
                    self.left_out = Some((left_out, now));
                }
            }
            // Who reads is slower than who watches.
            Next::NotRead => return Ok(()),
            Next::End => {}
        }
        for _ in 0..MOST_AT_ONCE {
            match self.script.next() {
                Next::At(at) if at <= self.clock.now() => {
                    self.picture.pass(at);
                    if let Some(happening) = self.script.take() {
                        self.picture.take(at, happening);
                    }
                    self.clock.happened();
                }
                Next::At(_) => {
                    self.picture.pass(self.clock.now());
                    return Ok(());
                }
                Next::NotRead => break,
                Next::End => return self.end(),
            }
        }
        self.clock.hold(self.picture.at());
        Ok(())
    }

    /// What is on record is how it ended, whatever could not be seen of the way there.
    fn end(&mut self) -> Result<(), ViewError> {
        let info = self.reader.run()?;
        let phase = info.phase.unwrap_or(RunPhase::Finished);
        self.clock.hold(self.picture.at());
        let analysis = self.reader.analysis()?.map(Box::new);
        self.picture.end(&self.reader.statuses()?, phase, info.summary, analysis);
        self.over = true;
        self.left_out = None;
        if let Some(distribution) = self.distribution.take() {
            self.counted(distribution);
        }
        Ok(())
    }

    /// The answers on file are counted. How they were spread on the way there is not on record.
    fn counted(&mut self, distribution: Distribution) {
        if self.over {
            self.picture.spread(distribution);
            self.stale = true;
        } else {
            self.distribution = Some(distribution);
        }
    }

    fn state(&self) -> Replay {
        Replay {
            at: self.clock.now(),
            speed: self.clock.speed(),
            state: match (self.over, self.clock.paused()) {
                (true, _) => ReplayState::Over,
                (false, true) => ReplayState::Paused,
                (false, false) => ReplayState::Playing,
            },
            left_out: self.left_out.map(|(left_out, _)| left_out),
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        let state = self.state();
        self.picture.snapshot(&self.header, state)
    }

    fn publish(&mut self, outlet: &dyn Outlet) {
        let now = Instant::now();
        self.left_out = self.left_out.filter(|(_, at)| now - *at < LEFT_OUT_SHOWS);
        if std::mem::take(&mut self.stale) {
            let state = self.state();
            outlet.publish(Update::Delta(Box::new(self.picture.delta(state))));
        }
    }

    fn carry_out(&mut self, Command { id, order }: Command, outlet: &dyn Outlet) {
        let outcome = match order {
            Order::Inspect { persona } => self.show(persona, outlet),
            Order::SendSnapshot => {
                let snapshot = self.snapshot();
                outlet.publish(Update::Snapshot(Box::new(snapshot)));
                Ok("sent again".to_owned())
            }
            Order::Pause | Order::Resume | Order::ChangeSpeed { .. } if self.over => {
                Err("the replay is over".to_owned())
            }
            Order::Pause => {
                self.clock.pause(true);
                Ok("the replay is paused".to_owned())
            }
            Order::Resume => {
                self.clock.pause(false);
                Ok("the replay goes on".to_owned())
            }
            Order::ChangeSpeed { faster } => {
                let speed = self.clock.speed();
                let speed = if faster { speed.faster() } else { speed.slower() };
                self.clock.set_speed(speed);
                Ok(format!("replayed at {speed}"))
            }
            Order::SetLimit { .. }
            | Order::SetAdaptation { .. }
            | Order::RetryFailed
            | Order::FinishAndStop
            | Order::StopNow
            | Order::SetBatch { .. }
            | Order::CancelBatches
            | Order::OpenTalk { .. }
            | Order::Say { .. }
            | Order::CloseTalk { .. } => Err("a replay changes nothing of the run".to_owned()),
        };
        self.stale = true;
        let outcome = match outcome {
            Ok(what) => CommandOutcome::Applied { what },
            Err(why) => CommandOutcome::Refused { why },
        };
        outlet.publish(Update::Applied { id, outcome });
        self.publish(outlet);
    }

    /// One persona, as far as it had come by then.
    fn show(&self, persona: PersonaIndex, outlet: &dyn Outlet) -> Result<String, String> {
        let record = PersonaRecord::read(&self.reader, persona).map_err(|e| e.to_string())?;
        let mut record = record.ok_or_else(|| format!("there is no persona {persona}"))?;
        let now = self.clock.now();
        record.attempts.retain(|attempt| script::came_at(attempt) <= now);
        let status = self.picture.status(persona);
        let detail = detail(record, status, None, &self.prompts);
        outlet.publish(Update::Detail(Box::new(detail)));
        Ok("looked up".to_owned())
    }
}
