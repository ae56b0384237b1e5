//! A command that prints a key, such as `pass show openai`.

use super::key;
use crate::model::strip_controls;
use std::{
    io::{self, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// How long a command may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// How often the command is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// More than any key has.
const LONGEST: u64 = 64 * 1024;

/// How much of what a command complains about fits a message.
const LONGEST_COMPLAINT: usize = 300;

/// What the command prints, trimmed. The error may repeat what it complains about, and never what
/// it prints.
pub(super) fn run(command: &str, timeout: Duration) -> Result<String, String> {
    let until = Instant::now() + timeout;
    let mut child = start(command).map_err(|problem| format!("cannot be started: {problem}"))?;
    let printed = child.stdout.take().map(read_aside);
    let complained = child.stderr.take().map(read_aside);
    let Some(status) = wait(&mut child, until).map_err(|problem| problem.to_string())? else {
        return Err(format!(
            "did not end within {} s and was stopped; it must print the key without asking anything",
            timeout.as_secs_f32()
        ));
    };
    let Some(printed) = received(printed, until) else {
        return Err("left a program running that holds its output open; end that one too".into());
    };
    let key = String::from_utf8_lossy(&printed).trim().to_owned();
    let complaint = || complaint(&received(complained, until).unwrap_or_default(), &key);
    if !status.success() {
        return Err(format!("failed with {status}{}; try it in a shell", complaint()));
    }
    if key.is_empty() {
        return Err(format!("printed nothing{}; try it in a shell", complaint()));
    }
    match key.lines().count() {
        1 => Ok(key),
        lines => {
            Err(format!("printed {lines} lines; let it print the key alone, as `| head -n 1` does"))
        }
    }
}

fn start(command: &str) -> io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // All that it starts can then be stopped with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    shell.spawn()
}

/// Waits for the end of the command; where the time is up, it is stopped and `None` comes back.
fn wait(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            stop(child);
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn stop(child: &mut Child) {
    #[cfg(unix)]
    let _ = rustix::process::kill_process_group(
        rustix::process::Pid::from_child(child),
        rustix::process::Signal::KILL,
    );
    let _ = child.kill();
}

/// Reads to the end on a thread of its own, so that neither pipe holds up the other.
fn read_aside(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.by_ref().take(LONGEST).read_to_end(&mut bytes);
        let _ = io::copy(&mut from, &mut io::sink());
        let _ = done.send(bytes);
    });
    result
}

/// A command that has ended may have left somebody behind who holds the pipe open, so that even
/// then there is a bound.
fn received(from: Option<Receiver<Vec<u8>>>, until: Instant) -> Option<Vec<u8>> {
    from?.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
}

fn complaint(bytes: &[u8], key: &str) -> String {
    let text = strip_controls(String::from_utf8_lossy(bytes).trim());
    if text.is_empty() {
        return String::new();
    }
    // `set -x` and the like repeat what is printed.
    if key::is_likely_in(&text) || (!key.is_empty() && text.contains(key)) {
        return " and a complaint that holds what may be the key".into();
    }
    let end = text.char_indices().nth(LONGEST_COMPLAINT).map_or(text.len(), |(end, _)| end);
    format!(": {}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_prints_is_the_key() {
        assert_eq!(run("printf '  the-key\\n\\n'", TIMEOUT), Ok("the-key".to_owned()));
        assert_eq!(run("echo note >&2; echo the-key", TIMEOUT), Ok("the-key".to_owned()));
        // Neither pipe may fill up and hold the command.
        let loud = "head -c 1000000 /dev/zero >&2; echo the-key";
        assert_eq!(run(loud, TIMEOUT), Ok("the-key".to_owned()));
    }

    #[test]
    fn a_command_without_a_key_is_told_why_and_what_it_printed_is_told_nobody() {
        let told = [
            "exit 3",
            "echo hidden; echo no such entry >&2; exit 1",
            "echo hidden; echo so this is hidden >&2; exit 1",
            "no-such-program-here",
            "true",
            "printf 'hidden\\nuser: me\\n'",
        ]
        .map(|command| {
            let error = run(command, TIMEOUT).unwrap_err();
            assert!(!error.contains("hidden"), "{error}");
            let shell = error.find("sh: ").map_or(error.len(), |at| at + 4);
            format!("{command}\n    => {}\n", &error[..shell])
        });
        insta::assert_snapshot!(told.concat());
    }

    #[test]
    fn a_command_that_does_not_end_is_stopped_with_all_that_it_started() {
        // Whoever is left of the command holds the pipe open, and the reading would not end.
        let mut child = start("sleep 600 | cat").unwrap();
        let printed = child.stdout.take().map(read_aside).unwrap();
        assert!(wait(&mut child, Instant::now()).unwrap().is_none());
        assert_eq!(printed.recv(), Ok(Vec::new()));

        let error = run("sleep 600", Duration::from_millis(10)).unwrap_err();
        assert!(error.starts_with("did not end within 0.01 s and was stopped"), "{error}");
    }
}
