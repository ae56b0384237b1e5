//! The persona that is looked at, and when to ask for it again.

use crate::{
    model::{InterviewStatus, PersonaIndex, UnixMillis, strip_controls, strip_controls_keep_lines},
    protocol::{Order, PersonaDetail},
};

/// How often a persona in progress is asked for again, and how long an answer is waited for, in
/// milliseconds.
const REFRESH_MS: i64 = 1_000;

/// One persona, looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    pub persona: PersonaIndex,
    pub detail: Option<PersonaDetail>,
    /// Why the engine did not show it.
    pub refused: Option<String>,
    /// Lines scrolled off the top.
    pub scroll: usize,
    asked_at: UnixMillis,
    asked_status: InterviewStatus,
}

impl Inspection {
    /// Begins to look at a persona.
    pub const fn new(persona: PersonaIndex, status: InterviewStatus, now: UnixMillis) -> Self {
        Self {
            persona,
            detail: None,
            refused: None,
            scroll: 0,
            asked_at: now,
            asked_status: status,
        }
    }

    /// The order that asks for it.
    pub const fn order(&self) -> Order {
        Order::Inspect { persona: self.persona }
    }

    /// Whether it is time to ask again: its status changed, or it is in progress and a second has
    /// passed. Takes down that it was asked.
    pub fn ask_again(&mut self, status: InterviewStatus, now: UnixMillis) -> bool {
        let changed = status != self.asked_status;
        let in_progress = !status.is_over() && status != InterviewStatus::Queued;
        let due = now.0 - self.asked_at.0 >= REFRESH_MS;
        let again = changed || (due && (in_progress || self.unanswered()));
        if again {
            self.asked_at = now;
            self.asked_status = status;
        }
        again
    }

    const fn unanswered(&self) -> bool {
        self.detail.is_none() && self.refused.is_none()
    }

    /// Whether it will be asked for again by itself, so that the clock has to tick.
    pub const fn ticks(&self) -> bool {
        self.unanswered()
            || (!self.asked_status.is_over()
                && !matches!(self.asked_status, InterviewStatus::Queued))
    }

    /// Takes in the answer; that for another persona comes too late and is passed over.
    pub fn answered(&mut self, detail: PersonaDetail) {
        if detail.persona.index == self.persona {
            self.refused = None;
            self.detail = Some(clean(detail));
        }
    }
}

/// Everything a model, a provider or a file had a hand in is made harmless before it is kept.
fn clean(mut detail: PersonaDetail) -> PersonaDetail {
    let one_line = |text: &mut String| *text = strip_controls(text);
    let lines = |text: &mut String| *text = strip_controls_keep_lines(text);
    one_line(&mut detail.persona.id);
    for attribute in &mut detail.persona.attributes {
        one_line(&mut attribute.name);
        one_line(&mut attribute.value);
    }
    lines(&mut detail.system_prompt);
    lines(&mut detail.user_prompt);
    for attempt in &mut detail.attempts {
        if let Some(id) = &mut attempt.request_id {
            one_line(id);
        }
        if let Some(failure) = &mut attempt.failure {
            one_line(&mut failure.message);
        }
        if let Some(body) = &mut attempt.body {
            lines(body);
        }
    }
    if let Some(answer) = &mut detail.answer {
        lines(&mut answer.narrative);
        for (key, _) in &mut answer.impacts {
            one_line(key);
        }
        for item in answer.key_concerns.iter_mut().chain(&mut answer.suggested_improvements) {
            one_line(item);
        }
    }
    if let Some(failure) = &mut detail.failure {
        one_line(&mut failure.message);
    }
    if let Some(refusal) = &mut detail.refusal {
        lines(refusal);
    }
    detail
}
