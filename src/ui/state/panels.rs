//! What is in sight: the panels that the size and the run call for, and what lies over them.

use super::{Mirror, UiState};
use crate::{
    advice,
    ui::{
        Attachment,
        keymap::Context,
        layout::{Needs, Places, Tier},
    },
};
use ratatui::layout::Size;

/// A panel that can have the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    Grid,
    Rates,
    Endpoints,
    Errors,
    Log,
}

impl Panel {
    /// In the order of the Tab key.
    pub const ALL: [Self; 5] = [Self::Grid, Self::Rates, Self::Endpoints, Self::Errors, Self::Log];

    /// Its word on a tab.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Grid => "Personas",
            Self::Rates => "Rates",
            Self::Endpoints => "Endpoints",
            Self::Errors => "Errors",
            Self::Log => "Log",
        }
    }
}

/// What the lower panel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lower {
    Persona,
    Panel(Panel),
}

/// What lies over the dashboard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Overlay {
    #[default]
    None,
    Quit,
    Help {
        scroll: usize,
    },
    Find {
        typed: String,
    },
    /// A talk with one persona.
    Talk,
    /// How the limits changed, newest first.
    History {
        scroll: usize,
    },
    /// How the answers are spread, and what they come to.
    Summary {
        scroll: usize,
    },
}

impl Overlay {
    /// How many lines there are to scroll through, where they can grow.
    pub(super) fn lines(&self, run: &Mirror) -> usize {
        match self {
            Self::History { scroll: 1.. } => advice::joined(&run.changes).len(),
            _ => 0,
        }
    }

    /// New lines came in above: what is read stays where it is.
    pub(super) fn grown(&mut self, before: usize, run: &Mirror) {
        let after = self.lines(run);
        if let Self::History { scroll } = self
            && *scroll > 0
        {
            *scroll = (*scroll + after.saturating_sub(before)).min(after.saturating_sub(1));
        }
    }
}

impl UiState {
    /// What is open, and so which keys count.
    pub const fn context(&self) -> Context {
        match self.overlay {
            Overlay::Quit => Context::Quit,
            Overlay::Help { .. } => Context::Help,
            Overlay::Find { .. } => Context::Find,
            Overlay::History { .. } => Context::History,
            Overlay::Talk => Context::Talk,
            Overlay::Summary { .. } => Context::Summary,
            Overlay::None if self.inspector_open => Context::Inspector,
            Overlay::None => match self.attachment {
                Attachment::Replay => Context::Replay,
                _ => Context::Dashboard,
            },
        }
    }

    /// The panels that Tab goes through.
    pub fn panels(&self) -> Vec<Panel> {
        let tier = self.places.tier;
        let several = self.run.as_ref().is_some_and(|run| run.meters.endpoints.len() > 1);
        let there = |panel: &Panel| match panel {
            Panel::Rates => tier != Tier::Everything,
            Panel::Endpoints => several && tier >= Tier::Tabs,
            Panel::Grid | Panel::Errors | Panel::Log => true,
        };
        Panel::ALL.into_iter().filter(there).collect()
    }

    /// What the lower panel shows.
    pub fn lower(&self) -> Lower {
        let persona = self.grid.cursor.is_some_and(|cursor| cursor.exact);
        let own_place = !self.places.endpoints.is_empty();
        match (self.places.tier, self.focus) {
            (Tier::Everything, Panel::Log) => Lower::Panel(Panel::Log),
            (Tier::Everything, Panel::Endpoints) if !own_place => Lower::Panel(Panel::Endpoints),
            (Tier::Everything, _) if persona => Lower::Persona,
            (Tier::Everything, _) => Lower::Panel(Panel::Log),
            (Tier::Switched, Panel::Grid) if persona => Lower::Persona,
            (Tier::Switched, Panel::Grid) => Lower::Panel(self.behind),
            (_, panel) => Lower::Panel(panel),
        }
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.size = size;
        self.arrange();
        self.fit_grid();
        self.clamp_scroll();
        self.clamp_talk();
    }

    /// Gives every part its place, by the size and by what the run has to show.
    pub(super) fn arrange(&mut self) {
        let needs = self.run.as_ref().map_or_else(Needs::default, |run| Needs {
            endpoints: run.meters.endpoints.len(),
            money: run.meters.money.is_some(),
        });
        let places = Places::of(self.size, needs);
        if places != self.places {
            self.places = places;
            self.fit_grid();
            self.clamp_scroll();
        }
        let panels = self.panels();
        if !panels.contains(&self.focus) {
            self.focus = Panel::Grid;
        }
        if !panels.contains(&self.behind) {
            self.behind = Panel::Errors;
        }
        // What cannot be seen is not tuned alone.
        let last = needs.endpoints.saturating_sub(1);
        self.endpoint_selected = self.endpoint_selected.min(last);
        self.only =
            self.only.filter(|only| panels.contains(&Panel::Endpoints) && only.as_usize() <= last);
    }

    pub(super) fn next_panel(&mut self, forward: bool) {
        let panels = self.panels();
        let at = panels.iter().position(|&p| p == self.focus).unwrap_or(0);
        let step = if forward { 1 } else { panels.len() - 1 };
        self.focus = panels[(at + step) % panels.len()];
        self.inspector_open = false;
        if self.focus != Panel::Grid {
            self.behind = self.focus;
        }
    }
}
