//! What the model says to a request: the form filled in by the persona or a critic, or plain text.

use super::{
    again,
    chance::Chance,
    character::{Stance, is_support},
    conduct::Conduct,
    critic, critique, digest,
    facts::Facts,
    form::Form,
    narrative::Speaker,
    packed,
    remembered::Remembered,
    request::{ChatRequest, Wanted},
    required,
    slip::Slipped,
    stock::Stock,
    talk,
    task::{Task, without_answers},
    topic::Topic,
};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// What is said to a request, as the content of the reply's message. The same seed and the same
/// request give the same, however often it is asked.
pub fn answer(
    request: &ChatRequest,
    task: &Task,
    seed: Chance,
    conduct: &Conduct,
    topics: &Remembered<Topic>,
) -> String {
    if let Some(digest) = digest::answer(request) {
        return digest;
    }
    if let Wanted::Form(form) | Wanted::FormInText(form) = &request.wanted {
        if critique::is_wanted(form) {
            return critique::critique(request, topics).to_string();
        }
        if let Some(wanted) = packed::wanted(form) {
            return packed::all(request, wanted, seed, conduct, topics).to_string();
        }
    }
    let again;
    let messages = match task {
        Task::Answer | Task::Digest => &request.messages,
        Task::Judge { .. } | Task::FollowUp { .. } | Task::Mend => {
            again = without_answers(&request.messages);
            &again
        }
    };
    let facts = Facts::read(messages, seed, topics);
    let form = match &request.wanted {
        Wanted::Form(form) | Wanted::FormInText(form) => Some(&**form),
        Wanted::Text | Wanted::Json => None,
    };
    let content = || {
        let texts = request.messages.iter().map(|message| message.text.as_bytes());
        texts.fold(facts.chance, Chance::with)
    };
    if let Task::Judge { scope, given } = task {
        let verdict = critic::verdict(*scope, &facts, given, form, conduct, content());
        return fenced(verdict, request, &facts);
    }
    let required = required::of(messages);
    let stance = Stance::of(&facts, form, seed);
    let speaker = Speaker::new(&facts, &stance, required);
    if request.wanted == Wanted::Text
        && let Some(said) = talk::reply(request, &facts, &speaker, topics)
    {
        return said;
    }
    if let Task::FollowUp { given, topics } = task {
        let answer = again::follow_up(given, topics, &speaker, conduct, content());
        return fenced(answer, request, &facts);
    }
    let slip = conduct.slip(facts.chance.with(b"slip")).filter(|_| *task == Task::Answer);
    let slipped = slip.map(|slip| Slipped::make(slip, &facts, &stance, &speaker, required));
    let filler = Filler {
        facts: &facts,
        stance: &stance,
        speaker: &speaker,
        slipped: slipped.as_ref(),
        seed,
    };
    match (&request.wanted, form) {
        (_, Some(form)) => {
            let filled = serde_json::to_string(&filler.field(form, ""))
                .expect("a form is filled in with texts, numbers and lists of them");
            fenced(filled, request, &facts)
        }
        (Wanted::Json, None) => serde_json::json!({ "narrative": filler.narrative() }).to_string(),
        (_, None) => filler.narrative(),
    }
}

/// Asked in words alone, a model fences its JSON as often as not.
fn fenced(json: String, request: &ChatRequest, facts: &Facts) -> String {
    match request.wanted {
        Wanted::FormInText(_) if facts.chance.with(b"fence").happens(0.5) => {
            format!("```json\n{json}\n```")
        }
        _ => json,
    }
}

/// A content that is not what was asked for, made from the one that is.
pub fn malformed(answer: &str, chance: Chance) -> String {
    let prose = || {
        let stock = &Stock::get().not_json;
        stock[chance.with(b"prose").below(stock.len())].clone()
    };
    let Ok(Value::Object(mut fields)) = serde_json::from_str(answer) else {
        // Plain text cannot be malformed, only missing.
        return String::new();
    };
    match chance.with(b"malformed").below(4) {
        0 => prose(),
        1 => cut(answer, answer.chars().count() * 2 / 3).to_owned(),
        2 => {
            let number = fields.values_mut().find_map(first_number);
            match number {
                Some(number) => *number = Value::from(11),
                None => return prose(),
            }
            Value::Object(fields).to_string()
        }
        _ => {
            // Of a verdict the corrections may be missing; of an answer the grid may not.
            let mut keys = fields.keys();
            let is_verdict = fields.contains_key("issues");
            let key = if is_verdict { keys.next() } else { keys.next_back() };
            let key = key.cloned().unwrap_or_default();
            fields.shift_remove(&key);
            Value::Object(fields).to_string()
        }
    }
}

/// The first so many characters.
pub fn cut(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(at, _)| &text[..at])
}

fn first_number(value: &mut Value) -> Option<&mut Value> {
    match value {
        Value::Number(_) => Some(value),
        Value::Object(fields) => fields.values_mut().find_map(first_number),
        _ => None,
    }
}

