//! One persona's detail as lines of text: for the inspector, for its preview, and for a file.

use super::{format, glyphs::Glyphs, text, theme::Role, timeline};
use crate::{
    model::{Answer, Attempt, FailureKind, InterviewStatus, Score, Stage, UnixMillis},
    protocol::{Activity, EndpointMeters, PersonaDetail},
};
use jiff::tz::TimeZone;

/// A line in pieces, each with what it means.
pub type Line = Vec<(Role, String)>;

/// How much of a raw body is shown, in characters: wrapping a megabyte would cost every frame.
const BODY_SHOWN: usize = 8_000;
/// The width of a text in a file.
const FILE_WIDTH: usize = 100;

/// What there is to know about the run that a persona's detail does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// What the support level means.
    pub support: &'a str,
    pub endpoints: &'a [EndpointMeters],
}

/// All of it, in lines of at most `width` cells.
pub fn lines(
    detail: &PersonaDetail,
    about: About<'_>,
    width: usize,
    glyphs: &Glyphs,
    zone: &TimeZone,
    now: UnixMillis,
) -> Vec<Line> {
    let mut writer = Writer { lines: Vec::new(), about, width: width.max(8), glyphs, zone };
    writer.detail(detail, Some(now), BODY_SHOWN);
    writer.lines
}

/// All of it, for a file: the raw bodies in full, times in UTC.
pub fn plain(detail: &PersonaDetail, about: About<'_>) -> String {
    let glyphs = &Glyphs::UNICODE;
    let zone = &TimeZone::UTC;
    let mut writer = Writer { lines: Vec::new(), about, width: FILE_WIDTH, glyphs, zone };
    writer.put(Role::Title, &title(detail));
    writer.put(Role::Dim, "times are UTC");
    writer.gap();
    writer.detail(detail, None, usize::MAX);
    let mut file = String::new();
    for line in &writer.lines {
        let line: String = line.iter().map(|(_, piece)| piece.as_str()).collect();
        file.push_str(line.trim_end());
        file.push('\n');
    }
    file
}

/// The panel's title: the persona's place, its own id, its status.
pub fn title(detail: &PersonaDetail) -> String {
    let attempts = detail.attempts.len() as u64;
    let mut title = format!("Persona {}", detail.persona.index);
    if detail.persona.id != detail.persona.index.to_string() {
        title.push_str(&format!("  id {}", detail.persona.id));
    }
    title.push_str(&format!("  {}", detail.status.label()));
    if attempts > 0 {
        title.push_str(&format!("  {}", format::plural(attempts, "attempt", "attempts")));
    }
    title
}

fn is_cut_off(attempt: &Attempt) -> bool {
    attempt.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::CutOff)
}

struct Writer<'a> {
    lines: Vec<Line>,
    about: About<'a>,
    width: usize,
    glyphs: &'a Glyphs,
    zone: &'a TimeZone,
}

