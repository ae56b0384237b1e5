//! Keys as data: `config/keys.yaml` says which key runs which [`Action`]. The help and the
//! footer are made from the same table, so they cannot say anything else.

use super::action::Action;
use crokey::{KeyCombination, KeyCombinationFormat, OneToThree};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde::Deserialize;
use std::{collections::HashMap, fmt};

const BUILT_IN: &str = include_str!("../../config/keys.yaml");

/// What is open, and so which keys count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    Everywhere,
    Dashboard,
    /// The dashboard of a replay.
    Replay,
    Inspector,
    Quit,
    Help,
    History,
    Summary,
    Find,
    Talk,
}

impl Context {
    /// Every context, in the order of the help.
    pub const ALL: [Self; 10] = [
        Self::Replay,
        Self::Dashboard,
        Self::Inspector,
        Self::Talk,
        Self::History,
        Self::Summary,
        Self::Quit,
        Self::Find,
        Self::Help,
        Self::Everywhere,
    ];

    /// Where a key is looked up, in order.
    const fn chain(self) -> &'static [Self] {
        match self {
            Self::Everywhere => &[Self::Everywhere],
            Self::Dashboard => &[Self::Dashboard, Self::Everywhere],
            Self::Replay => &[Self::Replay, Self::Dashboard, Self::Everywhere],
            Self::Inspector => &[Self::Inspector, Self::Replay, Self::Dashboard, Self::Everywhere],
            Self::Quit => &[Self::Quit, Self::Everywhere],
            Self::Help => &[Self::Help, Self::Everywhere],
            Self::History => &[Self::History, Self::Everywhere],
            Self::Summary => &[Self::Summary, Self::Everywhere],
            Self::Find => &[Self::Find, Self::Everywhere],
            Self::Talk => &[Self::Talk, Self::Everywhere],
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Everywhere => "Everywhere",
            Self::Dashboard => "Dashboard",
            Self::Replay => "Replay",
            Self::Inspector => "Inspector",
            Self::Quit => "Quit menu",
            Self::Help => "Help",
            Self::History => "History of limits",
            Self::Summary => "Summary of the answers",
            Self::Find => "Find",
            Self::Talk => "Talk",
        })
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Binding {
    pub context: Context,
    pub on: Vec<KeyCombination>,
    pub run: Action,
    /// Its line in the help.
    pub desc: String,
    /// Its word in the footer, where it has one.
    pub foot: Option<String>,
}

/// The whole table.
#[derive(Clone, Debug)]
pub struct Keymap {
    bindings: Vec<Binding>,
    lookup: HashMap<(Context, KeyCombination), Action>,
}

/// A key table that does not hold.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KeymapError {
    #[error("config/keys.yaml: {0}; see its first lines for the form")]
    Syntax(String),
    #[error(
        "config/keys.yaml: {key:?} is not a key; write it like \"ctrl-c\", \"shift-n\" or \"+\""
    )]
    NotAKey { key: String },
    #[error("config/keys.yaml: {key} is bound twice under {context}; remove one of the two")]
    Twice { key: String, context: Context },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    everywhere: Vec<Entry>,
    dashboard: Vec<Entry>,
    replay: Vec<Entry>,
    inspector: Vec<Entry>,
    quit: Vec<Entry>,
    help: Vec<Entry>,
    history: Vec<Entry>,
    summary: Vec<Entry>,
    find: Vec<Entry>,
    talk: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    on: Keys,
    run: Action,
    desc: String,
    #[serde(default)]
    foot: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Several(Vec<String>),
}

impl Keymap {
    /// The table that comes with the program.
    pub fn built_in() -> Result<Self, KeymapError> {
        Self::parse(BUILT_IN)
    }

    /// Reads a table.
    pub fn parse(yaml: &str) -> Result<Self, KeymapError> {
        let file: File =
            serde_yaml::from_str(yaml).map_err(|e| KeymapError::Syntax(e.to_string()))?;
        let sections = [
            (Context::Replay, file.replay),
            (Context::Dashboard, file.dashboard),
            (Context::Inspector, file.inspector),
            (Context::Talk, file.talk),
            (Context::History, file.history),
            (Context::Summary, file.summary),
            (Context::Quit, file.quit),
            (Context::Find, file.find),
            (Context::Help, file.help),
            (Context::Everywhere, file.everywhere),
        ];
        let mut map = Self { bindings: Vec::new(), lookup: HashMap::new() };
        for (context, entries) in sections {
            for entry in entries {
                map.bind(context, entry)?;
            }
        }
        Ok(map)
    }

    fn bind(&mut self, context: Context, entry: Entry) -> Result<(), KeymapError> {
        let names = match entry.on {
            Keys::One(key) => vec![key],
            Keys::Several(keys) => keys,
        };
        let mut on = Vec::with_capacity(names.len());
        for name in names {
            let key =
                crokey::parse(&name).map_err(|_| KeymapError::NotAKey { key: name.clone() })?;
            let key = normal(key);
            if self.lookup.insert((context, key), entry.run).is_some() {
                return Err(KeymapError::Twice { key: name, context });
            }
            on.push(key);
        }
        let Entry { run, desc, foot, .. } = entry;
        self.bindings.push(Binding { context, on, run, desc, foot });
        Ok(())
    }

    /// The table without an action that means nothing here.
    #[must_use]
    pub fn without(mut self, action: Action) -> Self {
        self.bindings.retain(|binding| binding.run != action);
        self.lookup.retain(|_, bound| *bound != action);
        self
    }

    /// The table of a screen on a run that can be steered: there is no replay.
    #[must_use]
    pub fn of_a_run(self) -> Self {
        self.without_context(Context::Replay)
    }

