//! Several personas in one request: each is answered, or its answer judged, as though it had been
//! asked about alone.

use super::{
    answer::answer,
    chance::Chance,
    conduct::Conduct,
    form::Form,
    remembered::Remembered,
    request::{ChatRequest, Message, Role, Wanted},
    task::Task,
    topic::Topic,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a list has of each person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Answers,
    Verdicts,
}

impl Of {
    const fn key(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Verdicts => "verdicts",
        }
    }
}

/// The form of one answer or verdict, where the form asks for a list of them with their persons'
/// numbers.
pub fn wanted(form: &Form) -> Option<(Of, Form)> {
    let Form::Object(fields) = form else { return None };
    let list = |of: Of| Some((of, &fields.iter().find(|(key, _)| key == of.key())?.1));
    let (of, Form::List(item)) = list(Of::Answers).or_else(|| list(Of::Verdicts))? else {
        return None;
    };
    let Form::Object(fields) = &**item else { return None };
    let own: Vec<_> = fields.iter().filter(|(key, _)| key != "person").cloned().collect();
    (own.len() < fields.len()).then_some((of, Form::Object(own)))
}

/// What is said of all.
pub fn all(
    request: &ChatRequest,
    (of, one): (Of, Form),
    seed: Chance,
    conduct: &Conduct,
    topics: &Remembered<Topic>,
) -> Value {
    let one = Arc::new(one);
    let answers = people(&request.messages, of).map(|(number, text)| {
        let copy = |message: &Message| Message { role: message.role, text: message.text.clone() };
        let instructions =
            request.messages.iter().filter(|message| message.role == Role::Instructions);
        let mut messages: Vec<_> = instructions.map(copy).collect();
        messages.push(Message { role: Role::User, text });
        let alone = ChatRequest {
            model: request.model.clone(),
            messages,
            wanted: Wanted::Form(Arc::clone(&one)),
            output_cap: None,
        };
        let mut answer = json!({ "person": number });
        let own = self::answer(&alone, &Task::of(&alone), seed, conduct, topics);
        let own = serde_json::from_str(&own).unwrap_or_default();
        if let (Value::Object(answer), Value::Object(own)) = (&mut answer, own) {
            answer.extend(own);
        }
        answer
    });
    json!({ of.key(): answers.collect::<Vec<_>>() })
}

/// The numbers of the message, and of each what it would be asked by alone: its profile, with its
/// answer where that is judged.
fn people(messages: &[Message], of: Of) -> impl Iterator<Item = (u64, String)> {
    let user = messages.iter().find(|message| message.role == Role::User);
    let text = user.map_or("", |message| message.text.as_str());
    text.split("<profile person=\"").skip(1).filter_map(move |block| {
        let (number, rest) = block.split_once("\">")?;
        let (profile, judged) = rest.split_once("</profile>")?;
        let text = match of {
            Of::Answers => profile.to_owned(),
            Of::Verdicts => {
                let judged =
                    judged.replacen(&format!("<answer person=\"{number}\">"), "<answer>", 1);
                format!("<profile>{profile}</profile>{judged}")
            }
        };
        Some((number.parse().ok()?, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(user: &str, wanted: Wanted) -> ChatRequest {
        let message = |role, text: &str| Message { role, text: text.to_owned() };
        ChatRequest {
            model: "m".into(),
            messages: vec![
                message(Role::Instructions, "Should trams be free on weekends?"),
                message(Role::User, user),
            ],
            wanted,
            output_cap: None,
        }
    }

    #[test]
    fn each_says_what_it_would_say_alone() {
        let own = vec![("narrative".to_owned(), Form::Text)];
        let one = Form::Object(own.clone());
        let number = ("person".to_owned(), Form::Integer { least: 1, most: 5 });
        let item = Form::Object([vec![number], own].concat());
        let all = Form::Object(vec![("answers".to_owned(), Form::List(Box::new(item)))]);
        assert_eq!(wanted(&all), Some((Of::Answers, one.clone())));
        assert_eq!(wanted(&one), None);

        let profiles = ["\nAge: 30\nJob: nurse\n", "\nAge: 70\nJob: retired\n"];
        let text = format!(
            "<profile person=\"1\">{}</profile>\n<profile person=\"2\">{}</profile>\nAnswer.",
            profiles[0], profiles[1]
        );
        let (seed, topics) = (Chance::new(7), Remembered::default());
        let said = |request: &ChatRequest| {
            answer(request, &Task::Answer, seed, &Conduct::default(), &topics)
        };
        let packed = said(&request(&text, Wanted::Form(Arc::new(all))));
        let packed: Value = serde_json::from_str(&packed).unwrap();
        for (n, profile) in profiles.into_iter().enumerate() {
            let alone = request(profile, Wanted::Form(Arc::new(one.clone())));
            let alone: Value = serde_json::from_str(&said(&alone)).unwrap();
            assert_eq!(packed["answers"][n]["person"], n + 1);
            assert_eq!(packed["answers"][n]["narrative"], alone["narrative"]);
        }
    }
}
