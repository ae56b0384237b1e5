use super::*;
use crate::{
    model::{
        InterviewStatus as S, LimitName, PauseReason, PersonaIndex, RunPhase, StopReason, Usd,
    },
    protocol::{CommandOutcome, LimitValue, Snapshot},
    ui::{
        fixture::{self, NOW, delta, last_delta, snapshot},
        keymap::Context,
    },
};

const WIDE: (u16, u16) = (120, 40);

/// A state with the numbers that orders get.
pub(super) struct Desk {
    pub(super) state: UiState,
    last_id: u64,
}

impl Desk {
    pub(super) fn new(total: u32) -> Self {
        Self::of(fixture::state(WIDE.0, WIDE.1, total))
    }

    pub(super) const fn of(state: UiState) -> Self {
        Self { state, last_id: 0 }
    }

    pub(super) fn apply(&mut self, input: Input) -> Vec<Effect> {
        fixture::apply(&mut self.state, input, &mut self.last_id)
    }

    pub(super) fn press(&mut self, action: Action) -> Vec<Effect> {
        self.apply(Input::Act(action))
    }

    pub(super) fn update(&mut self, update: Update) -> Vec<Effect> {
        self.apply(Input::Update(update))
    }

    pub(super) fn delta(&mut self, delta: Delta) -> Vec<Effect> {
        self.update(Update::Delta(Box::new(delta)))
    }

    pub(super) fn outcome(&mut self, outcome: CommandOutcome) {
        self.update(Update::Applied { id: CommandId(self.last_id), outcome });
    }

    pub(super) fn after(&mut self, millis: i64) -> Vec<Effect> {
        let now = UnixMillis(self.state.now.0 + millis);
        self.apply(Input::Ticked(now))
    }

    pub(super) fn notice(&self) -> &str {
        self.state.notice.as_ref().map_or("", |notice| &notice.text)
    }

    fn asked(&self, limit: LimitName) -> Option<u32> {
        self.state.orders.asked(limit, None, &self.state.run.as_ref().unwrap().meters)
    }

    fn cursor(&self) -> Option<u32> {
        self.state.grid.cursor.map(|cursor| cursor.persona.0)
    }
}

fn limit(limit: LimitName, to: u32) -> Vec<Effect> {
    let endpoint = Some(crate::model::EndpointIndex(0));
    vec![Effect::Send(Order::SetLimit { endpoint, limit, to: LimitValue::Exactly(to) })]
}

fn applied() -> CommandOutcome {
    CommandOutcome::Applied { what: "slots 50 -> 55".to_owned() }
}

fn inspect(persona: u32) -> Vec<Effect> {
    vec![Effect::Send(Order::Inspect { persona: PersonaIndex(persona) })]
}

#[test]
fn key_presses_add_up_though_the_engine_has_not_answered() {
    let mut desk = Desk::new(200);
    for to in [55, 60, 65] {
        assert_eq!(desk.press(Action::MoreSlots), limit(LimitName::Slots, to));
    }
    assert_eq!(desk.press(Action::FewerSlots), limit(LimitName::Slots, 60));
    assert_eq!(desk.press(Action::MoreRequests), limit(LimitName::RequestsPerMinute, 550));
    assert_eq!(desk.press(Action::FewerTokens), limit(LimitName::TokensPerMinute, 190_000));
}

#[test]
fn after_a_refusal_the_next_press_starts_from_what_holds() {
    let mut desk = Desk::new(200);
    desk.press(Action::MoreSlots);
    desk.outcome(CommandOutcome::Refused { why: "the plan ends at 50".to_owned() });
    assert_eq!(desk.notice(), "the plan ends at 50");
    assert_eq!(desk.state.notice.as_ref().unwrap().tone, Tone::Refused);
    assert_eq!(desk.press(Action::MoreSlots), limit(LimitName::Slots, 55));
}

#[test]
fn a_delta_older_than_the_change_does_not_undo_a_key_press() {
    let mut desk = Desk::new(200);
    desk.press(Action::MoreSlots);
    desk.outcome(applied());
    desk.delta(delta(&[]));
    assert_eq!(desk.press(Action::MoreSlots), limit(LimitName::Slots, 60));
}

