//! Lines that carry little: there are fewer frames, and none of them is late.
//!
//! What is late is counted in bytes and not in seconds: a machine may be slow, but what a dashboard
//! has written and its terminal not drawn is what the line has to carry before anything new shows.

use crate::{
    asking::{Provider, answer_of},
    attach::{WIDE, detached},
    common::{
        terminal::{Line, Terminal},
        voxpop::PATIENCE,
    },
    place::{Place, RUN},
};
use std::time::{Duration, Instant};

/// Bytes a second.
const THIN: usize = 2_000;

/// One frame of a busy run at 120x40, however long its changes have waited.
const A_FRAME: usize = 5_000;

/// A run that does not end during a test, and keeps its dashboard busy.
fn busy() -> (Provider, Place) {
    let provider = Provider::start(|asked| {
        answer_of(asked.name).slowly(Duration::from_millis(150), Duration::ZERO)
    });
    let place = Place::with_survey(&provider.base_url(), 9_000, 6);
    detached(&place, &[]);
    (provider, place)
}

fn dashboard(place: &Place, line: Line, more: &[&str]) -> Terminal {
    let args = [&["attach", RUN], more].concat();
    let terminal = Terminal::start_behind(line, &args, &place.runs(), WIDE, &[]);
    terminal.wait_for("RUNNING");
    terminal
}

/// Waits until the terminal has drawn so many bytes more.
fn draw(terminal: &Terminal, bytes: usize) {
    let (until, deadline) = (terminal.drawn() + bytes, Instant::now() + PATIENCE);
    while terminal.drawn() < until {
        assert!(Instant::now() < deadline, "nothing is drawn any more");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How many bytes go through the line from the press of a key to its effect.
fn bytes_until(terminal: &mut Terminal, key: &str, effect: impl Fn(&str) -> bool) -> usize {
    let before = terminal.drawn();
    terminal.press(key);
    terminal.wait_until("the effect of a key", effect);
    terminal.drawn() - before
}

/// The same for a key whose effect is small, at its worst of two times.
fn bytes_until_answer(terminal: &mut Terminal) -> usize {
    let freeze = bytes_until(terminal, "f", |screen| screen.contains("FROZEN"));
    freeze.max(bytes_until(terminal, "f", |screen| !screen.contains("FROZEN")))
}

/// A key says how late a frame is: what is under way goes through the line before its effect.
fn assert_no_frame_is_late(terminal: &mut Terminal) {
    for _ in 0..3 {
        // In the time that these take, so busy a run writes twice as many.
        draw(terminal, 2 * A_FRAME);
        let bytes = bytes_until_answer(terminal);
        assert!(bytes <= 2 * A_FRAME, "a key was answered after {bytes} bytes");
    }
}

/// Has the whole screen drawn again and again while so many bytes go through the line, which is
/// more than it carries, and then lets it run empty.
fn flood(terminal: &mut Terminal, bytes: usize) {
    let (until, deadline) = (terminal.drawn() + bytes, Instant::now() + 4 * PATIENCE);
    while terminal.drawn() < until {
        assert!(Instant::now() < deadline, "nothing is drawn any more");
        terminal.press("\x0c");
        std::thread::sleep(Duration::from_millis(50));
    }
    while bytes_until_answer(terminal) > 2 * A_FRAME {}
}

#[test]
fn on_a_line_of_a_told_rate_no_frame_is_late() {
    let (_provider, place) = busy();
    let mut terminal = dashboard(&place, Line::Thin(THIN), &["--line-rate", "2k"]);
    assert_no_frame_is_late(&mut terminal);
}

#[test]
fn over_ssh_what_the_other_end_has_not_acknowledged_is_waited_for() {
    let (_provider, place) = busy();
    let mut terminal = dashboard(&place, Line::Ssh(THIN), &[]);
    assert_no_frame_is_late(&mut terminal);
}

#[test]
#[ignore = "takes two to four minutes: every buffer on the way has to be full twice"]
fn a_line_is_found_to_be_thin_when_writes_have_to_wait() {
    let (_provider, place) = busy();
    let mut terminal = dashboard(&place, Line::Thin(THIN), &[]);
    // Nothing tells before every buffer was full, twice; each of them holds some 20 kB.
    flood(&mut terminal, 60_000);
    assert_no_frame_is_late(&mut terminal);
}

#[test]
fn a_busy_run_stays_within_its_bytes() {
    let (_provider, place) = busy();
    let terminal = dashboard(&place, Line::Wide, &[]);
    let clock = |screen: &str| {
        let at = screen.find("RUNNING  ")? + "RUNNING  ".len();
        screen.get(at..at + "00:00:00".len()).map(str::to_owned)
    };
    let (before, since) = (terminal.drawn(), Instant::now());
    let mut shown = clock(&terminal.text());
    for _ in 0..8 {
        let screen = terminal.wait_until("the clock to go on", |screen| clock(screen) != shown);
        shown = clock(&screen);
    }
    let bytes = terminal.drawn() - before;
    let most = 30_000.0 * since.elapsed().as_secs_f64();
    assert!((bytes as f64) < most, "{bytes} bytes, and at most {most} were due");
    assert!(bytes > 1_000, "it was not busy: {bytes} bytes");
}
