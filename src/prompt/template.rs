//! A survey's prompts, compiled once and rendered for each persona.

use super::{
    PromptError,
    context::{PersonaValues, SURVEY_PATHS, survey_value},
    profile::ProfileFrame,
};
use crate::model::{Persona, Survey};
use minijinja::{
    Environment, Error, ErrorKind, UndefinedBehavior, Value, context, syntax::SyntaxConfig,
};

const SYSTEM: &str = include_str!("../../config/prompts/answer.system.j2");
const USER: &str = include_str!("../../config/prompts/answer.user.j2");

/// The templates' names in messages: their keys in the survey file.
const SYSTEM_NAME: &str = "prompts.system";
const USER_NAME: &str = "prompts.user";

/// The prompts of one survey.
pub struct Prompts {
    environment: Environment<'static>,
    survey: Value,
    system: String,
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
        let own = &survey.prompts;
        for (name, source) in [
            (SYSTEM_NAME, own.system.as_deref().unwrap_or(SYSTEM)),
            (USER_NAME, own.user.as_deref().unwrap_or(USER)),
        ] {
            let added = environment.add_template_owned(name, source.to_owned());
            added.map_err(|error| broken(name, &error))?;
        }
        check_names(&environment, SYSTEM_NAME)?;
        let attributes_used = check_names(&environment, USER_NAME)?;

        let survey = survey_value(survey);
        let system = render(&environment, SYSTEM_NAME, context! { survey => survey.clone() })
            .map_err(|error| broken(SYSTEM_NAME, &error))?;
        let persona = PersonaValues::sample(&attributes_used);
        render(&environment, USER_NAME, context! { survey => survey.clone(), persona })
            .map_err(|error| broken(USER_NAME, &error))?;
        // Every name is known to exist now; what this or that persona lacks is blank.
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        let mut prompts = Self { environment, survey, system, frame: None, attributes_used };
        if own.user.is_none() {
            prompts.frame = ProfileFrame::of(|persona| prompts.render_user(persona));
        }
        Ok(prompts)
    }

    /// What all personas share. It goes first, so that providers can cache it.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// One persona's part.
    ///
    /// # Errors
    /// Where a template of the survey's own does not work for this persona, such as a sum with a
    /// value that is no number.
    pub fn user(&self, persona: &Persona) -> Result<String, PromptError> {
        match &self.frame {
            Some(frame) => Ok(frame.prompt(persona)),
            None => self.render_user(persona),
        }
    }

    fn render_user(&self, persona: &Persona) -> Result<String, PromptError> {
        let values =
            context! { survey => self.survey.clone(), persona => PersonaValues::of(persona) };
        render(&self.environment, USER_NAME, values).map_err(|error| PromptError::Persona {
            template: USER_NAME,
            line: error.line().unwrap_or(1),
            persona: persona.id.clone(),
            problem: problem(&error),
        })
    }

    /// The attributes that the user template asks for by name, such as `address.city`: what no
    /// persona has is blank in every prompt, and probably misspelt.
    pub fn attributes_used(&self) -> &[String] {
        &self.attributes_used
    }
}

fn render(environment: &Environment<'_>, name: &str, values: Value) -> Result<String, Error> {
    environment.get_template(name)?.render(values)
}

/// Refuses names that do not exist, in branches not taken too. Returns the persona's attributes
/// that are asked for by name.
fn check_names(
    environment: &Environment<'_>,
    template: &'static str,
) -> Result<Vec<String>, PromptError> {
    let Ok(parsed) = environment.get_template(template) else { return Ok(Vec::new()) };
    let mut names: Vec<_> = parsed.undeclared_variables(true).into_iter().collect();
    names.sort_unstable();
    let mut attributes = Vec::new();
    for name in names {
        let root = name.split('.').next().unwrap_or_default();
        let hint = if root == "persona" && template == SYSTEM_NAME {
            "the system prompt is the same for all personas; use it in prompts.user".to_owned()
        } else if root == "persona" {
            match name.strip_prefix("persona.") {
                None | Some("id" | "attributes") => {}
                Some(list) if list.starts_with("attributes.") => {}
                Some(attribute) => attributes.push(attribute.to_owned()),
            }
            continue;
        } else if SURVEY_PATHS.contains(&name.as_str())
            || name.starts_with("survey.grid.impacts.")
            || environment.globals().any(|(global, _)| global == root)
        {
            continue;
        } else {
            hint(&name)
        };
        let line = parsed.source().lines().position(|line| line.contains(&name)).unwrap_or(0) + 1;
        return Err(PromptError::UnknownVariable { template, line, name, hint });
    }
    Ok(attributes)
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

fn broken(template: &'static str, error: &Error) -> PromptError {
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