impl Writer<'_> {
    fn detail(&mut self, detail: &PersonaDetail, now: Option<UnixMillis>, body: usize) {
        let values: Vec<&str> =
            detail.persona.attributes.iter().map(|a| a.value.as_str()).collect();
        if !values.is_empty() && now.is_some() {
            let digest = text::fit(&values.join(", "), self.width, self.glyphs.ellipsis);
            self.put(Role::Info, &digest);
        }
        self.standing(detail, now);
        if let Some(refusal) = &detail.refusal {
            self.head("Refusal");
            self.put(Role::Refused, refusal);
        }
        if let Some(packed) = detail.packed {
            let words = format!(
                "answered in one call with {} others: they saw one another, so that it may lean \
                 towards them",
                packed.saturating_sub(1)
            );
            self.put(Role::Warning, &words);
        }
        if !detail.flags.is_empty() {
            self.head("Not settled");
            for issue in &detail.flags {
                self.indented(Role::Flagged, &format!("{} ", self.glyphs.bullet), issue);
            }
        }
        if let Some(answer) = &detail.answer {
            self.answer(answer);
        }
        if !detail.steps.is_empty() {
            self.head("Timeline");
            for (role, head, words) in timeline::entries(&detail.steps, self.glyphs, self.zone) {
                self.indented(role, &head, &words);
            }
        }
        if !detail.attempts.is_empty() {
            self.head("Attempts");
            let mut raised = false;
            for attempt in &detail.attempts {
                self.attempt(attempt, raised);
                raised = !raised && is_cut_off(attempt);
            }
            let last =
                detail.attempts.iter().rev().find_map(|a| Some((a.number, a.body.as_ref()?)));
            if let Some((number, raw)) = last {
                self.head(&format!("Raw body of attempt {number}"));
                self.raw(raw, body);
            }
        }
        if !detail.persona.attributes.is_empty() {
            self.head("Attributes");
            self.attributes(detail);
        }
        for (name, prompt) in
            [("System prompt", &detail.system_prompt), ("User prompt", &detail.user_prompt)]
        {
            if !prompt.is_empty() {
                self.head(name);
                self.put(Role::Text, prompt);
            }
        }
    }

    /// What it does now, or how it ended.
    fn standing(&mut self, detail: &PersonaDetail, now: Option<UnixMillis>) {
        let status = detail.status;
        let role = Role::of(status);
        match (&detail.failure, &detail.activity) {
            (Some(failure), _) => self.put(role, &format!("failed: {failure}")),
            (None, Some(activity)) => {
                let line = self.activity(status, activity, now);
                self.put(role, &line);
            }
            (None, None) if status == InterviewStatus::Queued => {
                self.put(role, "queued: its turn has not come");
            }
            (None, None) => self.put(role, status.label()),
        }
    }

    fn activity(
        &self,
        status: InterviewStatus,
        activity: &Activity,
        now: Option<UnixMillis>,
    ) -> String {
        let since = format::time_of_day(activity.since, self.zone);
        let mut line = format!("{} since {since}", status.label());
        if let Some(now) = now {
            line.push_str(&format!(" ({})", format::short_clock(now.since(activity.since))));
        }
        if let Some(until) = activity.until {
            line.push_str(&format!("; next attempt at {}", format::time_of_day(until, self.zone)));
            if let Some(now) = now {
                line.push_str(&format!(", in {}", format::short_clock(until.since(now))));
            }
        }
        line
    }

    fn answer(&mut self, answer: &Answer) {
        self.head("Answer");
        self.put(Role::Text, &answer.narrative);
        self.gap();
        let label = |key: &str| {
            let mut words = key.replace('_', " ");
            if let Some(first) = words.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            words
        };
        let mut scores = vec![(self.about.support.to_owned(), answer.support_level)];
        scores.extend(answer.impacts.iter().map(|(key, score)| (label(key), *score)));
        let widest = scores.iter().map(|(word, _)| text::width(word)).max().unwrap_or(0);
        let widest = widest.min(self.width.saturating_sub(14));
        for (word, score) in scores {
            self.score(&text::pad(&word, widest, self.glyphs.ellipsis), score);
        }
        for (word, items) in [
            ("Concerns", &answer.key_concerns),
            ("Suggested improvements", &answer.suggested_improvements),
        ] {
            if !items.is_empty() {
                self.head(word);
                for item in items {
                    self.indented(Role::Text, &format!("{} ", self.glyphs.bullet), item);
                }
            }
        }
    }

    fn score(&mut self, word: &str, score: Score) {
        let filled = usize::from(score.get());
        let bar = |c: char, n: usize| c.to_string().repeat(n * 2);
        self.lines.push(vec![
            (Role::Text, format!("{word}  ")),
            (Role::Bar, bar(self.glyphs.bar_full, filled)),
            (Role::Dim, bar(self.glyphs.bar_empty, 5 - filled)),
            (Role::Text, format!(" {filled}")),
        ]);
    }

    /// One attempt; `raised`: the one before was cut off, so this one had a higher output cap.
    fn attempt(&mut self, attempt: &Attempt, raised: bool) {
        let status = attempt.status.map_or_else(|| "---".to_owned(), |s| s.to_string());
        let time = format::time_of_day(attempt.sent_at, self.zone);
        let head = format!("{:>2}  {time}  {status}  ", attempt.number);
        let what = match attempt.stage {
            Stage::Answer => String::new(),
            Stage::Repair => "repair call, ".to_owned(),
            stage => format!("{}, ", stage.label()),
        };
        let cap = if raised { "with a higher output cap, " } else { "" };
        if attempt.from_cache {
            let words = format!("{what}from the cache: nothing was sent");
            return self.indented(Role::Cached, &head, &words);
        }
        match &attempt.failure {
            None => self.indented(Role::Good, &head, &format!("{what}{cap}answered")),
            Some(failure) => self.indented(Role::Bad, &head, &format!("{what}{cap}{failure}")),
        }
        let t = &attempt.timing;
        let mut parts: Vec<String> = [
            ("queued", t.queued),
            ("slot", t.waited_for_slot),
            ("rate", t.waited_for_rate),
            ("wire", t.on_the_wire),
            ("parsed", t.parsed),
        ]
        .into_iter()
        .map(|(word, time)| format!("{word} {}", format::seconds(time)))
        .collect();
        if let Some(usage) = &attempt.usage {
            parts.push(format!(
                "{} + {} tokens",
                format::thousands(usage.prompt_tokens),
                format::thousands(usage.completion_tokens)
            ));
        }
        if let Some(wait) = attempt.failure.as_ref().and_then(|f| f.retry_after) {
            parts.push(format!("asked to wait {}", format::seconds(wait)));
        }
        if let [_, _, ..] = self.about.endpoints
            && let Some(endpoint) = self.about.endpoints.get(attempt.endpoint.as_usize())
        {
            parts.push(format!("at {}", endpoint.name));
        }
        if let Some(id) = &attempt.request_id {
            parts.push(format!("request {id}"));
        }
        self.indented(Role::Dim, "    ", &parts.join(", "));
    }

    fn raw(&mut self, raw: &str, most: usize) {
        match raw.char_indices().nth(most) {
            None => self.put(Role::Text, raw),
            Some((cut, _)) => {
                self.put(Role::Text, &raw[..cut]);
                let all = format::thousands(raw.len() as u64);
                self.put(Role::Dim, &format!("the first part of {all} bytes; the file has all"));
            }
        }
    }

    fn attributes(&mut self, detail: &PersonaDetail) {
        let attributes = &detail.persona.attributes;
        let widest = attributes.iter().map(|a| text::width(&a.name)).max().unwrap_or(0);
        let widest = widest.min(self.width / 3);
        for attribute in attributes {
            let name = text::pad(&attribute.name, widest, self.glyphs.ellipsis);
            self.indented(Role::Text, &format!("{name}  "), &attribute.value);
        }
        if let Some(weight) = detail.persona.weight {
            self.put(Role::Dim, &format!("stands for {weight} people"));
        }
    }

    fn head(&mut self, words: &str) {
        self.gap();
        self.lines.push(vec![(Role::Title, words.to_owned())]);
    }

    fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Vec::new());
        }
    }

    fn put(&mut self, role: Role, words: &str) {
        self.lines.extend(text::wrap(words, self.width).into_iter().map(|line| vec![(role, line)]));
    }

    /// A first piece, and a text beside it whose further lines stand under its first.
    fn indented(&mut self, role: Role, first: &str, words: &str) {
        let indent = text::width(first);
        let room = self.width.saturating_sub(indent).max(8);
        for (n, line) in text::wrap(words, room).into_iter().enumerate() {
            let head = if n == 0 { first.to_owned() } else { " ".repeat(indent) };
            self.lines.push(vec![(Role::Dim, head), (role, line)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn an_attempt_that_was_not_sent_says_so() {
        let mut detail = fixture::detail(3, InterviewStatus::Cached);
        detail.attempts.truncate(1);
        detail.attempts[0].from_cache = true;
        detail.attempts[0].failure = None;
        let text = plain(&detail, About::default());
        assert!(text.contains("from the cache: nothing was sent"), "{text}");
        assert!(text.contains("done, from the cache"), "{text}");
        assert!(!text.contains("wire"), "it was on none: {text}");
    }
}
