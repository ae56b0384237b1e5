//! A run's records as JSON lines, JSON or CSV.
