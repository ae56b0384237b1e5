//! Writing a request as a line.

use super::CustomId;
use std::io::Write;

const BEFORE_ID: &str = r#"{"custom_id":""#;
const BEFORE_BODY: &str = r#"","method":"POST","url":"/v1/chat/completions","body":"#;
const AFTER: &str = "}\n";

/// Appends a line. The body is JSON, as it would be sent alone.
pub fn push_line(to: &mut Vec<u8>, id: CustomId, body: &[u8]) {
    to.extend_from_slice(BEFORE_ID.as_bytes());
    write!(to, "{id}").expect("a Vec takes every byte");
    to.extend_from_slice(BEFORE_BODY.as_bytes());
    let start = to.len();
    to.extend_from_slice(body);
    // Within JSON a bare line's end is white space, and here it would end the line.
    for byte in &mut to[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    to.extend_from_slice(AFTER.as_bytes());
}

/// How long the line will be, in bytes.
pub fn line_length(id: CustomId, body: &[u8]) -> u64 {
    let around = BEFORE_ID.len() + id.to_string().len() + BEFORE_BODY.len() + AFTER.len();
    (around + body.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_line_is_one_json_object_of_the_length_foretold() {
        let id: CustomId = "p3-answer-r1-a2".parse().unwrap();
        let body = b"{\n  \"model\": \"m\",\r\n \"x\": \"a\\nb\"}";
        let mut line = Vec::new();
        push_line(&mut line, id, body);
        assert_eq!(line.len() as u64, line_length(id, body));
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let read: Value = serde_json::from_slice(&line).unwrap();
        let expected = json!({
            "custom_id": "p3-answer-r1-a2", "method": "POST", "url": "/v1/chat/completions",
            "body": {"model": "m", "x": "a\nb"},
        });
        assert_eq!(read, expected);
    }
}
