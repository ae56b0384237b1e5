//! Capacity in slots: so many requests are served at once, the next ones wait in line, and
//! beyond the line they are turned away.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// The slots and the line before them.
#[derive(Debug)]
pub struct Slots(Mutex<State>);

#[derive(Debug)]
struct State {
    /// `None` is no limit.
    limit: Option<u32>,
    /// The longest line; `None` is no end to it.
    queue: Option<u32>,
    held: u32,
    /// Whoever waits is told over its channel that a slot is its own.
    waiting: VecDeque<oneshot::Sender<()>>,
}

/// All slots are held and the line is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A slot, or a place in the line before one. Dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    slots: Arc<Slots>,
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    Served,
    Waiting(oneshot::Receiver<()>),
}

impl Slots {
    pub fn new(limit: Option<u32>, queue: Option<u32>) -> Self {
        Self(Mutex::new(State { limit, queue, held: 0, waiting: VecDeque::new() }))
    }

    /// Takes a slot, or gets in line.
    ///
    /// # Errors
    /// Where the line is full.
    pub fn join(self: &Arc<Self>) -> Result<Place, Full> {
        let mut state = self.lock();
        let standing = if state.has_room() && state.waiting.is_empty() {
            state.held += 1;
            Standing::Served
        } else {
            // Those who gave up stand in nobody's way.
            state.waiting.retain(|turn| !turn.is_closed());
            if state.queue.is_some_and(|longest| state.waiting.len() >= longest as usize) {
                return Err(Full);
            }
            let (turn, my_turn) = oneshot::channel();
            state.waiting.push_back(turn);
            Standing::Waiting(my_turn)
        };
        Ok(Place { slots: Arc::clone(self), standing })
    }

    /// Changes how many there are. Those that are held beyond it are served to their end.
    pub fn set_limit(&self, limit: Option<u32>) {
        let mut state = self.lock();
        state.limit = limit;
        state.hand_out();
    }

    /// The limit.
    pub fn limit(&self) -> Option<u32> {
        self.lock().limit
    }

    /// How many wait in line.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.iter().filter(|turn| !turn.is_closed()).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self) -> bool {
        self.limit.is_none_or(|limit| self.held < limit)
    }

    fn hand_out(&mut self) {
        while self.has_room()
            && let Some(turn) = self.waiting.pop_front()
        {
            if turn.send(()).is_ok() {
                self.held += 1;
            }
        }
    }
}

impl Place {
    /// Waits until a slot is ours.
    pub async fn served(&mut self) {
        if let Standing::Waiting(turn) = &mut self.standing {
            // The channel cannot close before its turn: the slots are alive as long as we are.
            let _ = turn.await;
            self.standing = Standing::Served;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        let held = match &mut self.standing {
            Standing::Served => true,
            // It may have been given a slot that it never noticed.
            Standing::Waiting(turn) => turn.try_recv().is_ok(),
        };
        if held {
            state.held -= 1;
            state.hand_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn is_served(place: &mut Place) -> bool {
        place.served().now_or_never().is_some()
    }

    #[test]
    fn the_next_in_line_is_served_and_the_one_beyond_it_turned_away() {
        let slots = Arc::new(Slots::new(Some(1), Some(2)));
        let mut first = slots.join().unwrap();
        let mut second = slots.join().unwrap();
        let mut third = slots.join().unwrap();
        assert_eq!(slots.join().unwrap_err(), Full);
        assert!(is_served(&mut first) && !is_served(&mut second) && !is_served(&mut third));
        drop(first);
        assert!(is_served(&mut second) && !is_served(&mut third));
        assert_eq!(slots.waiting(), 1);
        // Who gives up makes room for another, also with a slot that it never took.
        let fourth = slots.join().unwrap();
        drop(fourth);
        let mut fifth = slots.join().unwrap();
        drop(second);
        drop(third);
        assert!(is_served(&mut fifth));
    }

    #[test]
    fn the_number_of_slots_can_change() {
        let slots = Arc::new(Slots::new(Some(1), None));
        let mut places: Vec<Place> = (0..4).map(|_| slots.join().unwrap()).collect();
        let served = |places: &mut Vec<Place>| {
            places.iter_mut().map(is_served).filter(|served| *served).count()
        };
        assert_eq!(served(&mut places), 1);
        slots.set_limit(Some(3));
        assert_eq!(served(&mut places), 3);
        slots.set_limit(Some(1));
        places.remove(0);
        places.remove(0);
        assert_eq!(served(&mut places), 1);
        slots.set_limit(None);
        assert_eq!(served(&mut places), 2);
        assert_eq!(slots.limit(), None);
    }
}
