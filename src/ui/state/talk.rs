//! The talk that is looked at: what was said, and what is being typed.

use super::{Effect, Overlay, Tone, UiState};
use crate::{
    model::{PersonaIndex, UnixMillis, strip_controls, strip_controls_keep_lines},
    protocol::{Conversation, LONGEST_SAID, Order},
    ui::{Attachment, action::Action, glyphs::Glyphs, talk_lines},
};
use jiff::tz::TimeZone;
use tui_input::{Input, InputRequest};

/// A talk with one persona.
#[derive(Clone, Debug)]
pub struct Talk {
    pub persona: PersonaIndex,
    /// `None` until the engine has shown it.
    pub conversation: Option<Conversation>,
    pub input: Input,
    /// Why the last thing was not said.
    pub refused: Option<String>,
    /// Lines between the last one and the last one shown.
    pub back: usize,
    /// On its way to the engine.
    sent: Option<String>,
}

impl Talk {
    fn new(persona: PersonaIndex) -> Self {
        Self {
            persona,
            conversation: None,
            input: Input::default(),
            refused: None,
            back: 0,
            sent: None,
        }
    }

    /// Since when the persona is being asked.
    pub fn thinking_since(&self) -> Option<UnixMillis> {
        self.conversation.as_ref().and_then(|conversation| conversation.thinking_since)
    }

    /// Whether something that was said is on its way, or being answered.
    pub fn waits(&self) -> bool {
        self.sent.is_some() || self.thinking_since().is_some()
    }
}

impl UiState {
    /// Opens the talk with the persona of the cursor.
    pub(super) fn open_talk(&mut self, effects: &mut Vec<Effect>) {
        let Some(run) = &self.run else { return };
        let Some(cursor) = self.grid.cursor.filter(|cursor| cursor.exact) else {
            return self.say(Tone::Info, "no persona is chosen: go to one first");
        };
        let persona = cursor.persona;
        if self.attachment == Attachment::ReadOnly {
            let why = "this screen only looks on: attach without --read-only to talk";
            return self.say(Tone::Refused, why);
        }
        if self.engine_gone {
            return self.say(Tone::Refused, "the engine is gone: `voxpop chat` talks");
        }
        let Some(status) = run.status(persona) else { return };
        if !status.is_answered() {
            let why = format!(
                "persona {persona} has given no answer to talk about: it is {}",
                status.label()
            );
            return self.say(Tone::Refused, why);
        }
        self.talk = Some(Talk::new(persona));
        self.overlay = Overlay::Talk;
        effects.push(Effect::Send(Order::OpenTalk { persona }));
    }

    /// A connection is there again, whose engine does not know what is looked at.
    pub(super) fn open_talk_again(&mut self, effects: &mut Vec<Effect>) {
        if let Some(talk) = &mut self.talk {
            talk.sent = None;
            effects.push(Effect::Send(Order::OpenTalk { persona: talk.persona }));
        }
    }

    /// What a key does in a talk.
    pub(super) fn in_talk(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let page = usize::from(self.places.talk().height.saturating_sub(5)).max(1);
        let Some(talk) = &mut self.talk else { return };
        let edit = |talk: &mut Talk, request| {
            talk.input.handle(request);
        };
        match action {
            Action::Back => {
                let persona = talk.persona;
                self.talk = None;
                self.overlay = Overlay::None;
                return effects.push(Effect::Send(Order::CloseTalk { persona }));
            }
            Action::Open => return self.say_it(effects),
            Action::Erase => edit(talk, InputRequest::DeletePrevChar),
            Action::EraseWord => edit(talk, InputRequest::DeletePrevWord),
            Action::MoveLeft => edit(talk, InputRequest::GoToPrevChar),
            Action::MoveRight => edit(talk, InputRequest::GoToNextChar),
            Action::First => edit(talk, InputRequest::GoToStart),
            Action::Last => edit(talk, InputRequest::GoToEnd),
            Action::MoveUp => talk.back = talk.back.saturating_add(1),
            Action::MoveDown => talk.back = talk.back.saturating_sub(1),
            Action::PageUp => talk.back = talk.back.saturating_add(page),
            Action::PageDown => talk.back = talk.back.saturating_sub(page),
            _ => {}
        }
        self.clamp_talk();
    }

    fn say_it(&mut self, effects: &mut Vec<Effect>) {
        let Some(talk) = &mut self.talk else { return };
        let closed = talk.conversation.as_ref().is_none_or(|talk| talk.closed.is_some());
        let text = talk.input.value().trim().to_owned();
        if closed || text.is_empty() || talk.waits() {
            return;
        }
        let persona = talk.persona;
        talk.input.reset();
        talk.refused = None;
        talk.back = 0;
        talk.sent = Some(text.clone());
        effects.push(Effect::Send(Order::Say { persona, text }));
    }

    /// A character was typed into the talk.
    pub(super) fn typed_in_talk(&mut self, c: char) {
        if let Some(talk) = &mut self.talk
            && !c.is_control()
            && talk.input.value().chars().count() < LONGEST_SAID
        {
            talk.input.handle(InputRequest::InsertChar(c));
        }
    }

    /// The engine shows the talk as it stands.
    pub(super) fn talked(&mut self, mut conversation: Conversation) {
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.persona == conversation.persona)
        else {
            return;
        };
        conversation.id = strip_controls(&conversation.id);
        for turn in &mut conversation.turns {
            turn.text = strip_controls_keep_lines(&turn.text);
        }
        conversation.closed = conversation.closed.map(|why| strip_controls(&why));
        talk.sent = None;
        talk.conversation = Some(conversation);
        self.clamp_talk();
    }

    /// What was asked for in a talk is not done: what was typed comes back.
    pub(super) fn talk_refused(&mut self, order: &Order, why: &str) {
        let (Order::OpenTalk { persona } | Order::Say { persona, .. }) = order else { return };
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.persona == *persona) else { return };
        talk.refused = Some(why.to_owned());
        if let Some(sent) = talk.sent.take()
            && talk.input.value().is_empty()
        {
            talk.input = Input::from(sent);
        }
    }

    /// The first line of a talk stays at the top of its panel at the most.
    pub(super) fn clamp_talk(&mut self) {
        let place = self.places.talk();
        if let Some(talk) = &mut self.talk
            && talk.back > 0
        {
            // Glyphs and zone do not matter for the number of lines.
            let lines = talk.conversation.as_ref().map_or(0, |conversation| {
                let width = usize::from(place.width.saturating_sub(4));
                talk_lines::lines(conversation, width, &Glyphs::UNICODE, &TimeZone::UTC).len()
            });
            let room = usize::from(place.height).saturating_sub(talk_lines::BELOW + 2);
            talk.back = talk.back.min(lines.saturating_sub(room));
        }
    }
}
