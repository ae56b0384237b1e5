//! Limits, adaptation and the endpoint they are meant for.

use super::{tests::Desk, *};
use crate::{
    model::{LimitChange, LimitName, LimitSetBy},
    protocol::{CommandOutcome, LimitValue},
    ui::{
        fixture::{self, NOW, several_delta},
        layout::Tier,
    },
};

fn desk() -> Desk {
    Desk::of(fixture::several(120, 40))
}

fn set(endpoint: u16, limit: LimitName, to: u32) -> Effect {
    let endpoint = Some(EndpointIndex(endpoint));
    Effect::Send(Order::SetLimit { endpoint, limit, to: LimitValue::Exactly(to) })
}

/// Goes to the panel of the endpoints, and to one of its lines.
fn choose(desk: &mut Desk, line: usize) {
    while desk.state.focus != Panel::Endpoints {
        desk.press(Action::NextPanel);
    }
    for _ in 0..9 {
        desk.press(Action::MoveUp);
    }
    for _ in 0..line {
        desk.press(Action::MoveDown);
    }
    desk.press(Action::Open);
}

#[test]
fn a_key_moves_every_endpoint_by_a_step_of_its_own() {
    let mut desk = desk();
    assert_eq!(
        desk.press(Action::FewerSlots),
        [(0, 38), (1, 19), (2, 38)].map(|(n, to)| set(n, LimitName::Slots, to))
    );
    // The targets of all, but for those of endpoints that serve nobody.
    let meters = &desk.state.run.as_ref().unwrap().meters;
    assert_eq!(desk.state.orders.asked(LimitName::Slots, None, meters), Some(38));
    assert_eq!(desk.state.orders.asked(LimitName::TokensPerMinute, None, meters), None);
}

#[test]
fn enter_on_an_endpoint_tunes_it_alone_and_esc_lets_go() {
    let mut desk = desk();
    choose(&mut desk, 1);
    assert_eq!(desk.state.only, Some(EndpointIndex(1)));
    assert!(!desk.state.inspector_open);
    assert_eq!(desk.press(Action::MoreRequests), [set(1, LimitName::RequestsPerMinute, 320)]);
    assert_eq!(desk.press(Action::MoreRequests), [set(1, LimitName::RequestsPerMinute, 340)]);
    desk.outcome(CommandOutcome::Applied { what: "requests/min now 340".to_owned() });
    assert_eq!(desk.notice(), "azure-sweden: requests/min now 340");
    desk.press(Action::Back);
    assert_eq!((desk.state.only, desk.state.focus), (None, Panel::Endpoints));
    assert_eq!(desk.press(Action::MoreSlots).len(), 3);
    desk.press(Action::Back);
    assert_eq!(desk.state.focus, Panel::Grid);
}

#[test]
fn what_cannot_be_seen_is_not_tuned_alone() {
    let mut desk = desk();
    choose(&mut desk, 2);
    for (width, height) in [(80, 24), (60, 16)] {
        desk.apply(Input::Resized(Size { width, height }));
        assert_eq!(desk.state.only, Some(EndpointIndex(2)));
    }
    desk.apply(Input::Resized(Size { width: 40, height: 10 }));
    assert_eq!((desk.state.places.tier, desk.state.only), (Tier::Counters, None));
    assert!(!desk.state.panels().contains(&Panel::Endpoints));
    // A run with one endpoint has no panel for it.
    let mut one = Desk::new(20);
    assert!(!one.state.panels().contains(&Panel::Endpoints));
    for _ in 0..9 {
        one.press(Action::NextPanel);
        assert_ne!(one.state.focus, Panel::Endpoints);
    }
}

/// A limit that something else keeps down is a ceiling: up goes from what was set, and down from
/// what is in force, so that a step is felt.
#[test]
fn a_limit_that_is_held_down_goes_up_from_what_was_set_and_down_from_what_holds() {
    let mut desk = desk();
    choose(&mut desk, 0);
    assert_eq!(desk.press(Action::MoreRequests), [set(0, LimitName::RequestsPerMinute, 550)]);
    let mut desk = self::desk();
    choose(&mut desk, 0);
    assert_eq!(desk.press(Action::FewerRequests), [set(0, LimitName::RequestsPerMinute, 240)]);
}

#[test]
fn a_limit_set_by_hand_is_from_then_on_the_one_that_was_set() {
    let mut desk = desk();
    let shown = |desk: &Desk| {
        let run = desk.state.run.as_ref().unwrap();
        let requests = run.load(Some(EndpointIndex(0))).requests;
        let by = run.held_by(Some(EndpointIndex(0)), LimitName::RequestsPerMinute);
        (requests.limit.unwrap(), requests.configured, by)
    };
    let by = Some("held by adaptation: 429 requests".to_owned());
    assert_eq!(shown(&desk), (255.0, Some(500.0), by));
    let mut later = several_delta();
    later.changes.push(LimitChange {
        at: NOW,
        endpoint: EndpointIndex(0),
        limit: LimitName::RequestsPerMinute,
        from: Some(500),
        to: Some(255),
        set_by: LimitSetBy::User,
        reason: "set by hand".to_owned(),
    });
    desk.delta(later);
    assert_eq!(shown(&desk), (255.0, None, None), "nothing holds it any more");
}

