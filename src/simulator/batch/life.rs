//! The life of a batch after its creation: validation, its lines one after the other, the end.

use super::{
    check::{self, Checked, LineAt, Problem},
    files::Purpose,
    line::{LineIn, write_expired, write_reply},
    registry::{BatchStats, Status},
};
use crate::simulator::{accounts::KeyId, chance::Chance, service::Service};
use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::Arc,
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

/// Into how many steps the work on a batch is cut, so that its counts can be seen to grow.
const STEPS: usize = 100;

/// The most lines of a step: a provider that is to stop waits for no more.
const LONGEST_STEP: usize = 250;

/// Takes a batch from its creation to its end.
pub async fn live(service: Arc<Service>, id: String) {
    if let Err(error) = try_to_live(&service, &id).await {
        let problem = Problem {
            code: "server_error",
            message: format!("The simulator's temporary folder fails: {error}"),
            param: None,
            line: None,
        };
        fail(&service, &id, vec![problem]);
    }
}

async fn try_to_live(service: &Arc<Service>, id: &str) -> io::Result<()> {
    let known = service.batches.with(id, |batch| {
        let order = &batch.order;
        let input = service.files.find(&order.input_file_id, order.group);
        (input.ok(), order.clone(), batch.number, Arc::clone(&batch.cancel))
    });
    let Some((Some(input), order, number, cancel)) = known else {
        return Err(io::Error::other("the input file is gone"));
    };
    let checked = {
        let (service, path) = (Arc::clone(service), input.path.clone());
        blocking(move || check::check(&service, &path, &order.endpoint)).await?
    };
    let checked = match checked.and_then(|checked| enqueue(service, id, checked)) {
        Ok(checked) => checked,
        Err(problems) => {
            fail(service, id, problems);
            return Ok(());
        }
    };
    let chance = service.chance(b"batch").with_number(number);
    let mut work = Work::new(service, id, order.key, File::open(&input.path)?, chance)?;
    let begins = service.batches.with(id, |batch| {
        let begins = batch.status == Status::Validating;
        if begins {
            batch.set(Status::InProgress);
        }
        begins
    });
    let mut cancelled = begins != Some(true);
    let mut lines = checked.lines;
    shuffle(&mut lines, chance.with(b"order"));
    let started = Instant::now();
    let takes = service.options.batch.takes;
    let step = lines.len().div_ceil(STEPS).clamp(1, LONGEST_STEP);
    let steps = lines.len().div_ceil(step);
    for (done, lines) in lines.chunks(step).enumerate() {
        if cancelled {
            break;
        }
        let lines = lines.to_vec();
        work = blocking(move || work.step(&lines).map(|()| work)).await?;
        service.batches.with(id, |batch| {
            batch.counts.completed = work.done.lines_answered;
            batch.counts.failed = work.done.lines_failed + work.done.lines_expired;
        });
        let due = started + takes.mul_f64((done + 1) as f64 / steps as f64);
        tokio::select! {
            () = sleep_until(due) => {}
            () = cancel.notified() => {}
        }
        cancelled = service.batches.with(id, |batch| batch.status) == Some(Status::Cancelling);
    }
    // A cancel that comes after this comes too late.
    let finalizes = service.batches.with(id, |batch| {
        let finalizes = batch.status == Status::InProgress;
        if finalizes {
            batch.set(Status::Finalizing);
        }
        finalizes
    });
    let cancelled = finalizes != Some(true);
    let expired = work.done.lines_expired > 0;
    let (output, errors) = blocking(move || work.finish(order.group)).await?;
    let status = match (cancelled, expired) {
        (true, _) => Status::Cancelled,
        (false, true) => Status::Expired,
        (false, false) => Status::Completed,
    };
    service.batches.with(id, |batch| {
        batch.output_file_id = output;
        batch.error_file_id = errors;
        batch.set(status);
    });
    service.batches.count(|stats| match status {
        Status::Cancelled => stats.cancelled += 1,
        Status::Expired => stats.expired += 1,
        _ => stats.completed += 1,
    });
    Ok(())
}

/// Lets a batch into the queue of its model, where the cap leaves room for it.
fn enqueue(service: &Service, id: &str, checked: Checked) -> Result<Checked, Vec<Problem>> {
    let most = service.options.batch.enqueued_tokens;
    let Checked { lines, model, prompt_tokens } = &checked;
    let most_tokens = most.unwrap_or(u64::MAX);
    if service.batches.enqueue(id, model, lines.len(), *prompt_tokens, most_tokens) {
        return Ok(checked);
    }
    let message = format!(
        "Enqueued token limit reached for {model} in organization org-simulator. Limit: \
         {most_tokens} enqueued tokens. Please try again once some in_progress batches have been \
         completed."
    );
    Err(vec![Problem { code: "token_limit_exceeded", message, param: None, line: None }])
}

