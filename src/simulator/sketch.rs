//! The form that a prompt shows in words, for servers that take no JSON schema.

use super::form::Form;
use serde_json::{Deserializer, Value, json};

/// How many beginnings of an object are tried in a text.
const MOST_TRIED: usize = 16;

/// Finds a JSON schema, or an object that is sketched with `"..."` and `<1-5>` in the places
/// that are to be filled in, or `true or false`. A profile that happens to be JSON is neither.
pub fn form(text: &str) -> Option<Form> {
    let quoted = quote_scales(&text.replace("true or false", "true"));
    quoted.match_indices('{').take(MOST_TRIED).find_map(|(at, _)| {
        let mut values = Deserializer::from_str(&quoted[at..]).into_iter::<Value>();
        let value = values.next()?.ok()?;
        if value.get("properties").is_some_and(Value::is_object) {
            return Some(Form::of(&value));
        }
        let mut blanks = 0;
        let schema = schema(&value, &mut blanks);
        (blanks > 0).then(|| Form::of(&schema))
    })
}

/// Puts the scales into quotes, without which the object around them is no JSON.
fn quote_scales(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').map(|length| at + length + 1);
        match end.filter(|&end| scale(&rest[at..end]).is_some()) {
            Some(end) if !rest[..at].ends_with('"') => {
                quoted.push_str(&rest[..at]);
                quoted.push('"');
                quoted.push_str(&rest[at..end]);
                quoted.push('"');
                rest = &rest[end..];
            }
            _ => {
                quoted.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    quoted.push_str(rest);
    quoted
}

/// The two ends of `<1-5>`.
fn scale(text: &str) -> Option<(i64, i64)> {
    let (least, most) = text.strip_prefix('<')?.strip_suffix('>')?.split_once('-')?;
    Some((least.trim().parse().ok()?, most.trim().parse().ok()?))
}

/// The schema of a sketch; counts what is to be filled in.
fn schema(sketched: &Value, blanks: &mut usize) -> Value {
    match sketched {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, field)| (key.clone(), schema(field, blanks)));
            let fields: serde_json::Map<String, Value> = fields.collect();
            json!({ "type": "object", "properties": fields })
        }
        Value::Array(items) => {
            let items = items.first().map_or_else(|| json!({}), |item| schema(item, blanks));
            json!({ "type": "array", "items": items })
        }
        Value::String(text) => {
            if let Some((least, most)) = scale(text) {
                *blanks += 1;
                return json!({ "type": "integer", "minimum": least, "maximum": most });
            }
            *blanks += usize::from(text == "..." || text == "…");
            json!({ "type": "string" })
        }
        Value::Number(_) => json!({ "type": "number" }),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Null => json!({ "type": "null" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_and_a_schema_are_found_and_a_profile_is_not() {
        let scale = Form::Integer { least: 1, most: 5 };
        let text = "Judge <fairly>. Shape:\n{\n \"narrative\": \"...\",\n \"grid\": {\"support\": <1-5>,\
                    \"housing\": \"<1-5>\", \"concerns\": [\"...\"]}\n}\nWrite {it} first.";
        let grid = Form::Object(vec![
            ("support".to_owned(), scale.clone()),
            ("housing".to_owned(), scale.clone()),
            ("concerns".to_owned(), Form::List(Box::new(Form::Text))),
        ]);
        let expected =
            Form::Object(vec![("narrative".to_owned(), Form::Text), ("grid".to_owned(), grid)]);
        assert_eq!(form(text), Some(expected));

        let text = r#"Follow {this} schema: {"type": "object", "properties": {"support":
            {"type": "integer", "minimum": 1, "maximum": 5}}}. Go."#;
        assert_eq!(form(text), Some(Form::Object(vec![("support".to_owned(), scale)])));

        for text in ["", "no form", "{Age: 3}", r#"{"age": 40, "town": "Kew"}"#, "<1-5> {", "{<"] {
            assert_eq!(form(text), None, "{text}");
        }
    }
}
