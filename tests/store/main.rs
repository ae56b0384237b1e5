//! What the run file promises: nothing that was shown as done is ever lost.

mod analysis;
mod export;
mod faults;
mod processes;
mod run_file;
mod support;
mod writing;
