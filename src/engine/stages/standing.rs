//! Where an interview stands, as a fold over what happened in it.

use crate::model::{Answer, Stage, Step, StepEvent, Verdict};

/// Where an interview stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reviewed {
    /// Verdicts so far, those that gave nothing included.
    pub asked: u8,
    /// What the last verdict found; empty where the answer holds.
    pub issues: Vec<String>,
    /// The last verdict was that the answer misses the question, and it is still the same answer.
    pub off_topic: bool,
}

/// Where an interview stands. A [`Default`] one has not begun.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct Standing {
    answer: Option<Answer>,
    steps: u32,
    follow_ups: u8,
    mends: u8,
    /// The answer is not the one that consistency was last judged of.
    changed: bool,
    /// A stage gave nothing, so that going round again would change nothing.
    stuck: bool,
    pub(super) consistency: Reviewed,
    pub(super) final_consistency: Reviewed,
    pub(super) relevance: Reviewed,
    pub(super) review: Reviewed,
    /// What is not mended, of whichever critic spoke last.
    open: Vec<String>,
    given_up: Vec<String>,
}

impl Standing {
    /// The standing of an interview with these steps.
    pub(in crate::engine) fn of(steps: &[Step]) -> Self {
        let mut standing = Self::default();
        for step in steps {
            standing.take(step.stage, &step.event);
        }
        standing
    }

    /// Takes in what happened.
    pub(in crate::engine) fn take(&mut self, stage: Stage, event: &StepEvent) {
        self.steps += 1;
        match event {
            StepEvent::Answered { answer } => {
                match stage {
                    Stage::FollowUp => self.follow_ups += 1,
                    Stage::Mend => self.mends += 1,
                    _ => {}
                }
                self.changed |= self.answer.as_ref().is_some_and(|before| before != answer);
                self.answer = Some(answer.clone());
                if stage == Stage::Mend {
                    self.relevance.off_topic = false;
                    self.review.off_topic = false;
                }
            }
            StepEvent::TopicsMissed { .. } => {}
            StepEvent::Judged { verdict, .. } => self.judged(stage, verdict),
            StepEvent::Corrected { answer, .. } => {
                self.answer = Some(answer.clone());
                self.changed = true;
            }
            StepEvent::GaveNothing { why } => self.gave_nothing(stage, why),
        }
        self.open = self.still_open();
    }

    fn judged(&mut self, stage: Stage, verdict: &Verdict) {
        let (issues, off_topic) = match verdict {
            Verdict::Holds => (Vec::new(), false),
            Verdict::NeedsChanges { issues, off_topic, .. } => (issues.clone(), *off_topic),
        };
        if matches!(stage, Stage::Consistency | Stage::FinalConsistency | Stage::Review) {
            self.changed = false;
        }
        if let Some(reviewed) = self.reviewed(stage) {
            *reviewed = Reviewed { asked: reviewed.asked + 1, issues, off_topic };
        }
    }

    fn gave_nothing(&mut self, stage: Stage, why: &str) {
        match stage {
            Stage::FollowUp => self.follow_ups += 1,
            Stage::Mend => {
                self.mends += 1;
                self.stuck = true;
            }
            _ => {
                if let Some(reviewed) = self.reviewed(stage) {
                    reviewed.asked += 1;
                    reviewed.off_topic = false;
                }
                self.stuck |= matches!(stage, Stage::Relevance | Stage::Review);
            }
        }
        self.given_up.push(format!("{}: {why}", stage.label()));
    }

    fn reviewed(&mut self, stage: Stage) -> Option<&mut Reviewed> {
        match stage {
            Stage::Consistency => Some(&mut self.consistency),
            Stage::FinalConsistency => Some(&mut self.final_consistency),
            Stage::Relevance => Some(&mut self.relevance),
            Stage::Review => Some(&mut self.review),
            Stage::Answer
            | Stage::Repair
            | Stage::FollowUp
            | Stage::Mend
            | Stage::Critique
            | Stage::Chat
            | Stage::Packed
            | Stage::Digest
            | Stage::Summary
            | Stage::Embedding => None,
        }
    }

    /// The last word of each critic that has spoken.
    fn still_open(&self) -> Vec<String> {
        let consistency = if self.final_consistency.asked > 0 {
            &self.final_consistency.issues
        } else {
            &self.consistency.issues
        };
        let all = consistency.iter().chain(&self.relevance.issues).chain(&self.review.issues);
        all.cloned().collect()
    }

    pub(in crate::engine) const fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// How many steps there were: the number of the next one.
    pub(in crate::engine) const fn steps(&self) -> u32 {
        self.steps
    }

    pub(super) const fn follow_ups(&self) -> u8 {
        self.follow_ups
    }

    pub(super) const fn mends(&self) -> u8 {
        self.mends
    }

    pub(super) const fn changed(&self) -> bool {
        self.changed
    }

    pub(super) const fn stuck(&self) -> bool {
        self.stuck
    }

    pub(super) const fn reviews(&self) -> u8 {
        self.review.asked
    }

    /// What critics found and nobody has mended.
    pub(super) fn open_issues(&self) -> &[String] {
        &self.open
    }

    /// The stages that gave nothing, in words.
    pub(super) fn given_up(&self) -> &[String] {
        &self.given_up
    }
}
