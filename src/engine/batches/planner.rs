//! Who is asked what next, and in which file: every persona that is not over and in no batch.
//!
//! The run is looked through twice, one persona at a time: once for the order, in which similar
//! prompts come next to each other, and once for the lines.

use super::{
    files::LineFile,
    halt::Halt,
    line::Carried,
    meta::Meta,
    runner::{Runner, stored},
};
use crate::{
    batch::{
        BatchRecord, CustomId, Likeness, LineSize, Placement, Splitter, line_length, order,
        push_line,
    },
    engine::{
        batches::{BatchFact, fact::LineRead},
        endpoint::Templates,
        fact::NewSteps,
        interview::LeftOff,
        reading::left_off,
        retry::raised,
        stages::{Asked, Next, Standing},
    },
    model::{
        BatchKey, Failure, FailureKind, Fate, PauseReason, Persona, PersonaIndex, Stage, Tokens,
        UnixMillis, Usd,
    },
    prompt::Form,
    provider::{Question, Repair},
    store::{BatchLine, StoredBatch},
};
use std::{collections::HashMap, sync::Arc};

/// Orders are looked for once in so many personas.
const LOOK_EVERY: usize = 256;

/// A batch whose file is on this disk, and nothing of it in the run file yet.
pub(super) struct Planned {
    pub record: BatchRecord,
    pub meta: Meta,
    pub lines: Vec<BatchLine>,
}

impl Planned {
    pub(super) fn stored(&self) -> StoredBatch {
        stored(&self.record, &self.meta, self.lines.clone())
    }
}

/// A file that is being filled.
struct Filling {
    number: u32,
    file: LineFile,
    lines: Vec<BatchLine>,
    most: Usd,
}

/// A line to be.
struct Call {
    line: BatchLine,
    body: bytes::Bytes,
    tokens: Tokens,
    most: Usd,
}

impl Call {
    fn id(&self) -> CustomId {
        let BatchLine { persona, stage, round, attempt, .. } = self.line;
        CustomId { persona, stage, round, attempt }
    }
}

impl Runner {
    /// Writes the files of all who are not over and in no batch but the one that is about to be
    /// over. All that was told before must be on disk. Where there is no money for all, some are
    /// left for later.
    pub(super) fn plan(
        &mut self,
        but: Option<u32>,
        carried: &HashMap<PersonaIndex, Carried>,
    ) -> Result<Vec<Planned>, Halt> {
        let templates = self.interviewer.endpoints[self.endpoint.as_usize()].templates();
        let order = self.order(but)?;
        let mut planned = Vec::new();
        let mut filling = None;
        let written = self.write(&order, carried, &templates, &mut filling, &mut planned);
        match written {
            Ok(short) => {
                if short && planned.is_empty() && self.records.len() <= usize::from(but.is_some()) {
                    self.out_of_money();
                }
                Ok(planned)
            }
            Err(halt) => {
                // Nobody has heard of these files.
                if let Some(Filling { file, .. }) = filling {
                    file.discard();
                }
                for planned in &planned {
                    self.folder.remove(planned.meta.number);
                }
                Err(halt)
            }
        }
    }

    fn out_of_money(&mut self) {
        let books = self.interviewer.ledger.books();
        if let Some(budget) = books.budget {
            self.pause(PauseReason::BudgetSpent { spent: books.spent, budget });
            self.control.begin = true;
        }
    }

    /// Who is to be asked, similar ones next to each other: by the form of the call, which decides
    /// how a prompt begins, and then by likeness.
    fn order(&mut self, but: Option<u32>) -> Result<Vec<PersonaIndex>, Halt> {
        let statuses = self.reader.statuses()?;
        let mut waits: Vec<bool> = statuses.iter().map(|status| !status.is_over()).collect();
        drop(statuses);
        for meta in self.metas.iter().filter(|meta| Some(meta.number) != but) {
            for line in self.reader.batch_lines(meta.number)? {
                if let Some(waits) = waits.get_mut(line.persona.as_usize()) {
                    *waits = false;
                }
            }
        }
        let mut of_forms: [Vec<(Likeness, PersonaIndex)>; Form::COUNT] = Default::default();
        let waiting = (0..).map(PersonaIndex).zip(waits).filter(|(_, waits)| *waits);
        for (count, (index, _)) in waiting.enumerate() {
            if count % LOOK_EVERY == 0 {
                self.control.look()?;
            }
            let Some((persona, _, standing)) = self.read_persona(index)? else { continue };
            match self.interviewer.stages.next(&standing) {
                Next::Ask(stage) => {
                    of_forms[form_of(stage).ordinal()].push((Likeness::of(&persona), index));
                }
                // Its last step is on file, and its end is not: the process died in between.
                Next::End(fate) => self.ends(&persona, fate)?,
            }
        }
        let mut all = Vec::new();
        for mut of_form in of_forms {
            order(&mut of_form);
            all.extend(of_form.into_iter().map(|(_, index)| index));
        }
        Ok(all)
    }

