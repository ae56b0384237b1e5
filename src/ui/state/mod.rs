//! What the dashboard knows, and how it changes: a pure reducer.
//!
//! [`UiState::apply`] takes in one [`Input`] (a key's action, an update from the engine, the
//! clock, a signal) and says as [`Effect`]s what is to be done outside. Drawing reads the state
//! and changes nothing. `mirror` is the run, `grid` the view of its personas, `orders` what was
//! asked of the engine, `holders` who keeps a limit where it is, `inspection` the persona looked
//! at, `talk` what is said to it, `panels` what is in sight, `keys` what each action does and `tuning` what it orders.

mod grid;
mod holders;
mod inspection;
mod keys;
mod mirror;
mod orders;
mod panels;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod replay_tests;
mod talk;
#[cfg(test)]
mod talk_tests;
#[cfg(test)]
mod tests;
mod tuning;
#[cfg(test)]
mod tuning_tests;

pub use grid::{Cursor, Face, GridView, WORST_FIRST};
pub use inspection::Inspection;
pub use mirror::Mirror;
pub use orders::{Notice, Orders, Tone};
pub use panels::{Lower, Overlay, Panel};
pub use talk::Talk;

use super::{
    Attachment, Exit,
    action::Action,
    advice::Verdict,
    format,
    layout::{Needs, Places},
    legend,
};
use crate::{
    model::{
        EndpointIndex, FailureKind, PauseReason, PersonaIndex, RunPhase, UnixMillis, strip_controls,
    },
    protocol::{CommandId, Delta, Order, PROTOCOL_VERSION, Snapshot, Update},
};
use ratatui::layout::Size;
use std::{path::PathBuf, time::Duration};

/// How long an outcome is news, in milliseconds: for so long it has the place of what can wait.
const FRESH_MS: i64 = 8_000;

/// An engine that is not heard for so long is thought to hang.
const UNHEARD: Duration = Duration::from_secs(5);

/// How long the outcome of another command does not take the place of a refusal.
const REFUSAL_STANDS_MS: i64 = 1_000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A key with an action was pressed.
    Act(Action),
    /// A character was typed into the prompt.
    Typed(char),
    Update(Update),
    /// The link took an order that an effect asked for.
    Sent {
        id: CommandId,
        order: Order,
    },
    Resized(Size),
    Ticked(UnixMillis),
    /// The terminal window got or lost the focus.
    Focused(bool),
    /// SIGTERM or SIGINT.
    AskedToStop,
    /// The link is closed: nothing follows.
    EngineGone,
    /// A file was to be written: where it is, or why not.
    Written {
        copied: Copied,
        result: Result<PathBuf, String>,
    },
}

/// What became of a copy to the clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    NotAsked,
    /// Handed to the terminal, which does not say what it did with it.
    Yes,
    TooLarge,
}

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Send(Order),
    Leave(Exit),
    Suspend,
    Redraw,
    /// Write a text beside the run file, under this name, and copy it too where `copy` is set.
    Write {
        directory: PathBuf,
        name: String,
        text: String,
        copy: bool,
    },
    /// Call somebody who is looking elsewhere.
    Alarm(String),
}

/// The stop that was asked for from here: when the run has ended, the dashboard leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    No,
    Finishing,
    Now,
}

/// A held display: what came in since, and the moment that is shown.
#[derive(Clone, Debug)]
pub struct Frozen {
    pub at: UnixMillis,
    held: Option<Delta>,
}

/// Everything the dashboard knows.
#[derive(Clone, Debug)]
pub struct UiState {
    /// `None` until the first snapshot.
    pub run: Option<Mirror>,
    pub size: Size,
    pub places: Places,
    pub grid: GridView,
    pub focus: Panel,
    /// The panel that a middle-sized screen shows while the grid has the focus.
    pub behind: Panel,
    pub overlay: Overlay,
    pub inspector_open: bool,
    pub inspection: Option<Inspection>,
    /// Set while [`Overlay::Talk`] is open.
    pub talk: Option<Talk>,
    pub orders: Orders,
    pub notice: Option<Notice>,
    pub frozen: Option<Frozen>,
    pub verdict: Verdict,
    pub error_selected: Option<FailureKind>,
    /// The line of the endpoints that the keys are on.
    pub endpoint_selected: usize,
    /// The endpoint that the tuning keys act on alone.
    pub only: Option<EndpointIndex>,
    /// Log lines between the last one and the last one shown.
    pub log_back: usize,
    pub stopping: Stopping,
    pub engine_gone: bool,
    /// Whether somebody looks, as far as the terminal has said.
    pub focused: Option<bool>,
    /// Whether somebody was called since nothing has come back.
    alarm_raised: bool,
    /// Whether somebody was called since the run has stood still.
    stands_still: bool,
    /// The engine is not heard, and is being looked for.
    pub reconnecting: bool,
    pub attachment: Attachment,
    keep_open: bool,
    now: UnixMillis,
}

