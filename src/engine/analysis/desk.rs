//! The part of the analysis that reads the run file: on the thread that does so for the engine, or
//! in a program that asks no model.

use super::{
    plan::{self, Next, Piece, SUMMARY},
    words,
};
use crate::{
    lexicon::Lexicon,
    model::{Analysis, Answer, Covers, Digest, Findings, MadeBy, PersonaIndex, SummaryMode, Topic},
    store::{RunReader, StoreError},
};
use std::sync::Arc;

/// What the supervisor asks for.
#[derive(Debug)]
pub(in crate::engine) enum Task {
    /// What comes next.
    Plan,
    /// What a model is to be shown for this piece.
    Load(Piece),
    /// Make this piece by words; `why`, where a model was asked before.
    ByWords { piece: Piece, why: Option<String> },
    /// Count what there is to count, and put it to these findings.
    Conclude { piece: Piece, findings: Findings },
}

/// What comes back.
#[derive(Debug)]
pub(in crate::engine) enum Got {
    Planned(Next),
    Loaded { piece: Piece, material: Material, attempts: u32 },
    Made(Made),
}

/// What a piece is made from.
#[derive(Debug)]
pub(in crate::engine) enum Material {
    Answers(Vec<(PersonaIndex, Answer)>),
    Digests(Vec<(u32, Findings)>),
}

/// A piece that is ready to be kept.
#[derive(Debug)]
pub(in crate::engine) enum Made {
    Digest(Box<Digest>),
    Analysis(Box<Analysis>),
}

/// Works on one run.
#[derive(Clone)]
pub(in crate::engine) struct Desk {
    pub mode: SummaryMode,
    pub lexicon: Arc<Lexicon>,
}

impl Desk {
    pub(in crate::engine) fn new(mode: SummaryMode, themes: &[Topic]) -> Self {
        Self { mode, lexicon: Arc::new(Lexicon::new(themes)) }
    }

    /// Does one task.
    pub(in crate::engine) fn work(
        &self,
        reader: &RunReader,
        task: Task,
    ) -> Result<Got, StoreError> {
        Ok(match task {
            Task::Plan => Got::Planned(plan::next(reader, self.mode)?),
            Task::Load(piece) => match (&piece.of, piece.number) {
                // The digest of the only group is the summary: nobody is asked to say it again.
                (Covers::Digests(only), SUMMARY) if only.len() == 1 => {
                    Got::Made(only_group(reader, only[0])?)
                }
                _ => {
                    let subject = PersonaIndex::of_piece(piece.number);
                    let attempts = reader.attempts_made(subject)?;
                    let material = material(reader, &piece)?;
                    Got::Loaded { piece, material, attempts }
                }
            },
            Task::ByWords { piece, why } => Got::Made(self.by_words(reader, &piece, why)?),
            Task::Conclude { piece, findings } => {
                let Covers::Digests(covers) = piece.of else {
                    unreachable!("a summary is made of digests")
                };
                let analysis = words::conclude(reader, covers, Some(findings), MadeBy::Model)?;
                Got::Made(Made::Analysis(Box::new(analysis)))
            }
        })
    }

    fn by_words(
        &self,
        reader: &RunReader,
        piece: &Piece,
        why: Option<String>,
    ) -> Result<Made, StoreError> {
        if let (SUMMARY, Covers::Digests(covers)) = (piece.number, &piece.of) {
            let by = MadeBy::Words { why };
            let analysis = words::conclude(reader, covers.clone(), None, by)?;
            return Ok(Made::Analysis(Box::new(analysis)));
        }
        let mut digest = match material(reader, piece)? {
            Material::Answers(answers) => words::digest(&self.lexicon, piece.number, &answers, why),
            Material::Digests(digests) => words::condense(piece.number, &digests, why),
        };
        // What could not be found is covered all the same, or it would be looked for for ever.
        digest.covers = piece.of.clone();
        Ok(Made::Digest(Box::new(digest)))
    }
}

fn material(reader: &RunReader, piece: &Piece) -> Result<Material, StoreError> {
    Ok(match &piece.of {
        Covers::Answers(personas) => Material::Answers(reader.answers(personas)?),
        Covers::Digests(numbers) => {
            let mut digests = Vec::with_capacity(numbers.len());
            for &number in numbers {
                digests.extend(reader.findings(number)?.map(|findings| (number, findings)));
            }
            Material::Digests(digests)
        }
    })
}

fn only_group(reader: &RunReader, number: u32) -> Result<Made, StoreError> {
    let mut findings = reader.findings(number)?.unwrap_or_default();
    for finding in [&mut findings.themes, &mut findings.conflicts, &mut findings.surprises]
        .into_iter()
        .flatten()
    {
        if finding.groups.is_empty() {
            finding.groups.push(number);
        }
    }
    let by = reader.digests()?.into_iter().find(|digest| digest.number == number);
    let by = by.map_or(MadeBy::Model, |digest| digest.by);
    let analysis = words::conclude(reader, vec![number], Some(findings), by)?;
    Ok(Made::Analysis(Box::new(analysis)))
}