#[test]
fn what_somebody_else_set_holds_once_it_has_shown_for_a_while() {
    let mut desk = Desk::new(200);
    desk.press(Action::MoreSlots);
    desk.outcome(applied());
    let mut later = delta(&[]);
    later.meters.endpoints[0].slots.target = 20;
    for _ in 0..5 {
        desk.delta(later.clone());
    }
    assert_eq!(desk.asked(LimitName::Slots), None);
    assert_eq!(desk.press(Action::MoreSlots), limit(LimitName::Slots, 22));
}

#[test]
fn a_rate_without_a_limit_can_be_given_one_but_not_raised() {
    let mut desk = Desk::new(200);
    let mut unlimited = delta(&[]);
    unlimited.meters.endpoints[0].requests.limit = None;
    desk.delta(unlimited);
    assert_eq!(desk.press(Action::MoreRequests), []);
    assert!(desk.notice().contains("no limit"), "{}", desk.notice());
    assert_eq!(desk.press(Action::FewerRequests), limit(LimitName::RequestsPerMinute, 400));
}

#[test]
fn pause_and_resume_take_turns_at_any_speed() {
    let mut desk = Desk::new(200);
    assert_eq!(desk.press(Action::TogglePause), [Effect::Send(Order::Pause)]);
    assert_eq!(desk.press(Action::TogglePause), [Effect::Send(Order::Resume)]);
    assert_eq!(desk.press(Action::TogglePause), [Effect::Send(Order::Pause)]);
    for id in 1..=3 {
        desk.update(Update::Applied { id: CommandId(id), outcome: applied() });
    }
    desk.delta(Delta { phase: RunPhase::Paused { reason: PauseReason::User }, ..delta(&[]) });
    assert_eq!(desk.press(Action::TogglePause), [Effect::Send(Order::Resume)]);
}

#[test]
fn retry_means_what_the_run_needs() {
    let mut desk = Desk::new(200);
    assert_eq!(desk.press(Action::Retry), [Effect::Send(Order::RetryFailed)]);
    let failure = crate::model::Failure::new(FailureKind::QuotaExhausted, "no money");
    let (spent, budget) = (crate::model::Usd::ZERO, crate::model::Usd::ZERO);
    for reason in
        [PauseReason::ProviderRefuses { failure }, PauseReason::BudgetSpent { spent, budget }]
    {
        desk.delta(Delta { phase: RunPhase::Paused { reason }, ..delta(&[]) });
        assert_eq!(desk.press(Action::Retry), [Effect::Send(Order::Resume)]);
    }
    desk.delta(last_delta(RunPhase::Finished));
    assert_eq!(desk.press(Action::Retry), [Effect::Send(Order::RetryFailed)]);

    let mut nothing = Desk::new(4);
    assert_eq!(nothing.press(Action::Retry), []);
    assert!(nothing.notice().contains("nothing has failed"));
}

#[test]
fn quitting_is_a_choice_and_leaves_once_the_run_has_stopped() {
    let stopped = || last_delta(RunPhase::Stopped { reason: StopReason::Asked });
    for (action, order) in
        [(Action::FinishAndStop, Order::FinishAndStop), (Action::StopNow, Order::StopNow)]
    {
        let mut desk = Desk::new(200);
        assert_eq!(desk.press(Action::Quit), []);
        assert_eq!(desk.state.context(), Context::Quit);
        assert_eq!(desk.press(action), [Effect::Send(order)]);
        assert_eq!(desk.state.context(), Context::Dashboard);
        assert_eq!(desk.delta(delta(&[])), []);
        assert_eq!(desk.delta(stopped()), [Effect::Leave(Exit::Left)]);
    }
    let mut desk = Desk::new(200);
    desk.press(Action::Quit);
    desk.press(Action::Back);
    let effects = desk.delta(stopped());
    assert!(matches!(effects[..], [Effect::Alarm(_)]), "nobody here asked to leave: {effects:?}");
    assert_eq!(desk.press(Action::Quit), [Effect::Leave(Exit::Left)]);
}

#[test]
fn interrupts_go_from_the_menu_to_stop_now_to_leaving() {
    let mut desk = Desk::new(200);
    assert_eq!(desk.press(Action::Interrupt), []);
    assert_eq!(desk.state.overlay, Overlay::Quit);
    assert_eq!(desk.press(Action::Interrupt), [Effect::Send(Order::StopNow)]);
    assert_eq!(desk.press(Action::Interrupt), [Effect::Leave(Exit::Left)]);
}

