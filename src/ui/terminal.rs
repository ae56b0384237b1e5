//! The terminal itself: entering and leaving it, and writing to it. Both the guard and the panic
//! hook leave it as it was.

use super::{
    capabilities::Capabilities, line::Line, output::Output, screen::END_SYNCHRONIZED, ssh::SshLine,
};
use crossterm::{
    clipboard::CopyToClipboard,
    cursor::{Hide, Show},
    event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange},
    queue,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::layout::Size;
use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Whether the terminal is ours at the moment. The panic hook may give it back at any time.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// Whether a progress mark may be showing.
static PROGRESS_SHOWN: AtomicBool = AtomicBool::new(false);

/// The most that is put on the clipboard: many terminals cut or drop longer sequences.
const CLIPBOARD_MOST: usize = 70_000;
/// How long the last bytes may take on their way to a terminal that has stalled.
const PATIENCE: Duration = Duration::from_millis(500);

/// The guard: while it lives and is entered, the screen is ours.
#[derive(Debug)]
pub struct Terminal {
    capabilities: Capabilities,
    output: Output,
    last_title: String,
    last_progress: String,
}

impl Terminal {
    /// Takes the screen over. Fails where there is no terminal to read keys from.
    pub fn enter(capabilities: Capabilities) -> io::Result<Self> {
        if !io::stdin().is_terminal() {
            // crossterm panics where it finds neither.
            File::open("/dev/tty")?;
        }
        // crossterm drops reverse and bold as well under NO_COLOR; the theme is ours to choose.
        crossterm::style::force_color_output(true);
        restore_on_panic();
        let line = Line::new(terminal_file()?, SshLine::detect(|name| std::env::var(name).ok()));
        let mut terminal = Self {
            capabilities,
            output: Output::start(terminal_file()?, line),
            last_title: String::new(),
            last_progress: String::new(),
        };
        terminal.take()?;
        Ok(terminal)
    }

    /// Takes the screen over again, after [`Self::give_back`].
    pub fn take(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        ENTERED.store(true, Ordering::SeqCst);
        let mut bytes = Vec::new();
        if self.capabilities.osc {
            bytes.extend_from_slice(b"\x1b[22;2t");
        }
        queue!(bytes, EnterAlternateScreen, Hide, EnableFocusChange, EnableBracketedPaste)?;
        self.last_title.clear();
        self.last_progress.clear();
        self.output.send(bytes);
        Ok(())
    }

    /// Leaves the screen as it was.
    pub fn give_back(&mut self) {
        if ENTERED.swap(false, Ordering::SeqCst) {
            self.output.send(leaving());
            self.output.wait(PATIENCE);
            let _ = disable_raw_mode();
        }
    }

    /// Whether the screen is still ours: a panic gives it back behind our back.
    pub fn entered(&self) -> bool {
        ENTERED.load(Ordering::SeqCst)
    }

    /// The size in cells. This asks the kernel, not the terminal.
    pub fn size(&self) -> Size {
        let (width, height) = crossterm::terminal::size().unwrap_or_default();
        Size { width, height }
    }

    /// The way out for bytes.
    pub const fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Puts the run's state into the window's title and its progress mark, where that is new;
    /// returns how many bytes that takes.
    pub fn announce(&mut self, title: &str, progress: Progress) -> usize {
        let mut bytes = Vec::new();
        if self.capabilities.osc && title != self.last_title {
            bytes.extend_from_slice(format!("\x1b]2;{title}\x07").as_bytes());
            title.clone_into(&mut self.last_title);
        }
        if self.capabilities.progress {
            let mark = match progress {
                Progress::None => "0;0".to_owned(),
                Progress::Running(percent) => format!("1;{percent}"),
                Progress::Paused(percent) => format!("4;{percent}"),
            };
            if mark != self.last_progress {
                PROGRESS_SHOWN.store(progress != Progress::None, Ordering::SeqCst);
                bytes.extend_from_slice(format!("\x1b]9;4;{mark}\x07").as_bytes());
                self.last_progress = mark;
            }
        }
        let length = bytes.len();
        if length > 0 {
            self.output.send(bytes);
        }
        length
    }

    /// Rings, and says why where the terminal can show it.
    pub fn alarm(&mut self, words: &str) {
        let mut bytes = vec![0x07];
        if self.capabilities.osc {
            let words = words.replace(';', ",");
            bytes.extend(self.through_tmux(format!("\x1b]9;{words}\x07")).into_bytes());
        }
        self.output.send(bytes);
    }

    /// Hands a text to the clipboard; `false` where it is too large for that. Nobody says whether
    /// it arrived.
    pub fn copy(&mut self, text: &str) -> bool {
        if text.len() > CLIPBOARD_MOST {
            return false;
        }
        let mut sequence = String::new();
        let copy = CopyToClipboard::to_clipboard_from(text);
        if crossterm::Command::write_ansi(&copy, &mut sequence).is_err() {
            return false;
        }
        // tmux takes it itself, or hands it on, or does neither: that is for its settings to say.
        if self.capabilities.tmux {
            let wrapped = self.through_tmux(sequence.clone());
            sequence.push_str(&wrapped);
        }
        self.output.send(sequence.into_bytes());
        true
    }

    /// tmux hands on what is wrapped so, with every escape doubled.
    fn through_tmux(&self, sequence: String) -> String {
        if self.capabilities.tmux {
            format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"))
        } else {
            sequence
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// What the window's progress mark shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    None,
    Running(u64),
    Paused(u64),
}

/// Everything that undoes what entering did.
fn leaving() -> Vec<u8> {
    // A frame may have been cut off in its middle.
    let mut bytes = END_SYNCHRONIZED.to_vec();
    if PROGRESS_SHOWN.swap(false, Ordering::SeqCst) {
        bytes.extend_from_slice(b"\x1b]9;4;0;0\x07");
    }
    // Writing into memory cannot fail.
    let _ = queue!(bytes, DisableBracketedPaste, DisableFocusChange, Show, LeaveAlternateScreen);
    bytes.extend_from_slice(b"\x1b[23;2t\x1b[0m");
    bytes
}

/// Standard output without the lock and the line buffer of [`io::stdout`]: a writer that is stuck
/// must not keep the panic hook from writing.
fn terminal_file() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

fn restore_on_panic() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if ENTERED.swap(false, Ordering::SeqCst) {
                if let Ok(mut terminal) = terminal_file() {
                    let _ = terminal.write_all(&leaving());
                }
                let _ = disable_raw_mode();
            }
            before(info);
        }));
    });
}
