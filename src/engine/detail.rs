//! Everything about one persona, put together for the inspector.

use super::reading::PersonaRecord;
use crate::{
    model::{Fate, InterviewStatus},
    prompt::{Form, Prompts},
    protocol::{Activity, PersonaDetail},
};

/// Joins what the run file has with what the interview is doing now.
pub(super) fn detail(
    record: PersonaRecord,
    status: InterviewStatus,
    activity: Option<Activity>,
    prompts: &Prompts,
) -> PersonaDetail {
    let user_prompt = prompts.user(&record.persona).unwrap_or_else(|error| error.to_string());
    // The run file may still hold the end that a retry is about to replace.
    let fate = if status.is_over() { record.fate } else { None };
    let mut flags = Vec::new();
    let (answer, refusal, failure) = match fate {
        Some(Fate::Answered(answer) | Fate::Cached(answer)) => (Some(answer), None, None),
        Some(Fate::Flagged { answer, issues }) => {
            flags = issues;
            (Some(answer), None, None)
        }
        Some(Fate::Refused { reason }) => (None, Some(reason), None),
        Some(Fate::Failed(failure)) => (None, None, Some(failure)),
        None => (None, None, None),
    };
    PersonaDetail {
        persona: record.persona,
        status,
        activity,
        system_prompt: prompts.system(Form::Answer).to_owned(),
        user_prompt,
        attempts: record.attempts,
        steps: record.steps,
        answer,
        flags,
        packed: record.packed,
        failure,
        refusal,
    }
}
