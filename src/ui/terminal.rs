//! The terminal itself: entering and leaving it, and writing to it. Both the guard and the panic
//! hook leave it as it was.

use super::{capabilities::Capabilities, screen::END_SYNCHRONIZED};
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
        mpsc as std_mpsc,
    },
    thread,
    time::Duration,
};
use tokio::sync::mpsc;

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
        let mut terminal = Self {
            capabilities,
            output: Output::start(terminal_file()?),
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

    /// Puts the run's state into the window's title and its progress mark, where that is new.
    pub fn announce(&mut self, title: &str, progress: Progress) {
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
        if !bytes.is_empty() {
            self.output.send(bytes);
        }
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

/// Bytes on their way to the terminal, written by a thread of their own: a terminal that takes no
/// more bytes stalls that thread, and neither the keys nor the signals.
#[derive(Debug)]
pub struct Output {
    queue: std_mpsc::Sender<Vec<u8>>,
    written: mpsc::UnboundedReceiver<io::Result<()>>,
    outstanding: usize,
}

impl Output {
    /// Starts the thread. It ends when the output is dropped and the last bytes are written.
    pub fn start(mut writer: impl Write + Send + 'static) -> Self {
        let (queue, bytes) = std_mpsc::channel::<Vec<u8>>();
        let (report, written) = mpsc::unbounded_channel();
        thread::spawn(move || {
            for bytes in bytes {
                let result = write_all(&mut writer, &bytes);
                if report.send(result).is_err() {
                    break;
                }
            }
        });
        Self { queue, written, outstanding: 0 }
    }

    /// Hands bytes over to be written.
    pub fn send(&mut self, bytes: Vec<u8>) {
        // A thread that has ended has reported why, or was killed with the process.
        if self.queue.send(bytes).is_ok() {
            self.outstanding += 1;
        }
    }

    /// Whether bytes are still on their way: a frame drawn now would come late.
    pub const fn busy(&self) -> bool {
        self.outstanding > 0
    }

    /// Waits until something was written. Dropping the future loses nothing.
    pub async fn written(&mut self) -> io::Result<()> {
        let result = self.written.recv().await;
        self.outstanding = self.outstanding.saturating_sub(1);
        result.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Blocks until everything is written, for so long at most.
    fn wait(&mut self, patience: Duration) {
        let step = Duration::from_millis(1);
        let mut waited = Duration::ZERO;
        while self.outstanding > 0 && waited < patience {
            match self.written.try_recv() {
                Ok(_) => self.outstanding -= 1,
                Err(mpsc::error::TryRecvError::Empty) => {
                    thread::sleep(step);
                    waited += step;
                }
                Err(mpsc::error::TryRecvError::Disconnected) => return,
            }
        }
    }
}

/// Writes all of it, also to a terminal that another program has left in non-blocking mode.
fn write_all(writer: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match writer.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A terminal that takes three bytes at a time, and every other time none.
    #[derive(Clone, Default)]
    struct Slow(Arc<Mutex<(Vec<u8>, bool)>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut held = self.0.lock().unwrap();
            held.1 = !held.1;
            if held.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(3);
            held.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A terminal that takes nothing until it is let go.
    struct Stalled(std_mpsc::Receiver<()>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn bytes_arrive_in_order_however_few_the_terminal_takes() {
        let slow = Slow::default();
        let mut output = Output::start(slow.clone());
        output.send(b"the first frame, ".to_vec());
        output.send(b"the second".to_vec());
        while output.busy() {
            output.written().await.unwrap();
        }
        assert_eq!(slow.0.lock().unwrap().0, b"the first frame, the second");
    }

    #[tokio::test]
    async fn a_terminal_that_is_gone_is_an_error() {
        let mut output = Output::start(Gone);
        output.send(b"frame".to_vec());
        assert_eq!(output.written().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_stalled_terminal_holds_up_neither_the_sender_nor_the_way_out() {
        let (let_go, held) = std_mpsc::channel();
        let mut output = Output::start(Stalled(held));
        for _ in 0..1_000 {
            output.send(vec![b'x'; 1_000]);
        }
        assert!(output.busy());
        output.wait(Duration::from_millis(20));
        assert!(output.busy());
        drop(let_go);
        while output.busy() {
            output.written().await.unwrap();
        }
    }
}
