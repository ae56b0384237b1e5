//! What the run file promises: nothing that was shown as done is ever lost.

mod analysis;
mod batches;
mod cached;
mod export;
mod faults;
mod processes;
mod run_file;
mod steps;
mod support;
mod writing;
