//! A survey's prompts, compiled once and rendered for each persona.

use super::{
    Form, PromptError,
    answer_values::{ANSWER_PATHS, AnswerValues},
    context::{PersonaValues, SURVEY_PATHS, survey_value},
    digest::{answer_line, digest_line},
    profile::ProfileFrame,
    talk::{one_said, talk_value},
    text::untagged,
};
use crate::model::{
    Answer, Findings, Persona, PersonaIndex, Survey, TemplateName, Turn, TurnBy, UnixMillis,
};
use minijinja::{
    Environment, Error, ErrorKind, UndefinedBehavior, Value, context, syntax::SyntaxConfig,
};

/// The text that a template has where the survey brings none.
const fn built_in(name: TemplateName) -> &'static str {
    match name {
        TemplateName::System => include_str!("../../config/prompts/answer.system.j2"),
        TemplateName::User => include_str!("../../config/prompts/answer.user.j2"),
        TemplateName::FollowUp => include_str!("../../config/prompts/follow_up.user.j2"),
        TemplateName::Mend => include_str!("../../config/prompts/mend.user.j2"),
        TemplateName::Consistency => include_str!("../../config/prompts/consistency.system.j2"),
        TemplateName::Relevance => include_str!("../../config/prompts/relevance.system.j2"),
        TemplateName::Review => include_str!("../../config/prompts/review.system.j2"),
        TemplateName::Judged => include_str!("../../config/prompts/judged.user.j2"),
        TemplateName::Critique => include_str!("../../config/prompts/critique.system.j2"),
        TemplateName::Critiqued => include_str!("../../config/prompts/critique.user.j2"),
        TemplateName::Chat => include_str!("../../config/prompts/chat.system.j2"),
        TemplateName::Said => include_str!("../../config/prompts/chat.user.j2"),
        TemplateName::Packed => include_str!("../../config/prompts/packed.system.j2"),
        TemplateName::People => include_str!("../../config/prompts/packed.user.j2"),
        TemplateName::PackedReview => include_str!("../../config/prompts/packed_review.system.j2"),
        TemplateName::PackedJudged => include_str!("../../config/prompts/packed_judged.user.j2"),
        TemplateName::Digest => include_str!("../../config/prompts/digest.system.j2"),
        TemplateName::DigestAnswers => include_str!("../../config/prompts/digest.user.j2"),
        TemplateName::Summary => include_str!("../../config/prompts/summary.system.j2"),
        TemplateName::SummaryDigests => include_str!("../../config/prompts/summary.user.j2"),
    }
}

/// What a template may speak of beside `survey`.
const fn sees(name: TemplateName) -> &'static [&'static str] {
    match name {
        TemplateName::System
        | TemplateName::Consistency
        | TemplateName::Relevance
        | TemplateName::Review
        | TemplateName::Critique
        | TemplateName::Critiqued
        | TemplateName::Chat
        | TemplateName::Packed
        | TemplateName::PackedReview => &[],
        TemplateName::People => &["personas"],
        TemplateName::PackedJudged => &["judged"],
        TemplateName::Digest | TemplateName::Summary => &[],
        TemplateName::User => &["persona"],
        TemplateName::FollowUp => &["persona", "answer", "missing"],
        TemplateName::Mend => &["persona", "answer", "issues"],
        TemplateName::Judged => &["persona", "answer"],
        TemplateName::Said => &["persona", "answer", "talk", "said"],
        TemplateName::DigestAnswers => &["answers"],
        TemplateName::SummaryDigests => &["digests"],
    }
}

/// Whether it is the shared beginning of all calls of a form.
fn is_told_first(name: TemplateName) -> bool {
    Form::ALL.into_iter().any(|form| form.system() == name)
}

/// The prompts of one survey.
pub struct Prompts {
    environment: Environment<'static>,
    survey: Value,
    /// What is told first, for each form.
    systems: [String; Form::COUNT],
    /// For the built-in user prompt, in place of its template.
    frame: Option<ProfileFrame>,
    attributes_used: Vec<String>,
}

