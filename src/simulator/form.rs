//! The form that a JSON schema asks to be filled in.

use serde_json::Value;

/// A JSON schema, reduced to what must be known to fill it in.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// The fields in the schema's order.
    Object(Vec<(String, Form)>),
    List(Box<Form>),
    Text,
    /// A whole number between two bounds, both allowed.
    Integer {
        least: i64,
        most: i64,
    },
    /// Any number between two bounds.
    Number {
        least: f64,
        most: f64,
    },
    Flag,
    /// One of these values, or the one.
    Choice(Vec<Value>),
    Null,
}

/// How deep a schema may nest. A schema that refers to itself would have no end.
const DEEPEST: usize = 12;

impl Form {
    /// Reads a schema. What it does not know becomes a text, as a model would write one.
    pub fn of(schema: &Value) -> Self {
        read(schema, schema, DEEPEST)
    }
}

fn read(schema: &Value, root: &Value, depth: usize) -> Form {
    if depth == 0 {
        return Form::Null;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Form::Text, |target| read(target, root, depth - 1));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return scale(values).unwrap_or_else(|| Form::Choice(values.clone()));
    }
    if let Some(value) = schema.get("const") {
        return Form::Choice(vec![value.clone()]);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(options) = schema.get(key).and_then(Value::as_array) {
            let read = |option| read(option, root, depth - 1);
            return options.iter().map(read).find(|form| *form != Form::Null).unwrap_or(Form::Null);
        }
    }
    match type_of(schema) {
        "object" => {
            let fields = schema.get("properties").and_then(Value::as_object);
            let read =
                |(key, field): (&String, &Value)| (key.clone(), read(field, root, depth - 1));
            Form::Object(fields.into_iter().flatten().map(read).collect())
        }
        "array" => {
            let items =
                schema.get("items").map_or(Form::Text, |items| read(items, root, depth - 1));
            Form::List(Box::new(items))
        }
        "integer" => {
            let (least, most) = bounds(schema);
            Form::Integer { least: least.ceil() as i64, most: most.floor() as i64 }
        }
        "number" => {
            let (least, most) = bounds(schema);
            Form::Number { least, most }
        }
        "boolean" => Form::Flag,
        "null" => Form::Null,
        _ => Form::Text,
    }
}

/// A scale that is written as a list of all its whole numbers.
fn scale(values: &[Value]) -> Option<Form> {
    let numbers: Vec<i64> = values.iter().map(Value::as_i64).collect::<Option<_>>()?;
    let (least, most) = (*numbers.iter().min()?, *numbers.iter().max()?);
    let steps = usize::try_from(most.checked_sub(least)?).ok()?;
    (steps + 1 == numbers.len()).then_some(Form::Integer { least, most })
}

/// The type; of several, the first that is not null.
fn type_of(schema: &Value) -> &str {
    let declared = match schema.get("type") {
        Some(Value::String(one)) => Some(one.as_str()),
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).find(|&name| name != "null")
        }
        _ => None,
    };
    declared.unwrap_or_else(|| if schema.get("properties").is_some() { "object" } else { "" })
}

/// The bounds of a number: a grid's 1 to 5 where the schema gives none.
fn bounds(schema: &Value) -> (f64, f64) {
    let bound = |key| schema.get(key).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most - 1.0));
    match (least, most) {
        (Some(least), Some(most)) => (least, most.max(least)),
        (Some(least), None) => (least, least + 4.0),
        (None, Some(most)) => (most.min(1.0), most),
        (None, None) => (1.0, 5.0),
    }
}

/// What in this schema OpenAI's strict mode does not allow, in its words: every object must be
/// closed and must require every property.
pub fn strict_violation(schema: &Value) -> Option<String> {
    if type_of(schema) != "object" && schema.get("$ref").is_none() {
        return Some(format!(
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{}\"'.",
            type_of(schema)
        ));
    }
    violation(schema, &mut Vec::new())
}

fn violation<'a>(schema: &'a Value, path: &mut Vec<&'a str>) -> Option<String> {
    let inner = |key: &'a str, path: &mut Vec<&'a str>| {
        let children: Box<dyn Iterator<Item = (&'a str, &'a Value)>> = match schema.get(key)? {
            Value::Object(map) => Box::new(map.iter().map(|(name, child)| (name.as_str(), child))),
            Value::Array(list) => Box::new(list.iter().map(|child| ("", child))),
            _ => return None,
        };
        for (name, child) in children {
            let depth = path.len();
            path.extend([key, name].into_iter().filter(|step| !step.is_empty()));
            let found = violation(child, path);
            path.truncate(depth);
            if found.is_some() {
                return found;
            }
        }
        None
    };
    if type_of(schema) == "object" {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Some(format!(
                "In context={}, 'additionalProperties' is required to be supplied and to be false.",
                context(path)
            ));
        }
        let required = schema.get("required").and_then(Value::as_array);
        let is_required =
            |key: &str| required.is_some_and(|list| list.iter().any(|name| name == key));
        let fields = schema.get("properties").and_then(Value::as_object);
        let missing = fields.into_iter().flatten().find(|(key, _)| !is_required(key));
        if let Some((key, _)) = missing {
            return Some(format!(
                "In context={}, 'required' is required to be supplied and to be an array \
                 including every key in properties. Missing '{key}'.",
                context(path)
            ));
        }
    }
    let items = schema.get("items").and_then(|items| {
        path.push("items");
        let found = violation(items, path);
        path.pop();
        found
    });
    items.or_else(|| ["properties", "anyOf", "$defs"].into_iter().find_map(|key| inner(key, path)))
}

/// A path as OpenAI's messages write it, which is a Python tuple.
fn context(path: &[&str]) -> String {
    let steps: Vec<String> = path.iter().map(|step| format!("'{step}'")).collect();
    format!("({})", steps.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_becomes_the_form_that_it_describes() {
        let schema = json!({
            "type": "object",
            "properties": {
                "z": {"type": "string", "description": "first stays first"},
                "a": {"type": "integer", "minimum": 0, "maximum": 10},
                "grid": {"type": "integer"},
                "list": {"type": "array", "items": {"$ref": "#/$defs/item"}},
                "maybe": {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
                "either": {"type": ["null", "number"], "exclusiveMinimum": 1.0},
                "pick": {"type": "string", "enum": ["yes", "no"]},
                "scale": {"type": "integer", "enum": [3, 1, 2]},
                "itself": {"$ref": "#/properties/itself"},
            },
            "$defs": {"item": {"const": "x"}},
        });
        let field = |name: &str, form| (name.to_owned(), form);
        assert_eq!(
            Form::of(&schema),
            Form::Object(vec![
                field("z", Form::Text),
                field("a", Form::Integer { least: 0, most: 10 }),
                field("grid", Form::Integer { least: 1, most: 5 }),
                field("list", Form::List(Box::new(Form::Choice(vec![json!("x")])))),
                field("maybe", Form::Flag),
                field("either", Form::Number { least: 2.0, most: 6.0 }),
                field("pick", Form::Choice(vec![json!("yes"), json!("no")])),
                field("scale", Form::Integer { least: 1, most: 3 }),
                field("itself", Form::Null),
            ])
        );
    }
}
