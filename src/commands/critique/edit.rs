//! A survey file with another question, domain and grid: its text is edited, so that every other
//! key and every comment stays as it is.

use crate::{
    config::load_survey_str,
    model::{Dimension, Survey},
};
use std::{ops::Range, path::Path};

/// The text of a survey file with the question, domain and grid of `proposed`.
///
/// # Errors
/// Where the file is written in a way that cannot be edited so; what to do instead is said.
pub(super) fn edited(text: &str, file: &Path, proposed: &Survey) -> Result<String, String> {
    let before = load_survey_str(text, file).map_err(|error| error.to_string())?;
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if before.question != proposed.question {
        set(&mut lines, "question", &scalar(&proposed.question));
    }
    if before.domain != proposed.domain {
        set(&mut lines, "domain", &scalar(&proposed.domain));
    }
    if before.grid != proposed.grid {
        set_grid(&mut lines, proposed);
    }
    let mut edited = lines.join(ending);
    edited.push_str(ending);
    // Whatever the text looks like: it says what it should, and nothing else has changed.
    let now = load_survey_str(&edited, file).unwrap_or_else(|_| before.clone());
    let wanted = Survey {
        question: proposed.question.clone(),
        domain: proposed.domain.clone(),
        grid: proposed.grid.clone(),
        // Topics and themes may come from the domain.
        review: now.review,
        summary: now.summary,
        ..before
    };
    let same = |(key, _): &(&serde_yaml::Value, &serde_yaml::Value)| {
        !matches!(key.as_str(), Some("question" | "domain" | "grid"))
    };
    let others = |text: &str| -> Option<Vec<(serde_yaml::Value, serde_yaml::Value)>> {
        let mapping: serde_yaml::Mapping = serde_yaml::from_str(text).ok()?;
        Some(mapping.iter().filter(same).map(|(k, v)| (k.clone(), v.clone())).collect())
    };
    let right = load_survey_str(&edited, file).is_ok_and(|now| now == wanted)
        && others(text).is_some_and(|before| Some(before) == others(&edited));
    if right {
        Ok(edited)
    } else {
        Err(format!(
            "{} is written in a way that cannot be edited without losing something: copy it and \
             put the proposals in by hand",
            file.display()
        ))
    }
}

fn set_grid(lines: &mut Vec<String>, proposed: &Survey) {
    let support = scalar(&proposed.grid.support);
    let impacts = list(&proposed.grid.impacts);
    let inline = format!("{{ support: {}, impacts: {impacts} }}", flow(&proposed.grid.support));
    let block = block(lines, 0..lines.len(), 0, "grid");
    let Some(block) = block.filter(|block| {
        let first = lines[block.start].split_once(':').map_or("", |(_, value)| value);
        let first = first.split('#').next().unwrap_or_default();
        first.trim().is_empty() && block.len() > 1
    }) else {
        set(lines, "grid", &inline);
        return;
    };
    let inner = block.start + 1..block.end;
    let indent = lines[inner.clone()]
        .iter()
        .find(|line| !is_blank_or_comment(line))
        .map_or(2, |line| line.len() - line.trim_start().len());
    for (key, value) in [("support", &support), ("impacts", &impacts)] {
        let inner = block_end(lines, block.start, 0);
        set_in(lines, block.start + 1..inner, indent, key, value, block.start);
    }
}

/// Sets a key at the top, in its place or else behind the question.
fn set(lines: &mut Vec<String>, key: &str, value: &str) {
    let after = block(lines, 0..lines.len(), 0, "question").map_or(lines.len(), |b| b.end);
    set_in(lines, 0..lines.len(), 0, key, value, after.saturating_sub(1));
}

/// Sets a key of a mapping with this indentation, or adds it behind the line `after`.
fn set_in(
    lines: &mut Vec<String>,
    within: Range<usize>,
    indent: usize,
    key: &str,
    value: &str,
    after: usize,
) {
    let new = format!("{}{key}: {value}", " ".repeat(indent));
    match block(lines, within, indent, key) {
        Some(block) => {
            let new = match comment(&lines[block.start], block.len()) {
                Some(comment) => format!("{new}  {comment}"),
                None => new,
            };
            lines.splice(block, [new]);
        }
        None => lines.insert((after + 1).min(lines.len()), new),
    }
}

/// The comment behind a value that stands on one line and in no quotes.
fn comment(line: &str, lines: usize) -> Option<&str> {
    let value = line.split_once(':').map_or("", |(_, value)| value.trim_start());
    let plain = lines == 1 && !value.starts_with(['"', '\'', '[', '{', '|', '>']);
    line.find(" #").filter(|_| plain).map(|at| line[at..].trim())
}