#[test]
fn a_change_of_an_earlier_part_of_the_run_says_nothing_about_this_one() {
    let mut snapshot = fixture::snapshot(20);
    snapshot.changes = fixture::changes();
    snapshot.changes[1].to = Some(70);
    snapshot.meters.elapsed = std::time::Duration::from_secs(10);
    let mut desk = Desk::new(20);
    desk.update(Update::Snapshot(Box::new(snapshot)));
    let run = desk.state.run.as_ref().unwrap();
    assert_eq!(run.load(None).slots.configured, None);
    assert_eq!(run.changes.len(), fixture::changes().len(), "the history has it");
}

#[test]
fn a_refusal_is_not_hidden_by_what_was_applied_to_the_other_endpoints() {
    let mut desk = desk();
    desk.press(Action::MoreSlots);
    let outcome = |refused| match refused {
        true => CommandOutcome::Refused { why: "the server ends at 20".to_owned() },
        false => CommandOutcome::Applied { what: "slots now 55".to_owned() },
    };
    for (id, refused) in [(1, false), (2, true), (3, false)] {
        desk.update(Update::Applied { id: CommandId(id), outcome: outcome(refused) });
    }
    assert_eq!(desk.notice(), "azure-sweden: the server ends at 20");
}

#[test]
fn a_key_switches_adaptation_off_and_on() {
    let mut desk = Desk::new(20);
    let order = |on| [Effect::Send(Order::SetAdaptation { on })];
    assert_eq!(desk.press(Action::ToggleAdaptation), order(false));
    assert_eq!(desk.press(Action::ToggleAdaptation), order(true), "not answered yet");
    for id in 1..=2 {
        let outcome = CommandOutcome::Applied { what: "limits adapt".to_owned() };
        desk.update(Update::Applied { id: CommandId(id), outcome });
    }
    let mut fixed = fixture::delta(&[]);
    fixed.meters.adapting = false;
    desk.delta(fixed);
    assert_eq!(desk.press(Action::ToggleAdaptation), order(true));
}

#[test]
fn r_says_that_an_endpoint_is_mended() {
    let mut desk = desk();
    assert_eq!(desk.press(Action::Retry), [Effect::Send(Order::Resume)]);
}

#[test]
fn the_history_scrolls_and_what_is_read_stays_where_it_is() {
    let mut desk = Desk::of(fixture::several(120, 30));
    let mut later = several_delta();
    let by_hand = |n: i64| LimitChange {
        at: UnixMillis(NOW.0 + n),
        endpoint: EndpointIndex(1),
        limit: LimitName::Slots,
        from: Some(20),
        to: Some(21),
        set_by: LimitSetBy::User,
        reason: "set by hand".to_owned(),
    };
    later.changes = (0..60).map(by_hand).collect();
    desk.delta(later);
    desk.press(Action::History);
    assert_eq!(desk.state.context(), crate::ui::keymap::Context::History);
    let scroll = |desk: &Desk| match desk.state.overlay {
        Overlay::History { scroll } => scroll,
        _ => panic!("{:?}", desk.state.overlay),
    };
    let mut more = several_delta();
    more.changes = vec![by_hand(100)];
    desk.delta(more.clone());
    assert_eq!(scroll(&desk), 0, "the newest is in sight");
    desk.press(Action::PageDown);
    desk.delta(more);
    assert_eq!(scroll(&desk), 11);
    desk.press(Action::Last);
    let last = scroll(&desk);
    desk.press(Action::MoveDown);
    assert_eq!(scroll(&desk), last);
    desk.press(Action::MoveUp);
    assert_eq!(scroll(&desk), last - 1);
    desk.press(Action::Back);
    assert_eq!(desk.state.overlay, Overlay::None);
}

#[test]
fn the_alarm_calls_once_and_again_after_an_answer() {
    let mut desk = Desk::new(20);
    let quiet = |since| {
        let mut delta = fixture::delta(&[]);
        delta.meters.nothing_since = since;
        delta
    };
    let since = Some(UnixMillis(NOW.0 - 61_000));
    let [Effect::Alarm(words)] = &desk.delta(quiet(since))[..] else { panic!() };
    assert!(words.contains("nothing answered for 01:01"), "{words}");
    assert!(words.contains("last error 429 tokens"), "{words}");
    assert_eq!(desk.delta(quiet(since)), []);
    assert_eq!(desk.after(60_000), []);
    assert_eq!(desk.delta(quiet(None)), []);
    // A display that is held back lets go for it.
    desk.press(Action::Freeze);
    assert_eq!(desk.delta(quiet(None)), []);
    assert!(desk.state.frozen.is_some());
    assert_eq!(desk.delta(quiet(since)).len(), 1);
    assert!(desk.state.frozen.is_none());
}

#[test]
fn an_endpoint_alone_has_seconds_of_its_own() {
    let mut desk = desk();
    let run = |desk: &Desk| desk.state.run.clone().unwrap();
    let azure = Some(EndpointIndex(1));
    assert!(run(&desk).seconds(azure).is_empty());
    assert_eq!(run(&desk).seconds(None).len(), 90);
    // Deltas come more often than seconds pass: no failure between them is lost.
    for (failed, seconds) in [(10, 0), (12, 1), (12, 1)] {
        let mut delta = several_delta();
        delta.meters.endpoints[1].failed = failed;
        delta.history = vec![Default::default(); seconds];
        desk.delta(delta);
    }
    let failures: Vec<_> = run(&desk).seconds(azure).iter().map(|s| s.failures).collect();
    assert_eq!(failures, [3, 0]);
    assert_eq!(run(&desk).seconds(None).len(), 92);
}
