//! Digests and summaries as they go over the wire: what is sent of each answer, the shape in which
//! findings come back, and reading them. What cites nothing that was sent is left out: a finding
//! rests on answers, or it is none.

use super::{
    AnswerError,
    schema::{named, object},
    text::one_line,
    verdict::object_in,
};
use crate::model::{Answer, Finding, Findings, Insight, PersonaIndex, Score, Survey, Topic};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// So many findings of a sort are kept, and so many drivers of an answer.
const MOST_FINDINGS: usize = 5;
const MOST_DRIVERS: usize = 3;

/// So much of a narrative goes into a digest, in characters: the 5 to 10 sentences that are asked
/// for have room, and one that never ends does not crowd out the others.
const MOST_NARRATIVE: usize = 1_200;

/// A driver is a short phrase; a sentence is cut to its first words.
const MOST_DRIVER_WORDS: usize = 8;

/// One answer, on one line of JSON without a `<`, so that no narrative can end the tags around it.
pub(super) fn answer_line(persona: PersonaIndex, answer: &Answer) -> String {
    let narrative: String = answer.narrative.chars().take(MOST_NARRATIVE).collect();
    let impacts: Map<_, _> =
        answer.impacts.iter().map(|(key, score)| (key.clone(), score.get().into())).collect();
    let line = json!({
        "persona": persona.0,
        "support_level": answer.support_level.get(),
        "impacts": impacts,
        "narrative": narrative,
        "key_concerns": answer.key_concerns,
    });
    fenced(&line)
}

/// One digest, likewise.
pub(super) fn digest_line(number: u32, findings: &Findings) -> String {
    let list = |findings: &[Finding]| {
        let one = |finding: &Finding| {
            let groups = if finding.groups.is_empty() { &[number][..] } else { &finding.groups };
            json!({"text": finding.text, "groups": groups, "personas": finding.personas})
        };
        findings.iter().map(one).collect::<Vec<_>>()
    };
    fenced(&json!({
        "group": number,
        "themes": list(&findings.themes),
        "conflicts": list(&findings.conflicts),
        "surprises": list(&findings.surprises),
    }))
}

fn fenced(line: &Value) -> String {
    line.to_string().replace('<', "\\u003c")
}

/// The schema of a digest.
pub(super) fn digest_schema(survey: &Survey) -> Value {
    let names: Vec<_> = survey.summary.themes.iter().map(|theme| theme.name.as_str()).collect();
    let theme = if names.is_empty() {
        json!({"type": "string"})
    } else {
        json!({"type": "string", "enum": names})
    };
    let mut answer = Map::new();
    answer.insert("persona".into(), json!({"type": "integer"}));
    answer.insert("drivers".into(), json!({"type": "array", "items": {"type": "string"}}));
    answer.insert("themes".into(), json!({"type": "array", "items": theme}));
    let mut digest = findings_schema(&["personas"]);
    digest.insert("answers".into(), json!({"type": "array", "items": object(answer)}));
    named("digest", object(digest))
}

/// The schema of a summary.
pub(super) fn summary_schema() -> Value {
    named("summary", object(findings_schema(&["groups", "personas"])))
}

fn findings_schema(cites: &[&str]) -> Map<String, Value> {
    let mut finding = Map::new();
    finding.insert("text".into(), json!({"type": "string"}));
    for cited in cites {
        finding.insert((*cited).into(), json!({"type": "array", "items": {"type": "integer"}}));
    }
    let list = json!({"type": "array", "items": object(finding)});
    ["themes", "conflicts", "surprises"]
        .map(|key| (key.to_owned(), list.clone()))
        .into_iter()
        .collect()
}

/// The digest in a reply: findings that cite personas of the group, and what each answer rests on.
/// Answers that it leaves out are not in the list; themes that the survey does not have are left
/// out.
///
/// # Errors
/// Where there is no JSON object with a theme in it that cites anybody.
pub fn read_digest(
    themes: &[Topic],
    group: &[(PersonaIndex, Answer)],
    reply: &str,
) -> Result<(Findings, Vec<Insight>), AnswerError> {
    let digest = object_in(reply)?;
    let known: HashMap<_, _> =
        group.iter().map(|(persona, answer)| (*persona, answer.support_level)).collect();
    let findings = findings(&digest, &HashSet::new(), &|persona| known.contains_key(&persona))?;
    let mut seen = HashSet::new();
    let insights = match digest.get("answers") {
        Some(Value::Array(answers)) => answers
            .iter()
            .filter_map(|answer| insight(answer, themes, &known))
            .filter(|insight| seen.insert(insight.persona))
            .collect(),
        _ => return Err(AnswerError::Missing { field: "answers".into() }),
    };
    Ok((findings, insights))
}

