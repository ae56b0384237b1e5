//! Digests and summaries by words alone: what is named, how often, and by whom. It says less than a
//! model would, and nothing that cannot be counted.

use super::plan;
use crate::{
    lexicon::Lexicon,
    model::{
        Analysis, Answer, Covers, Digest, Finding, Findings, Insight, MadeBy, PersonaIndex, Score,
        Tally, is_weighted,
    },
    prompt::driver,
    store::{Counted, RunReader, StoreError},
};

/// So many findings of a sort, and so many who are cited for one.
const MOST_FINDINGS: usize = 5;
const MOST_OF_OTHERS: usize = 3;
const MOST_CITED: usize = 5;

/// Drivers and themes that a summary has.
const MOST_TALLIES: u32 = 30;

/// A theme divides where each side is at least this part of those who speak of it.
const SIDE: f64 = 0.25;

/// A mean support level that is so far from that of all is a surprise.
const FAR_OFF: f64 = 0.8;

/// What one answer rests on: its key concerns, or else the themes that it speaks of.
pub(super) fn insight(lexicon: &Lexicon, persona: PersonaIndex, answer: &Answer) -> Insight {
    let themes: Vec<String> =
        lexicon.found(answer.texts()).into_iter().map(str::to_owned).collect();
    let mut drivers: Vec<String> = Vec::new();
    for phrase in answer.key_concerns.iter().filter_map(|concern| driver(concern)) {
        if drivers.len() < 3 && !drivers.contains(&phrase) {
            drivers.push(phrase);
        }
    }
    if drivers.is_empty() {
        drivers.extend(themes.first().cloned());
    }
    Insight { persona, support: answer.support_level, drivers, themes }
}

/// The digest of a group of answers.
pub(super) fn digest(
    lexicon: &Lexicon,
    number: u32,
    answers: &[(PersonaIndex, Answer)],
    why: Option<String>,
) -> Digest {
    let insights: Vec<_> =
        answers.iter().map(|(persona, answer)| insight(lexicon, *persona, answer)).collect();
    let all = Side::of(insights.iter());
    let mut named: Vec<(&str, Side)> = Vec::new();
    for theme in insights.iter().flat_map(|insight| &insight.themes) {
        if !named.iter().any(|(name, _)| name == theme) {
            named.push((theme, Side::of(insights.iter().filter(|i| i.themes.contains(theme)))));
        }
    }
    named.sort_by_key(|(_, side)| std::cmp::Reverse(side.personas.len()));
    let total = answers.len();
    let theme = |(name, side): &(&str, Side)| Finding {
        text: format!(
            "{}: {} of {total} speak of it; {}.",
            capital(name),
            side.personas.len(),
            side.words()
        ),
        groups: Vec::new(),
        personas: side.cited(|_| true, MOST_CITED),
    };
    let conflict = |(name, side): &(&str, Side)| Finding {
        text: format!(
            "{} divides: of those who speak of it, {} are in favour and {} against.",
            capital(name),
            side.in_favour(),
            side.against()
        ),
        groups: Vec::new(),
        personas: [side.cited(|n| n > 3, 2), side.cited(|n| n < 3, 2)].concat(),
    };
    let mut themes: Vec<_> = named.iter().take(MOST_FINDINGS).map(theme).collect();
    if themes.is_empty() {
        themes.push(Finding {
            text: format!("No theme of the survey is named; {}.", all.words()),
            groups: Vec::new(),
            personas: all.cited(|_| true, MOST_CITED),
        });
    }
    let divided = named.iter().filter(|(_, side)| side.is_divided());
    let conflicts = divided.take(MOST_OF_OTHERS).map(conflict).collect();
    Digest {
        number,
        covers: Covers::Answers(answers.iter().map(|(persona, _)| *persona).collect()),
        findings: Findings { themes, conflicts, surprises: surprises(answers, &named, &all) },
        by: MadeBy::Words { why },
        insights,
    }
}

/// What does not go together as one would expect.
fn surprises(
    answers: &[(PersonaIndex, Answer)],
    named: &[(&str, Side)],
    all: &Side,
) -> Vec<Finding> {
    let mut surprises = Vec::new();
    let mut against_their_own = |text: &str, odd: &dyn Fn(&Answer, f64) -> bool| {
        let personas: Vec<_> = (answers.iter())
            .filter(|(_, answer)| mean_impact(answer).is_some_and(|mean| odd(answer, mean)))
            .map(|(persona, _)| *persona)
            .collect();
        if !personas.is_empty() {
            surprises.push(Finding {
                text: format!("{} {text}.", personas.len()),
                groups: Vec::new(),
                personas: personas.into_iter().take(MOST_CITED).collect(),
            });
        }
    };
    against_their_own("in favour, although they expect harm", &|answer, mean| {
        answer.support_level.get() > 3 && mean <= 2.0
    });
    against_their_own("against, although they expect good of it", &|answer, mean| {
        answer.support_level.get() < 3 && mean >= 4.0
    });
    let far = |side: &Side| side.personas.len() > 1 && (side.mean() - all.mean()).abs() >= FAR_OFF;
    for (name, side) in named.iter().filter(|(_, side)| far(side)) {
        surprises.push(Finding {
            text: format!(
                "Who speaks of {name} stands apart: a support of {:.1} on average, where the \
                 group has {:.1}.",
                side.mean(),
                all.mean()
            ),
            groups: Vec::new(),
            personas: side.cited(|_| true, MOST_CITED),
        });
    }
    surprises.truncate(MOST_OF_OTHERS);
    surprises
}