#[test]
fn a_dashboard_of_an_engine_elsewhere_can_be_left_alone() {
    let attached = |attachment| {
        let mut desk = Desk::new(200);
        desk.state.attachment = attachment;
        desk
    };
    let left = [Effect::Leave(Exit::Detached)];
    let mut desk = attached(Attachment::Control);
    assert_eq!(desk.press(Action::Quit), []);
    assert_eq!(desk.press(Action::Detach), left);
    assert_eq!(desk.apply(Input::AskedToStop), left, "a signal stops the dashboard alone");
    for action in [Action::Quit, Action::Interrupt] {
        assert_eq!(attached(Attachment::ReadOnly).press(action), left);
    }
    let mut own = attached(Attachment::InProcess);
    own.press(Action::Quit);
    assert_eq!(own.press(Action::Detach), []);
}

#[test]
fn an_engine_that_is_not_heard_is_told_until_it_is_back() {
    let mut desk = Desk::new(200);
    desk.update(Update::Reconnecting);
    assert!(desk.state.reconnecting);
    desk.update(Update::Snapshot(Box::new(snapshot(200))));
    assert!(!desk.state.reconnecting);
}

#[test]
fn signals_finish_first_and_then_stop() {
    let mut desk = Desk::new(200);
    assert_eq!(desk.apply(Input::AskedToStop), [Effect::Send(Order::FinishAndStop)]);
    assert_eq!(desk.apply(Input::AskedToStop), [Effect::Send(Order::StopNow)]);
    let mut over = Desk::new(200);
    over.delta(last_delta(RunPhase::Finished));
    assert_eq!(over.apply(Input::AskedToStop), [Effect::Leave(Exit::Left)]);
}

#[test]
fn an_engine_that_is_gone_ends_the_dashboard_only_before_the_end() {
    let mut desk = Desk::new(200);
    assert_eq!(desk.apply(Input::EngineGone), [Effect::Leave(Exit::EngineGone)]);
    let mut over = Desk::new(200);
    over.delta(last_delta(RunPhase::Finished));
    assert_eq!(over.apply(Input::EngineGone), []);
    assert_eq!(over.press(Action::NextFailed), [], "nobody is there to be asked");
}

