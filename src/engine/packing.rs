//! Several personas in one call (`pack: 5`): which ones go together, and the task that asks them.
//!
//! A pack is one call of the answer and nothing more: each gets its answer handed out, or is asked
//! again alone where its own is missing or doubled, and goes on alone from there.

use super::{
    call::Call,
    fact::{Ending, Fact},
    interview::{Interviewer, Queued},
    stages::Asked,
};
use crate::{
    model::{Answer, Attempt, Failure, FailureKind, Fate, Persona, Stage},
    prompt::{self, Form},
};
use std::collections::{HashMap, HashSet};

/// Puts personas into an order in which neighbours are alike: by the attributes that most share,
/// those with the fewest different values first. What differs for everybody, such as a name, says
/// nothing and comes last.
pub(super) fn alike_first(queued: &mut [Queued]) {
    let mut values: HashMap<&str, HashSet<&str>> = HashMap::new();
    for attribute in queued.iter().flat_map(|one| &one.persona.attributes) {
        values.entry(&attribute.name).or_default().insert(&attribute.value);
    }
    let mut names: Vec<_> =
        values.iter().map(|(name, values)| (values.len(), (*name).to_owned())).collect();
    names.sort_unstable();
    let key = |persona: &Persona| -> Vec<String> {
        let value = |name: &String| {
            let own = persona.attributes.iter().find(|attribute| attribute.name == *name);
            own.map_or_else(String::new, |attribute| attribute.value.to_string())
        };
        names.iter().map(|(_, name)| value(name)).collect()
    };
    queued.sort_by_cached_key(|one| key(&one.persona));
}

/// A pack that was asked.
pub(super) struct Packed {
    /// The first of them stands for all while they are asked.
    pub members: Vec<Queued>,
    pub given: Given,
}

/// What asking it gave.
pub(super) struct Given {
    /// Attempts that were made, all of them the first one's.
    pub attempts: u32,
    /// Whether any of them was sent, and not all answered by the cache.
    pub sent: bool,
    pub last: Option<Box<Attempt>>,
    /// One for each member; `None` where it has to be asked alone.
    pub result: Result<Vec<Option<Answer>>, Ending>,
}

impl Interviewer {
    /// Asks a pack, and tells what came of it.
    pub(super) async fn ask_pack(&self, members: Vec<Queued>) {
        let mut report = Report { interviewer: self, given: None, members };
        let personas: Vec<_> = report.members.iter().map(|one| &one.persona).collect();
        let Some(first) = personas.first().map(|first| first.index) else { return };
        let (mut attempts, mut sent) = (0, false);
        let (last, result) = match self.stages.prompts.packed(&personas) {
            Ok(prompt) => {
                let ids: Vec<_> = personas.iter().map(|one| one.id.as_str()).collect();
                let asked = Asked::new(Stage::Packed, Form::Packed, prompt).said_by(&ids);
                let read =
                    |reply: &str| prompt::read_packed(&self.stages.survey, personas.len(), reply);
                let call = Call::new(self, first, &asked, &read, &mut attempts, &mut sent);
                let many = u32::try_from(personas.len()).unwrap_or(u32::MAX);
                call.with_room_for(many).ask().await
            }
            // Which of them it is shows when each is asked alone.
            Err(_) => (None, Ok(vec![None; personas.len()])),
        };
        report.given = Some(Given { attempts, sent, last, result });
    }
}

/// Tells how a pack ended, even where its task panicked: then each is asked alone.
struct Report<'a> {
    interviewer: &'a Interviewer,
    given: Option<Given>,
    members: Vec<Queued>,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let given = self.given.take().or_else(|| {
            std::thread::panicking().then(|| {
                let failure = Failure::new(FailureKind::Cancelled, "the call of a pack crashed");
                tracing::error!("{failure}");
                let result = Err(Ending::Settled(Fate::Failed(failure)));
                Given { attempts: 0, sent: false, last: None, result }
            })
        });
        // One that was broken off has been put back already.
        let Some(given) = given else { return };
        let members = std::mem::take(&mut self.members);
        self.interviewer.tell(Fact::Packed(Box::new(Packed { members, given })));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attribute, PersonaIndex};

    #[test]
    fn neighbours_share_what_most_share() {
        let attribute = |name: &str, value: String| Attribute {
            name: name.into(),
            value: value.as_str().into(),
        };
        let mut queued: Vec<_> = (0..12_u32)
            .map(|n| Queued {
                persona: Persona {
                    index: PersonaIndex(n),
                    id: n.to_string(),
                    weight: None,
                    attributes: vec![
                        attribute("name", format!("P{}", 99 - n)),
                        attribute("town", format!("T{}", n % 3)),
                        attribute("home", if n % 2 == 0 { "rents" } else { "owns" }.to_owned()),
                    ],
                },
                left_off: super::super::interview::LeftOff::default(),
            })
            .collect();
        alike_first(&mut queued);
        let kinds: Vec<_> =
            queued.iter().map(|one| (one.persona.index.0 % 2, one.persona.index.0 % 3)).collect();
        let mut groups = kinds.clone();
        groups.dedup();
        assert_eq!(groups.len(), 6, "{kinds:?}");
    }
}
