//! The built-in user prompt without the template engine.
//!
//! It is a fixed text around one line an attribute, and is made for every attempt of every
//! persona: minijinja takes 9 µs for twelve attributes, this 1. The text itself is still that of
//! `config/prompts/answer.user.j2`: what stands around the lines is cut out of a rendering, and
//! used only if it gives the same as the template.

use super::{text::untagged, words::push_label};
use crate::model::{Attribute, Persona, PersonaIndex};

/// What stands around the lines of a profile.
#[derive(Debug)]
pub(super) struct ProfileFrame {
    before: String,
    after: String,
    /// The whole prompt of a persona without attributes.
    nobody: String,
}

impl ProfileFrame {
    /// The frame of a template, by its renderings; `None` where it is more than a frame.
    pub(super) fn of<E>(render: impl Fn(&Persona) -> Result<String, E>) -> Option<Self> {
        let persona = |attributes: &[(&str, &str)]| {
            let attribute = |&(name, value): &(&str, &str)| Attribute {
                name: name.into(),
                value: value.into(),
            };
            let attributes = attributes.iter().map(attribute).collect();
            Persona { index: PersonaIndex(0), id: String::new(), weight: None, attributes }
        };
        let one = render(&persona(&[("the_name", "its value")])).ok()?;
        let (before, after) = one.split_once("The name: its value\n")?;
        let nobody = render(&persona(&[])).ok()?;
        let frame = Self { before: before.to_owned(), after: after.to_owned(), nobody };
        let two = persona(&[("a", "b"), ("c_d", "<e> & {{ f }}")]);
        (render(&two).ok()? == frame.prompt(&two)).then_some(frame)
    }

    pub(super) fn prompt(&self, persona: &Persona) -> String {
        if persona.attributes.is_empty() {
            return self.nobody.clone();
        }
        let lines: usize =
            persona.attributes.iter().map(|a| a.name.len() + a.value.len() + 8).sum();
        let mut prompt = String::with_capacity(self.before.len() + lines + self.after.len());
        prompt.push_str(&self.before);
        for attribute in &persona.attributes {
            let start = prompt.len();
            push_label(&mut prompt, &attribute.name);
            prompt.push_str(": ");
            prompt.push_str(&attribute.value);
            if prompt[start..].contains('<') {
                let line = untagged(&prompt[start..]);
                prompt.truncate(start);
                prompt.push_str(&line);
            }
            prompt.push('\n');
        }
        prompt.push_str(&self.after);
        prompt
    }
}
