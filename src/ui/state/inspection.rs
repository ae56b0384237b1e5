//! The persona that is looked at, and when to ask for it again.

use crate::{
    model::{
        Answer, Corrections, InterviewStatus, PersonaIndex, StepEvent, UnixMillis, Verdict,
        strip_controls, strip_controls_keep_lines,
    },
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
    detail.steps.iter_mut().for_each(|step| clean_event(&mut step.event));
    detail.answer.iter_mut().for_each(clean_answer);
    detail.flags.iter_mut().for_each(one_line);
    if let Some(failure) = &mut detail.failure {
        one_line(&mut failure.message);
    }
    if let Some(refusal) = &mut detail.refusal {
        lines(refusal);
    }
    detail
}

fn clean_event(event: &mut StepEvent) {
    match event {
        StepEvent::Answered { answer } => clean_answer(answer),
        StepEvent::TopicsMissed { topics } => topics.iter_mut().for_each(one_line),
        StepEvent::Judged { verdict: Verdict::Holds, by: _ } => {}
        StepEvent::Judged {
            verdict: Verdict::NeedsChanges { issues, off_topic: _, corrections },
            by: _,
        } => {
            let Corrections {
                narrative,
                support_level: _,
                impacts,
                key_concerns,
                suggested_improvements,
            } = corrections;
            issues.iter_mut().for_each(one_line);
            narrative.iter_mut().for_each(lines);
            impacts.iter_mut().for_each(|(key, _)| one_line(key));
            key_concerns.iter_mut().chain(suggested_improvements).flatten().for_each(one_line);
        }
        StepEvent::Corrected { fields, answer } => {
            fields.iter_mut().for_each(one_line);
            clean_answer(answer);
        }
        StepEvent::GaveNothing { why } => one_line(why),
    }
}

fn clean_answer(answer: &mut Answer) {
    let Answer { narrative, support_level: _, impacts, key_concerns, suggested_improvements } =
        answer;
    lines(narrative);
    impacts.iter_mut().for_each(|(key, _)| one_line(key));
    key_concerns.iter_mut().chain(suggested_improvements).for_each(one_line);
}

fn one_line(text: &mut String) {
    *text = strip_controls(text);
}

fn lines(text: &mut String) {
    *text = strip_controls_keep_lines(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Judge, Stage, Step},
        ui::fixture::{self, NOW},
    };

    /// Makes every text in it hostile but the words that the format itself has.
    fn taint(value: &mut serde_json::Value) {
        use serde_json::Value as V;
        match value {
            V::String(text) if !is_of_the_format(text) => text.push_str("\u{1b}[2J\u{202e}"),
            V::Array(items) => items.iter_mut().for_each(taint),
            V::Object(fields) => fields.values_mut().for_each(taint),
            _ => {}
        }
    }

    fn is_of_the_format(text: &str) -> bool {
        let words = ["flagged", "malformed", "critic", "holds"];
        words.contains(&text) || serde_json::from_value::<Stage>(text.into()).is_ok()
    }

    #[test]
    fn nothing_of_a_persona_reaches_the_screen_as_it_is() {
        let mut detail = fixture::detail(41, InterviewStatus::Failed);
        let answer = fixture::detail(42, InterviewStatus::Done).answer.unwrap();
        let corrections = Corrections {
            narrative: Some("b\nc".into()),
            support_level: None,
            impacts: answer.impacts.clone(),
            key_concerns: Some(vec!["d".into()]),
            suggested_improvements: Some(vec!["e".into()]),
        };
        let verdict =
            Verdict::NeedsChanges { issues: vec!["a".into()], off_topic: true, corrections };
        let events = [
            StepEvent::Answered { answer: answer.clone() },
            StepEvent::TopicsMissed { topics: vec!["f".into()] },
            StepEvent::Judged { verdict, by: Judge::Critic },
            StepEvent::Judged { verdict: Verdict::Holds, by: Judge::Critic },
            StepEvent::Corrected { fields: vec!["g".into()], answer: answer.clone() },
            StepEvent::GaveNothing { why: "h".into() },
        ];
        detail.status = InterviewStatus::Flagged;
        detail.steps = events.map(|event| Step { at: NOW, stage: Stage::Review, event }).into();
        detail.flags = vec!["i".into()];
        detail.answer = Some(answer);
        detail.refusal = Some("j\nk".into());
        let clean_json = serde_json::to_value(&detail).unwrap();
        let mut tainted = clean_json.clone();
        taint(&mut tainted);
        let tainted: PersonaDetail = serde_json::from_value(tainted).unwrap();
        assert_eq!(tainted.flags, ["i\u{1b}[2J\u{202e}"]);
        let shown = serde_json::to_value(clean(tainted)).unwrap().to_string();
        assert_eq!(shown.replace("[2J", ""), clean_json.to_string());
    }
}
