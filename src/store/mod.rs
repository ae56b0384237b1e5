//! The run file: one SQLite file a run.