    /// A persona and where its interview stands.
    pub(super) fn read_persona(
        &self,
        index: PersonaIndex,
    ) -> Result<Option<(Persona, LeftOff, Standing)>, Halt> {
        let Some(persona) = self.reader.persona(index)? else { return Ok(None) };
        let left_off = left_off(&self.reader, index)?;
        let standing = Standing::of(&left_off.steps);
        Ok(Some((persona, left_off, standing)))
    }

    /// An interview was over already, and may have an answer.
    fn ends(&self, persona: &Persona, fate: Fate) -> Result<(), Halt> {
        let attempts = self.reader.attempts_made(persona.index)?;
        self.tell(BatchFact::Line(Box::new(LineRead::without_call(persona, fate, attempts))));
        Ok(())
    }

    /// An interview ends without an answer, and without a line. What counts nobody's answer needs
    /// no weight.
    pub(super) fn fails(&self, persona: PersonaIndex, attempts: u32, failure: Failure) {
        self.tell(BatchFact::Line(Box::new(LineRead {
            persona,
            weight: None,
            attempt: None,
            steps: NewSteps::default(),
            end: Some((Fate::Failed(failure), attempts)),
        })));
    }

    /// Writes the lines. True where money was short.
    fn write(
        &mut self,
        order: &[PersonaIndex],
        carried: &HashMap<PersonaIndex, Carried>,
        templates: &Arc<Templates>,
        filling: &mut Option<Filling>,
        planned: &mut Vec<Planned>,
    ) -> Result<bool, Halt> {
        let mut splitter = Splitter::new(self.limits);
        let mut room = self.interviewer.ledger.room();
        let mut short = false;
        let mut text = Vec::new();
        for (count, &index) in order.iter().enumerate() {
            if count % LOOK_EVERY == 0 {
                self.control.look()?;
            }
            let carried = carried.get(&index).copied().unwrap_or_default();
            let Some(call) = self.call(index, carried, templates)? else { continue };
            if let Some(left) = room {
                if call.most > left {
                    short = true;
                    break;
                }
                room = Some(left.saturating_sub(call.most));
            }
            let id = call.id();
            let size = LineSize { bytes: line_length(id, &call.body), tokens: call.tokens };
            match splitter.place(size) {
                Placement::Here => {}
                Placement::NextFile { full } => {
                    if let Some(filled) = filling.take() {
                        planned.push(self.filled(filled, full, templates)?);
                    }
                }
                Placement::TooLarge => {
                    let why = "the prompt alone is larger than a file of the Batch API may be";
                    let failure = Failure::new(FailureKind::TooLarge, why);
                    self.fails(index, call.line.attempt - 1, failure);
                    continue;
                }
            }
            if filling.is_none() {
                *filling = Some(self.fill()?);
            }
            let Some(open) = filling else { continue };
            text.clear();
            push_line(&mut text, id, &call.body);
            open.file.write(&text)?;
            open.lines.push(call.line);
            open.most = open.most.saturating_add(call.most);
        }
        if let (Some(filled), Some(size)) = (filling.take(), splitter.finish()) {
            planned.push(self.filled(filled, size, templates)?);
        }
        Ok(short)
    }

    fn fill(&mut self) -> Result<Filling, Halt> {
        let number = self.next_number;
        let file = self.folder.begin(number)?;
        self.next_number += 1;
        Ok(Filling { number, file, lines: Vec::new(), most: Usd::ZERO })
    }