/// When and how the dashboard is left.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    /// Stay after the end of the run.
    pub keep_open: bool,
    pub attachment: Attachment,
}

impl UiState {
    /// The state before an engine in this process has said anything. `keep_open`: stay after the
    /// end of the run.
    pub fn new(size: Size, now: UnixMillis, keep_open: bool) -> Self {
        Self::attached(size, now, Leaving { keep_open, attachment: Attachment::InProcess })
    }

    /// The state before an engine has said anything.
    pub fn attached(size: Size, now: UnixMillis, leaving: Leaving) -> Self {
        let Leaving { keep_open, attachment } = leaving;
        Self {
            run: None,
            size,
            places: Places::of(size, Needs::default()),
            grid: GridView::default(),
            focus: Panel::Grid,
            behind: Panel::Errors,
            overlay: Overlay::None,
            inspector_open: false,
            inspection: None,
            talk: None,
            orders: Orders::default(),
            notice: None,
            frozen: None,
            verdict: Verdict::default(),
            error_selected: None,
            endpoint_selected: 0,
            only: None,
            log_back: 0,
            stopping: Stopping::No,
            engine_gone: false,
            focused: None,
            alarm_raised: false,
            stands_still: false,
            reconnecting: false,
            attachment,
            keep_open,
            now,
        }
    }