fn fail(service: &Service, id: &str, problems: Vec<Problem>) {
    service.batches.with(id, |batch| {
        batch.problems = problems;
        batch.set(Status::Failed);
    });
    service.batches.count(|stats| stats.failed += 1);
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Puts the lines in no order (Fisher and Yates, 1938).
fn shuffle(lines: &mut [LineAt], chance: Chance) {
    for end in (1..lines.len()).rev() {
        lines.swap(end, chance.with_number(end as u64).below(end + 1));
    }
}

/// What is at work on a batch's lines.
struct Work {
    service: Arc<Service>,
    key: KeyId,
    input: File,
    output: Part,
    errors: Part,
    chance: Chance,
    name: String,
    done: BatchStats,
}

/// One of the two files that come of a batch.
struct Part {
    id: String,
    path: PathBuf,
    file: BufWriter<File>,
    lines: u64,
}

impl Part {
    fn new(service: &Service) -> io::Result<Self> {
        let (id, path) = service.files.place()?;
        let file = BufWriter::new(File::create(&path)?);
        Ok(Self { id, path, file, lines: 0 })
    }

    /// Keeps it where there is anything in it.
    fn finish(mut self, work: &Service, name: String, group: usize) -> io::Result<Option<String>> {
        self.file.flush()?;
        if self.lines == 0 {
            std::fs::remove_file(&self.path)?;
            return Ok(None);
        }
        work.files.keep(&self.id, &self.path, name, Purpose::BatchOutput, group)?;
        Ok(Some(self.id))
    }
}

impl Work {
    fn new(
        service: &Arc<Service>,
        id: &str,
        key: KeyId,
        input: File,
        chance: Chance,
    ) -> io::Result<Self> {
        Ok(Self {
            service: Arc::clone(service),
            key,
            input,
            output: Part::new(service)?,
            errors: Part::new(service)?,
            chance,
            name: id.to_owned(),
            done: BatchStats::default(),
        })
    }

    /// Answers so many lines.
    fn step(&mut self, lines: &[LineAt]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.resize(line.length, 0);
            self.input.seek(SeekFrom::Start(line.offset))?;
            self.input.read_exact(&mut bytes)?;
            self.line(&serde_json::from_slice(&bytes)?)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &LineIn<'_>) -> io::Result<()> {
        let (Some(id), Some(body)) = (&line.custom_id, line.body) else {
            return Err(io::Error::other("a line lost its parts since it was checked"));
        };
        let (body, options) = (body.get().as_bytes(), self.service.options.batch);
        let chance = self.chance.with(id.as_bytes());
        let number = chance.bits();
        if chance.with(b"expired").happens(options.expired) {
            self.done.lines_expired += 1;
            self.service.batches.count(|stats| stats.lines_expired += 1);
            self.errors.lines += 1;
            return write_expired(&mut self.errors.file, number, id);
        }
        let reply = if chance.with(b"failed").happens(options.failed) {
            self.service.batched_failure()
        } else {
            self.service.batched(self.key, body)
        };
        let part = if reply.status == 200 {
            self.done.lines_answered += 1;
            self.service.batches.answered(&self.service, body);
            &mut self.output
        } else {
            self.done.lines_failed += 1;
            self.service.batches.count(|stats| stats.lines_failed += 1);
            &mut self.errors
        };
        part.lines += 1;
        write_reply(&mut part.file, number, id, &reply)?;
        let strange = chance.with(b"strange");
        if strange.happens(options.strange) {
            let unknown = format!("{id}-unknown");
            let name = if strange.with(b"doubled").happens(0.5) { id } else { &*unknown };
            write_reply(&mut part.file, number, name, &reply)?;
        }
        Ok(())
    }

    /// Keeps the two files and gives back their ids.
    fn finish(self, group: usize) -> io::Result<(Option<String>, Option<String>)> {
        let Self { service, output, errors, name, .. } = self;
        let output = output.finish(&service, format!("{name}_output.jsonl"), group)?;
        let errors = errors.finish(&service, format!("{name}_error.jsonl"), group)?;
        Ok((output, errors))
    }
}