/// A persona with a form in front of it.
#[derive(Clone, Copy)]
struct Filler<'a> {
    facts: &'a Facts,
    stance: &'a Stance,
    speaker: &'a Speaker<'a>,
    slipped: Option<&'a Slipped>,
    seed: Chance,
}

/// A field of the form, which is filled in while it is written down.
struct Field<'a> {
    filler: Filler<'a>,
    form: &'a Form,
    key: &'a str,
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { filler, form, key } = self;
        match form {
            Form::Object(fields) => {
                to.collect_map(fields.iter().map(|(key, form)| (key, filler.field(form, key))))
            }
            Form::List(items) => match &**items {
                Form::Text => to.collect_seq(filler.phrases(key)),
                Form::Choice(values) => to.collect_seq(filler.some_of(values, key)),
                items => to.collect_seq([filler.field(items, key)]),
            },
            Form::Text => to.serialize_str(&filler.text(key)),
            Form::Integer { least, most } => {
                let span = (*most as f64 - *least as f64).max(0.0);
                to.serialize_i64(*least + (filler.share(key) * span).round() as i64)
            }
            Form::Number { least, most } => {
                let number = least + filler.share(key) * (most - least);
                to.serialize_f64((number * 100.0).round() / 100.0)
            }
            Form::Flag => to.serialize_bool(filler.share(key) >= 0.5),
            Form::Choice(values) => {
                let last = values.len().saturating_sub(1);
                let chosen = (filler.share(key) * last as f64).round() as usize;
                values.get(chosen).serialize(to)
            }
            Form::Null => to.serialize_unit(),
        }
    }
}

impl<'a> Filler<'a> {
    const fn field(self, form: &'a Form, key: &'a str) -> Field<'a> {
        Field { filler: self, form, key }
    }

    fn phrases(&self, key: &str) -> Vec<String> {
        let suggests = ["improve", "suggest", "recommend", "idea", "change"];
        let (phrases, otherwise) = if suggests.iter().any(|word| key.contains(word)) {
            (self.speaker.improvements(), "begin with a trial")
        } else {
            (self.speaker.concerns(), "a rushed start")
        };
        match self.slipped {
            Some(slipped) => slipped.phrases(phrases, otherwise),
            None => phrases,
        }
    }

    fn narrative(&self) -> String {
        let slipped = self.slipped.and_then(|slipped| slipped.narrative.clone());
        slipped.unwrap_or_else(|| self.speaker.narrative())
    }

    fn some_of<'b>(&self, values: &'b [Value], key: &str) -> impl Iterator<Item = &'b Value> {
        let of_one = self.facts.chance.with(key.as_bytes());
        let chosen = move |nth: usize| of_one.with_number(nth as u64).happens(0.4);
        values.iter().enumerate().filter(move |(nth, _)| chosen(*nth)).map(|(_, value)| value)
    }

    fn text(&self, key: &str) -> String {
        let narrative = self.narrative();
        let long = ["", "narrative", "answer", "response", "story", "statement"];
        if long.contains(&key) {
            return narrative;
        }
        // The last sentence: a verdict, which suits a reason, a summary or a comment.
        narrative.rsplit(". ").next().unwrap_or_default().to_owned()
    }

    /// The opinion on a field, 0 to 1.
    fn share(&self, key: &str) -> f64 {
        let slipped = self.slipped.and_then(|slipped| {
            let label = key.replace('_', " ");
            let of_this = |(name, _): &&(String, f64)| name.eq_ignore_ascii_case(&label);
            let support = slipped.support.filter(|_| is_support(key));
            support.or(slipped.score.as_ref().filter(of_this).map(|(_, score)| *score))
        });
        let opinion = if let Some(opinion) = slipped {
            opinion
        } else if is_support(key) {
            self.stance.support
        } else if let Some(opinion) = self.stance.on(key) {
            opinion
        } else {
            // A field that is no dimension, such as a choice, still has its own shift.
            let shift = self.seed.with(b"field").with(key.as_bytes()).signed();
            (self.stance.support + shift).clamp(1.0, 5.0)
        };
        (opinion - 1.0) / 4.0
    }
}

#[cfg(test)]
mod tests {
    use super::{super::request::Dialect, answer as answer_with, *};
    use serde_json::json;

    fn answer(request: &ChatRequest, seed: Chance) -> String {
        let conduct = Conduct::default();
        answer_with(request, &Task::of(request), seed, &conduct, &Remembered::default())
    }

    fn request(persona: &str, schema: &Value) -> ChatRequest {
        let body = json!({
            "model": "gpt-4o-mini",
            "messages": [
                {"role": "system", "content": "Should trams be free on weekends?"},
                {"role": "user", "content": persona},
            ],
            "response_format": {"type": "json_schema", "json_schema": {"name": "survey", "schema": schema}},
        });
        let (body, dialect) = (body.to_string(), Dialect::default());
        ChatRequest::parse(body.as_bytes(), None, dialect, &Remembered::default()).unwrap()
    }

