//! The whole program against a server that is never the bottleneck. Prints figures, asserts none.
//!
//! ```text
//! cargo bench --bench program -- speed     interviews a second and CPU each, beside `oha`
//! cargo bench --bench program -- pace      200 ms latency, and a limit of 600 a minute
//! cargo bench --bench program -- memory    peak memory at 100,000 and 1,000,000 personas
//! cargo bench --bench program -- screen    first frame, and bytes to the terminal
//! ```
//!
//! `speed`, `pace` and `memory` want a server at `VOXPOP_REFERENCE` (host:port, default
//! 127.0.0.1:18080) that answers `POST /v1/chat/completions` at once, on the next port after
//! 200 ms, and on the one after that with 429 beyond 600 a minute; `VOXPOP_REFERENCE_LOG` names
//! its access log, whose lines begin with the time, the status and, fourth, the port. `speed`
//! runs `oha` from the PATH or `OHA`. Linux only: figures of processes come from /proc.

#[path = "program/bench.rs"]
mod bench;
#[path = "program/memory.rs"]
mod memory;
#[path = "program/pace.rs"]
mod pace;
#[path = "program/process.rs"]
mod process;
#[path = "program/pty.rs"]
mod pty;
#[path = "program/screen.rs"]
mod screen;
#[path = "program/speed.rs"]
mod speed;

use bench::Bench;
use std::env;

fn main() {
    let asked: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wants = |section: &str| asked.is_empty() || asked.iter().any(|arg| arg == section);
    let bench = Bench::new();
    if wants("speed") {
        bench.speed();
    }
    if wants("pace") {
        bench.pace();
    }
    if wants("memory") {
        bench.memory();
    }
    if wants("screen") {
        bench.screen();
    }
}
