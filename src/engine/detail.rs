//! Everything about one persona, put together for the inspector.

use super::reading::PersonaRecord;
use crate::{
    model::{Attempt, Fate, InterviewStatus},
    prompt::{Form, Prompts},
    protocol::{Activity, PersonaDetail},
};

/// So many bytes of a raw body are shown: a reply may have 16 MiB, and a front end asks for a persona
/// in progress once a second.
const BODY_MOST: usize = 1024 * 1024;

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
        attempts: with_last_body(record.attempts),
        steps: record.steps,
        answer,
        flags,
        packed: record.packed,
        failure,
        refusal,
    }
}

/// Leaves the last raw body, which is all that is shown, and cuts it where it is too long.
fn with_last_body(mut attempts: Vec<Attempt>) -> Vec<Attempt> {
    let mut bodies = attempts.iter_mut().rev().map(|attempt| &mut attempt.body);
    if let Some(Some(last)) = bodies.find(|body| body.is_some()) {
        let all = last.len();
        if all > BODY_MOST {
            last.truncate(last.floor_char_boundary(BODY_MOST));
            last.push_str(&format!(
                "\n\n[cut here, at {} of {all} bytes: the run file has all of it]",
                last.len()
            ));
            last.shrink_to_fit();
        }
    }
    bodies.for_each(|body| *body = None);
    attempts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AttemptTiming, EndpointIndex, PersonaIndex, Stage, UnixMillis};

    fn attempt(number: u32, body: Option<&str>) -> Attempt {
        Attempt {
            persona: PersonaIndex(0),
            stage: Stage::Answer,
            number,
            endpoint: EndpointIndex(0),
            sent_at: UnixMillis(0),
            timing: AttemptTiming::default(),
            status: Some(200),
            request_id: None,
            usage: None,
            failure: None,
            body: body.map(str::to_owned),
            from_cache: false,
        }
    }

    #[test]
    fn only_the_last_body_is_shown() {
        let before = vec![attempt(1, Some("a")), attempt(2, Some("b")), attempt(3, None)];
        let after = [attempt(1, None), attempt(2, Some("b")), attempt(3, None)];
        assert_eq!(with_last_body(before), after);
    }

    #[test]
    fn a_long_body_is_cut_with_a_note() {
        let long = "\u{e9}".repeat(BODY_MOST);
        let cut = with_last_body(vec![attempt(1, Some(&format!("x{long}")))]);
        let body = cut[0].body.as_deref().unwrap();
        assert!(body.len() < BODY_MOST + 200, "{}", body.len());
        let note = format!("[cut here, at {} of {} bytes", BODY_MOST - 1, 2 * BODY_MOST + 1);
        assert!(body.contains(&note), "{}", &body[body.len() - 100..]);
    }
}
