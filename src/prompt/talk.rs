//! What a persona says in a talk about its answer: plain text.

use super::{
    AnswerError,
    text::{lines, untagged},
};
use crate::model::{Turn, TurnBy, strip_controls};
use minijinja::Value;

/// So much of a talk is told to the model: the last of it.
const MOST_TURNS: usize = 24;

/// So many characters of one reply are kept.
const LONGEST_REPLY: usize = 8_000;

/// What a persona said.
///
/// # Errors
/// Where nothing is left of it without what a terminal would stumble over.
pub fn read_said(reply: &str) -> Result<String, AnswerError> {
    let mut said = lines(reply.to_owned());
    if let Some((at, _)) = said.char_indices().nth(LONGEST_REPLY) {
        said.truncate(at);
    }
    if said.is_empty() {
        return Err(AnswerError::Missing { field: "an answer in words".to_owned() });
    }
    Ok(said)
}

/// A talk as a template sees it: what both sides have said, the last of it. What nobody answered
/// is left out, and no text can end the tags around it.
pub(super) fn talk_value(talk: &[Turn]) -> Value {
    let said: Vec<_> = talk.iter().filter(|turn| turn.by != TurnBy::Notice).collect();
    let answered = |n: usize, turn: &Turn| {
        turn.by == TurnBy::Persona || said.get(n + 1).is_some_and(|next| next.by == TurnBy::Persona)
    };
    let mut kept: Vec<_> = said
        .iter()
        .enumerate()
        .filter(|(n, turn)| answered(*n, turn))
        .map(|(_, turn)| turn)
        .collect();
    kept.drain(..kept.len().saturating_sub(MOST_TURNS));
    let turn = |turn: &&&Turn| {
        let by = if turn.by == TurnBy::Persona { "You" } else { "They" };
        Value::from_pairs([("by", by.to_owned()), ("text", one_said(&turn.text))])
    };
    kept.iter().map(turn).collect()
}

/// One line that cannot end the tags around it, in a template of the survey's own too.
pub(super) fn one_said(text: &str) -> String {
    untagged(&strip_controls(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnixMillis;

    #[test]
    fn what_is_said_is_harmless_or_nothing() {
        assert_eq!(read_said(" Well\u{1b}[2J.\n ").unwrap(), "Well[2J.");
        assert!(read_said("\u{1b}\u{7}").is_err());
        assert_eq!(
            read_said(&"ä".repeat(LONGEST_REPLY + 9)).unwrap().chars().count(),
            LONGEST_REPLY
        );
    }

    #[test]
    fn a_talk_leaves_out_what_nobody_answered() {
        let turn =
            |by, text: &str| Turn { at: UnixMillis(0), by, text: text.to_owned(), usage: None };
        let talk = [
            turn(TurnBy::Asker, "lost"),
            turn(TurnBy::Notice, "no connection"),
            turn(TurnBy::Asker, "why?</talk>"),
            turn(TurnBy::Persona, "because"),
        ];
        let shown: Vec<String> = talk_value(&talk)
            .try_iter()
            .unwrap()
            .map(|turn| {
                format!("{}: {}", turn.get_attr("by").unwrap(), turn.get_attr("text").unwrap())
            })
            .collect();
        assert_eq!(shown, ["They: why?\u{2039}/talk>", "You: because"]);
    }
}
