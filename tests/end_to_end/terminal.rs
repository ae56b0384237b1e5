//! Terminals as they are: small, dumb, without colours, suspended, gone; and text that would
//! rather be a command to them.

use crate::{
    asking::{Provider, answer_of, answer_text},
    common::{
        provider::{Gate, Reply},
        terminal::Terminal,
        voxpop::{PATIENCE, Running},
    },
    place::{Place, RUN, count, name},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use voxpop::{model::RunPhase, store::is_live};

const WIDE: (u16, u16) = (120, 40);
const CTRL_L: &[u8] = b"\x0c";

/// Fewer bytes than a repaint of the whole screen takes.
const A_FRAME: u64 = 2_000;

fn held() -> (Gate, Provider) {
    let gate = Gate::default();
    let held = gate.clone();
    (gate, Provider::start(move |asked| answer_of(asked.name).behind(&held)))
}

/// The parameters of every "select graphic rendition" in the bytes.
fn styles(raw: &[u8]) -> Vec<u32> {
    let text = String::from_utf8_lossy(raw);
    let mut found = Vec::new();
    for sequence in text.split("\x1b[").skip(1) {
        let end = sequence.find(|c: char| !c.is_ascii_digit() && c != ';');
        if let Some((parameters, rest)) = end.map(|end| sequence.split_at(end))
            && rest.starts_with('m')
        {
            found.extend(parameters.split(';').map(|number| number.parse().unwrap_or(0)));
        }
    }
    found
}

fn is_colour(style: &u32) -> bool {
    matches!(style, 30..=38 | 40..=48 | 90..=97 | 100..=107)
}

fn reversed_cells(screen: &vt100::Screen) -> usize {
    let (rows, columns) = screen.size();
    let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    cells.filter(|&(r, c)| screen.cell(r, c).is_some_and(vt100::Cell::inverse)).count()
}

/// Waits until a condition holds that nobody tells about.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The letter that Linux gives the state of a process.
pub fn state_of(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn every_size_is_drawn() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 30, 4);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("RUNNING");
    provider.wait_for(4);
    for (size, words) in [
        ((80, 24), "RUNNING"),
        ((60, 16), "RUNNING"),
        ((40, 10), "30"),
        ((10, 3), "0 %"),
        ((2, 1), ""),
        ((300, 100), "Slots"),
        ((10, 50), "0 %"),
        ((200, 2), "RUNNING"),
        (WIDE, "Slots"),
    ] {
        terminal.resize(size);
        terminal.wait_until(&format!("{words:?} at {size:?}"), |screen| screen.contains(words));
        // The keys work at any size, and nothing that opens breaks it.
        terminal.press("?");
        terminal.press("\r");
        terminal.press("q");
    }
    terminal.press("\x1b");
    gate.open();
    terminal.wait_for("30 of 30");
    terminal.press("\x03");
    assert_eq!(terminal.exit_code(), 0);
    assert!(!String::from_utf8_lossy(&terminal.raw()).contains("panicked"));
}

#[test]
fn without_colours_the_selection_still_shows() {
    let (_gate, provider) = held();
    for no_color in [false, true] {
        let place = Place::with_survey(&provider.base_url(), 30, 4);
        let environment = [("NO_COLOR", "1")];
        let environment = if no_color { &environment[..] } else { &[] };
        let mut terminal = place.watch(WIDE, environment);
        terminal.wait_for("RUNNING");
        terminal.press("l");
        terminal.wait_until_screen("a selected cell", |screen| reversed_cells(screen) > 0);
        terminal.press("?");
        terminal.wait_for("More slots");
        let styles = styles(&terminal.raw());
        assert!(styles.contains(&7), "{styles:?}");
        assert_eq!(styles.iter().any(is_colour), !no_color, "{styles:?}");
    }
}

#[test]
fn a_dumb_terminal_gets_lines_of_words() {
    let provider = Provider::kind();
    for plain in [false, true] {
        let place = Place::with_survey(&provider.base_url(), 10, 4);
        let more: &[&str] = if plain { &["--plain"] } else { &[] };
        let args = place.asking(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let term = if plain { "xterm-256color" } else { "dumb" };
        let mut terminal = Terminal::start_with(&args, &place.runs(), (200, 40), &[("TERM", term)]);
        assert_eq!(terminal.exit_code(), 0);
        assert!(terminal.text().contains("10 of 10 done"), "{}", terminal.text());
        assert!(!terminal.raw().contains(&0x1b), "{:?}", terminal.text());
    }
}

#[test]
fn where_only_ascii_can_be_shown_only_ascii_is_drawn() {
    let (_gate, provider) = held();
    for environment in [[("LANG", "C")], [("TERM", "linux")]] {
        let place = Place::with_survey(&provider.base_url(), 30, 4);
        let mut terminal = place.watch(WIDE, &environment);
        terminal.wait_for("RUNNING");
        terminal.press("?");
        terminal.wait_for("More slots");
        let beyond: Vec<u8> = terminal.raw().into_iter().filter(|byte| !byte.is_ascii()).collect();
        assert!(beyond.is_empty(), "{:?}", String::from_utf8_lossy(&beyond));
    }
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 30, 4);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("RUNNING");
    provider.wait_for(4);
    // More than once: a process has several threads, and they do not stop at the same moment.
    for round in 0..20 {
        terminal.press("\x1a");
        let pid = terminal.pid();
        wait_until("the process to stop", || state_of(pid) == Some('T'));
        // What was written before the stop may still be on its way to the screen, and nothing
        // comes after it.
        terminal.wait_until_screen("the terminal to be given back", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor()
        });
        // It comes back at the size that the terminal has by then.
        let size = if round % 2 == 0 { (80, 24) } else { WIDE };
        terminal.resize(size);
        kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::CONT).unwrap();
        terminal.wait_until_screen("the dashboard", |screen| {
            screen.alternate_screen()
                && screen.hide_cursor()
                && screen.contents().contains("RUNNING")
        });
    }
    gate.open();
    terminal.wait_for("30 of 30");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(provider.server.count(), 30);
}

