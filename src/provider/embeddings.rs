//! Vectors of texts: `/embeddings`.

use super::{
    client::{Client, Exchange},
    reply::{UsageBody, unreadable},
};
use crate::model::{Failure, FailureKind, Usage};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The longest vector that is taken: the largest models have a quarter of it.
const LONGEST: usize = 16_384;

/// Where a text lies among others: a direction, of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector(Box<[f32]>);

impl Vector {
    /// The direction of these numbers; `None` where they have none.
    pub fn new(mut numbers: Vec<f32>) -> Option<Self> {
        let length = numbers.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() || length < f64::from(f32::MIN_POSITIVE) {
            return None;
        }
        numbers.iter_mut().for_each(|x| *x = part(*x, length));
        Some(Self(numbers.into()))
    }

    /// How many numbers it has.
    pub const fn dimension(&self) -> usize {
        self.0.len()
    }

    /// The bytes that it takes.
    pub const fn bytes(&self) -> usize {
        size_of_val::<[f32]>(&self.0)
    }

    /// The cosine of the angle between two, from -1 to 1; -1 where they are not of one space.
    pub fn cosine(&self, other: &Self) -> f32 {
        if self.dimension() != other.dimension() {
            return -1.0;
        }
        let cosine: f32 = self.0.iter().zip(other.0.iter()).map(|(a, b)| a * b).sum();
        cosine.clamp(-1.0, 1.0)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "no number is beyond the length")]
fn part(number: f32, length: f64) -> f32 {
    (f64::from(number) / length) as f32
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [&'a str],
}

#[derive(Deserialize)]
struct Reply {
    data: Vec<Row>,
    #[serde(default)]
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl Client {
    /// Asks for the vectors of texts, none of which may be empty, in their order. Where earlier
    /// ones had so many numbers, these must have as many.
    pub async fn embeddings(
        &self,
        model: &str,
        texts: &[&str],
        dimension: Option<usize>,
        id: &str,
    ) -> Exchange<Vec<Vector>> {
        let body = serde_json::to_vec(&Request { model, input: texts })
            .expect("strings have a form in JSON");
        let read = |body: &[u8]| read(body, texts.len(), dimension);
        self.post(self.beside(&["embeddings"]), Bytes::from(body), id, read).await
    }
}

/// Takes the vectors out of the body of a 200. The usage is known even where they are no use.
fn read(
    body: &[u8],
    texts: usize,
    dimension: Option<usize>,
) -> (Option<Usage>, Result<Vec<Vector>, Failure>) {
    let reply: Reply = match serde_json::from_slice(body) {
        Ok(reply) => reply,
        Err(error) => return (None, Err(unreadable("list of embeddings", body, &error))),
    };
    let vectors = vectors(reply.data, texts, dimension)
        .map_err(|problem| Failure::new(FailureKind::Malformed, problem));
    (reply.usage.and_then(UsageBody::believed), vectors)
}

fn vectors(rows: Vec<Row>, texts: usize, dimension: Option<usize>) -> Result<Vec<Vector>, String> {
    if rows.len() != texts {
        return Err(format!("{} embeddings came back for {texts} texts", rows.len()));
    }
    let dimension = dimension.or_else(|| rows.first().map(|row| row.embedding.len()));
    let mut places: Vec<Option<Vector>> = vec![None; texts];
    for (at, Row { index, embedding }) in rows.into_iter().enumerate() {
        let index = index.unwrap_or(at);
        let numbers = embedding.len();
        if numbers > LONGEST || dimension != Some(numbers) {
            let wanted = dimension.unwrap_or(LONGEST).min(LONGEST);
            return Err(format!("embedding {index} has {numbers} numbers, not {wanted}"));
        }
        let vector = Vector::new(embedding)
            .ok_or_else(|| format!("embedding {index} has no direction, or numbers beyond all"))?;
        match places.get_mut(index) {
            Some(place @ None) => *place = Some(vector),
            Some(Some(_)) => return Err(format!("embedding {index} came back twice")),
            None => return Err(format!("embedding {index} was not asked for")),
        }
    }
    // As many as there are places, and none twice.
    Ok(places.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str, dimension: Option<usize>) -> String {
        let failure = read(body.as_bytes(), 2, dimension).1.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Malformed);
        failure.message
    }

    #[test]
    fn vectors_come_in_the_order_of_their_texts_and_have_length_1() {
        let body = r#"{"data":[{"index":1,"embedding":[0,2]},{"index":0,"embedding":[3,4]}],
            "usage":{"prompt_tokens":9,"total_tokens":9}}"#;
        let (usage, vectors) = read(body.as_bytes(), 2, Some(2));
        let vectors = vectors.unwrap();
        assert_eq!(vectors, [Vector([0.6, 0.8].into()), Vector([0.0, 1.0].into())]);
        assert_eq!(usage.unwrap().prompt_tokens, 9);
        assert!((vectors[0].cosine(&vectors[1]) - 0.8).abs() < 1e-6);
        assert!((vectors[0].cosine(&vectors[0]) - 1.0).abs() < 1e-6);
        assert_eq!((vectors[0].dimension(), vectors[0].bytes()), (2, 8));
    }

    #[test]
    fn what_is_no_use_is_told_apart() {
        let of = |a: &str, b: &str| format!(r#"{{"data":[{a},{b}]}}"#);
        let row =
            |index: usize, numbers: &str| format!(r#"{{"index":{index},"embedding":[{numbers}]}}"#);
        for (body, dimension, says) in [
            (r#"{"data":[]}"#.to_owned(), None, "0 embeddings came back for 2 texts"),
            (of(&row(0, "1"), &row(0, "1")), None, "embedding 0 came back twice"),
            (of(&row(0, "1"), &row(7, "1")), None, "embedding 7 was not asked for"),
            (of(&row(0, "1"), &row(1, "1,2")), None, "embedding 1 has 2 numbers, not 1"),
            (of(&row(0, "1"), &row(1, "1")), Some(3), "embedding 0 has 1 numbers, not 3"),
            (of(&row(0, "0,0"), &row(1, "1,1")), None, "embedding 0 has no direction"),
            (of(&row(0, "1,1e39"), &row(1, "1,1")), None, "numbers beyond all"),
            (of(&row(0, ""), &row(1, "")), None, "embedding 0 has no direction"),
            (of(&row(0, "null"), &row(1, "1")), None, "no list of embeddings"),
            (r#"{"choices":[]}"#.to_owned(), None, "no list of embeddings"),
        ] {
            let message = told(&body, dimension);
            assert!(message.contains(says), "{body}: {message}");
        }
        let page = read(b"<html>", 2, None).1.unwrap_err();
        assert_eq!(page.kind, FailureKind::Connection);
    }
}
