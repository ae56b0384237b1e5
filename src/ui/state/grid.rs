//! The persona grid: which personas a cell stands for, what a cell shows, and the cursor.
//!
//! While all personas fit, a cell is one persona. Otherwise it is a bucket of neighbours, whose
//! statuses are counted once and then kept up to date change by change: a frame of a million
//! personas costs no more than one of a thousand. Zooming in shows finer buckets, from the
//! bucket chosen on, until a cell is one persona.

use crate::model::{InterviewStatus, PersonaIndex, StatusCounts};
use ratatui::layout::Size;

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// One persona's status, or the worst of a bucket.
    Status(InterviewStatus),
    /// A bucket where nothing is going on, and some are done: 0 up to a third, 1, 2 nearly all.
    Partly(usize),
}

/// The place of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub persona: PersonaIndex,
    /// Whether this very persona is meant, or the bucket that it is the first of.
    pub exact: bool,
}

/// One step of zooming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    /// The first persona shown.
    first: u32,
    /// Personas a cell, at least 1.
    bucket: u32,
}

/// The grid's view of the run.
#[derive(Clone, Debug)]
pub struct GridView {
    total: u32,
    cells: Size,
    /// Never empty; the first shows everything.
    levels: Vec<Level>,
    /// The buckets shown, counted; empty while a cell is one persona.
    counts: Vec<StatusCounts>,
    pub cursor: Option<Cursor>,
}

impl Default for GridView {
    fn default() -> Self {
        Self {
            total: 0,
            cells: Size::ZERO,
            levels: vec![Level { first: 0, bucket: 1 }],
            counts: Vec::new(),
            cursor: None,
        }
    }
}

impl GridView {
    /// Fits the grid to a new list or a new size. The zoom and the cursor stay where that is
    /// possible.
    pub fn fit(&mut self, statuses: &[InterviewStatus], cells: Size) {
        self.total = u32::try_from(statuses.len()).unwrap_or(u32::MAX);
        self.cells = cells;
        let depth = self.levels.len();
        let firsts: Vec<u32> = self.levels.iter().map(|level| level.first).collect();
        self.levels.clear();
        self.levels.push(Level { first: 0, bucket: self.bucket_for(self.total) });
        for first in firsts.into_iter().take(depth).skip(1) {
            let above = self.level();
            if above.bucket == 1 {
                break;
            }
            let first = first.min(self.total.saturating_sub(1));
            self.levels.push(Level { first, bucket: self.bucket_for(above.bucket) });
        }
        if let Some(cursor) = &mut self.cursor {
            cursor.persona.0 = cursor.persona.0.min(self.total.saturating_sub(1));
        }
        if self.total == 0 {
            self.cursor = None;
        }
        self.scroll_to_cursor();
        self.count(statuses);
    }

    /// The smallest bucket with which so many personas fit.
    fn bucket_for(&self, personas: u32) -> u32 {
        personas.div_ceil(self.capacity().max(1)).max(1)
    }

    fn capacity(&self) -> u32 {
        u32::from(self.cells.width) * u32::from(self.cells.height)
    }

    fn level(&self) -> Level {
        self.levels.last().copied().unwrap_or(Level { first: 0, bucket: 1 })
    }

    /// Personas a cell.
    pub fn bucket(&self) -> u32 {
        self.level().bucket
    }

    /// Whether the grid is zoomed in.
    pub const fn zoomed(&self) -> bool {
        self.levels.len() > 1
    }

    /// The personas shown: the first, and the one behind the last.
    pub fn range(&self) -> (u32, u32) {
        let Level { first, bucket } = self.level();
        (first, first.saturating_add(self.capacity().saturating_mul(bucket)).min(self.total))
    }

    /// How many cells stand for somebody.
    pub fn filled(&self) -> u32 {
        let (first, end) = self.range();
        end.saturating_sub(first).div_ceil(self.bucket())
    }

    /// The personas of a cell: the first, and the one behind the last.
    pub fn personas(&self, cell: u32) -> (u32, u32) {
        let (first, end) = self.range();
        let start = first + cell * self.bucket();
        (start, start.saturating_add(self.bucket()).min(end))
    }

