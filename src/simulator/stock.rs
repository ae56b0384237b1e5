//! The stock of sentences in `config/simulator.yaml`, read once and ready to be filled in.

use super::chance::Chance;
use serde::{Deserialize, de::Error};
use std::{collections::HashMap, sync::LazyLock};

/// All that the personas can say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    pub openings: Templates,
    pub stances: ByLevel,
    pub reasons: Reasons,
    pub dimensions: ByScore,
    pub themes: Vec<Theme>,
    pub concessions: BySide,
    pub fillers: Templates,
    pub on_topic: Templates,
    pub claims: Claims,
    pub off_topic: Vec<String>,
    pub closings: ByLevel,
    pub concerns: Templates,
    pub improvements: Templates,
    pub general_concerns: Templates,
    pub general_improvements: Templates,
    pub refusals: Vec<String>,
    pub not_json: Vec<String>,
    pub no_verdicts: Vec<String>,
}

/// What a persona may claim of itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    pub owns: Vec<String>,
    pub rents: Vec<String>,
    pub car: Vec<String>,
    pub children: Vec<String>,
}

/// Texts for the support levels 1 to 5.
#[derive(Debug, Deserialize)]
#[serde(try_from = "HashMap<u8, Templates>")]
pub struct ByLevel([Templates; 5]);

impl ByLevel {
    /// The texts of a level, 1 to 5.
    pub fn level(&self, level: usize) -> &Templates {
        &self.0[level.clamp(1, 5) - 1]
    }
}

impl TryFrom<HashMap<u8, Templates>> for ByLevel {
    type Error = String;

    fn try_from(mut map: HashMap<u8, Templates>) -> Result<Self, String> {
        let mut level = |level: u8| map.remove(&level).ok_or(format!("level {level} is missing"));
        Ok(Self([level(1)?, level(2)?, level(3)?, level(4)?, level(5)?]))
    }
}

/// Texts for who is in favour and who is not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BySide {
    pub r#for: Templates,
    pub against: Templates,
}

impl BySide {
    /// The texts of a side.
    pub const fn side(&self, in_favour: bool) -> &Templates {
        if in_favour { &self.r#for } else { &self.against }
    }
}

/// Why, by what a persona is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reasons {
    pub rents: BySide,
    pub owns: BySide,
    pub drives: BySide,
    pub no_car: BySide,
    pub children: BySide,
    pub alone: BySide,
    pub low_income: BySide,
    pub high_income: BySide,
    pub young: BySide,
    pub old: BySide,
    pub works: BySide,
}

/// Texts about a dimension, by its score.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByScore {
    pub low: Templates,
    pub middle: Templates,
    pub high: Templates,
}

impl ByScore {
    /// The texts of a score, 1 to 5.
    pub fn of(&self, score: f64) -> &Templates {
        match score.round() as i64 {
            ..3 => &self.low,
            3 => &self.middle,
            _ => &self.high,
        }
    }
}

/// Better words for a dimension that many surveys have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theme {
    pub words: Vec<String>,
    pub low: Templates,
    pub high: Templates,
    pub concerns: Templates,
    pub improvements: Templates,
}

static STOCK: LazyLock<Stock> = LazyLock::new(|| {
    serde_yaml::from_str(include_str!("../../config/simulator.yaml"))
        .expect("the embedded stock of sentences reads, as its test proves")
});

impl Stock {
    /// The one stock. The first call reads it.
    pub fn get() -> &'static Self {
        &STOCK
    }

    /// The theme of a dimension, by the words of its name.
    pub fn theme(&self, dimension: &str) -> Option<&Theme> {
        let named = |theme: &&Theme| {
            let mut words = dimension.split([' ', '_']);
            words.any(|word| theme.words.iter().any(|known| known == word))
        };
        self.themes.iter().find(named)
    }
}

/// What a template can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Work,
    Place,
    Age,
    Topic,
    Dimension,
}

/// What the slots are filled with; `None` is not known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fills<'a> {
    pub work: Option<&'a str>,
    pub place: Option<&'a str>,
    pub age: Option<&'a str>,
    pub topic: Option<&'a str>,
    pub dimension: Option<&'a str>,
}

impl<'a> Fills<'a> {
    fn get(&self, slot: Slot) -> Option<&'a str> {
        match slot {
            Slot::Work => self.work,
            Slot::Place => self.place,
            Slot::Age => self.age,
            Slot::Topic => self.topic,
            Slot::Dimension => self.dimension,
        }
    }
}

