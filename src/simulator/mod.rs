//! An OpenAI-compatible provider on loopback, with limits and faults.