    /// Takes in what happened.
    pub fn apply(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Act(action) => self.act(action, &mut effects),
            Input::Typed(c) => self.typed(c),
            Input::Update(update) => self.update(update, &mut effects),
            Input::Sent { id, order } => self.orders.sent(id, order),
            Input::Resized(size) => self.resize(size),
            Input::Ticked(now) => self.now = now,
            Input::Focused(focused) => self.focused = Some(focused),
            Input::AskedToStop => self.asked_to_stop(&mut effects),
            Input::EngineGone => {
                self.engine_gone = true;
                if !self.ended() {
                    effects.push(Effect::Leave(Exit::EngineGone));
                }
            }
            Input::Written { copied, result } => self.written(copied, result),
        }
        self.arrange();
        self.watch_run(&mut effects);
        self.watch_persona(&mut effects);
        effects
    }

    /// The moment that is shown: in a replay that of the run, and that of the freeze while the
    /// display is frozen.
    pub fn now(&self) -> UnixMillis {
        if let Some(replay) = self.run.as_ref().and_then(|run| run.meters.replay) {
            return replay.at;
        }
        self.frozen.as_ref().map_or(self.now, |frozen| frozen.at)
    }

    /// Whether the run is over.
    pub fn ended(&self) -> bool {
        self.run.as_ref().is_some_and(Mirror::ended)
    }

    /// Whether something on the screen changes with the clock alone.
    pub fn ticks(&self) -> bool {
        self.frozen.is_none()
            && (self.run.as_ref().is_some_and(Mirror::moving)
                || self.fresh_notice().is_some()
                || self.talk.as_ref().is_some_and(|talk| talk.thinking_since().is_some())
                || (!self.ended()
                    && !self.engine_gone
                    && self.inspection.as_ref().is_some_and(Inspection::ticks)))
    }

    /// For how long nothing has been heard of an engine in another process that has something to
    /// say every second.
    pub fn unheard(&self) -> Option<Duration> {
        let run = self.run.as_ref().filter(|run| run.moving() && self.frozen.is_none())?;
        let elsewhere = matches!(self.attachment, Attachment::Control | Attachment::ReadOnly);
        let unheard = self.now.since(run.received_at);
        (elsewhere && !self.reconnecting && unheard >= UNHEARD).then_some(unheard)
    }

    /// What became of a command a moment ago.
    pub fn fresh_notice(&self) -> Option<&Notice> {
        self.notice.as_ref().filter(|notice| self.now.0 - notice.at.0 < FRESH_MS)
    }

    /// The persona that is to be looked at: that of the cursor, where a panel shows it.
    fn watched(&self) -> Option<PersonaIndex> {
        let cursor = self.grid.cursor.filter(|cursor| cursor.exact)?;
        let shown = self.inspector_open || (self.lower() == Lower::Persona);
        shown.then_some(cursor.persona)
    }

    /// Judges what holds the run back, and calls somebody once when nothing comes back, or the run
    /// stands still until somebody has mended something.
    fn watch_run(&mut self, effects: &mut Vec<Effect>) {
        // A replay is past: there is nothing to advise, and nobody to be called.
        let present = self.frozen.is_none() && self.attachment != Attachment::Replay;
        let Some(run) = self.run.as_ref().filter(|_| present) else { return };
        let situation = run.situation(self.now);
        self.verdict.observe((!run.ended()).then_some(situation), self.now);
        let alarm = situation.alarm().filter(|_| !run.ended());
        if let Some(alarm) = alarm.filter(|_| !self.alarm_raised) {
            let words = alarm.words(self.now, None);
            effects.push(Effect::Alarm(format!("voxpop: {}: {words}", run.header.run)));
        }
        self.alarm_raised = alarm.is_some();
        let why = to_be_mended(&run.phase);
        if let Some(why) = why.filter(|_| !self.stands_still) {
            let words = strip_controls(&format!("voxpop: {} is paused: {why}", run.header.run));
            effects.push(Effect::Alarm(words));
        }
        self.stands_still = why.is_some();
    }

    fn watch_persona(&mut self, effects: &mut Vec<Effect>) {
        let Some(persona) = self.watched() else {
            self.inspection = None;
            return;
        };
        let Some(status) = self.run.as_ref().and_then(|run| run.status(persona)) else { return };
        let now = self.now;
        let ask = match &mut self.inspection {
            Some(inspection) if inspection.persona == persona => inspection.ask_again(status, now),
            other => {
                *other = Some(Inspection::new(persona, status, now));
                true
            }
        };
        if let Some(inspection) = &self.inspection
            && ask
            && !self.engine_gone
        {
            effects.push(Effect::Send(inspection.order()));
        }
    }

    fn fit_grid(&mut self) {
        if let Some(run) = &self.run {
            self.grid.fit(&run.statuses, legend::cells(self.places.grid, run.total()));
        }
    }

    fn update(&mut self, update: Update, effects: &mut Vec<Effect>) {
        match update {
            Update::Snapshot(snapshot) => self.snapshot(*snapshot, effects),
            Update::Delta(delta) => self.delta(*delta, effects),
            Update::Detail(detail) => {
                if let Some(inspection) = &mut self.inspection {
                    inspection.answered(*detail);
                }
                self.clamp_scroll();
            }
            Update::Talk(talk) => self.talked(*talk),
            Update::Applied { id, outcome } => {
                let (order, notice) = self.orders.answered(id, outcome, self.now);
                if let (Some(order), Some(notice)) = (&order, &notice) {
                    self.talk_refused(order, &notice.text);
                }
                if let (Some(Order::Inspect { persona }), Some(notice)) = (&order, &notice)
                    && let Some(inspection) = &mut self.inspection
                    && inspection.persona == *persona
                {
                    inspection.refused = Some(notice.text.clone());
                }
                self.notify(order.as_ref(), notice);
            }
            Update::Reconnecting => {
                self.reconnecting = true;
                // What was on its way may never be answered.
                self.orders = Orders::default();
            }
        }
    }

    fn snapshot(&mut self, snapshot: Snapshot, effects: &mut Vec<Effect>) {
        if snapshot.version != PROTOCOL_VERSION {
            self.say(
                Tone::Refused,
                format!(
                    "the engine speaks version {} of the protocol and this screen version \
                     {PROTOCOL_VERSION}: run both from the same voxpop",
                    snapshot.version
                ),
            );
        }
        if self.run.is_none() {
            // Who joins a run that stands still need not be called.
            self.stands_still = to_be_mended(&snapshot.phase).is_some();
        }
        let was_running = self.run.as_ref().is_some_and(|run| !run.ended());
        if std::mem::take(&mut self.reconnecting) {
            self.open_talk_again(effects);
        }
        self.frozen = None;
        let run = Mirror::new(snapshot, self.now);
        self.orders.settle(&run.meters);
        self.log_back = 0;
        self.run = Some(run);
        self.fit_grid();
        if self.ended() && (was_running || self.stopping != Stopping::No || !self.keep_open) {
            self.at_the_end(effects);
        }
    }

    fn delta(&mut self, delta: Delta, effects: &mut Vec<Effect>) {
        let Some(run) = &mut self.run else {
            effects.push(Effect::Send(Order::SendSnapshot));
            return;
        };
        self.orders.settle(&delta.meters);
        let delta = match self.frozen.take() {
            None => delta,
            Some(mut frozen) => {
                // What the run as a whole does is never held back.
                let alarm = delta.meters.nothing_since.is_some() && !self.alarm_raised;
                let thaw = delta.phase != run.phase || delta.summary.is_some() || alarm;
                let merged = match frozen.held.take() {
                    Some(mut held) => {
                        held.merge(delta);
                        held
                    }
                    None => delta,
                };
                if !thaw {
                    frozen.held = Some(merged);
                    self.frozen = Some(frozen);
                    return;
                }
                merged
            }
        };
        self.take_in(delta, effects);
    }

    fn take_in(&mut self, delta: Delta, effects: &mut Vec<Effect>) {
        let Some(run) = &mut self.run else { return };
        let was_running = !run.ended();
        let fresh = delta.log.len();
        let grid = &mut self.grid;
        let lines = self.overlay.lines(run);
        let fits = run.apply(delta, self.now, |persona, from, to| grid.changed(persona, from, to));
        self.overlay.grown(lines, run);
        if self.log_back > 0 {
            self.log_back = (self.log_back + fresh).min(run.log.len());
        }
        if !fits {
            effects.push(Effect::Send(Order::SendSnapshot));
        }
        if was_running && run.ended() {
            self.at_the_end(effects);
        }
    }

    fn at_the_end(&mut self, effects: &mut Vec<Effect>) {
        if self.overlay == Overlay::Quit {
            self.overlay = Overlay::None;
        }
        // Who has ordered the stop waits for it; many terminals never say whether somebody looks.
        let away = self.focused.map_or(self.stopping == Stopping::No, |looked_at| !looked_at);
        let replay = self.attachment == Attachment::Replay;
        if away
            && !replay
            && let Some(run) = &self.run
        {
            effects.push(Effect::Alarm(format!("voxpop: {}", ending(run))));
        }
        if self.stopping != Stopping::No || !self.keep_open {
            effects.push(Effect::Leave(Exit::Left));
        }
    }

    fn thaw(&mut self, effects: &mut Vec<Effect>) {
        if let Some(Frozen { held: Some(delta), .. }) = self.frozen.take() {
            self.take_in(delta, effects);
        }
    }

    /// Shows the outcome of a command. One key press may have been several commands, a command for
    /// each endpoint: what was refused is not hidden by the others.
    fn notify(&mut self, order: Option<&Order>, notice: Option<Notice>) {
        let Some(mut notice) = notice else { return };
        let refused = |shown: &Notice| {
            shown.tone == Tone::Refused && self.now.0 - shown.at.0 < REFUSAL_STANDS_MS
        };
        if notice.tone == Tone::Applied && self.notice.as_ref().is_some_and(refused) {
            return;
        }
        if let (Some(Order::SetLimit { endpoint: Some(endpoint), .. }), Some(run)) =
            (order, &self.run)
            && run.meters.endpoints.len() > 1
        {
            let name = run.endpoint_name(*endpoint);
            if !notice.text.contains(&name) {
                notice.text = format!("{name}: {}", notice.text);
            }
        }
        self.notice = Some(notice);
    }

    fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some(Notice { at: self.now, tone, text: text.into() });
    }
}

