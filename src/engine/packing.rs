//! Several personas in one call (`pack: 5`): which ones go together, and the task that asks them.
//!
//! A pack is one call and nothing more: of the answer, and then one of the critic's first look for
//! those who have come to it. Each gets its share handed out, or is asked again alone where its own
//! is missing or doubled; what else it takes, each is asked alone.

use super::{
    call::Call,
    fact::{Ending, Fact},
    interview::{Interviewer, Queued},
    stages::{Member, Shares, Standing, Together},
};
use crate::model::{Attempt, Failure, FailureKind, Fate, Persona};
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
    pub together: Together,
    /// The first of them stands for all while they are asked.
    pub members: Vec<Queued>,
    pub given: Given,
}

/// What asking it gave.
pub(super) struct Given {
    /// Attempts that the first one has made by now: those of the pack are its own.
    pub attempts: u32,
    /// Whether any of them was sent, and not all answered by the cache.
    pub sent: bool,
    pub last: Option<Box<Attempt>>,
    /// One for each member.
    pub result: Result<Shares, Ending>,
}

impl Interviewer {
    /// Asks a pack, and tells what came of it.
    pub(super) async fn ask_pack(&self, together: Together, members: Vec<Queued>) {
        let mut report = Report { interviewer: self, together, given: None, members };
        let Some(first) = report.members.first() else { return };
        let (first, mut attempts, mut sent) = (first.persona.index, first.left_off.attempts, false);
        let members: Vec<_> = report.members.iter().map(member).collect();
        let (last, result) = match self.stages.ask_together(together, &members) {
            Some(asked) => {
                let read = |reply: &str| self.stages.read_together(together, &members, reply);
                let call = Call::new(self, first, &asked, &read, &mut attempts, &mut sent);
                let many = u32::try_from(members.len()).unwrap_or(u32::MAX);
                call.with_room_for(many).ask().await
            }
            // Which of them it is shows when each is asked alone.
            None => (None, Ok(vec![None; members.len()])),
        };
        if let Ok(shares) = &result {
            self.learn_from(together, &members, shares);
        }
        drop(members);
        report.given = Some(Given { attempts, sent, last, result });
    }

    /// Remembers the answers that the critic had no objection to.
    fn learn_from(&self, together: Together, members: &[Member<'_>], shares: &Shares) {
        let Some(similar) = &self.similar else { return };
        for (Member { persona, standing }, events) in members.iter().zip(shares) {
            let fingerprint = similar.fingerprint(together.stage(), standing, persona);
            self.learn(fingerprint, persona.index, events.as_deref().unwrap_or_default());
        }
    }
}

fn member(queued: &Queued) -> Member<'_> {
    Member { persona: &queued.persona, standing: Standing::of(&queued.left_off.steps) }
}

/// Tells how a pack ended, even where its task panicked: then each is asked alone.
struct Report<'a> {
    interviewer: &'a Interviewer,
    together: Together,
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
                let attempts = self.members.first().map_or(0, |first| first.left_off.attempts);
                Given { attempts, sent: false, last: None, result }
            })
        });
        // One that was broken off has been put back already.
        let Some(given) = given else { return };
        let members = std::mem::take(&mut self.members);
        let together = self.together;
        self.interviewer.tell(Fact::Packed(Box::new(Packed { together, members, given })));
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
