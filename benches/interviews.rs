//! What an interview costs in calls, and what reviews find and mend. Prints tables, asserts none.
//!
//! ```text
//! cargo bench --bench interviews --profile dev              both, about five minutes
//! cargo bench --bench interviews --profile dev -- quota     personas a minute at 50 requests/min
//! cargo bench --bench interviews --profile dev -- verdicts  contradictions found and mended
//! ```
//!
//! Settings go beside the sections, as in `quota rpm=500 speed=10`:
//!
//! | setting | built-in |
//! |---|---|
//! | `rpm`, requests a minute of the engine | 50 |
//! | `speed`, paused seconds a real second; a sixth of it for packs | 45 |
//!
//! Each row is a whole run: the engine with its run file and a front end puts the example survey
//! to its 200 personas, on tokio's paused clock, which is led at a steady pace (`clock`). The
//! provider is the simulator, whose thread stays on the real clock. Its 300 ms are divided by the
//! speed, and it has no limit of its own: its minute would be another one. What keeps to the quota
//! is the engine's limiter alone, and the column of requests a minute shows that it does.
//!
//! What the simulator's thread computes takes its time on the real clock, most of all a critic of
//! five answers in a debug build: so packs are led more slowly, and where less than 95 % of what the
//! limiter allows was sent, the run is made again at half the speed, twice at the most. A row that
//! was held up all the same is marked `HELD UP`: a lower `speed` gives its true figure.
//!
//! All counts are those of the run file, and are compared with what the simulator has counted.
//! `summary: off`, or digests and a summary would be among the calls; no cache of whole requests.
//! The similar cache is also tried on 20 of the profiles, each ten times under other ids: no two of
//! the 200 are near enough to share a verdict.
//! The simulator behaves in one of two ways: clean, where every answer is as it was asked for, or
//! as `voxpop demo` has it, with 4 % contradictions, 6 % topics missed and 1 % off topic.
//!
//! Personas a minute are 200 over the time from the first request to the last interview that is
//! over and on disk, as the front end is shown it: up to 0.1 s late on either side. The disk takes
//! its time on the real clock, so an end comes a second or two late on the paused one: the figure
//! is low by that. The start flatters nothing: of a minute's quota the limiter lets two requests
//! through at once, and the others evenly.

#[path = "shared/clock.rs"]
mod clock;
#[path = "interviews/quota.rs"]
mod quota;
#[path = "interviews/run.rs"]
mod run;
#[path = "interviews/verdicts.rs"]
mod verdicts;

use run::Pace;
use std::env;

fn main() {
    let mut pace = Pace { rpm: 50, speed: 45 };
    let mut sections = Vec::new();
    for word in env::args().skip(1).filter(|word| !word.starts_with('-')) {
        let number = |value: &str| value.parse().unwrap_or_else(|_| panic!("{word}: no number"));
        match word.split_once('=') {
            Some(("rpm", value)) => pace.rpm = number(value),
            Some(("speed", value)) => pace.speed = number(value),
            Some(_) => panic!("{word}: no such setting"),
            None => sections.push(word),
        }
    }
    let wants = |section| sections.is_empty() || sections.iter().any(|asked| asked == section);
    if wants("quota") {
        quota::quota(pace);
    }
    if wants("verdicts") {
        verdicts::verdicts(pace);
    }
}