    fn survey() -> Value {
        let score = json!({"type": "integer", "minimum": 1, "maximum": 5});
        let texts = json!({"type": "array", "items": {"type": "string"}});
        json!({"type": "object", "properties": {
            "narrative": {"type": "string"},
            "survey": {"type": "object", "properties": {
                "support_level": score, "housing": score, "transport": score,
                "key_concerns": texts, "suggested_improvements": texts,
            }},
        }})
    }

    #[test]
    fn the_form_is_filled_in_as_the_survey_asks() {
        let content = answer(&request("Age: 40\nTenure: rents", &survey()), Chance::new(1));
        let value: Value = serde_json::from_str(&content).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&value), ["narrative", "survey"]);
        let grid = &value["survey"];
        let asked =
            ["support_level", "housing", "transport", "key_concerns", "suggested_improvements"];
        assert_eq!(keys(grid), asked);
        for score in &asked[..3] {
            assert!((1..=5).contains(&grid[score].as_i64().unwrap()), "{content}");
        }
        for list in &asked[3..] {
            assert!(!grid[list].as_array().unwrap().is_empty(), "{content}");
        }
    }

    #[test]
    fn the_same_seed_and_request_give_the_same_answer() {
        let of = |persona, seed| answer(&request(persona, &survey()), Chance::new(seed));
        assert_eq!(of("Age: 40", 1), of("Age: 40", 1));
        assert_ne!(of("Age: 40", 1), of("Age: 41", 1));
        assert_ne!(of("Age: 40", 1), of("Age: 40", 2));
    }

    #[test]
    fn any_other_form_is_filled_in_too() {
        let schema = json!({"type": "object", "properties": {
            "verdict": {"enum": ["reject", "revise", "accept"]},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
            "score": {"type": "integer", "minimum": 0, "maximum": 100},
            "consistent": {"type": "boolean"},
            "reason": {"type": "string"},
            "flags": {"type": "array", "items": {"enum": ["a", "b"]}},
            "notes": {"type": "array", "items": {"type": "object", "properties": {"text": {"type": "string"}}}},
        }});
        for age in 18..60 {
            let content = answer(&request(&format!("Age: {age}"), &schema), Chance::new(1));
            let value: Value = serde_json::from_str(&content).unwrap();
            assert!(["reject", "revise", "accept"].contains(&value["verdict"].as_str().unwrap()));
            assert!((0.0..=1.0).contains(&value["confidence"].as_f64().unwrap()));
            assert!((0..=100).contains(&value["score"].as_i64().unwrap()));
            assert!(value["consistent"].is_boolean() && value["flags"].is_array());
            assert!(!value["reason"].as_str().unwrap().is_empty());
            assert!(value["notes"][0]["text"].is_string());
        }
    }

    #[test]
    fn a_form_that_is_only_shown_is_filled_in_with_a_fence_or_without() {
        let mut fenced = 0;
        for age in 20..40 {
            let shown = r#"{"narrative": "...", "survey": {"support_level": <1-5>, "key_concerns": ["..."]}}"#;
            let body = json!({"model": "m", "messages": [
                {"role": "system", "content": format!("Should trams be free? Return only\n{shown}")},
                {"role": "user", "content": format!("Age: {age}")}]});
            let (body, dialect) = (body.to_string(), Dialect::default());
            let forms = Remembered::default();
            let request = ChatRequest::parse(body.as_bytes(), None, dialect, &forms).unwrap();
            let content = answer(&request, Chance::new(1));
            let inner = content.strip_prefix("```json\n").and_then(|c| c.strip_suffix("\n```"));
            fenced += usize::from(inner.is_some());
            let value: Value = serde_json::from_str(inner.unwrap_or(&content)).unwrap();
            assert!((1..=5).contains(&value["survey"]["support_level"].as_i64().unwrap()));
            assert!(value["survey"]["key_concerns"][0].is_string());
        }
        assert!((1..20).contains(&fenced), "{fenced}");
    }

    #[test]
    fn a_malformed_content_is_never_a_right_answer() {
        let right = answer(&request("Age: 40\nTenure: rents", &survey()), Chance::new(1));
        for i in 0..100 {
            let content = malformed(&right, Chance::new(i));
            let parsed: Result<Value, _> = serde_json::from_str(&content);
            let good = parsed.is_ok_and(|value| {
                let grid = &value["survey"];
                let score = |key: &str| grid[key].as_u64().is_some_and(|n| (1..=5).contains(&n));
                value["narrative"].is_string() && score("support_level") && score("housing")
            });
            assert!(!good, "{content}");
        }
        assert_eq!(malformed("just text", Chance::new(1)), "");
    }
}