impl Prompts {
    /// Compiles the survey's own templates, or the built-in ones, and tries them on a persona that
    /// is made up.
    ///
    /// # Errors
    /// The template and line of what does not parse, is not known, or does not work.
    pub fn compile(survey: &Survey) -> Result<Self, PromptError> {
        let mut environment = Environment::new();
        // Block tags on lines of their own leave no blank lines behind.
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()
                .expect("the default delimiters are valid"),
        );
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("untagged", |text: Value| untagged(&text.to_string()));
        let own = &survey.prompts;
        let mut attributes_used = Vec::new();
        for name in TemplateName::ALL {
            let source = own.get(name).unwrap_or(built_in(name));
            let added = environment.add_template_owned(name.key(), source.to_owned());
            added.map_err(|error| broken(name, &error))?;
            attributes_used.append(&mut check_names(&environment, name)?);
        }
        attributes_used.sort_unstable();
        attributes_used.dedup();

        let values = survey_value(survey);
        let mut systems = Form::ALL.map(|_| String::new());
        for (system, form) in systems.iter_mut().zip(Form::ALL) {
            let name = form.system();
            *system = render(&environment, name, context! { survey => values.clone() })
                .map_err(|error| broken(name, &error))?;
        }
        for name in TemplateName::ALL.into_iter().filter(|name| !is_told_first(*name)) {
            let tried = context! {
                survey => values.clone(),
                persona => PersonaValues::sample(&attributes_used),
                answer => AnswerValues::sample(survey),
                missing => ["a topic"],
                issues => ["an issue"],
                personas => [PersonaValues::sample(&attributes_used)],
                judged => [judged_value(
                    PersonaValues::sample(&attributes_used),
                    AnswerValues::sample(survey),
                )],
                talk => talk_value(&sample_talk()),
                said => "a question",
                answers => ["{}"],
                digests => ["{}"],
            };
            render(&environment, name, tried).map_err(|error| broken(name, &error))?;
        }
        // Every name is known to exist now; what this or that persona lacks is blank, be it an
        // attribute or the whole group that it would be in.
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        let mut prompts =
            Self { environment, survey: values, systems, frame: None, attributes_used };
        if own.get(TemplateName::User).is_none() {
            prompts.frame = ProfileFrame::of(|persona| prompts.render_user(persona));
        }
        Ok(prompts)
    }

    /// What all calls of a form share. It goes first, so that providers can cache it.
    pub fn system(&self, form: Form) -> &str {
        &self.systems[form.ordinal()]
    }

    /// One persona's part.
    ///
    /// # Errors
    /// Where a template of the survey's own does not work for this persona, such as a sum with a
    /// value that is no number; likewise for all others.
    pub fn user(&self, persona: &Persona) -> Result<String, PromptError> {
        match &self.frame {
            Some(frame) => Ok(frame.prompt(persona)),
            None => self.render_user(persona),
        }
    }

    /// One persona and its answer, for a critic.
    ///
    /// # Errors
    /// As [`Self::user`].
    pub fn judged(&self, persona: &Persona, answer: &Answer) -> Result<String, PromptError> {
        let values = context! {
            survey => self.survey.clone(),
            persona => PersonaValues::of(persona),
            answer => AnswerValues::of(answer),
        };
        self.render_for(TemplateName::Judged, persona, values)
    }

    /// Asks a persona for topics that its answer leaves out.
    ///
    /// # Errors
    /// As [`Self::user`].
    pub fn follow_up(
        &self,
        persona: &Persona,
        answer: &Answer,
        missing: &[String],
    ) -> Result<String, PromptError> {
        let values = context! {
            survey => self.survey.clone(),
            persona => PersonaValues::of(persona),
            answer => AnswerValues::of(answer),
            missing => missing.to_vec(),
        };
        self.render_for(TemplateName::FollowUp, persona, values)
    }

    /// Asks a persona again whose answer missed the question.
    ///
    /// # Errors
    /// As [`Self::user`].
    pub fn mend(
        &self,
        persona: &Persona,
        answer: &Answer,
        issues: &[String],
    ) -> Result<String, PromptError> {
        let values = context! {
            survey => self.survey.clone(),
            persona => PersonaValues::of(persona),
            answer => AnswerValues::of(answer),
            issues => issues.to_vec(),
        };
        self.render_for(TemplateName::Mend, persona, values)
    }

    /// Shows the question critic the survey's question.
    ///
    /// # Errors
    /// Where a template of the survey's own does not work.
    pub fn critiqued(&self) -> Result<String, PromptError> {
        let name = TemplateName::Critiqued;
        render(&self.environment, name, context! { survey => self.survey.clone() })
            .map_err(|error| broken(name, &error))
    }

    /// The part of several personas that are asked in one call.
    ///
    /// # Errors
    /// Where a template of the survey's own does not work for one of them.
    pub fn packed(&self, personas: &[&Persona]) -> Result<String, PromptError> {
        let people: Vec<_> = personas.iter().map(|persona| PersonaValues::of(persona)).collect();
        let values = context! { survey => self.survey.clone(), personas => people };
        let name = TemplateName::People;
        render(&self.environment, name, values).map_err(|error| broken(name, &error))
    }

    /// Several personas and their answers, for a critic of all of them in one call.
    ///
    /// # Errors
    /// As [`Self::packed`].
    pub fn packed_judged(&self, judged: &[(&Persona, &Answer)]) -> Result<String, PromptError> {
        let judged: Vec<_> = (judged.iter())
            .map(|(persona, answer)| {
                judged_value(PersonaValues::of(persona), AnswerValues::of(answer))
            })
            .collect();
        let values = context! { survey => self.survey.clone(), judged => judged };
        let name = TemplateName::PackedJudged;
        render(&self.environment, name, values).map_err(|error| broken(name, &error))
    }

    /// Tells a persona what was said last in a talk about its answer.
    ///
    /// # Errors
    /// As [`Self::user`].
    pub fn said(
        &self,
        persona: &Persona,
        answer: &Answer,
        talk: &[Turn],
        said: &str,
    ) -> Result<String, PromptError> {
        let values = context! {
            survey => self.survey.clone(),
            persona => PersonaValues::of(persona),
            answer => AnswerValues::of(answer),
            talk => talk_value(talk),
            said => one_said(said),
        };
        self.render_for(TemplateName::Said, persona, values)
    }

    /// A group of answers, for a digest.
    ///
    /// # Errors
    /// Where a template of the survey's own does not work; likewise for [`Self::digests`].
    pub fn answers(&self, answers: &[(PersonaIndex, Answer)]) -> Result<String, PromptError> {
        let lines = answers.iter().map(|(persona, answer)| answer_line(*persona, answer));
        let values = context! {
            survey => self.survey.clone(),
            answers => lines.collect::<Vec<_>>(),
        };
        let name = TemplateName::DigestAnswers;
        render(&self.environment, name, values).map_err(|error| broken(name, &error))
    }

    /// Digests by their numbers, for a summary.
    ///
    /// # Errors
    /// As [`Self::answers`].
    pub fn digests(&self, digests: &[(u32, Findings)]) -> Result<String, PromptError> {
        let lines = digests.iter().map(|(number, findings)| digest_line(*number, findings));
        let values = context! {
            survey => self.survey.clone(),
            digests => lines.collect::<Vec<_>>(),
        };
        let name = TemplateName::SummaryDigests;
        render(&self.environment, name, values).map_err(|error| broken(name, &error))
    }

    fn render_user(&self, persona: &Persona) -> Result<String, PromptError> {
        let values =
            context! { survey => self.survey.clone(), persona => PersonaValues::of(persona) };
        self.render_for(TemplateName::User, persona, values)
    }

    fn render_for(
        &self,
        name: TemplateName,
        persona: &Persona,
        values: Value,
    ) -> Result<String, PromptError> {
        render(&self.environment, name, values).map_err(|error| PromptError::Persona {
            template: name.key(),
            line: error.line().unwrap_or(1),
            persona: persona.id.clone(),
            problem: problem(&error),
        })
    }

    /// The attributes that templates ask for by name, such as `address.city`: what no persona has
    /// is blank in every prompt, and probably misspelt.
    pub fn attributes_used(&self) -> &[String] {
        &self.attributes_used
    }
}

