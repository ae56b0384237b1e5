//! How a survey says what becomes of replies that were given before: `cache: off`, or
//! `cache: {size_mb: 500, days: 30, similar: 0.9, embeddings: text-embedding-3-small}`.

use super::scalar::{Checked, Line, Scalar, Switch, Whole, deserialize_checked, quoted};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;

/// What a survey says of the cache; `None` where it leaves a key out.
#[derive(Debug, Default)]
pub(super) struct CacheKeys {
    /// Whether replies of the same request are used again.
    pub on: Option<bool>,
    pub size_mb: Option<u32>,
    pub days: Option<u32>,
    pub similar: Option<f32>,
    pub embeddings: Option<String>,
}

/// The mapping.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "off, or {size_mb: 500, days: 30}")]
struct Spelled {
    on: Option<Switch>,
    size_mb: Option<Whole<1, 1_000_000>>,
    days: Option<Whole<1, 3_650>>,
    similar: Option<Similarity>,
    embeddings: Option<Line>,
}

impl<'de> Deserialize<'de> for CacheKeys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CacheVisitor)
    }
}

struct CacheVisitor;

impl CacheVisitor {
    fn word(on: bool) -> CacheKeys {
        CacheKeys { on: Some(on), ..CacheKeys::default() }
    }
}

impl<'de> Visitor<'de> for CacheVisitor {
    type Value = CacheKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("on, off, or {size_mb: 500, days: 30}")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<CacheKeys, E> {
        Ok(Self::word(on))
    }

    // YAML 1.2 has no such word for a truth value.
    fn visit_str<E: Error>(self, word: &str) -> Result<CacheKeys, E> {
        match word {
            "on" => Ok(Self::word(true)),
            "off" => Ok(Self::word(false)),
            other => Err(E::custom(format!(
                "must be on, off, or {{size_mb: 500, days: 30}}, not {}",
                super::scalar::quoted(other)
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CacheKeys, A::Error> {
        let spelled = Spelled::deserialize(MapAccessDeserializer::new(map))?;
        if let (Some(Line(model)), None) = (&spelled.embeddings, &spelled.similar) {
            return Err(A::Error::custom(format!(
                "embeddings says how answers are compared, and `similar` how alike they must be: \
                 write {{similar: 0.9, embeddings: {}}}",
                quoted(model)
            )));
        }
        Ok(CacheKeys {
            on: spelled.on.map(|on| on.0),
            size_mb: spelled.size_mb.map(Whole::get),
            days: spelled.days.map(Whole::get),
            similar: spelled.similar.map(|similarity| similarity.0),
            embeddings: spelled.embeddings.map(|model| model.0),
        })
    }
}

deserialize_checked!([] Similarity);

/// How alike two answers must be. Below a half of the words in common, it would be none.
#[derive(Clone, Copy, Debug)]
struct Similarity(f32);

impl Checked for Similarity {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        #[expect(clippy::cast_possible_truncation, reason = "two digits of it matter")]
        let number = match value {
            Scalar::Whole(1) => 1.0,
            Scalar::Fraction(value) => value as f32,
            _ => f32::NAN,
        };
        if (0.5..=1.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("must be a number from 0.5 to 1, such as 0.9, not {value}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CacheKeys, String> {
        serde_yaml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_word_or_a_mapping() {
        assert_eq!(read("off").unwrap().on, Some(false));
        assert_eq!(read("false").unwrap().on, Some(false));
        assert_eq!(read("on").unwrap().on, Some(true));
        let keys = read("{size_mb: 20, days: 7, similar: 0.9}").unwrap();
        assert_eq!((keys.on, keys.size_mb, keys.days), (None, Some(20), Some(7)));
        assert_eq!((keys.similar, keys.embeddings), (Some(0.9), None));
        let keys = read("{similar: 0.9, embeddings: text-embedding-3-small}").unwrap();
        assert_eq!(keys.embeddings.as_deref(), Some("text-embedding-3-small"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("maybe", "must be on, off"),
            ("{size_mb: 0}", "from 1 to 1000000"),
            ("{similar: 9}", "from 0.5 to 1, such as 0.9, not 9"),
            ("{size: 3}", "unknown field `size`"),
            ("{similar: 0.9, embeddings: 3}", "put it in quotes"),
            ("{embeddings: my-embed}", "write {similar: 0.9, embeddings: \"my-embed\"}"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
