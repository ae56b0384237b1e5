//! How many interviews may be in progress: a pure decision.
//!
//! An interview is a task, so tasks are bounded by the slots and not by the number of personas.
//! Beyond the requests in flight a short line waits for permits, so that a slot that becomes free
//! is taken at once. Interviews that back off hold no slot and count apart: a few unlucky ones
//! must not keep slots empty, and a storm of them must not start a million tasks.

/// The shortest and the longest line beyond the slots.
const LINE: std::ops::RangeInclusive<usize> = 4..=64;

/// Interviews that back off, for each slot, before no new one starts.
const BACKING_OFF_PER_SLOT: usize = 4;

/// What the decision rests on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occupancy {
    pub slots: usize,
    pub in_progress: usize,
    /// Of those in progress.
    pub backing_off: usize,
}

/// How many more interviews may start.
pub(super) const fn room(now: Occupancy) -> usize {
    let longest = *LINE.end();
    let line = if now.slots < *LINE.start() {
        *LINE.start()
    } else if now.slots > longest {
        longest
    } else {
        now.slots
    };
    if now.backing_off >= now.slots * BACKING_OFF_PER_SLOT + longest {
        return 0;
    }
    (now.slots + line).saturating_sub(now.in_progress - now.backing_off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_stay_full_while_some_back_off_and_a_storm_is_bounded() {
        let room =
            |slots, in_progress, backing_off| room(Occupancy { slots, in_progress, backing_off });
        assert_eq!(room(20, 0, 0), 40);
        assert_eq!(room(20, 40, 0), 0);
        assert_eq!(room(20, 40, 15), 15);
        assert_eq!(room(1, 0, 0), 5);
        assert_eq!(room(1000, 0, 0), 1064);
        assert_eq!(room(20, 144, 144), 0);
    }
}