    fn without_context(mut self, gone: Context) -> Self {
        self.bindings.retain(|binding| binding.context != gone);
        self.lookup.retain(|(context, _), _| *context != gone);
        self
    }

    /// The table of a replay, which steers nothing: nobody is asked to leave it in one of several
    /// ways, and nobody is there to talk with.
    #[must_use]
    pub fn of_a_replay(self) -> Self {
        let keys = self.without_context(Context::Quit).without_context(Context::Talk);
        [
            Action::MoreSlots,
            Action::FewerSlots,
            Action::MoreRequests,
            Action::FewerRequests,
            Action::MoreTokens,
            Action::FewerTokens,
            Action::ToggleAdaptation,
            Action::ToggleBatch,
            Action::Retry,
            Action::Talk,
            Action::Detach,
            Action::FinishAndStop,
            Action::StopNow,
            Action::CancelBatches,
        ]
        .into_iter()
        .fold(keys, Self::without)
    }

    /// What a key does in a context.
    pub fn action(&self, context: Context, key: KeyEvent) -> Option<Action> {
        let key = normal(KeyCombination::from(key));
        context.chain().iter().find_map(|&c| self.lookup.get(&(c, key)).copied())
    }

    /// The lines of one section, as the help lists them.
    pub fn section(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |b| b.context == context)
    }

    /// The first key of an action, for sentences such as "p resumes".
    pub fn name(&self, action: Action) -> String {
        self.bindings
            .iter()
            .find(|b| b.run == action)
            .and_then(|b| b.on.first())
            .map_or_else(String::new, |&key| key_name(key))
    }

    /// The footer of a context: keys and their word, neighbours of the same word joined.
    pub fn footer(&self, context: Context) -> Vec<(String, &str)> {
        let mut entries: Vec<(String, &str)> = Vec::new();
        for binding in self.section(context) {
            let (Some(foot), Some(&key)) = (binding.foot.as_deref(), binding.on.first()) else {
                continue;
            };
            match entries.last_mut() {
                Some((keys, word)) if *word == foot => {
                    keys.push('/');
                    keys.push_str(&key_name(key));
                }
                _ => entries.push((key_name(key), foot)),
            }
        }
        entries
    }
}

impl Binding {
    /// All keys of the line, as people write them.
    pub fn keys(&self) -> String {
        self.on.iter().map(|&key| key_name(key)).collect::<Vec<_>>().join(" ")
    }
}

/// Terminals disagree on whether a shifted sign such as `+` carries the shift modifier, so it
/// counts for letters only.
fn normal(key: KeyCombination) -> KeyCombination {
    let mut key = key.normalized();
    if let OneToThree::One(KeyCode::Char(c)) = key.codes
        && !c.is_alphabetic()
    {
        key.modifiers.remove(KeyModifiers::SHIFT);
    }
    key
}

fn key_name(key: KeyCombination) -> String {
    // Crokey spells these two out.
    match key.as_letter() {
        Some('-') => "-".to_owned(),
        Some(' ') => "Space".to_owned(),
        _ => KeyCombinationFormat::default().with_implicit_shift().to_string(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(c: char) -> KeyEvent {
        KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)
    }

    #[test]
    fn every_action_has_a_key_and_a_line_in_the_help() {
        let map = Keymap::built_in().unwrap();
        for action in Action::ALL {
            assert!(map.bindings.iter().any(|b| b.run == action), "{action:?} has no key");
            assert!(!map.name(action).is_empty());
        }
        let listed: usize = Context::ALL.iter().map(|&c| map.section(c).count()).sum();
        assert_eq!(listed, map.bindings.len());
        assert!(map.bindings.iter().all(|b| !b.desc.is_empty()));
    }

    #[test]
    fn a_key_bound_twice_is_refused() {
        let yaml = BUILT_IN.replace("{ on: p, run: toggle_pause", "{ on: q, run: toggle_pause");
        let error = Keymap::parse(&yaml).unwrap_err();
        assert!(matches!(error, KeymapError::Twice { .. }), "{error}");
    }

    #[test]
    fn what_is_open_decides_what_a_key_does() {
        let map = Keymap::built_in().unwrap();
        for (context, key, expected) in [
            (Context::Dashboard, 'f', Some(Action::Freeze)),
            (Context::Quit, 'f', Some(Action::FinishAndStop)),
            (Context::Inspector, 'f', Some(Action::Freeze)),
            (Context::Help, 'f', None),
            (Context::Dashboard, 'q', Some(Action::Quit)),
            (Context::Inspector, 'q', Some(Action::Back)),
            (Context::Dashboard, '+', Some(Action::MoreSlots)),
            (Context::Dashboard, '{', Some(Action::FewerTokens)),
        ] {
            assert_eq!(map.action(context, press(key)), expected, "{key} in {context}");
        }
        let shifted = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::SHIFT);
        assert_eq!(map.action(Context::Dashboard, shifted('N')), Some(Action::PreviousFailed));
        assert_eq!(map.action(Context::Dashboard, shifted('H')), Some(Action::History));
        assert_eq!(map.action(Context::History, shifted('H')), Some(Action::Back));
        assert_eq!(map.action(Context::Dashboard, shifted('+')), Some(Action::MoreSlots));
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for context in Context::ALL {
            assert_eq!(map.action(context, interrupt), Some(Action::Interrupt));
        }
    }

    #[test]
    fn the_footer_joins_neighbours_of_one_word() {
        let map = Keymap::built_in().unwrap();
        let footer = map.footer(Context::Dashboard);
        assert!(footer.contains(&("+/-".to_owned(), "slots")), "{footer:?}");
        assert!(footer.contains(&("</>".to_owned(), "requests")), "{footer:?}");
    }
}
