//! One file a panel, each with `draw(frame, area, &state, &look)`. Nothing here changes anything:
//! a view reads the state and writes cells.

mod batches;
mod counters;
mod endpoints;
mod errors;
mod footer;
mod grid;
mod header;
mod help;
mod history;
mod inspector;
mod latency;
mod log;
mod persona;
mod progress;
mod quit;
mod rate;
mod rates;
mod requests;
mod slots;
mod summary;
mod tabs;
mod talk;
mod tiny;
mod tokens;

use super::{
    glyphs::Glyphs,
    keymap::Keymap,
    layout::Tier,
    state::{Lower, Overlay, Panel, UiState},
    theme::{Role, Theme},
};
use jiff::tz::TimeZone;
use ratatui::{buffer::Buffer, style::Style};

/// How everything looks: what drawing needs besides the state.
#[derive(Clone, Debug)]
pub struct Look {
    pub theme: Theme,
    pub glyphs: Glyphs,
    pub keys: Keymap,
    /// The zone of every time of day on the screen.
    pub zone: TimeZone,
}

impl Look {
    /// The style of a role.
    pub const fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }
}

/// Draws the whole screen into a blank frame of any size.
pub fn draw(frame: &mut Buffer, state: &UiState, look: &Look) {
    let places = &state.places;
    match places.tier {
        Tier::OneLine => tiny::draw(frame, places.header, state, look),
        Tier::Counters => {
            header::draw(frame, places.header, state, look);
            progress::draw(frame, places.progress, state, look);
            counters::draw(frame, places.lower, state, look);
            errors::draw_top(frame, places.errors, state, look);
        }
        Tier::Tabs => {
            header::draw(frame, places.header, state, look);
            progress::draw(frame, places.progress, state, look);
            tabs::draw(frame, places.tabs, state, look);
            lower(frame, state, look);
        }
        Tier::Switched => {
            header::draw(frame, places.header, state, look);
            progress::draw(frame, places.progress, state, look);
            if batches::instead_of_rates(state) {
                batches::draw_strip(frame, places.rates, state, look);
            } else {
                rates::draw_strip(frame, places.rates, state, look);
            }
            grid::draw(frame, places.grid, state, look);
            lower(frame, state, look);
        }
        Tier::Everything => {
            header::draw(frame, places.header, state, look);
            progress::draw(frame, places.progress, state, look);
            grid::draw(frame, places.grid, state, look);
            lower(frame, state, look);
            if batches::instead_of_rates(state) {
                batches::draw(frame, places.requests.union(places.tokens), state, look);
            } else {
                requests::draw(frame, places.requests, state, look);
                tokens::draw(frame, places.tokens, state, look);
            }
            slots::draw(frame, places.slots, state, look);
            latency::draw(frame, places.latency, state, look);
            errors::draw(frame, places.errors, state, look);
            endpoints::draw(frame, places.endpoints, state, look);
        }
    }
    if state.inspector_open {
        inspector::draw(frame, places.inspector(), state, look);
    }
    if places.tier > Tier::OneLine {
        footer::draw(frame, state, look);
    }
    match &state.overlay {
        Overlay::None | Overlay::Find { .. } => {}
        Overlay::Quit => quit::draw(frame, places.body, state, look),
        Overlay::Help { scroll } => help::draw(frame, places.body, *scroll, look),
        Overlay::Talk => talk::draw(frame, places.talk(), state, look),
        Overlay::Summary { scroll } => summary::draw(frame, places.history(), *scroll, state, look),
        Overlay::History { scroll } => history::draw(frame, places.history(), *scroll, state, look),
    }
    if look.glyphs.ascii {
        to_ascii(frame);
    }
}

fn lower(frame: &mut Buffer, state: &UiState, look: &Look) {
    let area = state.places.lower;
    match state.lower() {
        Lower::Persona => persona::draw(frame, area, state, look),
        Lower::Panel(Panel::Grid) => grid::draw(frame, area, state, look),
        Lower::Panel(Panel::Rates) if batches::instead_of_rates(state) => {
            batches::draw(frame, area, state, look);
        }
        Lower::Panel(Panel::Rates) => rates::draw(frame, area, state, look),
        Lower::Panel(Panel::Endpoints) => endpoints::draw(frame, area, state, look),
        Lower::Panel(Panel::Errors) => errors::draw(frame, area, state, look),
        Lower::Panel(Panel::Log) => log::draw(frame, area, state, look),
    }
}

/// Text from elsewhere may hold any letter; a terminal that is not UTF-8 would show several
/// characters for one and shift the rest of the line.
fn to_ascii(frame: &mut Buffer) {
    for cell in &mut frame.content {
        if !cell.symbol().is_ascii() {
            cell.set_symbol("?");
        }
    }
}

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod tests;
