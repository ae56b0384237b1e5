//! What each action does to the state.

use super::{Copied, Effect, Frozen, Mirror, Overlay, Panel, Stopping, Tone, UiState};
use crate::{
    advice,
    model::{InterviewStatus, LimitName, PersonaIndex},
    protocol::Order,
    ui::{Attachment, Exit, action::Action, detail, format, glyphs::Glyphs, legend, synopsis},
};
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};

/// How many characters the prompt takes.
const LONGEST_PROMPT: usize = 32;

impl UiState {
    pub(super) fn act(&mut self, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::Interrupt => return self.interrupt(effects),
            Action::Suspend => return effects.push(Effect::Suspend),
            Action::Redraw => return effects.push(Effect::Redraw),
            _ => {}
        }
        match &mut self.overlay {
            Overlay::Quit => self.in_quit_menu(action, effects),
            Overlay::Help { scroll } => match action {
                Action::MoveUp => *scroll = scroll.saturating_sub(1),
                Action::MoveDown => *scroll = scroll.saturating_add(1).min(200),
                Action::PageUp => *scroll = scroll.saturating_sub(10),
                Action::PageDown => *scroll = scroll.saturating_add(10).min(200),
                Action::Back => self.overlay = Overlay::None,
                _ => {}
            },
            Overlay::History { scroll } => {
                let lines = self.run.as_ref().map_or(0, |run| advice::joined(&run.changes).len());
                let room = usize::from(self.places.history().height.saturating_sub(3));
                *scroll = scrolled(*scroll, action, lines.saturating_sub(room));
                if action == Action::Back {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Summary { scroll } => {
                let place = self.places.history();
                let width = usize::from(place.width.saturating_sub(2));
                let lines =
                    self.run.as_ref().map_or(0, |run| synopsis::lines(run, width, "").len());
                let room = usize::from(place.height.saturating_sub(2));
                *scroll = scrolled(*scroll, action, lines.saturating_sub(room));
                if action == Action::Back {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Find { typed } => match action {
                Action::Erase => {
                    typed.pop();
                }
                Action::Open => {
                    let wanted = std::mem::take(typed);
                    self.overlay = Overlay::None;
                    self.find(wanted.trim());
                }
                Action::Back => self.overlay = Overlay::None,
                _ => {}
            },
            Overlay::Talk => self.in_talk(action, effects),
            Overlay::None => self.on_dashboard(action, effects),
        }
    }

    fn on_dashboard(&mut self, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::MoveUp => self.step(0, -1),
            Action::MoveDown => self.step(0, 1),
            Action::MoveLeft => self.step(-1, 0),
            Action::MoveRight => self.step(1, 0),
            Action::PageUp => self.page(false),
            Action::PageDown => self.page(true),
            Action::First => self.go_to_end(false),
            Action::Last => self.go_to_end(true),
            Action::NextFailed => self.go_to_failed(true),
            Action::PreviousFailed => self.go_to_failed(false),
            Action::Open => self.open(),
            Action::Back => self.back(),
            Action::MoreSlots => self.tune(LimitName::Slots, true, effects),
            Action::FewerSlots => self.tune(LimitName::Slots, false, effects),
            Action::MoreRequests => self.tune(LimitName::RequestsPerMinute, true, effects),
            Action::FewerRequests => self.tune(LimitName::RequestsPerMinute, false, effects),
            Action::MoreTokens => self.tune(LimitName::TokensPerMinute, true, effects),
            Action::FewerTokens => self.tune(LimitName::TokensPerMinute, false, effects),
            Action::TogglePause => self.toggle_pause(effects),
            Action::Faster => self.change_speed(true, effects),
            Action::Slower => self.change_speed(false, effects),
            Action::Retry => self.retry(effects),
            Action::ToggleAdaptation => self.toggle_adaptation(effects),
            Action::ToggleBatch => self.toggle_batch(effects),
            Action::History => self.overlay = Overlay::History { scroll: 0 },
            Action::Summary => self.overlay = Overlay::Summary { scroll: 0 },
            Action::Help => self.overlay = Overlay::Help { scroll: 0 },
            Action::NextPanel => self.next_panel(true),
            Action::PreviousPanel => self.next_panel(false),
            Action::WriteFile => self.write(false, effects),
            Action::Copy => self.write(true, effects),
            Action::Freeze => self.freeze(effects),
            Action::Find => self.overlay = Overlay::Find { typed: String::new() },
            Action::Quit => self.quit(effects),
            Action::Talk => self.open_talk(effects),
            Action::Erase
            | Action::EraseWord
            | Action::FinishAndStop
            | Action::CancelBatches
            | Action::StopNow
            | Action::Detach
            | Action::Interrupt
            | Action::Suspend
            | Action::Redraw => {}
        }
    }

    pub(super) fn typed(&mut self, c: char) {
        if self.overlay == Overlay::Talk {
            return self.typed_in_talk(c);
        }
        if let Overlay::Find { typed } = &mut self.overlay
            && typed.chars().count() < LONGEST_PROMPT
            && !c.is_control()
        {
            typed.push(c);
        }
    }

    // Leaving.

    fn quit(&mut self, effects: &mut Vec<Effect>) {
        if self.ended() || self.attachment == Attachment::Replay {
            effects.push(Effect::Leave(Exit::Left));
        } else if self.attachment == Attachment::ReadOnly {
            effects.push(Effect::Leave(Exit::Detached));
        } else {
            self.overlay = Overlay::Quit;
        }
    }

    /// Ctrl-C: the quit menu, then stop now; and once that has been asked for, leave whatever the
    /// engine does.
    fn interrupt(&mut self, effects: &mut Vec<Effect>) {
        let replay = self.attachment == Attachment::Replay;
        if self.ended() || self.stopping == Stopping::Now || replay {
            effects.push(Effect::Leave(Exit::Left));
        } else if self.attachment == Attachment::ReadOnly {
            effects.push(Effect::Leave(Exit::Detached));
        } else if self.overlay == Overlay::Quit {
            self.stop(Stopping::Now, effects);
        } else {
            self.overlay = Overlay::Quit;
        }
    }

    /// A signal to the dashboard: one that shows an engine in another process stops only itself.
    pub(super) fn asked_to_stop(&mut self, effects: &mut Vec<Effect>) {
        match self.stopping {
            _ if self.ended() || self.attachment == Attachment::Replay => {
                effects.push(Effect::Leave(Exit::Left));
            }
            _ if self.attachment != Attachment::InProcess => {
                effects.push(Effect::Leave(Exit::Detached));
            }
            Stopping::No => self.stop(Stopping::Finishing, effects),
            Stopping::Finishing => self.stop(Stopping::Now, effects),
            Stopping::Now => effects.push(Effect::Leave(Exit::Left)),
        }
    }

    fn in_quit_menu(&mut self, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::FinishAndStop => self.stop(Stopping::Finishing, effects),
            Action::StopNow => self.stop(Stopping::Now, effects),
            Action::CancelBatches if self.has_open_batches() => {
                self.stop(Stopping::Finishing, effects);
                effects.pop();
                effects.push(Effect::Send(Order::CancelBatches));
            }
            Action::Detach if self.attachment != Attachment::InProcess => {
                effects.push(Effect::Leave(Exit::Detached));
            }
            Action::Back => self.overlay = Overlay::None,
            _ => {}
        }
    }

    fn stop(&mut self, how: Stopping, effects: &mut Vec<Effect>) {
        self.overlay = Overlay::None;
        self.stopping = how;
        self.thaw(effects);
        effects.push(Effect::Send(match how {
            Stopping::Now => Order::StopNow,
            Stopping::Finishing | Stopping::No => Order::FinishAndStop,
        }));
    }

    fn freeze(&mut self, effects: &mut Vec<Effect>) {
        if self.frozen.is_some() {
            self.thaw(effects);
        } else if !self.ended() {
            self.frozen = Some(Frozen { at: self.now, held: None });
        }
    }

    // Moving about.

    fn step(&mut self, columns: i32, rows: i32) {
        if self.inspector_open {
            if rows != 0 {
                self.scroll(rows.signum() as isize);
            } else if let Some(cursor) = self.grid.cursor {
                let next = cursor.persona.0.saturating_add_signed(columns);
                self.go_to(PersonaIndex(next));
            }
            return;
        }
        match self.focus {
            Panel::Log if rows != 0 => self.scroll_log(-rows as isize),
            Panel::Errors if rows != 0 => self.select_error(rows > 0),
            Panel::Endpoints if rows != 0 => self.select_endpoint(rows > 0),
            _ => {
                if let Some(run) = &self.run {
                    self.grid.move_by(columns, rows, &run.statuses);
                }
            }
        }
    }

    fn page(&mut self, forward: bool) {
        let sign = if forward { 1 } else { -1 };
        if self.inspector_open {
            let page = self.places.inspector().height.saturating_sub(4).max(1);
            self.scroll(sign * page as isize);
        } else if self.focus == Panel::Log {
            let page = self.places.lower.height.saturating_sub(3).max(1);
            self.scroll_log(-sign * page as isize);
        } else if let Some(run) = &self.run {
            self.grid.page(forward, &run.statuses);
        }
    }

    fn go_to_end(&mut self, last: bool) {
        if self.inspector_open {
            self.scroll(if last { isize::MAX } else { isize::MIN });
        } else if self.focus == Panel::Log {
            self.scroll_log(if last { isize::MIN } else { isize::MAX });
        } else if let Some(run) = &self.run {
            self.grid.go_to_end(last, &run.statuses);
        }
    }

    fn scroll(&mut self, lines: isize) {
        if let Some(inspection) = &mut self.inspection {
            inspection.scroll = inspection.scroll.saturating_add_signed(lines);
        }
        self.clamp_scroll();
    }

    /// The last line of a text stays at the bottom of its panel.
    pub(super) fn clamp_scroll(&mut self) {
        let now = self.now;
        let about = self.run.as_ref().map_or_else(Default::default, Mirror::about);
        let place = legend::inside(self.places.inspector());
        if let Some(inspection) = &mut self.inspection
            && inspection.scroll > 0
        {
            // Glyphs and zone do not matter for the number of lines.
            let lines = inspection.detail.as_ref().map_or(0, |shown| {
                let width = usize::from(place.width);
                detail::lines(shown, about, width, &Glyphs::UNICODE, &TimeZone::UTC, now).len()
            });
            let most = lines.saturating_sub(usize::from(place.height));
            inspection.scroll = inspection.scroll.min(most);
        }
    }

    fn scroll_log(&mut self, lines: isize) {
        let most = self.run.as_ref().map_or(0, |run| run.log.len().saturating_sub(1));
        self.log_back = self.log_back.saturating_add_signed(lines).min(most);
    }

    fn select_error(&mut self, down: bool) {
        let Some(run) = &self.run else { return };
        let kinds: Vec<_> = run.meters.failures.iter().map(|tally| tally.kind).collect();
        let at = self.error_selected.and_then(|kind| kinds.iter().position(|&k| k == kind));
        let next = match (at, down) {
            (None, _) => 0,
            (Some(at), true) => (at + 1).min(kinds.len().saturating_sub(1)),
            (Some(at), false) => at.saturating_sub(1),
        };
        self.error_selected = kinds.get(next).copied();
    }

    pub(super) fn go_to(&mut self, persona: PersonaIndex) {
        if let Some(run) = &self.run {
            self.grid.go_to(persona, &run.statuses);
            self.focus = Panel::Grid;
        }
    }

    fn go_to_failed(&mut self, forward: bool) {
        self.go_to_status(forward, "nothing has failed", |s| s == InterviewStatus::Failed);
    }

    fn go_to_status(
        &mut self,
        forward: bool,
        nobody: &str,
        wanted: impl Fn(InterviewStatus) -> bool,
    ) {
        let Some(run) = &self.run else { return };
        let from = self.grid.cursor.map(|cursor| cursor.persona);
        // A bucket's first persona was not looked at yet: it counts as well.
        let exact = self.grid.cursor.is_none_or(|cursor| cursor.exact);
        let from = if exact || !forward {
            from
        } else {
            from.and_then(|p| p.0.checked_sub(1)).map(PersonaIndex)
        };
        match run.next_with(from, forward, wanted) {
            Some(persona) => self.go_to(persona),
            None => self.say(Tone::Info, nobody),
        }
    }

    fn find(&mut self, wanted: &str) {
        let Some(run) = &self.run else { return };
        if wanted.is_empty() {
            return;
        }
        if let Ok(number) = wanted.replace([',', ' '], "").parse::<u32>() {
            if number < run.total() {
                self.go_to(PersonaIndex(number));
            } else {
                let last = format::thousands(u64::from(run.total().saturating_sub(1)));
                self.say(Tone::Info, format!("there is no persona {number}: the last is {last}"));
            }
            return;
        }
        let word = wanted.to_lowercase();
        let matches = |s: InterviewStatus| s.label().contains(&word);
        if InterviewStatus::ALL.into_iter().any(matches) {
            self.go_to_status(true, "nobody has this status now", matches);
        } else {
            self.say(Tone::Info, "that is neither a number nor a status, such as 12 or refused");
        }
    }

    fn open(&mut self) {
        if self.inspector_open {
            return;
        }
        let Some(run) = &self.run else { return };
        if self.focus == Panel::Endpoints {
            self.choose_endpoint();
            return;
        }
        if self.focus == Panel::Errors
            && let Some(tally) = self
                .error_selected
                .and_then(|kind| run.meters.failures.iter().find(|tally| tally.kind == kind))
                .or_else(|| run.meters.failures.first())
        {
            let persona = tally.last_persona;
            self.go_to(persona);
            self.inspector_open = true;
            return;
        }
        match self.grid.cursor {
            Some(cursor) if cursor.exact => self.inspector_open = true,
            Some(_) => {
                self.grid.zoom_in(&run.statuses);
            }
            None => {
                if let Some(persona) = most_telling(run) {
                    self.go_to(persona);
                    self.inspector_open = true;
                }
            }
        }
    }

    fn back(&mut self) {
        if self.inspector_open {
            self.inspector_open = false;
        } else if self.only.is_some() {
            self.let_go_of_endpoint();
        } else if self.focus != Panel::Grid {
            self.focus = Panel::Grid;
            self.error_selected = None;
            self.log_back = 0;
        } else if let Some(run) = &self.run
            && self.grid.zoomed()
        {
            self.grid.zoom_out(&run.statuses);
        } else {
            self.grid.cursor = None;
        }
    }

    // Files.

    fn write(&mut self, copy: bool, effects: &mut Vec<Effect>) {
        let shown = self.inspection.as_ref().and_then(|i| i.detail.as_ref());
        let (Some(run), Some(shown)) = (&self.run, shown) else {
            let why = if self.inspection.is_some() {
                "the engine has not shown this persona yet: try again in a moment"
            } else {
                "no persona is open: go to one first"
            };
            self.say(Tone::Info, why);
            return;
        };
        let directory = run.header.run_file.parent().unwrap_or_else(|| Path::new(""));
        let name = format!("{}-persona-{}.txt", file_stem(&run.header.run), shown.persona.index);
        effects.push(Effect::Write {
            directory: directory.to_owned(),
            name,
            text: detail::plain(shown, run.about()),
            copy,
        });
    }

    pub(super) fn written(&mut self, copied: Copied, result: Result<PathBuf, String>) {
        let prefix = match copied {
            Copied::NotAsked => "",
            Copied::Yes => "copied, and ",
            Copied::TooLarge => "too large for the clipboard, but ",
        };
        match result {
            Ok(path) => self.say(Tone::Applied, format!("{prefix}wrote {}", path.display())),
            Err(why) => self.say(Tone::Refused, why),
        }
    }
}

/// A run's name without anything that could lead to another folder.
fn file_stem(run: &str) -> String {
    run.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
}

/// Who to look at where nobody was chosen: the last that failed for good, or else somebody whom
/// something is done about.
fn most_telling(run: &Mirror) -> Option<PersonaIndex> {
    let failed = |s| s == InterviewStatus::Failed;
    run.meters
        .failures
        .iter()
        .filter(|tally| run.status(tally.last_persona).is_some_and(failed))
        .max_by_key(|tally| tally.last_at.0)
        .map(|tally| tally.last_persona)
        .or_else(|| run.next_with(None, true, failed))
        .or_else(|| run.next_with(None, true, |s| s == InterviewStatus::BackingOff))
        .or_else(|| run.next_with(None, true, |s| s == InterviewStatus::InFlight))
        .or_else(|| (run.total() > 0).then_some(PersonaIndex(0)))
}

/// Where a list is scrolled to by an action; `most` shows its end.
fn scrolled(scroll: usize, action: Action, most: usize) -> usize {
    match action {
        Action::MoveUp => scroll.saturating_sub(1),
        Action::MoveDown => scroll.saturating_add(1),
        Action::PageUp => scroll.saturating_sub(10),
        Action::PageDown => scroll.saturating_add(10),
        Action::First => 0,
        Action::Last => most,
        _ => scroll,
    }
    .min(most)
}
