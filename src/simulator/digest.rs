//! What the model makes of many answers at once: digests of groups and summaries of digests, by
//! rules over what it is sent. What is said most comes first, and everything cites who said it.

use super::{
    form::Form,
    request::{ChatRequest, Message, Role, Wanted},
};
use serde_json::{Map, Value, json};

/// Findings of a sort, and personas that one cites.
const MOST_FINDINGS: usize = 5;
const MOST_CITED: usize = 5;

/// Whether a request is one for a digest or a summary.
pub fn is_wanted(request: &ChatRequest) -> bool {
    let has = |role, words: &[&str]| {
        let of_role = |message: &&Message| message.role == role;
        let has_any = |message: &Message| words.iter().any(|word| message.text.contains(word));
        request.messages.iter().filter(of_role).any(has_any)
    };
    has(Role::Instructions, &["\"conflicts\""]) && has(Role::User, &["<answers>", "<digests>"])
}

/// The content of the reply to a request that holds many answers, or their digests; `None` for any
/// other.
pub fn answer(request: &ChatRequest) -> Option<String> {
    let told = |role| request.messages.iter().filter(move |message| message.role == role);
    let wants_findings = told(Role::Instructions).any(|m| m.text.contains("\"conflicts\""));
    let sent = told(Role::User).next().filter(|_| wants_findings)?;
    if let Some(answers) = lines(&sent.text, "answers") {
        return Some(digest(&answers, &themes(request)).to_string());
    }
    Some(summary(&lines(&sent.text, "digests")?).to_string())
}

