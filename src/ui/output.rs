//! The way out: bytes on their way to the terminal, one frame at a time.
//!
//! A thread of its own writes them, so that a terminal that takes no more bytes stalls that thread,
//! and neither the keys nor the signals. It says that bytes are written once they are, as far as
//! can be seen, not only handed over but taken: see [`Settle`].

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc as std_mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Waits until what was written is no longer on its way, as far as that can be seen.
pub trait Settle: Send + 'static {
    /// So many bytes were written. It must return soon once `hurry` is set.
    fn settle(&mut self, bytes: usize, hurry: &AtomicBool);
}

/// Where nothing can be seen.
impl Settle for () {
    fn settle(&mut self, _: usize, _: &AtomicBool) {}
}

/// What became of bytes that were handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub bytes: usize,
    /// How long the terminal took to take them over. What only lies in a buffer takes no time.
    pub took: Duration,
}

/// Bytes on their way to the terminal.
#[derive(Debug)]
pub struct Output {
    queue: std_mpsc::Sender<Vec<u8>>,
    written: mpsc::UnboundedReceiver<io::Result<Written>>,
    outstanding: usize,
    hurry: Arc<AtomicBool>,
}

impl Output {
    /// Starts the thread. It ends when the output is dropped and the last bytes are written.
    pub fn start(mut writer: impl Write + Send + 'static, mut settle: impl Settle) -> Self {
        let (queue, bytes) = std_mpsc::channel::<Vec<u8>>();
        let (report, written) = mpsc::unbounded_channel();
        let hurry = Arc::new(AtomicBool::new(false));
        let hurried = Arc::clone(&hurry);
        thread::spawn(move || {
            for bytes in bytes {
                let started = Instant::now();
                let result = write_all(&mut writer, &bytes)
                    .map(|()| Written { bytes: bytes.len(), took: started.elapsed() });
                settle.settle(bytes.len(), &hurried);
                if report.send(result).is_err() {
                    break;
                }
            }
        });
        Self { queue, written, outstanding: 0, hurry }
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
    pub async fn written(&mut self) -> io::Result<Written> {
        let result = self.written.recv().await;
        self.outstanding = self.outstanding.saturating_sub(1);
        result.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Blocks until everything is written, for so long at most. That it has arrived is not waited
    /// for.
    pub(super) fn wait(&mut self, patience: Duration) {
        self.hurry.store(true, Ordering::SeqCst);
        let step = Duration::from_millis(1);
        let mut waited = Duration::ZERO;
        while self.outstanding > 0 && waited < patience {
            match self.written.try_recv() {
                Ok(_) => self.outstanding -= 1,
                Err(mpsc::error::TryRecvError::Empty) => {
                    thread::sleep(step);
                    waited += step;
                }
                Err(mpsc::error::TryRecvError::Disconnected) => break,
            }
        }
        self.hurry.store(false, Ordering::SeqCst);
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
        let mut output = Output::start(slow.clone(), ());
        output.send(b"the first frame, ".to_vec());
        output.send(b"the second".to_vec());
        while output.busy() {
            output.written().await.unwrap();
        }
        assert_eq!(slow.0.lock().unwrap().0, b"the first frame, the second");
    }

    #[tokio::test]
    async fn a_terminal_that_is_gone_is_an_error() {
        let mut output = Output::start(Gone, ());
        output.send(b"frame".to_vec());
        assert_eq!(output.written().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_stalled_terminal_holds_up_neither_the_sender_nor_the_way_out() {
        let (let_go, held) = std_mpsc::channel();
        let mut output = Output::start(Stalled(held), ());
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

    /// A line on which what was written is under way until it is let go.
    struct Under(std_mpsc::Receiver<()>);

    impl Settle for Under {
        fn settle(&mut self, _: usize, hurry: &AtomicBool) {
            while !hurry.load(Ordering::SeqCst) && self.0.try_recv().is_err() {
                thread::yield_now();
            }
        }
    }

    #[tokio::test]
    async fn what_is_written_but_under_way_is_not_written_unless_one_leaves() {
        let (arrived, under_way) = std_mpsc::channel();
        let mut output = Output::start(io::sink(), Under(under_way));
        output.send(b"frame".to_vec());
        assert!(output.written.try_recv().is_err());
        arrived.send(()).unwrap();
        assert_eq!(output.written().await.unwrap().bytes, 5);
        output.send(b"the last".to_vec());
        output.wait(Duration::from_secs(10));
        assert!(!output.busy());
    }
}
