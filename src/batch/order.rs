//! In which order personas are asked: similar ones next to each other.
//!
//! A prompt gives a persona's attributes in the order of the input. Two prompts share a prefix up to
//! the first attribute in which they differ, so personas are grouped by the first attribute,
//! within it by the second, and so on. Which group comes first is of no account, so hashes do.

use crate::model::{Attribute, Persona, PersonaIndex};

/// So many attributes count. Who shares eight shares a long prefix.
const ATTRIBUTES: usize = 8;

/// What personas are put in order by: 16 bits an attribute, the first on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Likeness(u128);

impl Likeness {
    /// The likeness of a persona.
    pub fn of(persona: &Persona) -> Self {
        let attributes = persona.attributes.iter().map(Some).chain(std::iter::repeat(None));
        let push =
            |sum: u128, attribute: Option<&Attribute>| (sum << 16) | u128::from(hash(attribute));
        Self(attributes.take(ATTRIBUTES).fold(0, push))
    }
}

/// FNV-1a, folded to 16 bits.
fn hash(attribute: Option<&Attribute>) -> u16 {
    let Some(Attribute { name, value }) = attribute else { return 0 };
    let bytes = name.bytes().chain([b'=']).chain(value.bytes());
    let hash = bytes
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    ((hash >> 16) ^ (hash & 0xffff)) as u16
}

/// Puts personas in order: by likeness, and the same ones as they came.
pub fn order(personas: &mut [(Likeness, PersonaIndex)]) {
    personas.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn persona(index: u32, values: &[&str]) -> Persona {
        let attributes = values
            .iter()
            .enumerate()
            .map(|(at, value)| Attribute { name: format!("a{at}"), value: (*value).to_owned() })
            .collect();
        Persona { index: PersonaIndex(index), id: index.to_string(), weight: None, attributes }
    }

    /// The attributes that neighbours share before they differ, over a whole order.
    fn shared(personas: &[&Persona]) -> usize {
        let of_pair = |pair: &[&Persona]| {
            let pairs = pair[0].attributes.iter().zip(&pair[1].attributes);
            pairs.take_while(|(a, b)| a == b).count()
        };
        personas.windows(2).map(of_pair).sum()
    }

    #[test]
    fn neighbours_share_as_long_a_prefix_as_sorted_texts_do() {
        let towns = ["Kew", "Ashby", "Hove"];
        let jobs = ["Nurse", "Cook", "Clerk", "Smith"];
        let personas: Vec<Persona> = (0..240)
            .map(|i| {
                persona(i, &[towns[i as usize % 3], jobs[i as usize % 4], &(i % 7).to_string()])
            })
            .collect();
        let mut keyed: Vec<_> = personas.iter().map(|p| (Likeness::of(p), p.index)).collect();
        order(&mut keyed);
        let ordered: Vec<_> = keyed.iter().map(|(_, index)| &personas[index.as_usize()]).collect();
        let mut sorted: Vec<_> = personas.iter().collect();
        let texts = |p: &Persona| p.attributes.iter().map(|a| a.value.clone()).collect::<Vec<_>>();
        sorted.sort_by_key(|persona| texts(persona));
        let as_they_came = shared(&personas.iter().collect::<Vec<_>>());
        assert_eq!(shared(&ordered), shared(&sorted));
        assert!(shared(&ordered) > 10 * as_they_came.max(1), "{as_they_came}");
    }

    #[test]
    fn the_same_are_in_the_order_of_the_input_and_nobody_is_lost() {
        let personas = [persona(2, &["a"]), persona(0, &["a"]), persona(1, &[])];
        let mut keyed: Vec<_> = personas.iter().map(|p| (Likeness::of(p), p.index.0)).collect();
        keyed.sort_unstable();
        assert_eq!(keyed.iter().map(|(_, index)| *index).collect::<Vec<_>>(), [1, 0, 2]);
        let long = persona(3, &["x"; 20]);
        assert_eq!(Likeness::of(&long), Likeness::of(&persona(4, &["x"; 9])));
    }
}
