//! Which line goes into which file.

use crate::model::Tokens;

/// What a provider takes in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimits {
    pub lines: u32,
    pub bytes: u64,
    /// The cap on what may be enqueued at once, which one file must not go beyond either. `None`
    /// where nobody knows it. Tokens are only reckoned: a line that is more by itself has a file
    /// by itself, and the provider the last word.
    pub enqueued_tokens: Option<Tokens>,
}

impl Default for FileLimits {
    /// OpenAI's.
    fn default() -> Self {
        Self { lines: 50_000, bytes: 200_000_000, enqueued_tokens: None }
    }
}

/// What one line takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSize {
    pub bytes: u64,
    /// Of its prompt.
    pub tokens: Tokens,
}

/// What the lines of a file take together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSize {
    pub lines: u32,
    pub bytes: u64,
    pub tokens: Tokens,
}

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Into the file that is open.
    Here,
    /// The open file is full, with this in it: the line begins the next one.
    NextFile { full: FileSize },
    /// Into none: it alone is more than a file may hold.
    TooLarge,
}

/// Splits lines as they come.
#[derive(Clone, Debug)]
pub struct Splitter {
    limits: FileLimits,
    open: FileSize,
}

impl Splitter {
    /// A splitter before the first line.
    pub fn new(limits: FileLimits) -> Self {
        Self { limits, open: FileSize::default() }
    }

    /// Says where the next line goes, and counts it there.
    pub fn place(&mut self, line: LineSize) -> Placement {
        let alone = FileSize::default().with(line);
        if !self.holds(alone) {
            return Placement::TooLarge;
        }
        let together = self.open.with(line);
        if self.open.lines == 0 || self.fits(together) {
            self.open = together;
            return Placement::Here;
        }
        let full = std::mem::replace(&mut self.open, alone);
        Placement::NextFile { full }
    }

    /// What is in the last file, where there is anything in it.
    pub fn finish(self) -> Option<FileSize> {
        (self.open.lines > 0).then_some(self.open)
    }

    fn fits(&self, size: FileSize) -> bool {
        let cap = self.limits.enqueued_tokens;
        self.holds(size) && cap.is_none_or(|most| size.tokens.0 <= most.0)
    }

    fn holds(&self, size: FileSize) -> bool {
        size.lines <= self.limits.lines && size.bytes <= self.limits.bytes
    }
}

impl FileSize {
    fn with(self, line: LineSize) -> Self {
        Self {
            lines: self.lines.saturating_add(1),
            bytes: self.bytes.saturating_add(line.bytes),
            tokens: Tokens(self.tokens.0.saturating_add(line.tokens.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The sizes of all files, and how many lines were too large.
    fn split(limits: FileLimits, lines: &[(u64, u64)]) -> (Vec<FileSize>, usize) {
        let mut splitter = Splitter::new(limits);
        let (mut files, mut too_large) = (Vec::new(), 0);
        for &(bytes, tokens) in lines {
            match splitter.place(LineSize { bytes, tokens: Tokens(tokens) }) {
                Placement::Here => {}
                Placement::NextFile { full } => files.push(full),
                Placement::TooLarge => too_large += 1,
            }
        }
        files.extend(splitter.finish());
        (files, too_large)
    }

    #[test]
    fn a_file_ends_at_whichever_limit_comes_first() {
        let lines = |many| vec![(100, 10); many];
        let counts = |limits, many| -> Vec<u32> {
            split(limits, &lines(many)).0.iter().map(|file| file.lines).collect()
        };
        let limits = FileLimits { lines: 50, bytes: 10_000, enqueued_tokens: None };
        assert_eq!(counts(limits, 120), [50, 50, 20]);
        assert_eq!(counts(FileLimits { bytes: 4_000, ..limits }, 120), [40, 40, 40]);
        let capped = FileLimits { enqueued_tokens: Some(Tokens(300)), ..limits };
        assert_eq!(counts(capped, 61), [30, 30, 1]);
        assert_eq!(counts(FileLimits::default(), 120_000), [50_000, 50_000, 20_000]);
        assert_eq!(split(limits, &[]), (Vec::new(), 0));
        assert_eq!(split(limits, &[(10_001, 1), (10_000, 1)]).1, 1);
        let (files, too_large) = split(capped, &[(1, 10), (1, 301), (1, 10), (1, 10)]);
        let sizes: Vec<_> = files.iter().map(|file| file.lines).collect();
        assert_eq!((&sizes[..], too_large), (&[1, 1, 2][..], 0));
    }

    proptest! {
        #[test]
        fn no_line_is_lost_and_no_file_is_too_large(
            lines in prop::collection::vec((1_u64..300, 0_u64..60), 0..200),
            most_lines in 1_u32..20, bytes in 50_u64..1_000, tokens in 10_u64..200,
        ) {
            let limits =
                FileLimits { lines: most_lines, bytes, enqueued_tokens: Some(Tokens(tokens)) };
            let (files, too_large) = split(limits, &lines);
            let placed: u32 = files.iter().map(|file| file.lines).sum();
            prop_assert_eq!(placed as usize + too_large, lines.len());
            for file in files {
                prop_assert!(file.lines >= 1 && file.lines <= most_lines);
                prop_assert!(file.bytes <= bytes);
                prop_assert!(file.tokens.0 <= tokens || file.lines == 1);
            }
        }
    }
}