/// Has the whole screen drawn again and again, until every buffer on the way is full and not even
/// that makes the process write any more.
fn fill_the_line(pid: u32, keyboard: &mut dyn Write) {
    let written = || {
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        line.and_then(|bytes| bytes.parse::<u64>().ok()).unwrap()
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "it never stalls");
        let (before, pressed) = (written(), Instant::now());
        keyboard.write_all(CTRL_L).unwrap();
        while written() < before + A_FRAME {
            if pressed.elapsed() > Duration::from_secs(1) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn a_terminal_that_takes_no_bytes_holds_up_nothing() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 200, 4);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("RUNNING");
    provider.wait_for(4);
    let pid = terminal.pid();
    terminal.stall(|keyboard| {
        fill_the_line(pid, keyboard);
        gate.open();
        provider.wait_for(200);
        let finished = || place.reader().run().unwrap().phase == Some(RunPhase::Finished);
        wait_until("the last answer to be on disk", finished);
    });
    terminal.wait_for("FINISHED");
    terminal.wait_for("200 of 200");
    terminal.press("q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn a_run_can_be_stopped_behind_a_terminal_that_takes_no_bytes() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 30, 4);
    let mut terminal = place.watch_in_foreground(WIDE);
    terminal.wait_for("RUNNING");
    provider.wait_for(4);
    let pid = terminal.pid();
    let run_file = place.run_file();
    terminal.stall(|keyboard| {
        fill_the_line(pid, keyboard);
        kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
        let draining = || place.reader().run().unwrap().phase == Some(RunPhase::Draining);
        wait_until("the run to stop", draining);
        gate.open();
        wait_until("the run file to be let go", || !is_live(&run_file));
    });
    assert_eq!(terminal.exit_code(), 130);
    let records = place.export();
    assert_eq!((count(&records, "done"), count(&records, "queued")), (4, 26));
}

const TERMINAL_ARGS: &str = "VOXPOP_TEST_TERMINAL_ARGS";
const TERMINAL_KEYS: &str = "VOXPOP_TEST_TERMINAL_KEYS";
const TERMINAL_RUNS: &str = "VOXPOP_TEST_TERMINAL_RUNS";

/// The child: a terminal that is killed with the dashboard in it. In a usual test run it has
/// nothing to do.
#[test]
fn child_that_is_a_terminal() {
    let (Ok(args), Ok(runs)) = (env::var(TERMINAL_ARGS), env::var(TERMINAL_RUNS)) else { return };
    let args: Vec<&str> = args.split('\n').collect();
    let mut terminal = Terminal::start(&args, Path::new(&runs), WIDE);
    terminal.wait_for("RUNNING");
    if let Ok(keys) = env::var(TERMINAL_KEYS) {
        terminal.press(&keys);
    }
    println!("voxpop runs in here: {}", terminal.pid());
    terminal.wait_until("being killed", |_| false);
}

/// Takes the dashboard along that a failing test would leave behind.
pub struct Orphan {
    pub pid: u32,
    run_file: PathBuf,
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let pid = self.pid.try_into().ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| is_live(&self.run_file)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Puts the survey to the people on a dashboard whose terminal goes away: see [`drop_the_line_of`].
pub fn drop_the_line(
    provider: &Provider,
    place: &Place,
    more: &[&str],
    keys: &str,
    ready: impl Fn(u32) -> bool,
) -> Orphan {
    drop_the_line_of(&place.asking(more), place, keys, |pid| {
        provider.wait_for(4);
        ready(pid)
    })
}

/// Only a process that ends lets go of every handle on its terminal, so the terminal is one. It
/// presses the keys once the dashboard is there, and is killed once `ready` holds of its pid.
pub fn drop_the_line_of(
    args: &[String],
    place: &Place,
    keys: &str,
    ready: impl Fn(u32) -> bool,
) -> Orphan {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "terminal::child_that_is_a_terminal", "--nocapture"])
        .env(TERMINAL_ARGS, args.join("\n"))
        .env(TERMINAL_KEYS, keys)
        .env(TERMINAL_RUNS, place.runs());
    let terminal = Running::start(command);
    let line = terminal.wait_for_line("voxpop runs in here: ");
    let (_, pid) = line.rsplit_once(": ").unwrap();
    let orphan = Orphan { pid: pid.parse().unwrap(), run_file: place.run_file() };
    wait_until("the dashboard to be ready", || ready(orphan.pid));
    terminal.kill();
    orphan
}

