//! The dashboard in a pty of 120x40.

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    path::Path,
    time::{Duration, Instant},
};

/// The dashboard in a pty.
pub struct Screen {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    input: Box<dyn Write + Send>,
    output: std::sync::mpsc::Receiver<Vec<u8>>,
    emulator: vt100::Parser,
    started: Instant,
}

impl Screen {
    pub fn start(runs: &Path, arguments: &[&str]) -> Self {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("the system has a pty");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_voxpop"));
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("VOXPOP_RUNS", runs.join("runs"));
        let mut reader = pty.master.try_clone_reader().expect("the pty can be read");
        let input = pty.master.take_writer().expect("the pty can be written");
        let started = Instant::now();
        let child = pty.slave.spawn_command(command).expect("voxpop starts");
        let (out, output) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _master = pty.master;
            let mut buffer = [0; 65536];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if out.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, input, output, emulator: vt100::Parser::new(40, 120, 0), started }
    }

    /// How long after the start the screen's text satisfied `condition`.
    pub fn until(&mut self, condition: impl Fn(&str) -> bool) -> Duration {
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_secs(60)) {
            self.emulator.process(&bytes);
            if condition(&self.emulator.screen().contents()) {
                return self.started.elapsed();
            }
        }
        panic!("this is not what was awaited:\n{}", self.emulator.screen().contents());
    }

    /// How many bytes are drawn in this time.
    pub fn drain_for(&mut self, time: Duration) -> usize {
        let deadline = Instant::now() + time;
        let mut bytes = 0;
        while let Ok(read) =
            self.output.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            bytes += read.len();
            self.emulator.process(&read);
        }
        bytes
    }

    pub fn press(&mut self, key: &[u8]) {
        self.input.write_all(key).and_then(|()| self.input.flush()).expect("the pty takes keys");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