    /// A file is full, or the last one: it becomes a batch.
    fn filled(
        &self,
        filled: Filling,
        size: crate::batch::FileSize,
        templates: &Arc<Templates>,
    ) -> Result<Planned, Halt> {
        let Filling { number, file, lines, most } = filled;
        file.close(size)?;
        let random = fastrand::u64(..);
        let key = BatchKey(format!("{}-{number}-{random:016x}", self.interviewer.run));
        let templates = Arc::clone(templates);
        let mut meta = Meta::new(number, self.endpoint, UnixMillis::now(), most, templates);
        meta.money = self.interviewer.ledger.reserve_for_batch(most).ok();
        Ok(Planned { record: BatchRecord::new(key, size.lines, size.tokens), meta, lines })
    }

    /// The call of a persona's next stage. `None` where its interview ends here.
    fn call(
        &self,
        index: PersonaIndex,
        carried: Carried,
        templates: &Templates,
    ) -> Result<Option<Call>, Halt> {
        let stages = &self.interviewer.stages;
        let Some((persona, left_off, standing)) = self.read_persona(index)? else {
            return Ok(None);
        };
        let Next::Ask(stage) = stages.next(&standing) else { return Ok(None) };
        let asked = match stages.ask(stage, &persona, &standing) {
            Ok(asked) => asked,
            Err(error) => {
                let failure = Failure::new(FailureKind::BadRequest, error.to_string());
                self.fails(index, left_off.attempts, failure);
                return Ok(None);
            }
        };
        let to_repair = if carried.own_words {
            let last = self.reader.attempt(index, left_off.attempts)?;
            last.and_then(|attempt| Some((attempt.body?, attempt.failure?.message)))
        } else {
            None
        };
        let cap = stages.survey.max_output_tokens;
        let output_cap = if carried.cap_raised { raised(cap) } else { cap };
        let repair = to_repair.as_ref().map(|(reply, problem)| Repair { reply, problem });
        let body = templates.of(asked.form).body(&Question {
            user_prompt: &asked.prompt,
            output_cap,
            repair,
        });
        let line = BatchLine {
            persona: index,
            stage: if repair.is_some() { Stage::Repair } else { asked.stage },
            round: u16::try_from(standing.steps()).unwrap_or(u16::MAX),
            attempt: left_off.attempts + 1,
            failed: carried.failed,
            repaired: carried.repaired,
            cap_raised: carried.cap_raised,
        };
        let repeated = repair.map_or(0, Repair::at_most);
        let (tokens, most) = self.size(&asked, repeated, output_cap);
        Ok(Some(Call { line, body, tokens, most }))
    }

    /// About how many tokens a prompt has, and the most that the call can cost. What is repeated is
    /// the model's own text, and a token is at least a byte.
    fn size(&self, asked: &Asked, repeated: usize, output_cap: u32) -> (Tokens, Usd) {
        let interviewer = &self.interviewer;
        let shared = interviewer.stages.prompts.system(asked.form).len();
        let length = shared + asked.prompt.len() + repeated;
        let Tokens(bound) = interviewer.prompt_bound.of(asked.form, &asked.prompt);
        let endpoint = &interviewer.endpoints[self.endpoint.as_usize()];
        let most = endpoint.most_in_batch(Tokens(bound + repeated as u64), output_cap);
        (interviewer.prompt_tokens.estimate(length), most)
    }
}

/// The form that a stage's call has.
const fn form_of(stage: Stage) -> Form {
    match stage {
        // A vector has no form, and is never asked for in a batch.
        Stage::Answer | Stage::Repair | Stage::FollowUp | Stage::Mend | Stage::Embedding => {
            Form::Answer
        }
        // These are calls of the run or of a person: they never go out in a batch.
        Stage::Critique => Form::Critique,
        Stage::Chat => Form::Chat,
        Stage::Packed => Form::Packed,
        Stage::PackedReview => Form::PackedReview,
        Stage::Digest => Form::Digest,
        Stage::Summary => Form::Summary,
        Stage::Consistency | Stage::FinalConsistency => Form::Consistency,
        Stage::Relevance => Form::Relevance,
        Stage::Review => Form::Review,
    }
}
