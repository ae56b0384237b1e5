//! Runs that outlive their terminals: what it takes to join one, to be watched, to be killed, and
//! to go on for an hour. Prints figures, asserts none.
//!
//! ```text
//! cargo bench --bench attached -- join     a dashboard on a run of 1,000,000: frame and snapshot
//! cargo bench --bench attached -- watch    rate and the engine's CPU with 0, 1 and 20 dashboards
//! cargo bench --bench attached -- kill     200 kills of a run at 2,000 answers a second
//! cargo bench --bench attached -- resume   how soon a run of 1,000,000 goes on after a kill
//! cargo bench --bench attached -- ls       the list, with a finished run of 1,000,000
//! cargo bench --bench attached -- hour     memory over an hour on tokio's paused clock
//! ```
//!
//! Settings go beside the sections, as in `kill kills=20 rate=500`:
//!
//! | setting | of | built-in |
//! |---|---|---|
//! | `personas` | join, resume, ls | 1000000 |
//! | `rate`, answers a second | watch, kill | 2000 |
//! | `span`, seconds a row | watch | 20 |
//! | `kills` | kill | 200 |
//! | `minutes` | hour | 60 |
//! | `per_second`, answers a second on the paused clock | hour | 100 |
//! | `speed`, paused seconds a real second | hour | 60 |
//!
//! The provider is a server in this process that says the same answer to everybody at once, and
//! knows whom it was asked about. With `VOXPOP_REFERENCE` (host:port) `watch` asks that server
//! instead, as `benches/program.rs` does. Linux only: figures of processes come from /proc.

#[path = "shared/clock.rs"]
mod clock;
#[path = "attached/hour.rs"]
mod hour;
#[path = "attached/join.rs"]
mod join;
#[path = "attached/kill.rs"]
mod kill;
#[path = "attached/place.rs"]
mod place;
#[path = "attached/process.rs"]
mod process;
#[path = "attached/screen.rs"]
mod screen;
#[path = "attached/server.rs"]
mod server;
#[path = "attached/stored.rs"]
mod stored;
#[path = "attached/watch.rs"]
mod watch;
#[path = "attached/watcher.rs"]
mod watcher;

use std::{collections::HashMap, env, time::Duration};
use stored::Stored;

/// As in the program, so that memory and time are the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is asked for on the command line.
struct Asked {
    sections: Vec<String>,
    settings: HashMap<String, u32>,
}

impl Asked {
    fn read() -> Self {
        let mut asked = Self { sections: Vec::new(), settings: HashMap::new() };
        for word in env::args().skip(1).filter(|word| !word.starts_with('-')) {
            match word.split_once('=') {
                Some((name, value)) => {
                    let value = value.parse().unwrap_or_else(|_| panic!("{word}: no number"));
                    asked.settings.insert(name.to_owned(), value);
                }
                None => asked.sections.push(word),
            }
        }
        asked
    }

    fn wants(&self, section: &str) -> bool {
        self.sections.is_empty() || self.sections.iter().any(|asked| asked == section)
    }

    fn setting(&self, name: &str, built_in: u32) -> u32 {
        self.settings.get(name).copied().unwrap_or(built_in)
    }
}

fn main() {
    let asked = Asked::read();
    let rate = asked.setting("rate", 2_000);
    if ["join", "resume", "ls"].into_iter().any(|section| asked.wants(section)) {
        let stored = Stored::make(asked.setting("personas", 1_000_000));
        if asked.wants("join") {
            join::join(&stored);
        }
        if asked.wants("resume") {
            join::resume(&stored);
        }
        if asked.wants("ls") {
            join::ls(&stored);
        }
    }
    if asked.wants("watch") {
        watch::watch(rate, Duration::from_secs(asked.setting("span", 20).into()));
    }
    if asked.wants("kill") {
        kill::kill(asked.setting("kills", 200), rate);
    }
    if asked.wants("hour") {
        hour::hour(hour::Pace {
            minutes: asked.setting("minutes", 60),
            per_second: asked.setting("per_second", 100),
            speed: asked.setting("speed", 60),
        });
    }
}

/// The one in the middle.
fn median<T: Copy + Ord>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
