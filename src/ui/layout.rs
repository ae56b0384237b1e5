//! Where everything goes: one pure function from the size of the terminal, and from what the run
//! has to show, to places.
//!
//! | size | what is shown |
//! |---|---|
//! | 120x30 and up | everything |
//! | 80x24 | grid, rates in two lines, one panel that is switched |
//! | 60x16 | one panel with tabs |
//! | 40x10 | counters, bar, top error |
//! | smaller | one line, and what else fits under it |

use ratatui::layout::{Rect, Size};

/// How much fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    OneLine,
    Counters,
    Tabs,
    Switched,
    Everything,
}

impl Tier {
    /// The only place where breakpoints are written down.
    pub const fn of(size: Size) -> Self {
        match (size.width, size.height) {
            (120.., 30..) => Self::Everything,
            (80.., 24..) => Self::Switched,
            (60.., 16..) => Self::Tabs,
            (40.., 10..) => Self::Counters,
            _ => Self::OneLine,
        }
    }
}

/// What a run has to show that not every run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub endpoints: usize,
    /// Whether it is known what the run costs.
    pub money: bool,
}

/// The most endpoints that have a line of their own in a panel that is always there.
const ENDPOINT_LINES: usize = 6;

/// From this height of the body on several endpoints have a panel of their own.
const ROOM_FOR_ENDPOINTS: u16 = 30;

/// A place for each part of the screen. A part that has no place has an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    pub tier: Tier,
    pub header: Rect,
    pub progress: Rect,
    pub tabs: Rect,
    /// Between header and footer: where the inspector, the help and the menus may go.
    pub body: Rect,
    pub grid: Rect,
    /// Under the grid: log or persona; on a middle-sized screen the panel that is switched; on a
    /// small one the only panel.
    pub lower: Rect,
    pub requests: Rect,
    pub tokens: Rect,
    pub slots: Rect,
    pub latency: Rect,
    pub errors: Rect,
    /// Several endpoints, a line each, where there is room for all columns.
    pub endpoints: Rect,
    /// Requests, tokens, slots and latency in two lines without boxes, and a third for money.
    pub rates: Rect,
    /// Alert or advice.
    pub notice: Rect,
    /// What became of the last command.
    pub outcome: Rect,
    pub keys: Rect,
}

/// Takes lines off the top of an area, and off its bottom.
struct Rest(Rect);

impl Rest {
    fn top(&mut self, height: u16) -> Rect {
        let height = height.min(self.0.height);
        let taken = Rect { height, ..self.0 };
        self.0.y += height;
        self.0.height -= height;
        taken
    }

    fn bottom(&mut self, height: u16) -> Rect {
        let height = height.min(self.0.height);
        self.0.height -= height;
        Rect { y: self.0.bottom(), height, ..self.0 }
    }
}

impl Places {
    /// The places on a screen of this size; every size is good, 0x0 included.
    pub fn of(size: Size, needs: Needs) -> Self {
        let tier = Tier::of(size);
        let mut rest = Rest(Rect::new(0, 0, size.width, size.height));
        let none = Rect::ZERO;
        let mut places = Self {
            tier,
            header: none,
            progress: none,
            tabs: none,
            body: none,
            grid: none,
            lower: none,
            requests: none,
            tokens: none,
            slots: none,
            latency: none,
            errors: none,
            endpoints: none,
            rates: none,
            notice: none,
            outcome: none,
            keys: none,
        };
        places.header = rest.top(1);
        match tier {
            Tier::Everything => {
                places.progress = rest.top(1);
                places.foot(&mut rest, 3);
                places.everything(needs);
            }
            Tier::Switched => {
                places.progress = rest.top(1);
                places.foot(&mut rest, 3);
                let mut rest = Rest(places.body);
                places.rates = rest.top(2 + u16::from(needs.money));
                places.lower = rest.bottom((places.body.height * 2 / 5).clamp(7, 16));
                places.grid = rest.0;
            }
            Tier::Tabs => {
                places.progress = rest.top(1);
                places.foot(&mut rest, 2);
                let mut rest = Rest(places.body);
                places.tabs = rest.top(1);
                places.grid = rest.0;
                places.lower = rest.0;
            }
            Tier::Counters => {
                places.progress = rest.top(1);
                places.foot(&mut rest, 2);
                let mut rest = Rest(places.body);
                places.errors = rest.bottom(1);
                places.lower = rest.0;
            }
            Tier::OneLine => {
                places.body = rest.0;
                places.notice = rest.top(1);
                places.lower = rest.0;
            }
        }
        places
    }

    fn foot(&mut self, rest: &mut Rest, lines: u16) {
        self.keys = rest.bottom(1);
        if lines > 2 {
            self.outcome = rest.bottom(1);
        }
        self.notice = rest.bottom(1);
        self.body = rest.0;
    }