/// The lines of a key with its value.
fn block(lines: &[String], within: Range<usize>, indent: usize, key: &str) -> Option<Range<usize>> {
    let is_key = |line: &str| {
        let rest = line.trim_start_matches(' ');
        let bare = |rest: &str| {
            rest.strip_prefix(':').is_some_and(|r| r.is_empty() || r.starts_with([' ', '\t']))
        };
        line.len() - rest.len() == indent
            && [key.to_owned(), format!("\"{key}\""), format!("'{key}'")]
                .iter()
                .any(|key| rest.strip_prefix(key.as_str()).is_some_and(bare))
    };
    let start = within.clone().find(|&n| is_key(&lines[n]))?;
    Some(start..block_end(lines, start, indent).min(within.end))
}

/// Where the value of the key on a line ends: before the next line that is indented no more.
/// Comments and blank lines before that line belong to it.
fn block_end(lines: &[String], start: usize, indent: usize) -> usize {
    let deeper = |line: &str| line.len() - line.trim_start().len() > indent;
    let mut end = start + 1;
    for (n, line) in lines.iter().enumerate().skip(start + 1) {
        if line.trim().is_empty() {
            continue;
        }
        if !deeper(line) {
            break;
        }
        end = n + 1;
    }
    end
}

fn is_blank_or_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// A text as YAML on one line: as it is where that can be, else in quotes.
fn scalar(text: &str) -> String {
    let plain = serde_yaml::to_string(text).unwrap_or_default();
    let plain = plain.trim_end();
    if plain.is_empty() || plain.contains('\n') { quoted(text) } else { plain.to_owned() }
}

/// The same within braces and brackets, where a comma or a bracket would end it.
fn flow(text: &str) -> String {
    let harmless = text.chars().all(|c| c.is_alphanumeric() || " -_".contains(c));
    if harmless { scalar(text) } else { quoted(text) }
}

/// JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list(impacts: &[Dimension]) -> String {
    let labels: Vec<_> = impacts.iter().map(|impact| flow(&impact.label)).collect();
    format!("[{}]", labels.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EXAMPLE_SURVEY;

    fn proposed(text: &str, question: &str) -> Survey {
        let mut survey = load_survey_str(text, Path::new("s.yaml")).unwrap();
        survey.question = question.into();
        survey.domain = "product-design".into();
        survey.grid.support = "Support: yes, really".into();
        survey.grid.impacts = vec!["Cost, in all".to_owned().into(), "Trust".to_owned().into()];
        survey
    }

    #[test]
    fn only_what_is_proposed_changes_and_comments_stay() {
        let question = "Should it be \"free\"? #1: yes or no?";
        let proposed = proposed(EXAMPLE_SURVEY, question);
        let edited = edited(EXAMPLE_SURVEY, Path::new("s.yaml"), &proposed).unwrap();
        let changed: Vec<_> = (EXAMPLE_SURVEY.lines().zip(edited.lines()))
            .filter(|(before, after)| before != after)
            .map(|(_, after)| after.split(':').next().unwrap().trim())
            .collect();
        assert_eq!(changed, ["question", "domain", "support", "impacts"]);
        assert_eq!(EXAMPLE_SURVEY.lines().count(), edited.lines().count());
    }

    #[test]
    fn a_survey_is_edited_in_whatever_style_it_is_written() {
        for text in [
            "question: Should it?\n",
            "question: >\n  Should\n\n  it?\n# about the model\nmodel: m # mine\n",
            "'question': Should it? # old\ngrid: {support: S, impacts: [A]}\nbudget: 5\nmodel: gpt-4o-mini\n",
            "question: Should it?\r\ngrid:\r\n    impacts:\r\n        - A\r\n        - B\r\n\r\nmodel: m\r\n",
            "grid:\n  # what it means\n  support: S\nquestion: \"Should\n  it?\"\nname: n",
        ] {
            let proposed = proposed(text, "Is it good,\nor not?");
            let edited = edited(text, Path::new("s.yaml"), &proposed).unwrap();
            for line in text.lines().filter(|line| line.contains('#') && !line.contains("question"))
            {
                assert!(edited.contains(line), "{line:?} in\n{edited}");
            }
            assert_eq!(text.contains("\r\n"), edited.contains("\r\n"));
        }
    }

    #[test]
    fn what_cannot_be_edited_is_left_alone() {
        let text = "{question: Should it?, model: m}\n";
        let error = edited(text, Path::new("s.yaml"), &proposed(text, "Is it?")).unwrap_err();
        assert!(error.contains("by hand"), "{error}");
    }
}
