//! Several personas in one request: each is answered as though it had been asked alone.

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

/// The form of one answer, where the form asks for a list of answers with their persons' numbers.
pub fn wanted(form: &Form) -> Option<Form> {
    let Form::Object(fields) = form else { return None };
    let (_, Form::List(item)) = fields.iter().find(|(key, _)| key == "answers")? else {
        return None;
    };
    let Form::Object(fields) = &**item else { return None };
    let own: Vec<_> = fields.iter().filter(|(key, _)| key != "person").cloned().collect();
    (own.len() < fields.len()).then_some(Form::Object(own))
}

/// The answers of all.
pub fn answers(
    request: &ChatRequest,
    one: Form,
    seed: Chance,
    conduct: &Conduct,
    topics: &Remembered<Topic>,
) -> Value {
    let one = Arc::new(one);
    let answers = people(&request.messages).map(|(number, profile)| {
        let copy = |message: &Message| Message { role: message.role, text: message.text.clone() };
        let instructions =
            request.messages.iter().filter(|message| message.role == Role::Instructions);
        let mut messages: Vec<_> = instructions.map(copy).collect();
        messages.push(Message { role: Role::User, text: profile.to_owned() });
        let alone = ChatRequest {
            model: request.model.clone(),
            messages,
            wanted: Wanted::Form(Arc::clone(&one)),
            output_cap: None,
        };
        let mut answer = json!({ "person": number });
        let own = serde_json::from_str(&self::answer(&alone, &Task::Answer, seed, conduct, topics))
            .unwrap_or_default();
        if let (Value::Object(answer), Value::Object(own)) = (&mut answer, own) {
            answer.extend(own);
        }
        answer
    });
    json!({ "answers": answers.collect::<Vec<_>>() })
}

/// The numbered profiles of the last message.
fn people(messages: &[Message]) -> impl Iterator<Item = (u64, &str)> {
    let user = messages.iter().find(|message| message.role == Role::User);
    let text = user.map_or("", |message| message.text.as_str());
    text.split("<profile person=\"").skip(1).filter_map(|block| {
        let (number, rest) = block.split_once("\">")?;
        let (profile, _) = rest.split_once("</profile>")?;
        Some((number.parse().ok()?, profile))
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
        assert_eq!(wanted(&all).as_ref(), Some(&one));
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