/// The lines of JSON between two tags.
fn lines(text: &str, tag: &str) -> Option<Vec<Value>> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    let (inside, _) = rest.split_once(&format!("</{tag}>"))?;
    Some(inside.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// The themes that the schema lets an answer have.
fn themes(request: &ChatRequest) -> Vec<String> {
    let (Wanted::Form(form) | Wanted::FormInText(form)) = &request.wanted else {
        return Vec::new();
    };
    let field = |form: &Form, name: &str| match form {
        Form::Object(fields) => {
            fields.iter().find(|(key, _)| key == name).map(|(_, form)| form.clone())
        }
        _ => None,
    };
    let items = |form: Form| match form {
        Form::List(items) => Some(*items),
        _ => None,
    };
    let of_answer = field(form, "answers").and_then(items);
    let of_themes = of_answer.and_then(|form| field(&form, "themes")).and_then(items);
    match of_themes {
        Some(Form::Choice(names)) => {
            names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn digest(answers: &[Value], themes: &[String]) -> Value {
    let mut named: Vec<(String, Vec<&Value>)> = Vec::new();
    for answer in answers {
        for concern in drivers(answer) {
            match named.iter_mut().find(|(name, _)| *name == concern) {
                Some((_, by)) => by.push(answer),
                None => named.push((concern, vec![answer])),
            }
        }
    }
    named.sort_by_key(|(_, by)| std::cmp::Reverse(by.len()));
    let support = |answer: &Value| answer["support_level"].as_i64().unwrap_or(3);
    let total = answers.len();
    let main: Vec<_> = (named.iter())
        .take(MOST_FINDINGS)
        .map(|(name, by)| {
            let in_favour = by.iter().filter(|answer| support(answer) > 3).count();
            let text = format!(
                "\"{name}\" is on the mind of {} of {total}; {in_favour} of them are in favour.",
                by.len()
            );
            json!({"text": text, "personas": cited(by.iter().copied())})
        })
        .collect();
    let on_side = |wanted: fn(i64) -> bool| answers.iter().filter(move |a| wanted(support(a)));
    let (for_it, against) = (on_side(|n| n > 3), on_side(|n| n < 3));
    let (many_for, many_against) = (for_it.clone().count(), against.clone().count());
    let conflicts = if many_for > 0 && many_against > 0 {
        let sides = for_it.take(2).chain(against.take(2));
        let text = format!("{many_for} want it and {many_against} do not.");
        vec![json!({"text": text, "personas": cited(sides)})]
    } else {
        vec![]
    };
    let odd = |answer: &&Value| {
        let impacts = answer["impacts"].as_object();
        support(answer) > 3
            && impacts.is_some_and(|impacts| {
                impacts.values().any(|score| score.as_i64().is_some_and(|score| score < 3))
            })
    };
    let odd: Vec<_> = answers.iter().filter(odd).collect();
    let surprises = if odd.is_empty() {
        vec![]
    } else {
        let text = format!("{} are in favour although they expect some harm.", odd.len());
        vec![json!({"text": text, "personas": cited(odd.into_iter())})]
    };
    let each: Vec<_> = answers
        .iter()
        .map(|answer| {
            json!({
                "persona": answer["persona"],
                "drivers": drivers(answer),
                "themes": spoken_of(answer, themes),
            })
        })
        .collect();
    json!({"themes": main, "conflicts": conflicts, "surprises": surprises, "answers": each})
}

fn cited<'v>(answers: impl Iterator<Item = &'v Value>) -> Vec<Value> {
    answers.take(MOST_CITED).map(|answer| answer["persona"].clone()).collect()
}

/// The first concerns of an answer.
fn drivers(answer: &Value) -> Vec<String> {
    let concerns = answer["key_concerns"].as_array().into_iter().flatten();
    concerns.filter_map(Value::as_str).take(2).map(str::to_lowercase).collect()
}

/// The themes of which a word stands in the answer; a long one in any form.
fn spoken_of<'t>(answer: &Value, themes: &'t [String]) -> Vec<&'t str> {
    let narrative = answer["narrative"].as_str().unwrap_or_default();
    let said = format!("{narrative} {}", answer["key_concerns"]).to_lowercase();
    let stands = |theme: &&String| {
        let mut words = theme.split(' ').filter(|word| word.len() > 3);
        words.any(|word| said.contains(&word[..word.len().min(6)]))
    };
    themes.iter().filter(stands).map(String::as_str).collect()
}

fn summary(digests: &[Value]) -> Value {
    let mut summary = Map::new();
    for sort in ["themes", "conflicts", "surprises"] {
        summary.insert(sort.to_owned(), joined(digests, sort).into());
    }
    Value::Object(summary)
}

/// Findings that are about the same thing are one, which cites all their groups. Those of more
/// groups come first.
fn joined(digests: &[Value], sort: &str) -> Vec<Value> {
    let mut all: Vec<(String, Vec<&Value>)> = Vec::new();
    let findings = digests.iter().filter_map(|digest| digest[sort].as_array()).flatten();
    for finding in findings {
        let text = finding["text"].as_str().unwrap_or_default();
        // What stands in quotes is the subject; without, a sort is about one thing.
        let subject = text.split('"').nth(1).unwrap_or(sort).to_owned();
        match all.iter_mut().find(|(other, _)| *other == subject) {
            Some((_, same)) => same.push(finding),
            None => all.push((subject, vec![finding])),
        }
    }
    all.sort_by_key(|(_, same)| std::cmp::Reverse(same.len()));
    let one = |(subject, same): &(String, Vec<&Value>)| {
        let union = |key: &str, most: usize| {
            let mut values: Vec<Value> = Vec::new();
            for value in same.iter().filter_map(|finding| finding[key].as_array()).flatten() {
                if values.len() < most && !values.contains(value) {
                    values.push(value.clone());
                }
            }
            values
        };
        let groups = union("groups", usize::MAX);
        let many = match groups.len() {
            1 => "1 group".to_owned(),
            many => format!("{many} groups"),
        };
        let text = match sort {
            "themes" => format!("\"{subject}\" comes up in {many}."),
            "conflicts" => format!("Opinions for and against clash in {many}."),
            _ => format!("Some are in favour and expect harm, in {many}."),
        };
        json!({"text": text, "groups": groups, "personas": union("personas", MOST_CITED)})
    };
    all.iter().take(MOST_FINDINGS).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(system: &str, user: &str) -> ChatRequest {
        let message = |role, text: &str| super::super::request::Message { role, text: text.into() };
        ChatRequest {
            model: "m".into(),
            messages: vec![message(Role::Instructions, system), message(Role::User, user)],
            wanted: Wanted::Text,
            output_cap: None,
        }
    }

    const ASKS: &str = r#"Return {"themes": [], "conflicts": []}"#;

    #[test]
    fn a_digest_counts_what_is_sent_and_cites_it() {
        let answers = r#"<answers>
{"persona": 3, "support_level": 5, "impacts": {"rent": 1}, "narrative": "Houses!", "key_concerns": ["Rising rents"]}
{"persona": 8, "support_level": 1, "impacts": {"rent": 1}, "narrative": "No.", "key_concerns": ["Rising rents", "noise"]}
</answers>"#;
        let reply: Value = serde_json::from_str(&answer(&request(ASKS, answers)).unwrap()).unwrap();
        let first = &reply["themes"][0];
        assert_eq!(first["personas"], json!([3, 8]));
        assert!(first["text"].as_str().unwrap().contains("rising rents"), "{first}");
        assert_eq!(reply["conflicts"][0]["personas"], json!([3, 8]));
        assert_eq!(reply["surprises"][0]["personas"], json!([3]));
        assert_eq!(reply["answers"][1]["drivers"], json!(["rising rents", "noise"]));
        let houses = json!({"narrative": "Houses!", "key_concerns": []});
        assert_eq!(spoken_of(&houses, &["housing".into(), "tram".into()]), [""; 0]);
        assert_eq!(spoken_of(&json!({"narrative": "Trams"}), &["tram".into()]), ["tram"]);
    }

    #[test]
    fn a_summary_joins_what_is_about_the_same_and_cites_every_group() {
        let digests = r#"<digests>
{"group": 1, "themes": [{"text": "\"rent\" is named by 3", "groups": [1], "personas": [3]}], "conflicts": [], "surprises": []}
{"group": 2, "themes": [{"text": "\"noise\" x", "groups": [2], "personas": [60]}, {"text": "\"rent\" y", "groups": [2], "personas": [61]}], "conflicts": [], "surprises": []}
</digests>"#;
        let reply: Value = serde_json::from_str(&answer(&request(ASKS, digests)).unwrap()).unwrap();
        assert_eq!(reply["themes"][0]["groups"], json!([1, 2]));
        assert_eq!(reply["themes"][0]["personas"], json!([3, 61]));
        assert_eq!(reply["themes"][1]["groups"], json!([2]));
    }

    #[test]
    fn a_persona_is_none_of_its_business() {
        assert_eq!(answer(&request("Answer.", "<answers>\n</answers>")), None);
        assert_eq!(answer(&request(ASKS, "Age: 40")), None);
    }
}
