//! A real terminal around a real process: a pty, and an emulator that reads what is drawn.
//!
//! Nothing here sleeps for a time and hopes: [`Terminal::wait_until`] waits for a condition, and a
//! failure prints what was awaited, the last screen and the end of the log.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

/// How long a condition may take on a busy machine before it counts as never.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a screen may take to come to rest: the rates on it are those of the last 15 seconds.
const SETTLING: Duration = Duration::from_secs(40);

/// What lies between the process and the terminal.
#[derive(Clone, Copy, Debug)]
pub enum Line {
    /// Nothing.
    Wide,
    /// A pseudo terminal that is read at so many bytes a second, as by a serial line.
    Thin(usize),
    /// An ssh connection over a line that carries so many bytes a second: a daemon takes what is
    /// written at once, and the connection holds it.
    Ssh(usize),
}

/// Reads no more than so many bytes a second.
struct Thin<R> {
    from: R,
    rate: usize,
}

impl<R> Thin<R> {
    const fn new(from: R, rate: usize) -> Self {
        Self { from, rate }
    }
}

impl<R: Read> Read for Thin<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = (self.rate / 20).clamp(1, buffer.len());
        let read = self.from.read(&mut buffer[..most])?;
        // This is the line, and no test waits for it.
        std::thread::sleep(Duration::from_secs_f64(read as f64 / self.rate as f64));
        Ok(read)
    }
}

/// The part of an ssh daemon that counts: from the pseudo terminal into a connection. Returns the
/// other end, and the names of both as in `SSH_CONNECTION`.
fn ssh(mut from: Box<dyn Read + Send>) -> (TcpStream, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a port");
    let at = listener.local_addr().expect("it is bound");
    let far_end = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        // On a thin line, what has not gone through it is not acknowledged.
        socket.set_recv_buffer_size(2_048)?;
        socket.connect(at).await?.into_std()
    });
    let far_end = far_end.expect("it is listened to");
    far_end.set_nonblocking(false).expect("it is a socket");
    let (mut near_end, _) = listener.accept().expect("somebody has connected");
    let from_end = far_end.local_addr().expect("it is connected");
    let names = format!("{} {} {} {}", from_end.ip(), from_end.port(), at.ip(), at.port());
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if near_end.write_all(&buffer[..read]).is_err() {
                return;
            }
        }
    });
    (far_end, names)
}

/// A process in a terminal.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    input: Box<dyn Write + Send>,
    screen: Arc<Screen>,
    runs: PathBuf,
}

struct Screen {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    /// Every byte that was ever drawn.
    bytes: Vec<u8>,
    /// When the last of them came.
    drawn_at: Instant,
    /// Between the marks of a synchronized update: what is there is half a frame.
    in_frame: bool,
    closed: bool,
}

impl State {
    fn take_in(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.bytes.extend_from_slice(bytes);
        self.drawn_at = Instant::now();
        let last = |mark: &[u8]| self.bytes.windows(mark.len()).rposition(|window| window == mark);
        self.in_frame = last(b"\x1b[?2026h") > last(b"\x1b[?2026l");
    }
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
        size: (u16, u16),
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_behind(Line::Wide, args, runs, size, environment)
    }

    /// The same behind a line.
    pub fn start_behind(
        line: Line,
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
        let from_pty = pty.master.try_clone_reader().expect("the pty can be read");
        let mut output: Box<dyn Read + Send> = match line {
            Line::Wide => from_pty,
            Line::Thin(rate) => Box::new(Thin::new(from_pty, rate)),
            Line::Ssh(rate) => {
                let (far_end, names) = ssh(from_pty);
                command.env("SSH_CONNECTION", names);
                Box::new(Thin::new(far_end, rate))
            }
        };
        let child = pty.slave.spawn_command(command).expect("voxpop starts");
        drop(pty.slave);
        let input = pty.master.take_writer().expect("the pty can be written");
        let screen = Arc::new(Screen {
            state: Mutex::new(State {
                parser: vt100::Parser::new(rows, columns, 0),
                bytes: Vec::new(),
                drawn_at: Instant::now(),
                in_frame: false,
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
                    state.take_in(&buffer[..read]);
                }
                shared.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { child, master: pty.master, input, screen, runs: runs.to_owned() }
    }

    /// Presses keys: the bytes that a terminal sends for them.
    pub fn press(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).expect("the pty takes keys");
        self.input.flush().expect("the pty takes keys");
    }

    /// Reads nothing of what is drawn, as behind a line that hangs, while `during` runs. A few
    /// tens of kilobytes go into buffers before it is felt.
    pub fn stall<T>(&mut self, during: impl FnOnce(&mut dyn Write) -> T) -> T {
        let _reader_waits = self.screen.state.lock().unwrap();
        during(&mut self.input)
    }

    /// What is on the screen now.
    pub fn text(&self) -> String {
        self.screen.state.lock().unwrap().parser.screen().contents()
    }

    /// All that was ever drawn, raw.
    pub fn raw(&self) -> Vec<u8> {
        self.screen.state.lock().unwrap().bytes.clone()
    }

    /// Waits until the screen's text satisfies `condition`, and returns it.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        self.wait_until_screen(what, |screen| condition(&screen.contents()))
    }

    /// Waits until the screen, with its styles, satisfies `condition`, and returns its text.
    pub fn wait_until_screen(
        &self,
        what: &str,
        condition: impl Fn(&vt100::Screen) -> bool,
    ) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.screen.state.lock().unwrap();
        loop {
            let screen = state.parser.screen();
            if !state.in_frame && condition(screen) {
                return screen.contents();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !state.closed,
                "waited for: {what}\n--- the last screen ({}, {}) ---\n{}\n--- the log ---\n{}",
                if screen.alternate_screen() { "alternate" } else { "main" },
                if state.closed { "the process has ended" } else { "the process is there" },
                screen.contents(),
                self.end_of_log()
            );
            state = self.screen.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until nothing has been drawn for so long.
    pub fn wait_for_silence(&self, window: Duration) {
        let deadline = Instant::now() + SETTLING;
        let mut state = self.screen.state.lock().unwrap();
        loop {
            let quiet_for = state.drawn_at.elapsed();
            if quiet_for >= window {
                return;
            }
            assert!(
                Instant::now() < deadline && !state.closed,
                "waited for {window:?} without a byte\n--- the last screen ---\n{}",
                state.parser.screen().contents()
            );
            state = self.screen.changed.wait_timeout(state, window - quiet_for).unwrap().0;
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
        self.master.resize(size).expect("the pty takes a size");
    }

    /// The process in it.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("the process was started")
    }

    /// How many bytes were drawn so far.
    pub fn drawn(&self) -> usize {
        self.screen.state.lock().unwrap().bytes.len()
    }

    /// Waits for the process to end and for its last bytes, and returns its exit code.
    pub fn exit_code(&mut self) -> u32 {
        let code = self.wait_for_end();
        let mut state = self.screen.state.lock().unwrap();
        while !state.closed {
            state = self.screen.changed.wait(state).unwrap();
        }
        code
    }

    fn end_of_log(&self) -> String {
        let mut log = String::new();
        for entry in fs::read_dir(self.runs.join("logs")).into_iter().flatten().flatten() {
            log += &fs::read_to_string(entry.path()).unwrap_or_default();
        }
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn wait_for_end(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status.exit_code();
            }
            assert!(
                Instant::now() < deadline,
                "the process did not end\n--- the last screen ---\n{}\n--- the log ---\n{}",
                self.text(),
                self.end_of_log()
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
