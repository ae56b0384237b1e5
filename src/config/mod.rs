//! Settings in layers, each with where its value came from.
