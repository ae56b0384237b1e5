//! Carrying out what front ends order. Every command has a visible outcome.

use super::{
    reading::{Asker, Request},
    supervisor::Supervisor,
};
use crate::{
    model::{
        EndpointIndex, InterviewStatus, LimitChange, LimitName, LimitSetBy, PauseReason, RunPhase,
        StopReason,
    },
    protocol::{Command, CommandOutcome, FrontEndId, Incoming, LimitValue, Order},
    store::Record,
};
use std::sync::atomic::Ordering;

impl Supervisor {
    /// A front end came, ordered something, or went.
    pub(super) fn receive(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Joined { from, outlet, stays } => {
                self.publisher.join(from, outlet, stays);
                self.publish_snapshot(from);
            }
            Incoming::Ordered { from, command } => self.carry_out(from, command),
            Incoming::Left { from } => {
                self.publisher.leave(from);
                self.talks.left_all(from);
            }
        }
    }

    fn carry_out(&mut self, from: FrontEndId, Command { id, order }: Command) {
        let outcome = match order {
            Order::SetLimit { endpoint, limit, to } => self.set_limit(endpoint, limit, to),
            Order::SetAdaptation { on } => self.set_adaptation(on),
            Order::SetBatch { on } => self.set_batch(on),
            Order::CancelBatches => self.cancel_batches(),
            Order::Pause => match &self.state.phase {
                RunPhase::Running => {
                    self.paused_by_user = true;
                    self.pause(PauseReason::User);
                    applied("paused: nothing new is sent")
                }
                _ => refused("only a running run can be paused; this one is not running"),
            },
            Order::Resume => match &self.state.phase {
                RunPhase::Paused { .. } if self.stalled => {
                    refused("the run file cannot be written yet: make room on the disk")
                }
                RunPhase::Paused { .. } => {
                    self.resume();
                    applied("resumed")
                }
                RunPhase::Running if self.limiter.put_back() > 0 => {
                    applied("asking the endpoints that were out of service again")
                }
                _ => refused("the run is not paused"),
            },
            Order::RetryFailed => self.retry_failed(),
            Order::Inspect { persona } => {
                if self.state.status(persona).is_none() {
                    let last = self.state.total().saturating_sub(1);
                    refused(&format!("there is no persona {persona}; the last one is {last}"))
                } else {
                    // The outcome follows when it was read.
                    let by = Asker { front_end: from, command: id };
                    return self.reading.ask(Request::Inspect(persona, by));
                }
            }
            Order::OpenTalk { persona } => {
                let by = Asker { front_end: from, command: id };
                if let Some(outcome) = self.open_talk(persona, by) {
                    self.publisher.applied(from, id, outcome);
                }
                return;
            }
            Order::Say { persona, text } => {
                let outcome = self.say(persona, &text);
                return self.publisher.applied(from, id, outcome);
            }
            Order::CloseTalk { persona } => {
                self.talks.left(persona, from);
                return self.publisher.applied(from, id, applied("the talk is kept"));
            }
            Order::SendSnapshot => {
                self.publish_snapshot(from);
                return self.publisher.applied(from, id, applied("sent again"));
            }
            Order::ChangeSpeed { .. } => {
                refused("this run is live: only `voxpop open RUN --replay` has a speed")
            }
            Order::FinishAndStop => {
                let batches = self.desk.open();
                self.drain();
                let left = match batches {
                    0 => String::new(),
                    1 => "; 1 batch stays with the provider, and `voxpop resume` goes on with it"
                        .to_owned(),
                    many => format!(
                        "; {many} batches stay with the provider, and `voxpop resume` goes on with \
                         them"
                    ),
                };
                applied(&format!(
                    "stopping after {} in flight{left}",
                    self.state.in_progress() + self.analysis.at_work()
                ))
            }
            Order::StopNow => {
                self.drain();
                self.desk.stop_now();
                self.break_talks_off();
                self.abort(|_| true);
                self.analysis.stop(true);
                applied("stopping now")
            }
        };
        match &outcome {
            CommandOutcome::Applied { what } => tracing::info!("{what}"),
            CommandOutcome::Refused { why } => tracing::warn!("refused: {why}"),
        }
        self.publisher.applied(from, id, outcome);
        self.publish_delta();
    }

    fn set_limit(
        &mut self,
        endpoint: Option<EndpointIndex>,
        limit: LimitName,
        to: LimitValue,
    ) -> CommandOutcome {
        let value = match to {
            LimitValue::Exactly(value) => Some(value),
            LimitValue::Unlimited => None,
        };
        let reason = "set by hand";
        match self.limiter.set_limit(endpoint, limit, value, LimitSetBy::User, reason) {
            Ok(changes) => {
                for change in changes {
                    self.keep_change(change);
                }
                let words = |value: Option<u32>| {
                    value.map_or_else(|| "unlimited".to_owned(), |value| value.to_string())
                };
                // What the provider allows may be less.
                let asked = endpoint.unwrap_or(EndpointIndex(0));
                let holds = self.limiter.limits(asked).map(|limits| limits.get(limit));
                let held = match holds {
                    Some(holds) if holds != value => {
                        format!("; in force is {}", words(holds))
                    }
                    _ => String::new(),
                };
                applied(&format!("{} now {}{held}", limit.label(), words(value)))
            }
            Err(error) => refused(&error.to_string()),
        }
    }

    fn set_adaptation(&mut self, on: bool) -> CommandOutcome {
        self.limiter.set_adaptation(on);
        self.writer.write(Record::AdaptationSwitched { on });
        self.publisher.touch();
        applied(if on {
            "limits adapt to what the providers say"
        } else {
            "limits hold where they were set"
        })
    }

    /// A limit has changed by itself: what took something away is worth a line that people see.
    pub(super) fn note_change(&mut self, change: LimitChange) {
        let LimitChange { endpoint, limit, from, to, reason, .. } = &change;
        let words =
            |value: &Option<u32>| value.map_or_else(|| "unlimited".to_owned(), |v| v.to_string());
        let name = &self.interviewer.endpoints[endpoint.as_usize()].name;
        let (label, from_words, to_words) = (limit.label(), words(from), words(to));
        let less = to.is_some_and(|to| from.is_none_or(|from| to < from));
        if less || change.set_by == LimitSetBy::Header {
            tracing::warn!("{name}: {label} {from_words} -> {to_words}: {reason}");
        } else {
            tracing::debug!("{name}: {label} {from_words} -> {to_words}: {reason}");
        }
        self.keep_change(change);
    }

    /// A limit has changed, whoever did it: on file, and on every screen.
    pub(super) fn keep_change(&mut self, change: LimitChange) {
        self.publisher.changed(change.clone());
        self.writer.write(Record::LimitChanged(change));
    }

    fn retry_failed(&mut self) -> CommandOutcome {
        if self.stop.is_some() {
            return refused("the run is stopping; `voxpop retry` asks the failed afterwards");
        }
        let failed = self.state.all_with(InterviewStatus::Failed);
        if failed.is_empty() {
            return refused("no persona has failed: there is nobody to ask again");
        }
        for &persona in &failed {
            self.writer.write(Record::Requeued { persona });
            self.give_back(persona);
        }
        self.fresh = false;
        self.meters.forget_failed();
        self.analysis.again();
        self.desk.again();
        if self.ended.take().is_some() {
            self.meters.restart_clock();
            self.resume();
        }
        applied(&format!("asking {} failed again", failed.len()))
    }

    pub(super) fn pause(&mut self, reason: PauseReason) {
        // The first reason stands: the others follow from it. A draining run stays so.
        let yields = match &self.state.phase {
            RunPhase::Running => true,
            RunPhase::Paused { reason: PauseReason::User } => reason != PauseReason::User,
            _ => false,
        };
        if yields {
            tracing::warn!("paused: {reason}");
            self.limiter.pause();
            self.enter(RunPhase::Paused { reason });
        }
    }

    /// Goes on because a person says so, who has mended what was wrong.
    pub(super) fn resume(&mut self) {
        self.limiter.put_back();
        self.go_on();
    }

    pub(super) fn go_on(&mut self) {
        self.paused_by_user = false;
        self.limiter.resume();
        self.enter(RunPhase::Running);
    }

    /// Starts nothing more; what waits goes back, what is in flight goes on.
    pub(super) fn drain(&mut self) {
        if self.ended.is_some() {
            self.stop = Some(StopReason::Asked);
            return;
        }
        if self.stop.is_none() {
            self.stop = Some(match &self.state.phase {
                RunPhase::Paused { reason } if *reason != PauseReason::User => {
                    StopReason::Unmended { pause: reason.clone() }
                }
                _ => StopReason::Asked,
            });
            self.interviewer.stopping.store(true, Ordering::Release);
            self.limiter.pause();
            self.desk.stop();
            self.abort(|status| status != InterviewStatus::InFlight);
            self.analysis.stop(false);
            self.enter(RunPhase::Draining);
        }
    }
}

pub(super) fn applied(what: &str) -> CommandOutcome {
    CommandOutcome::Applied { what: what.to_owned() }
}

pub(super) fn refused(why: &str) -> CommandOutcome {
    CommandOutcome::Refused { why: why.to_owned() }
}
