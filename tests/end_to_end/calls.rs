//! What a dashboard says beside its cells: the window's title, a bell and a message for who looks
//! elsewhere, a text for the clipboard and for a file.

use crate::{
    asking::{Provider, answer_of},
    common::{provider::Reply, terminal::Terminal},
    place::{Place, RUN},
};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

const WIDE: (u16, u16) = (120, 40);
const LOOKED_AT: &str = "\x1b[I";
const LEFT_ALONE: &str = "\x1b[O";

fn drawn(terminal: &Terminal) -> String {
    String::from_utf8_lossy(&terminal.raw()).into_owned()
}

/// Waits until these bytes have come; they show nowhere on the screen.
fn wait_for_bytes(terminal: &Terminal, bytes: &str) {
    terminal.wait_until(&format!("{bytes:?}"), |_| true);
    let deadline = std::time::Instant::now() + crate::common::voxpop::PATIENCE;
    while !drawn(terminal).contains(bytes) {
        assert!(std::time::Instant::now() < deadline, "{bytes:?} never came");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Bells that are no end of an operating system command.
fn bells(drawn: &str) -> usize {
    let commands = drawn.matches("\x1b]").count();
    drawn.matches('\x07').count() - commands
}

#[test]
fn the_title_tells_how_far_the_run_is_and_is_taken_back() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 20, 4);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("FINISHED");
    wait_for_bytes(&terminal, &format!("\x1b]2;100 % {RUN}\x07"));
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    let drawn = drawn(&terminal);
    let (kept, set, back) =
        (drawn.find("\x1b[22;2t"), drawn.find("\x1b]2;"), drawn.rfind("\x1b[23;2t"));
    assert!(kept.is_some() && kept < set, "the old title is kept before another one is set");
    assert!(back > drawn.rfind("\x1b]2;"), "and is back at the end");
}

#[test]
fn the_end_of_a_run_rings_and_says_how_it_ended_unless_somebody_looks() {
    for (focus, calls) in [("", 1), (LEFT_ALONE, 1), (LOOKED_AT, 0)] {
        let (gate, provider) = crate::attach::held();
        let place = Place::with_survey(&provider.base_url(), 8, 4);
        let mut terminal = place.watch(WIDE, &[]);
        terminal.wait_for("RUNNING");
        // What the terminal says of its focus comes among the keys: once one of them has shown,
        // it was taken in.
        terminal.press(focus);
        terminal.press("f");
        terminal.wait_for("FROZEN");
        terminal.press("f");
        gate.open();
        terminal.wait_for("FINISHED");
        terminal.press("q");
        assert_eq!(terminal.exit_code(), 0);
        let drawn = drawn(&terminal);
        assert_eq!(bells(&drawn), calls, "{focus:?}");
        assert_eq!(drawn.matches("\x1b]9;voxpop: finished: 8 done\x07").count(), calls);
    }
}

#[test]
fn a_run_that_needs_a_person_rings_and_says_why() {
    let mended = Arc::new(AtomicBool::new(false));
    let paid = Arc::clone(&mended);
    let provider = Provider::start(move |asked| {
        if paid.load(Ordering::SeqCst) { answer_of(asked.name) } else { Reply::quota_exhausted() }
    });
    let place = Place::with_survey(&provider.base_url(), 8, 2);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.press(LOOKED_AT);
    terminal.wait_for("PAUSED");
    wait_for_bytes(&terminal, &format!("\x1b]9;voxpop: {RUN} is paused: the provider refuses"));
    assert_eq!(bells(&drawn(&terminal)), 1);
    mended.store(true, Ordering::SeqCst);
    terminal.press("r");
    terminal.wait_for("FINISHED");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(bells(&drawn(&terminal)), 1, "it was looked at");
}

#[test]
fn what_the_inspector_shows_goes_to_the_clipboard_and_into_a_file() {
    let provider = Provider::kind();
    let place = Place::with_survey(&provider.base_url(), 8, 2);
    for (tmux, size) in [(false, WIDE), (true, (80, 24))] {
        let environment: &[_] = if tmux { &[("TMUX", "/tmp/tmux-0/default,1,0")] } else { &[] };
        if !place.run_file().exists() {
            assert_eq!(place.ask(&[]).code, 0);
        }
        let mut terminal = Terminal::start_with(&["open", RUN], &place.runs(), size, environment);
        terminal.wait_for("LOOKED AT");
        terminal.press("gl\r");
        terminal.wait_for("I am Person Number 1");
        let file = place.runs().join(format!("{RUN}-persona-1.txt"));
        terminal.press("w");
        let screen = terminal.wait_for("wrote ");
        let shown = screen.lines().find(|line| line.contains("wrote ")).unwrap();
        assert!(shown.contains(&place.runs().to_string_lossy()[..20]), "{shown}");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("I am Person Number 1"), "{text}");
        fs::remove_file(&file).unwrap();
        assert!(!drawn(&terminal).contains("\x1b]52;"), "w copies nothing");
        terminal.press("y");
        terminal.wait_for("copied, and wrote");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        let drawn = drawn(&terminal);
        let plain = format!("\x1b]52;c;{}", base64(text.as_bytes()));
        assert!(drawn.contains(&plain), "the clipboard gets the same text");
        let passed_on = format!("\x1bPtmux;\x1b{plain}");
        assert_eq!(drawn.contains(&passed_on), tmux, "and through tmux too");
        terminal.press("\x03");
        assert_eq!(terminal.exit_code(), 0);
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte));
        let word = word << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
