//! How many tokens a text is: counted, or guessed from its length where counting costs too much.
//!
//! ```text
//! TokenCounter   the model's own vocabulary: exact     plans and checks, never while asking
//! TokenEstimate  so many tokens a byte: some ns        what a request reserves
//!                '-- learns from counts, and from what the provider says it counted
//! ```
//!
//! Counting is the `tiktoken` crate. Measured with optimization on one core, with `o200k_base` (the
//! vocabulary of OpenAI's models since gpt-4o), on shuffled words of this program's prompts, each
//! text counted once. Binary, build and crates are what each adds to a program that does nothing:
//!
//! | crate | first count | 300, 4,000 characters | memory | binary | build (CPU) | crates |
//! |---|---|---|---|---|---|---|
//! | `tiktoken` 4.1, two vocabularies | 75 to 115 ms | 1.9, 19 µs | 24 MiB | 3.2 MB | 26 s | 9 |
//! | `tiktoken-rs` 0.12, one | 160 to 215 ms | 15, 187 µs | 46 MiB | 5.8 MB | 33 s | 13 |
//! | `bpe-openai` 0.3, one | 46 to 77 ms | 10, 119 µs | 66 MiB | 34 MB | 56 s | 30 |
//!
//! All three gave the same counts for 120,000 texts of words, odd white space and characters of
//! every script. Without optimization `tiktoken` loads in 0.32 s and the others in 0.7 and 0.95 s.
//!
//! Loading alone takes longer than a run has until its first request, and a third of its memory. So
//! a run begins with a guess, and what it asks while it goes on is [`TokenEstimate`]: 8 bytes,
//! 4.5 ns to ask and 11 ns to teach.

mod counter;
mod estimate;

pub use counter::{TokenCounter, at_most};
pub use estimate::TokenEstimate;
