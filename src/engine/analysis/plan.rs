//! What the analysis of a run does next: a fold over what is on file, so that one that was broken
//! off goes on where it was, and no piece that is kept is made again.

use super::piece;
use crate::{
    model::{Analysis, Covers, MadeBy, PersonaIndex, SummaryMode},
    store::{DigestOnFile, RunReader, StoreError},
};
use std::collections::HashSet;

/// Answers in a group.
pub(in crate::engine) const GROUP: usize = 50;

/// Digests that go into one summary; more are digested themselves first.
const MOST_DIGESTS: usize = 50;

/// The piece that is the summary.
pub(in crate::engine) const SUMMARY: u32 = 0;

/// The calls that a summary by a model takes, where none is made twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SummaryCalls {
    /// Of a group of answers each.
    pub digests: u64,
    /// Of digests: the summary, and what makes room for it where there are too many.
    pub of_digests: u64,
    answers: u64,
}

impl SummaryCalls {
    /// Of so many answers. The digest of the only group is the summary.
    pub const fn of(answers: u64) -> Self {
        let digests = answers.div_ceil(GROUP as u64);
        let (mut top, mut of_digests) = (digests, 0);
        while top > MOST_DIGESTS as u64 {
            top = top.div_ceil(MOST_DIGESTS as u64);
            of_digests += top;
        }
        if digests > 1 {
            of_digests += 1;
        }
        Self { digests, of_digests, answers }
    }

    /// The most that all replies together can have, in tokens, with this cap on an answer.
    pub fn most_output(&self, max_output_tokens: u32) -> u64 {
        let most = |answers| u64::from(piece::output_cap(max_output_tokens, answers));
        let (full, rest) = (self.answers / GROUP as u64, self.answers % GROUP as u64);
        let rest = usize::try_from(rest).unwrap_or(GROUP);
        full * most(GROUP) + if rest > 0 { most(rest) } else { 0 } + self.of_digests * most(0)
    }
}

/// One piece of the analysis: a digest, or the summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Piece {
    pub number: u32,
    pub of: Covers,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) enum Next {
    /// These pieces, in any order.
    Make(Vec<Piece>),
    /// Nothing: this is what the answers come to, where there are any.
    Over(Option<Box<Analysis>>),
}

/// What comes next in this run.
pub(in crate::engine) fn next(reader: &RunReader, mode: SummaryMode) -> Result<Next, StoreError> {
    if mode == SummaryMode::Off {
        return Ok(Next::Over(None));
    }
    let answered = reader.answered()?;
    let analysis = reader.analysis()?;
    Ok(after(&answered, &reader.digests()?, analysis, mode))
}

/// What comes after these digests of these answers. Words need no digests of digests: they count.
fn after(
    answered: &[PersonaIndex],
    digests: &[DigestOnFile],
    analysis: Option<Analysis>,
    mode: SummaryMode,
) -> Next {
    if answered.is_empty() {
        return Next::Over(None);
    }
    let used: HashSet<u32> = digests.iter().map(|digest| digest.number).collect();
    let mut digested: HashSet<PersonaIndex> = HashSet::new();
    let mut condensed: HashSet<u32> = HashSet::new();
    for digest in digests {
        match &digest.covers {
            Covers::Answers(personas) => digested.extend(personas),
            Covers::Digests(numbers) => condensed.extend(numbers),
        }
    }
    let left: Vec<_> =
        answered.iter().copied().filter(|persona| !digested.contains(persona)).collect();
    if !left.is_empty() {
        let groups = left.chunks(GROUP).map(|group| Covers::Answers(group.to_vec()));
        return Next::Make(numbered(&used, groups));
    }
    let top: Vec<_> =
        digests.iter().map(|digest| digest.number).filter(|n| !condensed.contains(n)).collect();
    if let Some(analysis) = analysis
        && analysis.covers == top
    {
        return Next::Over(Some(Box::new(analysis)));
    }
    if mode == SummaryMode::Model && top.len() > MOST_DIGESTS {
        let groups = top.chunks(MOST_DIGESTS).map(|group| Covers::Digests(group.to_vec()));
        return Next::Make(numbered(&used, groups));
    }
    Next::Make(vec![Piece { number: SUMMARY, of: Covers::Digests(top) }])
}

/// Gives each piece the next number that none has.
fn numbered(used: &HashSet<u32>, pieces: impl Iterator<Item = Covers>) -> Vec<Piece> {
    (1..)
        .filter(|number| !used.contains(number))
        .zip(pieces)
        .map(|(number, of)| Piece { number, of })
        .collect()
}