/// The summary in a reply: findings that cite groups that were sent.
///
/// # Errors
/// Where there is no JSON object with a theme in it that cites a group.
pub fn read_summary(digests: &[(u32, Findings)], reply: &str) -> Result<Findings, AnswerError> {
    let mut groups = HashSet::new();
    let mut personas = HashSet::new();
    for (number, findings) in digests {
        for (_, findings) in findings.sorts() {
            groups.extend(findings.iter().flat_map(|finding| finding.groups.iter().copied()));
            personas.extend(findings.iter().flat_map(|finding| finding.personas.iter().copied()));
        }
        groups.insert(*number);
    }
    findings(&object_in(reply)?, &groups, &|persona| personas.contains(&persona))
}

fn findings(
    object: &Map<String, Value>,
    groups: &HashSet<u32>,
    persona_is_known: &dyn Fn(PersonaIndex) -> bool,
) -> Result<Findings, AnswerError> {
    let list = |key: &str| -> Vec<Finding> {
        let items = object.get(key).and_then(Value::as_array).into_iter().flatten();
        items
            .filter_map(|item| finding(item, groups, persona_is_known))
            .take(MOST_FINDINGS)
            .collect()
    };
    if !object.get("themes").is_some_and(Value::is_array) {
        return Err(AnswerError::Missing { field: "themes".into() });
    }
    let found = Findings {
        themes: list("themes"),
        conflicts: list("conflicts"),
        surprises: list("surprises"),
    };
    if found.themes.is_empty() {
        return Err(AnswerError::Wrong {
            field: "themes".into(),
            expected: "a list of findings that each cite numbers that were sent",
            found: "none that does".into(),
        });
    }
    Ok(found)
}

fn finding(
    item: &Value,
    known_groups: &HashSet<u32>,
    persona_is_known: &dyn Fn(PersonaIndex) -> bool,
) -> Option<Finding> {
    let text = one_line(item.get("text")?.as_str()?.to_owned());
    let mut groups: Vec<u32> = numbers(item, "groups").collect();
    groups.retain(|group| known_groups.contains(group));
    let mut personas: Vec<_> = numbers(item, "personas").map(PersonaIndex).collect();
    personas.retain(|persona| persona_is_known(*persona));
    let mut once = HashSet::new();
    groups.retain(|group| once.insert(*group));
    let mut once = HashSet::new();
    personas.retain(|persona| once.insert(*persona));
    let cites = if known_groups.is_empty() { !personas.is_empty() } else { !groups.is_empty() };
    (cites && !text.is_empty()).then_some(Finding { text, groups, personas })
}

/// The numbers of a list; a model may put them into quotes, or a word before them.
fn numbers<'v>(item: &'v Value, key: &str) -> impl Iterator<Item = u32> + 'v {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => text.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok(),
        _ => None,
    };
    item.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(number)
}

fn insight(
    answer: &Value,
    known: &[Topic],
    group: &HashMap<PersonaIndex, Score>,
) -> Option<Insight> {
    let persona = PersonaIndex(u32::try_from(answer.get("persona")?.as_u64()?).ok()?);
    let support = *group.get(&persona)?;
    let texts = |key: &str| {
        let items = answer.get(key).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(|text| one_line(text.to_owned()))
    };
    let mut drivers: Vec<String> = Vec::new();
    for phrase in texts("drivers").filter_map(|text| driver(&text)) {
        if drivers.len() < MOST_DRIVERS && !drivers.contains(&phrase) {
            drivers.push(phrase);
        }
    }
    let mut themes: Vec<String> = Vec::new();
    for name in texts("themes") {
        let same = |topic: &&Topic| topic.name.eq_ignore_ascii_case(&name);
        if let Some(topic) = known.iter().find(same)
            && !themes.contains(&topic.name)
        {
            themes.push(topic.name.clone());
        }
    }
    Some(Insight { persona, support, drivers, themes })
}

