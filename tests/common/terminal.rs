//! A real terminal around a real process: a pty, and an emulator that reads what is drawn.
//!
//! Nothing here sleeps for a time and hopes: [`Terminal::wait_until`] waits for a condition, and a
//! failure prints what was awaited and the last screen.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    path::Path,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

/// How long a condition may take on a busy machine before it counts as never.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process in a terminal.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    input: Option<Box<dyn Write + Send>>,
    screen: Arc<Screen>,
}

struct Screen {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    /// Every byte that was ever drawn.
    bytes: Vec<u8>,
    closed: bool,
}

impl Terminal {
    /// Starts `voxpop` with these arguments in a terminal of this size.
    pub fn start(args: &[&str], runs: &Path, (columns, rows): (u16, u16)) -> Self {
        Self::start_with(args, runs, (columns, rows), &[])
    }

    /// The same with further environment variables.
    pub fn start_with(
        args: &[&str],
        runs: &Path,
        (columns, rows): (u16, u16),
        environment: &[(&str, &str)],
    ) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("the system has a pty");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_voxpop"));
        command.args(args);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("HOME", runs);
        command.env("VOXPOP_RUNS", runs);
        for (name, value) in environment {
            command.env(name, value);
        }
        command.cwd(runs);
        let child = pty.slave.spawn_command(command).expect("voxpop starts");
        drop(pty.slave);
        let mut output = pty.master.try_clone_reader().expect("the pty can be read");
        let input = pty.master.take_writer().expect("the pty can be written");
        let screen = Arc::new(Screen {
            state: Mutex::new(State {
                parser: vt100::Parser::new(rows, columns, 0),
                bytes: Vec::new(),
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let shared = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 64 * 1024];
            loop {
                let read = output.read(&mut buffer).unwrap_or(0);
                let mut state = shared.state.lock().unwrap();
                if read == 0 {
                    state.closed = true;
                } else {
                    state.parser.process(&buffer[..read]);
                    state.bytes.extend_from_slice(&buffer[..read]);
                }
                shared.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { child, master: Some(pty.master), input: Some(input), screen }
    }

    /// Presses keys: the bytes that a terminal sends for them.
    pub fn press(&mut self, keys: &str) {
        let input = self.input.as_mut().expect("the terminal is still there");
        input.write_all(keys.as_bytes()).expect("the pty takes keys");
        input.flush().expect("the pty takes keys");
    }

    /// What is on the screen now.
    pub fn text(&self) -> String {
        self.screen.state.lock().unwrap().parser.screen().contents()
    }

    /// How many bytes have been drawn so far.
    pub fn bytes_drawn(&self) -> usize {
        self.screen.state.lock().unwrap().bytes.len()
    }

    /// All that was ever drawn, raw.
    pub fn raw(&self) -> Vec<u8> {
        self.screen.state.lock().unwrap().bytes.clone()
    }

    /// Whether the alternate screen is on.
    pub fn on_alternate_screen(&self) -> bool {
        self.screen.state.lock().unwrap().parser.screen().alternate_screen()
    }

    /// Waits until the screen's text satisfies `condition`, and returns it.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.screen.state.lock().unwrap();
        loop {
            let text = state.parser.screen().contents();
            if condition(&text) {
                return text;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !state.closed,
                "waited for: {what}\n--- the last screen{} ---\n{text}",
                if state.closed { " (the process has ended)" } else { "" }
            );
            state = self.screen.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until the screen shows `text`.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(text, |screen| screen.contains(text))
    }

    /// Makes the terminal another size, as a person pulling at its corner does.
    pub fn resize(&mut self, (columns, rows): (u16, u16)) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.screen.state.lock().unwrap().parser.screen_mut().set_size(rows, columns);
        self.master.as_ref().expect("the terminal is still there").resize(size).unwrap();
    }

    /// The terminal goes away, as when the line drops.
    pub fn hang_up(&mut self) {
        self.input = None;
        self.master = None;
    }

    /// The process in it.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("the process was started")
    }

    /// Waits for the process to end, and returns its exit code.
    pub fn exit_code(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return status.exit_code();
            }
            assert!(
                Instant::now() < deadline,
                "the process did not end\n--- the last screen ---\n{}",
                self.text()
            );
            // There is no way to wait for a child with a deadline but to look again.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
