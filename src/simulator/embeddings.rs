//! Embeddings: `/v1/embeddings`, with vectors that are near where the texts share words.
//!
//! Each word and each pair of neighbours is hashed to a few places of the vector (feature hashing,
//! Weinberger and others, 2009); the sum has length 1. It knows no synonyms.

use super::chance::Chance;
use serde::Deserialize;
use serde_json::{Value, json};

/// The length of a vector.
const DIMENSIONS: usize = 256;

/// How many places a word has. One would let two words in the same place look alike.
const PLACES: u64 = 4;

/// The most texts of one request.
const MOST_INPUTS: usize = 2048;

/// A request that passed the checks.
#[derive(Debug)]
pub struct EmbeddingRequest {
    pub model: String,
    pub texts: Vec<String>,
}

#[derive(Deserialize)]
struct Wire {
    model: Option<String>,
    input: Option<Input>,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
}

impl EmbeddingRequest {
    /// Reads a request body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(body).map_err(|error| {
            format!("We could not parse the JSON body of your request: {error}.")
        })?;
        let model = wire.model.ok_or("you must provide a model parameter")?;
        let texts = match wire.input.ok_or("Missing required parameter: 'input'.")? {
            Input::One(text) => vec![text],
            Input::Many(texts) => texts,
        };
        if texts.is_empty() || texts.len() > MOST_INPUTS || texts.iter().any(String::is_empty) {
            return Err("'input' must be 1 to 2048 texts, none of them empty.".to_owned());
        }
        if wire.encoding_format.is_some_and(|format| format != "float") {
            return Err("'encoding_format' must be 'float' with this model.".to_owned());
        }
        if wire.dimensions.is_some_and(|dimensions| dimensions != DIMENSIONS) {
            return Err(format!("'dimensions' must be {DIMENSIONS} with this model."));
        }
        Ok(Self { model, texts })
    }

    /// The body of the reply.
    pub fn reply(&self, prompt_tokens: u64) -> Value {
        let row = |(index, text): (usize, &String)| json!({ "object": "embedding", "index": index, "embedding": vector(text) });
        json!({
            "object": "list", "model": self.model,
            "data": self.texts.iter().enumerate().map(row).collect::<Vec<_>>(),
            "usage": { "prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens },
        })
    }
}

/// The vector of a text.
fn vector(text: &str) -> Vec<f32> {
    let mut sum = vec![0.0; DIMENSIONS];
    let text = text.to_lowercase();
    let mut before = "";
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let of_word = Chance::new(0).with(word.as_bytes());
        add(&mut sum, of_word, 1.0);
        if !before.is_empty() {
            add(&mut sum, of_word.with(before.as_bytes()), 0.5);
        }
        before = word;
    }
    let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    if length == 0.0 {
        // A text without a word still has a direction.
        sum[0] = 1.0;
        return sum.into_iter().map(|x| x as f32).collect();
    }
    sum.into_iter().map(|x| (x / length) as f32).collect()
}

fn add(sum: &mut [f64], word: Chance, weight: f64) {
    for place in 0..PLACES {
        let chance = word.with_number(place);
        let sign = if chance.with(b"sign").happens(0.5) { weight } else { -weight };
        sum[chance.below(DIMENSIONS)] += sign;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(a: &str, b: &str) -> f32 {
        vector(a).iter().zip(vector(b)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn near_texts_are_near_and_others_are_not() {
        let bus = "The bus comes twice a day, so I would still need the car to get to work.";
        let near = "The bus comes twice a day, so I would still need a car to get to my work!";
        let far = "Rents have doubled here and nobody my age can afford a flat.";
        assert!((likeness(bus, bus) - 1.0).abs() < 1e-5);
        assert!(likeness(bus, near) > 0.75, "{}", likeness(bus, near));
        assert!(likeness(bus, far) < 0.4, "{}", likeness(bus, far));
        assert!((likeness("...", "...") - 1.0).abs() < 1e-5);
    }

    #[test]
    fn what_it_does_not_serve_it_says() {
        let parse = |body: Value| EmbeddingRequest::parse(body.to_string().as_bytes());
        assert_eq!(parse(json!({"model": "m", "input": "a"})).unwrap().texts, ["a"]);
        assert_eq!(parse(json!({"model": "m", "input": ["a", "b"]})).unwrap().texts.len(), 2);
        for (body, says) in [
            (json!({"input": "a"}), "model"),
            (json!({"model": "m"}), "input"),
            (json!({"model": "m", "input": []}), "none of them empty"),
            (json!({"model": "m", "input": ["a", ""]}), "none of them empty"),
            (json!({"model": "m", "input": "a", "encoding_format": "base64"}), "float"),
            (json!({"model": "m", "input": "a", "dimensions": 3}), "256"),
        ] {
            let message = parse(body).unwrap_err();
            assert!(message.contains(says), "{message}");
        }
    }
}