    fn everything(&mut self, needs: Needs) {
        let mut all = Rest(self.body);
        if needs.endpoints > 1 && self.body.height >= ROOM_FOR_ENDPOINTS {
            let lines = u16::try_from(needs.endpoints.min(ENDPOINT_LINES)).unwrap_or(0);
            // A border above and below, and the names of the columns.
            self.endpoints = all.bottom(lines + 3);
        }
        let body = all.0;
        let left = body.width * 3 / 5;
        let mut rest = Rest(Rect { width: left, ..body });
        self.lower = rest.bottom((body.height * 7 / 20).clamp(8, 16));
        self.grid = rest.0;

        let mut rest = Rest(Rect { x: body.x + left, width: body.width - left, ..body });
        let latency = match body.height {
            30.. => 5,
            26.. => 4,
            _ => 3,
        };
        let errors = body.height * 3 / 10;
        let charts = body.height.saturating_sub(3 + latency + errors).min(26);
        self.requests = rest.top(charts.div_ceil(2));
        self.tokens = rest.top(charts / 2);
        self.slots = rest.top(3);
        self.latency = rest.top(latency);
        self.errors = rest.0;
    }

    /// Where the full inspector goes: beside the live numbers where there is room for both.
    pub fn inspector(&self) -> Rect {
        if self.tier == Tier::Everything { self.grid.union(self.lower) } else { self.body }
    }

    /// Where a talk goes.
    pub fn talk(&self) -> Rect {
        self.inspector()
    }

    /// Where the history of limits goes, over the rest.
    pub fn history(&self) -> Rect {
        centered(self.body, 110, self.body.height)
    }
}

/// A box of at most this size in the middle of an area.
pub fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown_together(places: &Places) -> Vec<Rect> {
        let p = places;
        let mut all = vec![
            p.header,
            p.progress,
            p.tabs,
            p.lower,
            p.requests,
            p.tokens,
            p.slots,
            p.latency,
            p.errors,
            p.endpoints,
            p.rates,
            p.notice,
            p.outcome,
            p.keys,
        ];
        // With tabs, grid and lower panel take turns in one place.
        if p.tier != Tier::Tabs {
            all.push(p.grid);
        }
        all.retain(|rect| !rect.is_empty());
        all
    }

    proptest! {
        #[test]
        fn places_are_inside_and_apart(
            width in 0_u16..300, height in 0_u16..300, endpoints in 0_usize..40, money: bool,
        ) {
            let screen = Rect::new(0, 0, width, height);
            let places = Places::of(screen.as_size(), Needs { endpoints, money });
            let shown = shown_together(&places);
            for (n, place) in shown.iter().enumerate() {
                prop_assert_eq!(place.intersection(screen), *place);
                for other in &shown[n + 1..] {
                    prop_assert!(!place.intersects(*other), "{:?} {:?}", place, other);
                }
            }
            prop_assert!(!places.header.is_empty() || screen.is_empty());
            for over in [places.inspector(), places.history()] {
                prop_assert_eq!(over.intersection(screen), over);
            }
            let covered: u32 = shown.iter().map(|r| u32::from(r.width) * u32::from(r.height)).sum();
            prop_assert_eq!(covered, u32::from(width) * u32::from(height), "no hole: {:?}", places);
        }

        #[test]
        fn a_box_in_the_middle_stays_inside(
            w in 0_u16..300, h in 0_u16..300, bw in 0_u16..400, bh in 0_u16..400,
        ) {
            let area = Rect::new(3, 4, w, h);
            prop_assert_eq!(centered(area, bw, bh).intersection(area), centered(area, bw, bh));
        }
    }

    #[test]
    fn the_breakpoints_are_where_the_table_says() {
        for (width, height, tier) in [
            (120, 30, Tier::Everything),
            (119, 30, Tier::Switched),
            (120, 29, Tier::Switched),
            (80, 24, Tier::Switched),
            (79, 24, Tier::Tabs),
            (60, 16, Tier::Tabs),
            (59, 16, Tier::Counters),
            (40, 10, Tier::Counters),
            (39, 10, Tier::OneLine),
            (0, 0, Tier::OneLine),
            (u16::MAX, 1, Tier::OneLine),
        ] {
            assert_eq!(Tier::of(Size { width, height }), tier, "{width}x{height}");
        }
    }

    #[test]
    fn the_smallest_full_screen_has_room_in_every_panel() {
        for (height, endpoints) in [(30, 1), (30, 3), (35, 3), (40, 9)] {
            let needs = Needs { endpoints, money: true };
            let p = Places::of(Size { width: 120, height }, needs);
            for panel in [p.grid, p.lower, p.requests, p.tokens, p.slots, p.latency, p.errors] {
                assert!(panel.height >= 3 && panel.width >= 40, "{panel:?} of {height}");
            }
            assert!(p.requests.height >= 5 && p.errors.height >= 5, "{p:?}");
        }
    }

    #[test]
    fn several_endpoints_have_a_panel_where_there_is_room() {
        let lines = |height, endpoints| {
            let needs = Needs { endpoints, money: false };
            Places::of(Size { width: 120, height }, needs).endpoints.height
        };
        assert_eq!([lines(40, 1), lines(40, 2), lines(40, 9), lines(30, 2)], [0, 5, 9, 0]);
    }
}