    /// What a cell shows; `None` beyond the last persona.
    pub fn face(&self, cell: u32, statuses: &[InterviewStatus]) -> Option<Face> {
        if self.bucket() == 1 {
            let (persona, end) = self.personas(cell);
            return (persona < end)
                .then(|| statuses.get(persona as usize).copied())?
                .map(Face::Status);
        }
        self.counts.get(cell as usize).map(worst)
    }

    /// The cell with the cursor, where it is in sight.
    pub fn cursor_cell(&self) -> Option<u32> {
        self.cursor.and_then(|cursor| self.cell_of(cursor.persona))
    }

    fn cell_of(&self, persona: PersonaIndex) -> Option<u32> {
        let (first, end) = self.range();
        (first..end).contains(&persona.0).then(|| (persona.0 - first) / self.bucket())
    }

    /// One persona's status changed.
    pub fn changed(&mut self, persona: PersonaIndex, from: InterviewStatus, to: InterviewStatus) {
        if self.counts.is_empty() {
            return;
        }
        if let Some(cell) = self.cell_of(persona)
            && let Some(counts) = self.counts.get_mut(cell as usize)
        {
            counts.change(from, to);
        }
    }

    fn count(&mut self, statuses: &[InterviewStatus]) {
        self.counts.clear();
        if self.bucket() > 1 {
            let (first, end) = self.range();
            let shown = statuses.get(first as usize..end as usize).unwrap_or_default();
            self.counts.extend(shown.chunks(self.bucket() as usize).map(StatusCounts::of));
        }
    }

    /// Moves the cursor by so many cells; the first move places it in sight.
    pub fn move_by(&mut self, columns: i32, rows: i32, statuses: &[InterviewStatus]) {
        if self.total == 0 {
            return;
        }
        let Level { first, bucket } = self.level();
        let Some(cursor) = self.cursor else {
            return self.put(Cursor { persona: PersonaIndex(first), exact: bucket == 1 }, statuses);
        };
        let cells = i64::from(columns) + i64::from(rows) * i64::from(self.cells.width.max(1));
        // A bucket counts from the first persona shown, which lies on one of its borders.
        let offset = i64::from(cursor.persona.0) - i64::from(first);
        let cell = offset.div_euclid(i64::from(bucket)) + cells;
        let persona = i64::from(first) + cell * i64::from(bucket);
        if (0..i64::from(self.total)).contains(&persona) {
            let persona = PersonaIndex(u32::try_from(persona).unwrap_or(0));
            self.put(Cursor { persona, exact: bucket == 1 }, statuses);
        }
    }

    /// Moves by a page: forward or back.
    pub fn page(&mut self, forward: bool, statuses: &[InterviewStatus]) {
        let rows = i32::from(self.cells.height.max(2)) - 1;
        let (first, end) = self.range();
        let whole = first == 0 && end == self.total;
        let rows = if whole { rows / 2 } else { rows }.max(1);
        let before = self.cursor;
        self.move_by(0, if forward { rows } else { -rows }, statuses);
        if self.cursor == before && before.is_some() {
            self.go_to_end(forward, statuses);
        }
    }

    /// To the first or the last cell.
    pub fn go_to_end(&mut self, last: bool, statuses: &[InterviewStatus]) {
        if self.total == 0 {
            return;
        }
        let bucket = self.bucket();
        let persona = if last { (self.total - 1) / bucket * bucket } else { 0 };
        self.put(Cursor { persona: PersonaIndex(persona), exact: bucket == 1 }, statuses);
    }

    /// Goes to one persona, whatever the zoom.
    pub fn go_to(&mut self, persona: PersonaIndex, statuses: &[InterviewStatus]) {
        if persona.0 < self.total {
            self.put(Cursor { persona, exact: true }, statuses);
        }
    }

    fn put(&mut self, cursor: Cursor, statuses: &[InterviewStatus]) {
        self.cursor = Some(cursor);
        if self.scroll_to_cursor() {
            self.count(statuses);
        }
    }

    /// Brings the cursor into sight; whether the view moved.
    fn scroll_to_cursor(&mut self) -> bool {
        let (first, end) = self.range();
        let Some(cursor) = self.cursor else { return false };
        if (first..end).contains(&cursor.persona.0) || self.capacity() == 0 {
            return false;
        }
        let row = u32::from(self.cells.width).saturating_mul(self.bucket()).max(1);
        let page = row.saturating_mul(u32::from(self.cells.height)).max(1);
        let at = cursor.persona.0;
        let top = at / row * row;
        // Going down, the cursor's row comes last; going up, first.
        let first = if at < first { top } else { (top + row).saturating_sub(page) };
        match self.levels.last_mut() {
            Some(level) if level.first != first => {
                level.first = first;
                true
            }
            _ => false,
        }
    }

