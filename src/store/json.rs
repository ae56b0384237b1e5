//! Answers and attributes as JSON: the wire's own shape, in the run file and in exports.

use crate::model::{Answer, Attribute, Score};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
    ser::SerializeMap,
};
use std::{fmt, marker::PhantomData};

const SUPPORT_LEVEL: &str = "support_level";
const KEY_CONCERNS: &str = "key_concerns";
const SUGGESTED_IMPROVEMENTS: &str = "suggested_improvements";

/// An answer as `{"narrative", "survey": {"support_level", <dimensions>, "key_concerns",
/// "suggested_improvements"}}`, dimensions in the survey's order.
#[derive(Clone, Copy, Debug)]
pub struct AnswerAsJson<'a>(pub &'a Answer);

struct SurveyAsJson<'a>(&'a Answer);

impl Serialize for AnswerAsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("narrative", &self.0.narrative)?;
        map.serialize_entry("survey", &SurveyAsJson(self.0))?;
        map.end()
    }
}

impl Serialize for SurveyAsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let answer = self.0;
        let mut map = serializer.serialize_map(Some(3 + answer.impacts.len()))?;
        map.serialize_entry(SUPPORT_LEVEL, &answer.support_level)?;
        for (key, score) in &answer.impacts {
            map.serialize_entry(key, score)?;
        }
        map.serialize_entry(KEY_CONCERNS, &answer.key_concerns)?;
        map.serialize_entry(SUGGESTED_IMPROVEMENTS, &answer.suggested_improvements)?;
        map.end()
    }
}

/// Attributes as one object, in the input's order.
#[derive(Clone, Copy, Debug)]
pub struct AttributesAsJson<'a>(pub &'a [Attribute]);

impl Serialize for AttributesAsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|a| (&a.name, &a.value)))
    }
}

/// Reads an answer back from what [`AnswerAsJson`] wrote.
pub(super) fn parse_answer(json: &str) -> serde_json::Result<Answer> {
    let written: WrittenAnswer = serde_json::from_str(json)?;
    let mut support_level = None;
    let mut impacts = Vec::new();
    let mut key_concerns = None;
    let mut suggested_improvements = None;
    for (key, value) in written.survey.0 {
        // The order of writing and the type of the value keep a dimension that is called
        // "Support level" apart from the support level.
        match value {
            SurveyValue::Score(score) if key == SUPPORT_LEVEL && support_level.is_none() => {
                support_level = Some(score);
            }
            SurveyValue::Score(score) => impacts.push((key, score)),
            SurveyValue::List(list) if key == KEY_CONCERNS => key_concerns = Some(list),
            SurveyValue::List(list) if key == SUGGESTED_IMPROVEMENTS => {
                suggested_improvements = Some(list);
            }
            SurveyValue::List(_) => {
                return Err(serde_json::Error::custom(format!("unexpected list {key:?}")));
            }
        }
    }
    Ok(Answer {
        narrative: written.narrative,
        support_level: support_level.ok_or_else(|| Error::missing_field(SUPPORT_LEVEL))?,
        impacts,
        key_concerns: key_concerns.unwrap_or_default(),
        suggested_improvements: suggested_improvements.unwrap_or_default(),
    })
}

/// Reads attributes back from what [`AttributesAsJson`] wrote.
pub(super) fn parse_attributes(json: &str) -> serde_json::Result<Vec<Attribute>> {
    let entries: Entries<String> = serde_json::from_str(json)?;
    Ok(entries.0.into_iter().map(|(name, value)| Attribute { name, value }).collect())
}

#[derive(Deserialize)]
struct WrittenAnswer {
    narrative: String,
    survey: Entries<SurveyValue>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SurveyValue {
    Score(Score),
    List(Vec<String>),
}

/// An object's entries in their order, a name that stands twice included.
struct Entries<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for InOrder<V> {
            type Value = Vec<(String, V)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or_default());
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(InOrder(PhantomData)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answers() -> impl Strategy<Value = Answer> {
        let score = || (1_u8..=5).prop_map(|n| Score::try_from(n).unwrap());
        let key = prop_oneof![
            "[a-zé_]{1,8}",
            Just(SUPPORT_LEVEL.to_owned()),
            Just(KEY_CONCERNS.to_owned())
        ];
        let texts = || proptest::collection::vec(any::<String>(), 0..4);
        (
            any::<String>(),
            score(),
            proptest::collection::vec((key, score()), 0..6),
            texts(),
            texts(),
        )
            .prop_map(
                |(narrative, support_level, impacts, key_concerns, suggested_improvements)| {
                    Answer {
                        narrative,
                        support_level,
                        impacts,
                        key_concerns,
                        suggested_improvements,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn an_answer_survives_the_file(answer in answers()) {
            let json = serde_json::to_string(&AnswerAsJson(&answer)).unwrap();
            prop_assert_eq!(parse_answer(&json).unwrap(), answer);
        }

        #[test]
        fn attributes_survive_the_file_in_order(
            list in proptest::collection::vec(("[a-c.]{0,3}", any::<String>()), 0..8)
        ) {
            let attributes: Vec<_> =
                list.into_iter().map(|(name, value)| Attribute { name, value }).collect();
            let json = serde_json::to_string(&AttributesAsJson(&attributes)).unwrap();
            prop_assert_eq!(parse_attributes(&json).unwrap(), attributes);
        }
    }

    #[test]
    fn the_shape_is_the_one_of_the_wire() {
        let score = |n| Score::try_from(n).unwrap();
        let answer = Answer {
            narrative: "Fine.".to_owned(),
            support_level: score(4),
            impacts: vec![("housing".to_owned(), score(3)), ("art".to_owned(), score(2))],
            key_concerns: vec!["noise".to_owned()],
            suggested_improvements: vec![],
        };
        assert_eq!(
            serde_json::to_string(&AnswerAsJson(&answer)).unwrap(),
            r#"{"narrative":"Fine.","survey":{"support_level":4,"housing":3,"art":2,"key_concerns":["noise"],"suggested_improvements":[]}}"#
        );
        assert!(parse_answer(r#"{"narrative":"","survey":{"housing":3}}"#).is_err());
    }
}