/// How many groups of answers there are, and those that words digested for want of a model.
pub(in crate::engine) fn groups(digests: &[DigestOnFile]) -> (u32, Vec<u32>) {
    let groups = digests.iter().filter(|digest| matches!(digest.covers, Covers::Answers(_)));
    let fell_back = |digest: &&DigestOnFile| matches!(digest.by, MadeBy::Words { why: Some(_) });
    let many = u32::try_from(groups.clone().count()).unwrap_or(u32::MAX);
    (many, groups.filter(fell_back).map(|digest| digest.number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Findings;

    fn personas(of: std::ops::Range<u32>) -> Vec<PersonaIndex> {
        of.map(PersonaIndex).collect()
    }

    fn on_file(piece: &Piece) -> DigestOnFile {
        DigestOnFile { number: piece.number, covers: piece.of.clone(), by: MadeBy::Model }
    }

    fn made(next: Next) -> Vec<Piece> {
        match next {
            Next::Make(pieces) => pieces,
            Next::Over(analysis) => panic!("it is over: {analysis:?}"),
        }
    }

    fn analysis(covers: Vec<u32>) -> Analysis {
        Analysis {
            findings: Findings::default(),
            by: MadeBy::Model,
            covers,
            groups: 2,
            fell_back: vec![],
            answers: 60,
            weight: 60.0,
            drivers: vec![],
            themes: vec![],
        }
    }

    #[test]
    fn groups_come_first_then_one_summary_of_them_and_then_nothing() {
        let answered = personas(0..60);
        let of = |digests: &[_], analysis| after(&answered, digests, analysis, SummaryMode::Model);
        let groups = made(of(&[], None));
        assert_eq!(groups.iter().map(|piece| piece.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(groups[1].of, Covers::Answers(personas(50..60)));
        // What is kept is not made again, and what is not gets a number of its own.
        let rest = made(of(&[on_file(&groups[0])], None));
        assert_eq!(rest, [groups[1].clone()]);
        let digests: Vec<_> = groups.iter().map(on_file).collect();
        let summary = Piece { number: SUMMARY, of: Covers::Digests(vec![1, 2]) };
        assert_eq!(made(of(&digests, None)), [summary]);
        let over = of(&digests, Some(analysis(vec![1, 2])));
        assert_eq!(over, Next::Over(Some(Box::new(analysis(vec![1, 2])))));
    }

    #[test]
    fn who_answers_later_makes_a_group_of_its_own_and_a_new_summary() {
        let first = Piece { number: 1, of: Covers::Answers(personas(0..50)) };
        let mut answered = personas(0..50);
        answered.insert(0, PersonaIndex(99));
        let digests = [on_file(&first)];
        let mode = SummaryMode::Model;
        let next = after(&answered, &digests, Some(analysis(vec![1])), mode);
        let late = Piece { number: 2, of: Covers::Answers(vec![PersonaIndex(99)]) };
        let digests = [on_file(&first), on_file(&late)];
        assert_eq!(made(next), [late]);
        let next = after(&answered, &digests, Some(analysis(vec![1])), mode);
        assert_eq!(made(next)[0].number, SUMMARY);
    }

    #[test]
    fn too_many_digests_are_digested_until_one_summary_has_room_for_them() {
        let answered = personas(0..130_000);
        let mut digests = Vec::new();
        let mut waves = Vec::new();
        loop {
            let pieces = made(after(&answered, &digests, None, SummaryMode::Model));
            waves.push(pieces.len());
            if pieces[0].number == SUMMARY {
                break;
            }
            digests.extend(pieces.iter().map(on_file));
        }
        assert_eq!(waves, [2_600, 52, 2, 1]);
        let calls = SummaryCalls::of(130_000);
        assert_eq!((calls.digests, calls.of_digests), (2_600, 55), "as it is planned ahead");
        let all = after(&answered, &digests[..2_600], None, SummaryMode::Words);
        assert_eq!(made(all)[0].number, SUMMARY);
    }

    #[test]
    fn what_a_summary_takes_is_known_before_anybody_is_asked() {
        for (answers, digests, of_digests, most) in
            [(0, 0, 0, 0), (1, 1, 0, 2_080), (50, 1, 0, 6_000), (60, 2, 1, 6_000 + 2_800 + 2_000)]
        {
            let calls = SummaryCalls::of(answers);
            assert_eq!((calls.digests, calls.of_digests), (digests, of_digests), "{answers}");
            assert_eq!(calls.most_output(600), most, "{answers}");
        }
    }

    #[test]
    fn a_run_that_nobody_answered_has_nothing_to_summarize() {
        assert_eq!(after(&[], &[], None, SummaryMode::Model), Next::Over(None));
    }
}