/// One of several that a critic judges in one call.
fn judged_value(persona: Value, answer: Value) -> Value {
    Value::from_pairs([("persona", persona), ("answer", answer)])
}

/// A talk made up to try a template.
fn sample_talk() -> [Turn; 2] {
    [TurnBy::Asker, TurnBy::Persona].map(|by| Turn {
        at: UnixMillis(0),
        by,
        text: "something".into(),
        usage: None,
    })
}

fn render(
    environment: &Environment<'_>,
    name: TemplateName,
    values: Value,
) -> Result<String, Error> {
    environment.get_template(name.key())?.render(values)
}

/// Refuses names that do not exist, in branches not taken too. Returns the persona's attributes
/// that are asked for by name.
fn check_names(
    environment: &Environment<'_>,
    template: TemplateName,
) -> Result<Vec<String>, PromptError> {
    let Ok(parsed) = environment.get_template(template.key()) else { return Ok(Vec::new()) };
    let seen = sees(template);
    let mut names: Vec<_> = parsed.undeclared_variables(true).into_iter().collect();
    names.sort_unstable();
    let mut attributes = Vec::new();
    for name in names {
        let root = name.split('.').next().unwrap_or_default();
        let hint = if root == "persona" && !seen.contains(&"persona") {
            no_persona(seen)
        } else if root == "persona" {
            match name.strip_prefix("persona.") {
                None | Some("id" | "attributes") => {}
                Some(list) if list.starts_with("attributes.") => {}
                Some(attribute) => attributes.push(attribute.to_owned()),
            }
            continue;
        } else if SURVEY_PATHS.contains(&name.as_str())
            || seen.contains(&name.as_str())
            || ANSWER_PATHS.contains(&name.as_str()) && seen.contains(&"answer")
            || name.starts_with("answer.impacts.") && seen.contains(&"answer")
            || name.starts_with("personas.") && seen.contains(&"personas")
            || name.starts_with("judged.") && seen.contains(&"judged")
            || name.starts_with("talk.") && seen.contains(&"talk")
            || name.starts_with("survey.grid.impacts.")
            || environment.globals().any(|(global, _)| global == root)
        {
            continue;
        } else {
            hint(&name)
        };
        let line = line_of(parsed.source(), &name);
        let template = template.key();
        return Err(PromptError::UnknownVariable { template, line, name, hint });
    }
    Ok(attributes)
}