    /// Zooms into the cell of the cursor; whether there was anything to zoom into.
    pub fn zoom_in(&mut self, statuses: &[InterviewStatus]) -> bool {
        let Level { first, bucket } = self.level();
        let Some(cursor) = self.cursor else { return false };
        let finer = self.bucket_for(bucket);
        if finer >= bucket {
            return false;
        }
        let start = first + (cursor.persona.0.saturating_sub(first)) / bucket * bucket;
        self.levels.push(Level { first: start, bucket: finer });
        if finer == 1 {
            self.cursor = Some(Cursor { exact: true, ..cursor });
        }
        self.count(statuses);
        true
    }

    /// Zooms out by one step; whether there was one.
    pub fn zoom_out(&mut self, statuses: &[InterviewStatus]) -> bool {
        if self.levels.len() < 2 {
            return false;
        }
        self.levels.pop();
        self.scroll_to_cursor();
        self.count(statuses);
        true
    }
}

/// Which status a bucket shows: the first of these that somebody in it has.
pub const WORST_FIRST: [InterviewStatus; 8] = [
    InterviewStatus::Failed,
    InterviewStatus::Refused,
    InterviewStatus::BackingOff,
    InterviewStatus::InFlight,
    InterviewStatus::WaitingForTokens,
    InterviewStatus::WaitingForRequests,
    InterviewStatus::WaitingForSlot,
    InterviewStatus::InBatch,
];

