//! The loop: one biased select over signals, written bytes, input, the link and the clock.
//! Everything that has arrived is taken in before a frame is drawn.

use super::{
    Exit, UiError,
    capabilities::Capabilities,
    format,
    frame_budget::FrameBudget,
    keymap::Context,
    line::LineRate,
    output::Written,
    screen::Screen,
    signals::{Signal, Signals},
    state::{Copied, Effect, Input, Leaving, UiState},
    terminal::{Progress, Terminal},
    view::{self, Look},
};
use crate::{
    link::FrontEndLink,
    model::{InterviewStatus, RunPhase, UnixMillis},
};
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::{Stream, StreamExt};
use ratatui::layout::Size;
use std::{
    collections::VecDeque,
    fs,
    future::poll_fn,
    io,
    path::{Path, PathBuf},
    task::Poll,
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// How many events are taken in before a frame is drawn at the latest.
const DRAIN_MOST: usize = 256;

/// How often title and progress mark change at most.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(1);

/// Runs the dashboard until it is left.
pub async fn run(
    link: FrontEndLink,
    capabilities: Capabilities,
    told: Option<LineRate>,
    look: Look,
    leaving: Leaving,
) -> Result<Exit, UiError> {
    let mut signals = Signals::listen().map_err(UiError::Signals)?;
    let terminal = Terminal::enter(capabilities).map_err(UiError::Terminal)?;
    let size = terminal.size();
    let now = Instant::now();
    let mut dashboard = Dashboard {
        state: UiState::attached(size, UnixMillis::now(), leaving),
        screen: Screen::new(size),
        frame_budget: FrameBudget::new(capabilities.frames_per_second, told, now),
        link,
        link_open: true,
        terminal,
        look,
        dirty: true,
        urgent: true,
        announced: None,
        exit: None,
        suspend: false,
    };
    // `None` while suspended, and after a hang-up: the stream's thread must not read on.
    let mut events = Some(EventStream::new());
    loop {
        dashboard.draw();
        if let Some(exit) = dashboard.exit {
            drop(events);
            dashboard.terminal.give_back();
            return Ok(exit);
        }
        if dashboard.suspend {
            dashboard.suspend = false;
            events = None;
            dashboard.suspend_here(&mut signals).await.map_err(UiError::Terminal)?;
            continue;
        }
        let stream = events.get_or_insert_with(EventStream::new);
        let happened = {
            let deadline = dashboard.deadline();
            let Dashboard { link, link_open, terminal, .. } = &mut dashboard;
            let busy = terminal.output().busy();
            tokio::select! {
                biased;
                signal = signals.next() => Happened::Signal(signal),
                written = terminal.output().written(), if busy => Happened::Written(written),
                event = stream.next() => Happened::Event(event),
                update = link.next(), if *link_open => {
                    Happened::Input(update.map_or(Input::EngineGone, Input::Update))
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    Happened::Deadline
                }
            }
        };
        // A frame that has been written is no reason for the next one.
        if !matches!(happened, Happened::Written(Ok(_))) {
            dashboard.apply(Input::Ticked(UnixMillis::now()));
        }
        dashboard.take_in(happened);
        for _ in 0..DRAIN_MOST {
            let Some(event) = arrived(stream).await else { break };
            dashboard.take_in(Happened::Event(event));
        }
        while let Some(update) = dashboard.link.try_next() {
            dashboard.apply(Input::Update(update));
        }
    }
}

/// The next item, if it is there already. It is looked for with the task's own waker: the event
/// stream keeps the first waker it is given, and one that wakes nobody (as that of
/// `now_or_never`) would leave every later key unseen until something else happens.
async fn arrived<S: Stream + Unpin>(stream: &mut S) -> Option<Option<S::Item>> {
    poll_fn(|cx| {
        Poll::Ready(match stream.poll_next_unpin(cx) {
            Poll::Ready(item) => Some(item),
            Poll::Pending => None,
        })
    })
    .await
}

enum Happened {
    Signal(Signal),
    Written(io::Result<Written>),
    Event(Option<io::Result<Event>>),
    Input(Input),
    Deadline,
}

struct Dashboard {
    state: UiState,
    screen: Screen,
    frame_budget: FrameBudget,
    link: FrontEndLink,
    link_open: bool,
    terminal: Terminal,
    look: Look,
    /// Something happened since the last frame.
    dirty: bool,
    /// A key was pressed: its effect shows at once.
    urgent: bool,
    announced: Option<Instant>,
    exit: Option<Exit>,
    suspend: bool,
}

impl Dashboard {
    fn take_in(&mut self, happened: Happened) {
        match happened {
            Happened::Deadline => {}
            Happened::Written(Ok(written)) => self.frame_budget.written(&written, Instant::now()),
            Happened::Written(Err(_)) | Happened::Signal(Signal::HungUp) => self.hang_up(),
            Happened::Signal(Signal::Stop) => self.apply(Input::AskedToStop),
            Happened::Signal(Signal::Suspend) => self.suspend = true,
            Happened::Signal(Signal::Continued) => {
                // Somebody else stopped us, and a shell may have set the terminal to its liking.
                self.terminal.give_back();
                self.take_back();
            }
            Happened::Event(Some(Ok(event))) => self.event(event),
            Happened::Event(Some(Err(error))) if error.kind() == io::ErrorKind::Interrupted => {}
            Happened::Event(Some(Err(_)) | None) => self.hang_up(),
            Happened::Input(input) => {
                self.link_open &= input != Input::EngineGone;
                self.apply(input);
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key),
            Event::Resize(width, height) => {
                let size = Size { width, height };
                if size != self.state.size {
                    self.apply(Input::Resized(size));
                    self.screen.repaint(size);
                    self.urgent = true;
                }
            }
            Event::FocusGained => self.apply(Input::Focused(true)),
            Event::FocusLost => self.apply(Input::Focused(false)),
            Event::Paste(text) if self.state.context() == Context::Talk => {
                self.urgent = true;
                for c in text.chars() {
                    self.apply(Input::Typed(if c.is_whitespace() { ' ' } else { c }));
                }
            }
            // A pasted text is no series of commands.
            Event::Key(_) | Event::Mouse(_) | Event::Paste(_) => {}
        }
    }

    fn key(&mut self, key: KeyEvent) {
        let context = self.state.context();
        let typed = match key.code {
            KeyCode::Char(c)
                if matches!(context, Context::Find | Context::Talk)
                    && !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
            {
                Some(c)
            }
            _ => None,
        };
        self.urgent = true;
        match (self.look.keys.action(context, key), typed) {
            (Some(action), _) => self.apply(Input::Act(action)),
            (None, Some(c)) => self.apply(Input::Typed(c)),
            (None, None) => {}
        }
    }

    /// Applies an input, and what follows from its effects.
    fn apply(&mut self, input: Input) {
        self.dirty = true;
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.state.apply(input) {
                inputs.extend(self.perform(effect));
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Send(order) => {
                let id = self.link.send(order.clone());
                return Some(Input::Sent { id, order });
            }
            // A hang-up stands whatever else is asked for.
            Effect::Leave(exit) => self.exit = Some(self.exit.unwrap_or(exit)),
            Effect::Suspend => self.suspend = true,
            Effect::Redraw => self.repaint(),
            Effect::Alarm(words) => self.terminal.alarm(&words),
            Effect::Write { directory, name, text, copy } => {
                let copied = match copy.then(|| self.terminal.copy(&text)) {
                    None => Copied::NotAsked,
                    Some(true) => Copied::Yes,
                    Some(false) => Copied::TooLarge,
                };
                let result = write_file(&directory, &name, &text);
                return Some(Input::Written { copied, result });
            }
        }
        None
    }

    const fn hang_up(&mut self) {
        self.exit = Some(Exit::HungUp);
    }

    fn repaint(&mut self) {
        let size = self.terminal.size();
        if size != self.state.size {
            self.apply(Input::Resized(size));
        }
        self.screen.repaint(size);
        self.dirty = true;
        self.urgent = true;
    }

    async fn suspend_here(&mut self, signals: &mut Signals) -> io::Result<()> {
        self.terminal.give_back();
        signals.stop_here().await?;
        self.apply(Input::Ticked(UnixMillis::now()));
        self.take_back();
        Ok(())
    }

    /// Takes the terminal over again; it may be gone by now.
    fn take_back(&mut self) {
        match self.terminal.take() {
            Ok(()) => self.repaint(),
            Err(_) => self.hang_up(),
        }
    }

    /// When the loop has to go on though nothing has happened.
    fn deadline(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let frame = (self.dirty && !self.terminal.output().busy())
            .then(|| self.frame_budget.earliest(self.urgent));
        let tick = self.state.ticks().then(|| {
            let elapsed = self.state.run.as_ref().map(|run| run.elapsed(UnixMillis::now()));
            now + until_next_second(elapsed.unwrap_or_default())
        });
        match (frame, tick) {
            (Some(frame), Some(tick)) => Some(frame.min(tick)),
            (frame, tick) => frame.or(tick),
        }
    }

    fn draw(&mut self) {
        if !self.terminal.entered() {
            // A panic somewhere gave the terminal back: what it says must stay to be read.
            self.exit = Some(self.exit.unwrap_or(Exit::EngineGone));
            return;
        }
        let now = Instant::now();
        let due = now >= self.frame_budget.earliest(self.urgent);
        if !self.dirty || !due || self.exit.is_some() || self.terminal.output().busy() {
            return;
        }
        self.dirty = false;
        self.urgent = false;
        let (state, look) = (&self.state, &self.look);
        let frame = self.screen.compose(|frame| view::draw(frame, state, look));
        let mut bytes = self.announce(now);
        if let Some(frame) = frame {
            bytes += frame.len();
            self.terminal.output().send(frame);
        }
        if bytes > 0 {
            self.frame_budget.sent(bytes, now);
        }
    }

    /// Tells the window, where that is due; returns how many bytes that takes.
    fn announce(&mut self, now: Instant) -> usize {
        let Some(run) = &self.state.run else { return 0 };
        let recent = self.announced.is_some_and(|at| now - at < ANNOUNCE_EVERY);
        if recent && !run.ended() {
            return 0;
        }
        self.announced = Some(now);
        let percent = format::percent(u64::from(run.counts.over()), u64::from(run.total()));
        let failed = run.counts.get(InterviewStatus::Failed);
        let replay = if run.meters.replay.is_some() { "replay: " } else { "" };
        let mut title = format!("{replay}{percent} % {}", run.header.run);
        if failed > 0 {
            title.push_str(&format!(", {failed} failed"));
        }
        let progress = match run.phase {
            _ if run.ended() => Progress::None,
            RunPhase::Paused { .. } => Progress::Paused(percent),
            _ => Progress::Running(percent),
        };
        self.terminal.announce(&title, progress)
    }
}

fn until_next_second(elapsed: Duration) -> Duration {
    Duration::from_millis(1_000 - u64::from(elapsed.subsec_millis()))
}

/// Writes beside the run file, or else where temporary files go.
fn write_file(directory: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
    let beside = directory.join(name);
    let Err(error) = fs::write(&beside, text) else { return Ok(beside) };
    let elsewhere = std::env::temp_dir().join(name);
    match fs::write(&elsewhere, text) {
        Ok(()) => Ok(elsewhere),
        Err(_) => Err(format!("cannot write {}: {error}; make room there", beside.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::Pin,
        sync::{Arc, Mutex},
        task::{Context, Waker},
    };

    /// Keeps the first waker until it is used, as crossterm's stream does.
    #[derive(Clone, Default)]
    struct OneWaker(Arc<Mutex<(Option<Waker>, bool)>>);

    impl Stream for OneWaker {
        type Item = ();

        fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
            let mut held = self.0.lock().unwrap();
            if held.1 {
                return Poll::Ready(Some(()));
            }
            held.0.get_or_insert_with(|| cx.waker().clone());
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_after_a_look_at_an_empty_stream_wakes_the_loop() {
        let mut stream = OneWaker::default();
        assert_eq!(arrived(&mut stream).await, None);
        let keyboard = stream.clone();
        let press = async move {
            let mut held = keyboard.0.lock().unwrap();
            held.1 = true;
            held.0.take().unwrap().wake();
        };
        // The loop waits before the key is pressed, and the clock stands while it is awake: time
        // passes only where nothing else wakes it.
        let start = Instant::now();
        let wait = tokio::time::timeout(Duration::from_secs(10), stream.next());
        let (woken, ()) = tokio::join!(biased; wait, press);
        assert_eq!((woken, start.elapsed()), (Ok(Some(())), Duration::ZERO));
        assert_eq!(arrived(&mut stream).await, Some(Some(())));
    }

    #[test]
    fn a_file_goes_beside_the_run_file_or_where_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let beside = write_file(folder.path(), "persona.txt", "text").unwrap();
        assert_eq!(beside, folder.path().join("persona.txt"));
        assert_eq!(fs::read_to_string(&beside).unwrap(), "text");
        let nowhere = folder.path().join("not there");
        let name = format!("voxpop-test-{}.txt", std::process::id());
        let elsewhere = write_file(&nowhere, &name, "text").unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "text");
        fs::remove_file(elsewhere).unwrap();
        let impossible = write_file(&nowhere, "also/not/there", "text").unwrap_err();
        assert!(impossible.contains("cannot write"), "{impossible}");
    }
}