/// A text with slots.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    /// Each slot with the text before it.
    parts: Vec<(String, Slot)>,
    end: String,
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) =
                after.split_once('}').ok_or_else(|| format!("\"{text}\" lacks a closing brace"))?;
            let slot = match name {
                "work" => Slot::Work,
                "place" => Slot::Place,
                "age" => Slot::Age,
                "topic" => Slot::Topic,
                "dimension" => Slot::Dimension,
                _ => return Err(format!("\"{text}\" names {{{name}}}, which there is not")),
            };
            parts.push((before.to_owned(), slot));
            rest = after;
        }
        Ok(Self { end: rest.to_owned(), parts })
    }
}

impl Template {
    fn can_be_filled(&self, fills: &Fills<'_>) -> bool {
        self.parts.iter().all(|&(_, slot)| fills.get(slot).is_some())
    }

    /// Appends the text to `out`; a sentence starts with a capital letter whatever fills it.
    fn write(&self, fills: &Fills<'_>, sentence: bool, out: &mut String) {
        let start = out.len();
        for (before, slot) in &self.parts {
            out.push_str(before);
            out.push_str(fills.get(*slot).unwrap_or_default());
        }
        out.push_str(&self.end);
        if sentence
            && let Some(first) = out[start..].chars().next()
            && first.is_lowercase()
        {
            let capital: String = first.to_uppercase().collect();
            out.replace_range(start..start + first.len_utf8(), &capital);
        }
    }
}

/// Texts of which one is chosen. There is always one that needs nothing but the slots that are
/// always known.
#[derive(Debug)]
pub struct Templates(Vec<Template>);

impl<'de> Deserialize<'de> for Templates {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = Vec::<Template>::deserialize(deserializer)?;
        let always = Fills { topic: Some(""), dimension: Some(""), ..Fills::default() };
        if list.iter().any(|template| template.can_be_filled(&always)) {
            Ok(Self(list))
        } else {
            Err(D::Error::custom("a list has no text that can always be used"))
        }
    }
}

impl Templates {
    /// Chooses a text that can be filled in and appends it as a sentence. With the same chance
    /// and fills of the same kinds, each `nth` is another text, as long as there are some.
    pub fn say(&self, fills: &Fills<'_>, chance: Chance, nth: usize, out: &mut String) {
        if let Some(template) = self.choose(fills, chance, nth) {
            template.write(fills, true, out);
        }
    }

    /// Chooses a text that can be filled in, as a phrase.
    pub fn phrase(&self, fills: &Fills<'_>, chance: Chance) -> String {
        let mut out = String::new();
        if let Some(template) = self.choose(fills, chance, 0) {
            template.write(fills, false, &mut out);
        }
        out
    }

    /// Every text that can be filled in.
    #[cfg(test)]
    pub fn all(&self, fills: &Fills<'_>) -> Vec<String> {
        let usable = self.0.iter().filter(|template| template.can_be_filled(fills));
        let filled = |template: &Template| {
            let mut out = String::new();
            template.write(fills, true, &mut out);
            out
        };
        usable.map(filled).collect()
    }

    fn choose(&self, fills: &Fills<'_>, chance: Chance, nth: usize) -> Option<&Template> {
        let usable = || self.0.iter().filter(|template| template.can_be_filled(fills));
        let count = usable().count();
        usable().nth((chance.below(count) + nth).checked_rem(count)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_stock_reads() {
        let stock: Result<Stock, _> =
            serde_yaml::from_str(include_str!("../../config/simulator.yaml"));
        stock.unwrap();
    }

    #[test]
    fn a_text_is_used_only_where_what_it_names_is_known() {
        let yaml = r#"["{work} in {place} speaks.", "nobody speaks."]"#;
        let templates: Templates = serde_yaml::from_str(yaml).unwrap();
        let known = Fills { work: Some("a nurse"), place: Some("Kew"), ..Fills::default() };
        let partly = Fills { work: Some("a nurse"), ..Fills::default() };
        let mut said = std::collections::BTreeSet::new();
        for i in 0..100 {
            let mut out = String::new();
            templates.say(&known, Chance::new(i), 0, &mut out);
            said.insert(out);
            assert_eq!(templates.phrase(&partly, Chance::new(i)), "nobody speaks.");
        }
        let said: Vec<_> = said.iter().map(String::as_str).collect();
        assert_eq!(said, ["A nurse in Kew speaks.", "Nobody speaks."]);
    }

    #[test]
    fn a_bad_text_is_refused() {
        for (yaml, message) in [
            (r#"["{wrok}"]"#, "names {wrok}, which there is not"),
            (r#"["{work"]"#, "lacks a closing brace"),
            (r#"["{place}"]"#, "no text that can always be used"),
        ] {
            let error = serde_yaml::from_str::<Templates>(yaml).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