/// Why a run stands still until somebody has mended something.
const fn to_be_mended(phase: &RunPhase) -> Option<&PauseReason> {
    match phase {
        RunPhase::Paused { reason: PauseReason::User } => None,
        RunPhase::Paused { reason } => Some(reason),
        _ => None,
    }
}

/// The run's end in one line.
pub fn ending(run: &Mirror) -> String {
    use crate::model::{InterviewStatus as S, RunPhase, StopReason};
    let (done, failed, refused) =
        (run.counts.answered(), run.counts.get(S::Failed), run.counts.get(S::Refused));
    let how = match &run.phase {
        RunPhase::Stopped { reason: StopReason::Asked } => "stopped",
        RunPhase::Stopped { reason: StopReason::Crashed } => "cut short by a crash",
        RunPhase::Stopped { reason: StopReason::Unmended { .. } } => "given up",
        _ => "finished",
    };
    let mut line = format!("{how}: {} done", format::thousands(u64::from(done)));
    for (count, word) in [(failed, "failed"), (refused, "refused")] {
        if count > 0 {
            line.push_str(&format!(", {} {word}", format::thousands(u64::from(count))));
        }
    }
    let left = run.total() - run.counts.over();
    if left > 0 {
        line.push_str(&format!(", {} left", format::thousands(u64::from(left))));
    }
    line
}
