//! Where personas come from: CSV, JSON, JSONL and YAML files.
