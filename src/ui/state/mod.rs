//! What the dashboard knows, and how it changes: a pure reducer.
//!
//! [`UiState::apply`] takes in one [`Input`] (a key's action, an update from the engine, the
//! clock, a signal) and says as [`Effect`]s what is to be done outside. Drawing reads the state
//! and changes nothing.
//!
//! What is known: `mirror` is the run, `holders` who keeps a limit where it is, `grid` the view of
//! its personas, `inspection` the persona looked at, `talk` what is said to it, `panels` what is in
//! sight, `orders` what was asked of the engine and `notice` what became of it.
//!
//! What changes it: `keys` is what each action does and `tuning` what it orders; `updates` is what
//! the engine says, `run_end` the last of it, and `watch` what is looked after at every input.

mod grid;
mod holders;
mod inspection;
mod keys;
mod mirror;
mod notice;
mod orders;
mod panels;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod replay_tests;
mod run_end;
mod talk;
#[cfg(test)]
mod talk_tests;
#[cfg(test)]
mod tests;
mod tuning;
#[cfg(test)]
mod tuning_tests;
mod updates;
mod watch;

pub use grid::{Cursor, Face, GridView, WORST_FIRST};
pub use inspection::Inspection;
pub use mirror::Mirror;
pub use notice::{Notice, Tone};
pub use orders::Orders;
pub use panels::{Lower, Overlay, Panel};
pub use run_end::ending;
pub use talk::Talk;

use super::{
    Attachment, Exit,
    action::Action,
    advice::Verdict,
    layout::{Needs, Places},
    legend,
};
use crate::{
    model::{EndpointIndex, FailureKind, UnixMillis},
    protocol::{CommandId, Delta, Order, Update},
};
use ratatui::layout::Size;
use std::{path::PathBuf, time::Duration};

/// An engine that is not heard for so long is thought to hang.
const UNHEARD: Duration = Duration::from_secs(5);

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

    /// Whether batches are under way, which can be cancelled.
    pub fn has_open_batches(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.meters.batches.open().next().is_some())
    }

    fn fit_grid(&mut self) {
        if let Some(run) = &self.run {
            self.grid.fit(&run.statuses, legend::cells(self.places.grid, run.total()));
        }
    }
}