/// A phrase as it is counted: in small letters, without a full stop, and short. `None` where
/// nothing is left.
pub fn driver(text: &str) -> Option<String> {
    let words: Vec<_> = text
        .trim_matches(|c: char| !c.is_alphanumeric())
        .split_whitespace()
        .take(MOST_DRIVER_WORDS)
        .collect();
    (!words.is_empty()).then(|| words.join(" ").to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn themes() -> Vec<Topic> {
        ["housing", "public transport"]
            .map(|name| Topic { name: name.into(), words: vec![] })
            .to_vec()
    }

    const GROUP: [PersonaIndex; 2] = [PersonaIndex(3), PersonaIndex(7)];

    fn score() -> Score {
        Score::try_from(2).unwrap()
    }

    fn answer(narrative: String) -> Answer {
        Answer {
            narrative,
            support_level: score(),
            impacts: vec![("rent".into(), score())],
            key_concerns: vec!["noise".into()],
            suggested_improvements: vec![],
        }
    }

    fn group() -> Vec<(PersonaIndex, Answer)> {
        GROUP.map(|persona| (persona, answer("x".into()))).to_vec()
    }

    #[test]
    fn a_digest_is_read_and_what_cites_nobody_of_the_group_is_left_out() {
        let reply = r#"Here: {"themes": [
            {"text": "Rent is\n too high.", "personas": [3, "7", 99]},
            {"text": "Invented.", "personas": [99]}],
            "conflicts": [{"text": "Cars.", "personas": [7]}], "surprises": "none",
            "answers": [
              {"persona": 7, "drivers": ["Rising rents.", "rising rents", "A bus", "x", "y"], "themes": ["Housing", "moon"]},
              {"persona": 7, "drivers": ["again"], "themes": []},
              {"persona": 99, "drivers": [], "themes": []}]}"#;
        let (found, insights) = read_digest(&themes(), &group(), reply).unwrap();
        assert_eq!(found.themes.len(), 1);
        assert_eq!(found.themes[0].text, "Rent is  too high.");
        assert_eq!(found.themes[0].personas, GROUP);
        assert_eq!(found.conflicts[0].personas, [PersonaIndex(7)]);
        assert!(found.surprises.is_empty());
        let expected = Insight {
            persona: PersonaIndex(7),
            support: score(),
            drivers: ["rising rents", "a bus", "x"].map(str::to_owned).to_vec(),
            themes: vec!["housing".into()],
        };
        assert_eq!(insights, [expected]);
    }

    #[test]
    fn a_digest_without_a_theme_that_cites_is_sent_back() {
        for reply in [
            "no",
            "{}",
            r#"{"themes": [{"text": "x", "personas": [1]}], "answers": []}"#,
            r#"{"themes": [{"text": "x", "personas": [3]}]}"#,
        ] {
            assert!(read_digest(&themes(), &group(), reply).is_err(), "{reply}");
        }
    }

    #[test]
    fn a_summary_cites_groups_that_were_sent() {
        let finding = |personas: &[u32], groups: &[u32]| Finding {
            text: "x".into(),
            groups: groups.to_vec(),
            personas: personas.iter().copied().map(PersonaIndex).collect(),
        };
        let digests = [
            (1, Findings { themes: vec![finding(&[3], &[])], ..Findings::default() }),
            (9, Findings { themes: vec![finding(&[8], &[4, 5])], ..Findings::default() }),
        ];
        let reply = r#"{"themes": [{"text": "a", "groups": [1, 5, 6, 1], "personas": [3, 4, 3]},
            {"text": "b", "groups": [77], "personas": [3]}], "conflicts": [], "surprises": []}"#;
        let found = read_summary(&digests, reply).unwrap();
        assert_eq!(found.themes, [Finding { text: "a".into(), ..finding(&[3], &[1, 5]) }]);
        let nobody = r#"{"themes": [{"text": "b", "groups": [77], "personas": [3]}]}"#;
        assert!(read_summary(&digests, nobody).is_err());
    }

    #[test]
    fn no_narrative_ends_its_tags_and_a_digest_names_itself() {
        let answer = answer(format!("</answers> {}", "long ".repeat(1_000)));
        let line = answer_line(PersonaIndex(4), &answer);
        assert!(!line.contains('<') && !line.contains('\n') && line.len() < 1_500, "{line}");
        let back: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (back["persona"].as_u64(), back["impacts"]["rent"].as_u64()),
            (Some(4), Some(2))
        );
        let findings = Findings {
            themes: vec![Finding { text: "x".into(), ..Finding::default() }],
            ..Findings::default()
        };
        let back: Value = serde_json::from_str(&digest_line(6, &findings)).unwrap();
        assert_eq!(back["themes"][0]["groups"][0], 6);
    }

    #[test]
    fn drivers_are_short_phrases_that_can_be_counted() {
        assert_eq!(driver(" \"Rents will rise.\" ").as_deref(), Some("rents will rise"));
        assert_eq!(driver("...").as_deref(), None);
        assert_eq!(driver(&"word ".repeat(20)).unwrap().split(' ').count(), MOST_DRIVER_WORDS);
    }
}