/// Failed before refused before backing off, and so on; a bucket where nothing happens shows how
/// much of it is done.
fn worst(counts: &StatusCounts) -> Face {
    use InterviewStatus as S;
    if let Some(status) = WORST_FIRST.into_iter().find(|&s| counts.get(s) > 0) {
        return Face::Status(status);
    }
    let (done, total) = (counts.answered(), counts.total());
    match done {
        0 => Face::Status(S::Queued),
        d if d == total && counts.get(S::Flagged) > 0 => Face::Status(S::Flagged),
        d if d == total && counts.get(S::Cached) == total => Face::Status(S::Cached),
        d if d == total => Face::Status(S::Done),
        d if u64::from(d) * 3 <= u64::from(total) => Face::Partly(0),
        d if u64::from(d) * 3 <= u64::from(total) * 2 => Face::Partly(1),
        _ => Face::Partly(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use InterviewStatus as S;
    use proptest::prelude::*;

    const SIZE: Size = Size { width: 10, height: 5 };

    fn view(statuses: &[S]) -> GridView {
        let mut view = GridView::default();
        view.fit(statuses, SIZE);
        view
    }

    #[test]
    fn a_cell_is_one_persona_while_they_fit() {
        let statuses = [S::Done, S::Failed, S::Queued];
        let view = view(&statuses);
        assert_eq!((view.bucket(), view.filled()), (1, 3));
        assert_eq!(view.face(1, &statuses), Some(Face::Status(S::Failed)));
        assert_eq!(view.face(3, &statuses), None);
    }

    #[test]
    fn a_bucket_shows_the_worst_of_it() {
        for (statuses, face) in [
            (vec![S::Done, S::Failed, S::Refused], Face::Status(S::Failed)),
            (vec![S::Done, S::Refused, S::BackingOff], Face::Status(S::Refused)),
            (vec![S::Queued, S::BackingOff, S::InFlight], Face::Status(S::BackingOff)),
            (vec![S::WaitingForSlot, S::InFlight], Face::Status(S::InFlight)),
            (vec![S::Queued, S::WaitingForRequests], Face::Status(S::WaitingForRequests)),
            (vec![S::Queued, S::Queued], Face::Status(S::Queued)),
            (vec![S::Done, S::Done], Face::Status(S::Done)),
            (vec![S::Done, S::Queued, S::Queued], Face::Partly(0)),
            (vec![S::Done, S::Done, S::Queued], Face::Partly(1)),
            (vec![S::Done, S::Done, S::Done, S::Queued], Face::Partly(2)),
        ] {
            assert_eq!(worst(&StatusCounts::of(&statuses)), face, "{statuses:?}");
        }
    }

    #[test]
    fn zooming_goes_from_a_million_to_one_and_back() {
        let mut statuses = vec![S::Queued; 1_000_000];
        statuses[777_777] = S::Failed;
        let mut view = view(&statuses);
        assert_eq!(view.bucket(), 20_000);
        view.go_to(PersonaIndex(777_777), &statuses);
        let mut depth = 0;
        while view.zoom_in(&statuses) {
            depth += 1;
            let cell = view.cursor_cell().unwrap();
            assert_eq!(view.face(cell, &statuses), Some(Face::Status(S::Failed)));
            let (first, end) = view.personas(cell);
            assert!((first..end).contains(&777_777));
        }
        assert_eq!((view.bucket(), depth), (1, 3));
        for _ in 0..depth {
            assert!(view.zoom_out(&statuses));
        }
        assert!(!view.zoom_out(&statuses));
        assert_eq!(view.range(), (0, 1_000_000));
    }

    #[test]
    fn the_cursor_stays_in_sight_and_on_the_list() {
        let statuses = vec![S::Queued; 125];
        let mut view = view(&statuses);
        assert_eq!(view.bucket(), 3);
        view.move_by(0, 1, &statuses);
        assert_eq!(view.cursor_cell(), Some(0), "the first move places the cursor");
        view.move_by(1, 1, &statuses);
        assert_eq!(view.cursor_cell(), Some(11));
        view.move_by(0, -5, &statuses);
        assert_eq!(view.cursor_cell(), Some(11), "a move beyond the list is none");
        assert!(view.zoom_in(&statuses));
        assert_eq!(view.range(), (33, 83));
        view.go_to(PersonaIndex(124), &statuses);
        assert_eq!(view.cursor_cell(), Some(44), "the last row of the page");
        view.go_to(PersonaIndex(0), &statuses);
        assert_eq!(view.cursor_cell(), Some(0));
    }

    fn status() -> impl Strategy<Value = S> {
        (0..S::COUNT).prop_map(|n| S::ALL[n])
    }

    proptest! {
        #[test]
        fn buckets_kept_up_to_date_are_those_counted_anew(
            mut statuses in proptest::collection::vec(status(), 1..400),
            changes in proptest::collection::vec((0_u32..400, status()), 0..100),
            zoom in any::<bool>(),
        ) {
            let mut view = view(&statuses);
            if zoom {
                view.go_to(PersonaIndex(u32::try_from(statuses.len()).unwrap() / 2), &statuses);
                view.zoom_in(&statuses);
            }
            for (at, to) in changes {
                if let Some(status) = statuses.get_mut(at as usize) {
                    let from = std::mem::replace(status, to);
                    view.changed(PersonaIndex(at), from, to);
                }
            }
            let mut anew = view.clone();
            anew.count(&statuses);
            for cell in 0..view.filled() {
                prop_assert!(view.face(cell, &statuses).is_some());
                prop_assert_eq!(view.face(cell, &statuses), anew.face(cell, &statuses));
            }
            prop_assert_eq!(view.face(view.filled(), &statuses), None);
        }

        #[test]
        fn no_walk_loses_the_cursor(
            total in 0_usize..3_000, width in 0_u16..40, height in 0_u16..20,
            steps in proptest::collection::vec(0_u8..9, 0..60),
        ) {
            let statuses = vec![S::Queued; total];
            let mut view = GridView::default();
            view.fit(&statuses, Size { width, height });
            for step in steps {
                match step {
                    0 => view.move_by(1, 0, &statuses),
                    1 => view.move_by(-1, 0, &statuses),
                    2 => view.move_by(0, 1, &statuses),
                    3 => view.move_by(0, -1, &statuses),
                    4 => view.page(true, &statuses),
                    5 => view.page(false, &statuses),
                    6 => view.go_to_end(true, &statuses),
                    7 => { view.zoom_in(&statuses); }
                    _ => { view.zoom_out(&statuses); }
                }
                if let Some(cursor) = view.cursor {
                    prop_assert!((cursor.persona.0 as usize) < total);
                    prop_assert!(view.cursor_cell().is_some() || view.capacity() == 0);
                }
                prop_assert!(view.filled() <= view.capacity());
            }
        }
    }
}
