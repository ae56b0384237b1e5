//! A persona that is talked with: plain text, about what it was asked last.

use super::{
    chance::Chance,
    facts::Facts,
    narrative::Speaker,
    remembered::Remembered,
    request::{ChatRequest, Message, Role},
    topic::Topic,
};

/// What stands between these was said last.
const TAGS: (&str, &str) = ("<message>", "</message>");

/// The reply, where the request is a message to somebody and not a survey.
pub fn reply(
    request: &ChatRequest,
    facts: &Facts,
    speaker: &Speaker<'_>,
    topics: &Remembered<Topic>,
) -> Option<String> {
    let said = said_last(&request.messages)?;
    let asked = Message { role: Role::User, text: said.to_owned() };
    let topic = Topic::of(&[asked], topics);
    let chance = facts.chance.with(b"talk").with(said.as_bytes());
    let narrative = speaker.narrative();
    let sentences: Vec<_> = narrative.split_inclusive(". ").map(str::trim).collect();
    let opening = opening(topic.phrases.first().map(String::as_str), said, chance);
    let chosen = chance.with(b"sentence").below(sentences.len().max(1));
    let after = sentences.get(chosen).copied().unwrap_or_default();
    Some(format!("{opening} {after}").trim().to_owned())
}

fn said_last(messages: &[Message]) -> Option<&str> {
    let user = messages.iter().rfind(|message| message.role == Role::User)?;
    let (_, after) = user.text.rsplit_once(TAGS.0)?;
    Some(after.split_once(TAGS.1)?.0.trim())
}

fn opening(about: Option<&str>, said: &str, chance: Chance) -> String {
    let phrase = match about {
        Some(phrase) => format!("about {phrase}"),
        None if said.ends_with('?') => "about that".to_owned(),
        None => return "I hear you.".to_owned(),
    };
    match chance.with(b"opening").below(3) {
        0 => format!("You ask {phrase}: I have thought of it."),
        1 => format!("Well, {phrase} I can only speak for myself."),
        _ => format!("To be honest, {phrase} I feel as I said before."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{answer::answer, conduct::Conduct, request::Wanted, task::Task};

    #[test]
    fn a_persona_speaks_of_what_it_is_asked_and_of_nothing_else_in_plain_text() {
        let said = |text: &str| {
            let message = |role, text: &str| Message { role, text: text.to_owned() };
            let request = ChatRequest {
                model: "m".into(),
                messages: vec![
                    message(Role::Instructions, "Should trams be free on weekends?"),
                    message(Role::User, &format!("Age: 30\n<message>\n{text}\n</message>\n")),
                ],
                wanted: Wanted::Text,
                output_cap: None,
            };
            let (seed, conduct) = (Chance::new(7), Conduct::default());
            answer(&request, &Task::of(&request), seed, &conduct, &Remembered::default())
        };
        let reply = said("What do you think of the night buses?");
        assert!(reply.contains("the night buses"), "{reply}");
        assert_eq!(reply, said("What do you think of the night buses?"), "the same each time");
        assert!(!said("I see.").contains('{'));
    }
}
