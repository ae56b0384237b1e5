//! The dashboard in a pty of 120x40.

use crate::place::Place;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::Pid;
use std::{
    io::{Read, Write},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

/// A process in a terminal that reads all that is drawn.
pub struct Screen {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    _input: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    emulator: vt100::Parser,
    started: Instant,
}

impl Screen {
    pub fn start(place: &Place, args: &[&str]) -> Self {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("the system has a pty");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_voxpop"));
        command.args(args);
        command.env_clear();
        place.environment().iter().for_each(|(name, value)| command.env(name, value));
        command.cwd(place.path());
        let mut reader = pty.master.try_clone_reader().expect("the pty can be read");
        let input = pty.master.take_writer().expect("the pty can be written");
        let started = Instant::now();
        let child = pty.slave.spawn_command(command).expect("voxpop starts");
        let (out, output) = channel();
        thread::spawn(move || {
            let _master = pty.master;
            let mut buffer = [0; 65536];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if out.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let emulator = vt100::Parser::new(40, 120, 0);
        Self { child, _input: input, output, emulator, started }
    }

    pub fn pid(&self) -> Pid {
        let pid = self.child.process_id().and_then(|pid| pid.try_into().ok());
        pid.and_then(Pid::from_raw).expect("the process was started")
    }

    /// How long after the start of its process the screen shows all of these words.
    pub fn until(&mut self, words: &[&str]) -> Duration {
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_secs(60)) {
            self.emulator.process(&bytes);
            let screen = self.emulator.screen().contents();
            if words.iter().all(|words| screen.contains(words)) {
                return self.started.elapsed();
            }
        }
        panic!("{words:?} never came:\n{}", self.emulator.screen().contents());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