/// The first line that has the name in a tag, and not in the text around them.
fn line_of(source: &str, name: &str) -> usize {
    let in_tag = |line: &str| {
        let mut tags = line.split('{').skip(1).filter_map(|tag| tag.split('}').next());
        tags.any(|tag| tag.contains(name))
    };
    let anywhere = || source.lines().position(|line| line.contains(name));
    source.lines().position(in_tag).or_else(anywhere).unwrap_or(0) + 1
}

/// Why a template that sees these has no `persona`.
fn no_persona(seen: &[&str]) -> String {
    match seen {
        [] => "the system prompt is the same for all personas; use it in prompts.user".to_owned(),
        ["personas", ..] => {
            "it is of several personas: put it in {% for persona in personas %}".to_owned()
        }
        [other, ..] => format!("it is of no single persona; there are survey.* and {other}"),
    }
}

fn hint(name: &str) -> String {
    let like = |known: &str, word: &str| strsim::jaro_winkler(word, known);
    let (root, rest) = name.split_once('.').unwrap_or((name, ""));
    if like("persona", root) >= 0.85 && !rest.is_empty() {
        return format!("did you mean \"persona.{rest}\"?");
    }
    let near = SURVEY_PATHS.into_iter().max_by(|a, b| like(a, name).total_cmp(&like(b, name)));
    match near.filter(|path| like(path, name) >= 0.85) {
        Some(path) => format!("did you mean {path:?}?"),
        None => "there are survey.* and persona.*, such as survey.question and persona.age".into(),
    }
}

fn broken(template: TemplateName, error: &Error) -> PromptError {
    let template = template.key();
    PromptError::Template { template, line: error.line().unwrap_or(1), problem: problem(error) }
}

/// The library's words without the place, which ours have already.
fn problem(error: &Error) -> String {
    match error.detail() {
        None if error.kind() == ErrorKind::UndefinedError => {
            "a name on this line stands for nothing".to_owned()
        }
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