fn mean_impact(answer: &Answer) -> Option<f64> {
    let sum: u32 = answer.impacts.iter().map(|(_, score)| u32::from(score.get())).sum();
    let many = u32::try_from(answer.impacts.len()).unwrap_or(u32::MAX);
    (many > 0).then(|| f64::from(sum) / f64::from(many))
}

/// Some answers, and their support.
struct Side {
    personas: Vec<(PersonaIndex, u8)>,
}

impl Side {
    fn of<'i>(insights: impl Iterator<Item = &'i Insight>) -> Self {
        Self { personas: insights.map(|i| (i.persona, Score::get(i.support))).collect() }
    }

    fn count(&self, wanted: impl Fn(u8) -> bool) -> usize {
        self.personas.iter().filter(|(_, support)| wanted(*support)).count()
    }

    fn in_favour(&self) -> usize {
        self.count(|support| support > 3)
    }

    fn against(&self) -> usize {
        self.count(|support| support < 3)
    }

    fn is_divided(&self) -> bool {
        divides(self.in_favour(), self.against(), self.personas.len())
    }

    fn mean(&self) -> f64 {
        let sum: u32 = self.personas.iter().map(|(_, support)| u32::from(*support)).sum();
        f64::from(sum) / (self.personas.len().max(1) as f64)
    }

    fn words(&self) -> String {
        format!(
            "{} in favour, {} against, a support of {:.1} on average",
            self.in_favour(),
            self.against(),
            self.mean()
        )
    }

    fn cited(&self, wanted: impl Fn(u8) -> bool, most: usize) -> Vec<PersonaIndex> {
        let wanted = self.personas.iter().filter(|(_, support)| wanted(*support));
        wanted.take(most).map(|(persona, _)| *persona).collect()
    }
}

fn divides(in_favour: usize, against: usize, all: usize) -> bool {
    let least = (all as f64 * SIDE).max(2.0);
    in_favour as f64 >= least && against as f64 >= least
}

/// Digests as one digest, where a model gave none: the first findings of each.
pub(super) fn condense(number: u32, digests: &[(u32, Findings)], why: Option<String>) -> Digest {
    let covers = digests.iter().map(|(number, _)| *number).collect();
    let findings = Findings {
        themes: firsts(digests, |findings| &findings.themes),
        conflicts: firsts(digests, |findings| &findings.conflicts),
        surprises: firsts(digests, |findings| &findings.surprises),
    };
    let by = MadeBy::Words { why };
    Digest { number, covers: Covers::Digests(covers), findings, by, insights: Vec::new() }
}

/// The first finding of each digest, with its group.
fn firsts(digests: &[(u32, Findings)], of: impl Fn(&Findings) -> &Vec<Finding>) -> Vec<Finding> {
    let first = |(number, findings): &(u32, Findings)| {
        let mut finding = of(findings).first()?.clone();
        if finding.groups.is_empty() {
            finding.groups.push(*number);
        }
        Some(finding)
    };
    digests.iter().filter_map(first).take(MOST_FINDINGS).collect()
}

/// What all answers come to, with findings that a model made, or by words where there are none.
pub(super) fn conclude(
    reader: &RunReader,
    covers: Vec<u32>,
    found: Option<Findings>,
    by: MadeBy,
) -> Result<Analysis, StoreError> {
    let (groups, fell_back) = plan::groups(&reader.digests()?);
    let (answers, weight) = reader.digested()?;
    let drivers = reader.tallies(Counted::Drivers, MOST_TALLIES)?;
    let themes = reader.tallies(Counted::Themes, MOST_TALLIES)?;
    let findings = match found {
        Some(findings) => findings,
        None => findings(reader, &covers, &themes, (answers, weight))?,
    };
    Ok(Analysis { findings, by, covers, groups, fell_back, answers, weight, drivers, themes })
}