#[test]
fn a_run_that_needs_a_person_calls_one_once() {
    let spent = PauseReason::BudgetSpent { spent: Usd::ZERO, budget: Usd::ZERO };
    let standing = |reason| Delta { phase: RunPhase::Paused { reason }, ..delta(&[]) };
    let mut desk = Desk::new(200);
    desk.apply(Input::Focused(true));
    assert_eq!(desk.delta(standing(PauseReason::User)), [], "it was a person");
    let effects = desk.delta(standing(spent.clone()));
    let [Effect::Alarm(words)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(words.contains("is paused") && words.contains("budget"), "{words}");
    assert_eq!(desk.delta(standing(spent.clone())), []);
    desk.delta(delta(&[]));
    assert_eq!(desk.delta(standing(spent.clone())).len(), 1, "it happened again");
    // Who joins such a run sees it.
    let mut state = fixture::state(WIDE.0, WIDE.1, 200);
    state.run = None;
    let mut late = Desk::of(state);
    let phase = RunPhase::Paused { reason: spent };
    let snapshot = Snapshot { phase, ..snapshot(200) };
    assert_eq!(late.update(Update::Snapshot(Box::new(snapshot))), []);
}

#[test]
fn the_end_calls_everybody_but_who_is_known_to_look() {
    let mut desk = Desk::new(200);
    desk.apply(Input::Focused(true));
    assert_eq!(desk.delta(last_delta(RunPhase::Finished)), []);
    // Many terminals never say.
    let mut unknown = Desk::new(200);
    let effects = unknown.delta(last_delta(RunPhase::Finished));
    assert!(matches!(effects.as_slice(), [Effect::Alarm(_)]), "{effects:?}");
    let mut away = Desk::new(200);
    away.apply(Input::Focused(false));
    let effects = away.delta(last_delta(RunPhase::Finished));
    let [Effect::Alarm(words)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(words.contains("done") && words.contains("1 failed"), "{words}");
    // A finished run that is only opened is no news.
    let mut opened = UiState::new(Size { width: 120, height: 40 }, NOW, true);
    opened.apply(Input::Focused(false));
    let mut shown = snapshot(200);
    shown.header.live = false;
    shown.phase = RunPhase::Finished;
    assert_eq!(opened.apply(Input::Update(Update::Snapshot(Box::new(shown)))), []);
}

#[test]
fn a_dashboard_that_shall_not_stay_leaves_at_the_end() {
    let mut state = UiState::new(Size { width: 80, height: 24 }, NOW, false);
    state.apply(Input::Update(Update::Snapshot(Box::new(snapshot(10)))));
    let end = Input::Update(Update::Delta(Box::new(last_delta(RunPhase::Finished))));
    let effects = state.apply(end);
    let [Effect::Alarm(_), Effect::Leave(Exit::Left)] = &effects[..] else { panic!("{effects:?}") };
}

#[test]
fn a_run_that_is_only_looked_at_takes_no_orders() {
    let mut desk = Desk::new(200);
    let mut shown = snapshot(200);
    shown.header.live = false;
    desk.update(Update::Snapshot(Box::new(shown)));
    for action in [Action::MoreSlots, Action::TogglePause] {
        assert_eq!(desk.press(action), []);
        assert!(desk.notice().contains("only looked at"), "{}", desk.notice());
    }
    assert_eq!(desk.press(Action::Quit), [Effect::Leave(Exit::Left)]);
}

#[test]
fn a_persona_is_asked_for_when_it_is_looked_at_and_when_it_changes() {
    let mut desk = Desk::new(200);
    assert_eq!(desk.press(Action::NextFailed), inspect(41));
    assert_eq!(desk.after(5_000), inspect(41), "no answer came");
    desk.update(Update::Detail(Box::new(fixture::detail(41, S::Failed))));
    assert_eq!(desk.after(60_000), [], "a failed persona stays as it is");
    assert_eq!(desk.delta(delta(&[(41, S::InFlight)])), inspect(41));
    desk.update(Update::Detail(Box::new(fixture::detail(41, S::InFlight))));
    assert_eq!(desk.after(400), []);
    assert_eq!(desk.after(700), inspect(41), "in progress: once a second");
    desk.press(Action::Back);
    assert_eq!(desk.after(5_000), [], "nobody looks any more");
}

#[test]
fn the_answer_about_another_persona_comes_too_late() {
    let mut desk = Desk::new(200);
    desk.press(Action::NextFailed);
    desk.update(Update::Detail(Box::new(fixture::detail(7, S::Done))));
    assert_eq!(desk.state.inspection.as_ref().unwrap().detail, None);
}

#[test]
fn one_key_goes_to_the_cause() {
    let mut desk = Desk::new(200);
    desk.press(Action::Open);
    assert_eq!((desk.cursor(), desk.state.inspector_open), (Some(41), true));
    desk.press(Action::Back);
    assert_eq!((desk.cursor(), desk.state.inspector_open), (Some(41), false));
    // From the errors, to the persona that had the selected one last.
    desk.press(Action::NextPanel);
    assert_eq!(desk.state.focus, Panel::Errors);
    desk.press(Action::MoveDown);
    desk.press(Action::MoveDown);
    desk.press(Action::MoveDown);
    desk.press(Action::MoveUp);
    desk.press(Action::MoveUp);
    desk.press(Action::Open);
    assert_eq!(desk.state.error_selected, Some(FailureKind::RateLimitedTokens));
}

#[test]
fn next_failed_goes_round_and_says_where_there_is_none() {
    let mut desk = Desk::new(1_000);
    let failed: Vec<u32> = desk
        .state
        .run
        .as_ref()
        .unwrap()
        .statuses
        .iter()
        .zip(0..)
        .filter_map(|(s, n)| (*s == S::Failed).then_some(n))
        .collect();
    assert!(failed.len() >= 2);
    for &n in failed.iter().chain(&failed[..1]) {
        desk.press(Action::NextFailed);
        assert_eq!(desk.cursor(), Some(n));
    }
    desk.press(Action::PreviousFailed);
    assert_eq!(desk.cursor(), failed.last().copied());
    let mut none = Desk::new(4);
    none.press(Action::NextFailed);
    assert_eq!(none.cursor(), None);
    assert!(none.notice().contains("nothing has failed"));
}

#[test]
fn enter_zooms_until_a_cell_is_one_persona_and_then_inspects() {
    let mut desk = Desk::new(100_000);
    desk.press(Action::First);
    let mut presses = 0;
    while !desk.state.inspector_open {
        desk.press(Action::Open);
        presses += 1;
        assert!(presses < 5);
    }
    assert!(presses > 1 && desk.state.grid.zoomed());
    for _ in 0..5 {
        desk.press(Action::Back);
    }
    assert!(!desk.state.grid.zoomed());
    assert_eq!(desk.cursor(), None);
}

#[test]
fn the_prompt_finds_numbers_and_statuses() {
    let mut desk = Desk::new(200);
    for (typed, found) in [("123", Some(123)), ("refused", Some(17)), ("flight", Some(48))] {
        desk.press(Action::First);
        desk.press(Action::Find);
        for c in typed.chars().chain(['x']) {
            desk.apply(Input::Typed(c));
        }
        desk.press(Action::Erase);
        desk.press(Action::Open);
        assert_eq!(desk.cursor(), found, "{typed}");
    }
    for (typed, why) in [("5000", "there is no persona"), ("banana", "neither a number")] {
        desk.press(Action::Find);
        typed.chars().for_each(|c| {
            desk.apply(Input::Typed(c));
        });
        desk.press(Action::Open);
        assert!(desk.notice().contains(why), "{}", desk.notice());
    }
}

#[test]
fn a_frozen_display_catches_up_and_thaws_when_the_phase_changes() {
    let mut desk = Desk::new(200);
    desk.press(Action::Freeze);
    desk.after(10_000);
    desk.delta(delta(&[(150, S::InFlight)]));
    desk.delta(delta(&[(150, S::Done), (151, S::InFlight)]));
    let status = |desk: &Desk, n| desk.state.run.as_ref().unwrap().status(PersonaIndex(n));
    assert_eq!(status(&desk, 150), Some(S::Queued));
    assert_eq!(desk.state.now(), NOW);
    desk.press(Action::Freeze);
    assert_eq!((status(&desk, 150), status(&desk, 151)), (Some(S::Done), Some(S::InFlight)));
    desk.press(Action::Freeze);
    desk.delta(delta(&[(152, S::InFlight)]));
    desk.delta(last_delta(RunPhase::Finished));
    assert!(desk.state.frozen.is_none());
    assert_eq!(status(&desk, 152), Some(S::InFlight));
}

#[test]
fn a_change_for_a_persona_that_is_not_there_asks_for_the_snapshot() {
    let mut desk = Desk::new(10);
    assert_eq!(desk.delta(delta(&[(10, S::Done)])), [Effect::Send(Order::SendSnapshot)]);
    let mut early = UiState::new(Size { width: 80, height: 24 }, NOW, true);
    let effects = early.apply(Input::Update(Update::Delta(Box::new(delta(&[])))));
    assert_eq!(effects, [Effect::Send(Order::SendSnapshot)]);
}

#[test]
fn a_persona_is_written_beside_its_run_file_under_a_harmless_name() {
    let mut desk = Desk::new(200);
    assert_eq!(desk.press(Action::WriteFile), []);
    desk.press(Action::NextFailed);
    desk.update(Update::Detail(Box::new(fixture::detail(41, S::Failed))));
    let effects = desk.press(Action::Copy);
    let [Effect::Write { directory, name, text, copy: true }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(directory, &PathBuf::from("/runs"));
    assert_eq!(name, "parking-minimums-7f3a-persona-41.txt");
    assert!(text.contains("no \"survey\"") && text.contains("You are a nurse"), "{text}");
    let path = Ok(PathBuf::from("/runs/x.txt"));
    desk.apply(Input::Written { copied: Copied::Yes, result: path });
    assert_eq!(desk.notice(), "copied, and wrote /runs/x.txt");
}

#[test]
fn the_clock_ticks_only_while_it_shows() {
    let mut desk = Desk::new(200);
    assert!(desk.state.ticks());
    // In flight when it is paused: that goes on.
    let paused = RunPhase::Paused { reason: PauseReason::User };
    desk.delta(Delta { phase: paused.clone(), ..delta(&[]) });
    assert!(desk.state.ticks());
    let landed: Vec<_> = (0..200)
        .filter(|&n| fixture::statuses(200)[n as usize] == S::InFlight)
        .map(|n| (n, S::Done))
        .collect();
    desk.delta(Delta { phase: paused, ..delta(&landed) });
    assert!(!desk.state.ticks());
    desk.delta(last_delta(RunPhase::Finished));
    assert!(!desk.state.ticks());
    desk.press(Action::MoreSlots);
    assert!(desk.state.ticks(), "an outcome is shown for a moment");
    desk.after(60_000);
    assert!(!desk.state.ticks());
}