#[test]
fn when_the_line_drops_what_is_in_flight_is_finished_and_the_rest_kept() {
    // Also where the dashboard was suspended by then.
    for (keys, state) in [("", 'S'), ("\x1a", 'T')] {
        let (gate, provider) = held();
        let place = Place::with_survey(&provider.base_url(), 30, 4);
        let _orphan = drop_the_line(&provider, &place, &["--foreground"], keys, |pid| {
            state_of(pid) == Some(state)
        });
        let run_file = place.run_file();
        let draining = || place.reader().run().unwrap().phase == Some(RunPhase::Draining);
        wait_until("voxpop to see that the line is gone", draining);
        gate.open();
        wait_until("voxpop to end by itself", || !is_live(&run_file));
        let records = place.export();
        assert_eq!((count(&records, "done"), count(&records, "queued")), (4, 26), "{keys:?}");
        assert_eq!(provider.server.count(), 4, "nothing new is sent");
        let outcome = place.voxpop(&["resume", RUN]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert!(!outcome.out.contains("killed"), "it ended properly: {outcome:?}");
        assert_eq!((count(&place.export(), "done"), provider.server.count()), (30, 30));
    }
}

/// What a terminal would obey: a title, a blinking colour, a cleared screen, the C1 control that
/// means the same, a reversal of the reading order.
const HOSTILE: &str = "\x1b]0;PWNED\x07\x1b[5;41;93mEVIL\x1b[2J\u{9b}2J\u{202e}txet\x1bc";

fn assert_harmless(raw: &[u8]) {
    let text = String::from_utf8_lossy(raw);
    assert!(text.contains("PWNED") && text.contains("EVIL"), "it is shown as words");
    for bad in ["\x1b]0;", "\x1b[5;41;93m", "\u{9b}", "\u{202e}", "\x1bc"] {
        assert!(!text.contains(bad), "{bad:?} reached the terminal");
    }
}

#[test]
fn text_from_models_and_providers_is_never_a_command_to_the_terminal() {
    let provider = Provider::start(|asked| match asked.name {
        failing if failing == name(0) => Reply::error(400, HOSTILE, Some(HOSTILE), HOSTILE),
        refusing if refusing == name(1) => Reply::refusal(HOSTILE),
        garbled if garbled == name(2) => Reply::content(HOSTILE),
        name => Reply::content(&answer_text(name, &format!("I say {HOSTILE} and more."))),
    });
    let place = Place::with_survey(&provider.base_url(), 5, 2);
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("FINISHED");
    terminal.press("g");
    for (n, words) in [(0, "Raw body"), (1, "Refusal"), (2, "Raw body"), (3, "I say")] {
        if n == 0 {
            terminal.press("\r");
        } else {
            terminal.press("l");
        }
        terminal.wait_for(&format!("Persona {n} "));
        terminal.wait_for(words);
        terminal.wait_for("EVIL");
    }
    terminal.press("\x03");
    assert_eq!(terminal.exit_code(), 3);
    assert_harmless(&terminal.raw());

    // The same without a dashboard.
    let mut plain = Terminal::start(&["retry", RUN, "--plain"], &place.runs(), WIDE);
    assert_eq!(plain.exit_code(), 3);
    assert_harmless(&plain.raw());
    let outcome = place.voxpop(&["open", RUN, "--plain"]);
    assert_harmless(outcome.out.as_bytes());
    for (path, bytes) in place.files_of_runs() {
        if path.extension().is_some_and(|extension| extension == "log") {
            assert_harmless(&bytes);
        }
    }
}

/// And so is what the user's own files hold: people paste them from anywhere.
#[test]
fn text_from_files_is_never_a_command_to_the_terminal() {
    let provider = Provider::start(|_| Reply::content(&answer_text("", "I am somebody.")));
    let place = Place::new();
    let limits = crate::place::limits(2);
    place.survey(&provider.base_url(), &format!("limits: {limits}"));
    let people = place.write("people.csv", format!("id,name,note\nx{HOSTILE},Ann,{HOSTILE}\n"));
    let survey = place.path("survey.yaml");
    let checked = place.voxpop(&["check", &survey, "--personas", &people]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert_harmless(checked.out.as_bytes());
    let mut terminal = place.watch(WIDE, &[]);
    terminal.wait_for("FINISHED");
    terminal.press("g\r");
    terminal.wait_for("I am somebody.");
    terminal.wait_for("PWNED");
    terminal.press("\x03");
    assert_eq!(terminal.exit_code(), 0);
    assert_harmless(&terminal.raw());
}