/// Findings out of counts. Surprises are those of the first digests that have any.
fn findings(
    reader: &RunReader,
    digests: &[u32],
    tallies: &[Tally],
    (answers, weight): (u32, f64),
) -> Result<Findings, StoreError> {
    let by_weight = if is_weighted(answers, weight) { " by weight" } else { "" };
    let mut found = Findings::default();
    let cited = u32::try_from(MOST_CITED).unwrap_or(5);
    for tally in tallies.iter().take(MOST_FINDINGS) {
        let [strongly, rather, torn, for_it, all_for_it] = tally.by_support;
        let count = tally.count();
        found.themes.push(Finding {
            text: format!(
                "{}: {count} of {answers} speak of it ({:.0} %{by_weight}); {} in favour, {} \
                 against, {torn} torn.",
                capital(&tally.name),
                if weight > 0.0 { tally.weight * 100.0 / weight } else { 0.0 },
                for_it + all_for_it,
                strongly + rather,
            ),
            groups: reader.groups_with_theme(&tally.name, cited)?,
            personas: reader.personas_with_theme(&tally.name, 1..=5, cited)?,
        });
    }
    for tally in tallies {
        let [strongly, rather, _, for_it, all_for_it] = tally.by_support;
        let (in_favour, against) = (for_it + all_for_it, strongly + rather);
        let divided = divides(in_favour as usize, against as usize, tally.count() as usize);
        if !divided || found.conflicts.len() >= MOST_OF_OTHERS {
            continue;
        }
        let mut personas = reader.personas_with_theme(&tally.name, 4..=5, 2)?;
        personas.extend(reader.personas_with_theme(&tally.name, 1..=2, 2)?);
        found.conflicts.push(Finding {
            text: format!(
                "{} divides: of those who speak of it, {in_favour} are in favour and {against} \
                 against.",
                capital(&tally.name)
            ),
            groups: reader.groups_with_theme(&tally.name, cited)?,
            personas,
        });
    }
    let mut first = Vec::new();
    for &number in digests.iter().take(plan::GROUP) {
        first.extend(reader.findings(number)?.map(|findings| (number, findings)));
    }
    found.surprises = firsts(&first, |findings| &findings.surprises);
    if found.themes.is_empty() {
        found.themes = firsts(&first, |findings| &findings.themes);
    }
    Ok(found)
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Topic;

    fn answer(narrative: &str, support: u8, impact: u8) -> Answer {
        let score = |number| Score::try_from(number).unwrap();
        Answer {
            narrative: narrative.into(),
            support_level: score(support),
            impacts: vec![("housing".into(), score(impact))],
            key_concerns: vec!["Rising rents.".into(), "rising rents".into()],
            suggested_improvements: vec![],
        }
    }

    fn lexicon() -> Lexicon {
        let topic = |name: &str, words: &[&str]| Topic {
            name: name.into(),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        Lexicon::new(&[topic("traffic", &["car"]), topic("fairness", &["fair"])])
    }

    #[test]
    fn a_group_is_digested_by_what_is_named_and_by_whom() {
        let says = ["Cars!", "My car.", "Cars again.", "I drive a car", "It is unfair", "fair"];
        let support = [5, 5, 1, 1, 2, 4];
        let answers: Vec<_> = (10..)
            .zip(says.iter().zip(support))
            .map(|(n, (says, support))| (PersonaIndex(n), answer(says, support, 5)))
            .collect();
        let digest = digest(&lexicon(), 4, &answers, None);
        let found = &digest.findings;
        assert!(found.themes[0].text.starts_with("Traffic: 4 of 6 speak of it; 2 in favour, 2"));
        assert_eq!(found.themes[0].personas, [10, 11, 12, 13].map(PersonaIndex));
        assert_eq!(found.conflicts.len(), 1);
        assert_eq!(found.conflicts[0].personas, [10, 11, 12, 13].map(PersonaIndex));
        assert_eq!(found.surprises[0].text, "3 against, although they expect good of it.");
        let insight = &digest.insights[0];
        assert_eq!(
            (insight.drivers.as_slice(), insight.themes.as_slice()),
            (&["rising rents".to_owned()][..], &["traffic".to_owned()][..])
        );
        assert_eq!(digest.covers, Covers::Answers((10..16).map(PersonaIndex).collect()));
    }

    #[test]
    fn a_group_that_names_no_theme_still_has_a_finding_that_cites() {
        let digest = digest(&lexicon(), 1, &[(PersonaIndex(2), answer("Hm.", 3, 3))], None);
        assert_eq!(digest.findings.themes[0].personas, [PersonaIndex(2)]);
    }

    #[test]
    fn digests_that_no_model_joined_keep_their_groups() {
        let finding = Finding { text: "x".into(), groups: vec![], personas: vec![] };
        let one = Findings { themes: vec![finding.clone(), finding], ..Findings::default() };
        let joined = condense(9, &[(3, one.clone()), (4, one)], Some("it failed".into()));
        let groups: Vec<_> = joined.findings.themes.iter().map(|f| f.groups.clone()).collect();
        assert_eq!(groups, [[3], [4]]);
        assert_eq!(joined.covers, Covers::Digests(vec![3, 4]));
    }
}
