//! The analysis of a run that is not live, without any network.

use super::{
    desk::{Desk, Got, Made, Task},
    plan::{self, Next},
};
use crate::{
    model::{Analysis, SummaryMode, Survey},
    store::{Notice, OpenRun, Record, RunReader, StoreError},
};
use std::{sync::mpsc, time::Duration};

/// How long closing the run file may take where the disk is full.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Whether a run has answers that its summary does not cover.
///
/// # Errors
/// Where the run file cannot be read.
pub fn is_due(reader: &RunReader, survey: &Survey) -> Result<bool, StoreError> {
    Ok(matches!(plan::next(reader, survey.summary.mode)?, Next::Make(_)))
}

/// Makes by words what is missing of a run's analysis, and keeps it. `None` where nobody has
/// answered.
///
/// # Errors
/// Where the run file cannot be read or written.
pub fn summarize_by_words(
    open: OpenRun,
    survey: &Survey,
) -> Result<Option<Box<Analysis>>, StoreError> {
    let reader = RunReader::open(open.path())?;
    let desk = Desk::new(SummaryMode::Words, &survey.summary.themes);
    let (said, notices) = mpsc::channel();
    let writer = open.writer(move |notice| {
        let _ = said.send(notice);
    })?;
    let mut over = None;
    loop {
        let pieces = match plan::next(&reader, desk.mode)? {
            Next::Make(pieces) => pieces,
            Next::Over(analysis) => {
                over = analysis;
                break;
            }
        };
        let mut to_commit = pieces.len();
        for piece in pieces {
            let Got::Made(made) = desk.work(&reader, Task::ByWords { piece, why: None })? else {
                unreachable!("words make a piece at once")
            };
            writer.write(match made {
                Made::Digest(digest) => Record::Digested(digest),
                Made::Analysis(analysis) => Record::Analysed(analysis),
            });
        }
        // What comes next is read off the file, so all of it has to be there.
        while to_commit > 0 {
            match notices.recv() {
                Ok(Notice::Committed(pieces)) => to_commit -= pieces.len().min(to_commit),
                Ok(Notice::Recovered | Notice::Kept { .. }) => {}
                // The close says what is wrong.
                Ok(Notice::Stalled { .. }) | Err(_) => {
                    drop(reader);
                    writer.close(CLOSE_WITHIN)?;
                    return Ok(over);
                }
            }
        }
    }
    // The reader first: the last connection clears the write-ahead log away.
    drop(reader);
    writer.close(CLOSE_WITHIN)?;
    Ok(over)
}
