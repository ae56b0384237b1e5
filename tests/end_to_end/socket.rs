//! The socket of a run: who is let in, and what is said to the others.

use crate::{
    attach::{detached, finished, held, socket, wait_until},
    common::voxpop::{PATIENCE, Running},
    place::{Place, RUN},
};
use std::{
    env, fs,
    io::{Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream,
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

/// Sends bytes to the socket and returns all that comes back before the end.
fn send(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // It may be reset with unread bytes in it; what came before counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn frame(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap().to_le_bytes();
    [&b"vox1"[..], &length, &[0; 4], json.as_bytes()].concat()
}

#[test]
fn what_is_no_dashboard_is_refused_in_one_line() {
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    detached(&place, &[]);
    provider.wait_for(2);
    let path = socket(&place);
    let found = fs::symlink_metadata(&path).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let folder = fs::metadata(path.parent().unwrap()).unwrap();
    assert_eq!((folder.mode() & 0o777, folder.uid()), (0o700, found.uid()));
    assert!(path.as_os_str().len() <= 100);

    let oversized = [&b"vox1"[..], &u32::MAX.to_le_bytes(), &[0; 4]].concat();
    let newer = r#"{"hello":{"protocol":99,"voxpop_version":"9.0.0","role":"control","stays":true,"more":1}}"#;
    let early = r#"{"ordered":{"id":1,"order":{"order":"stop_now"}}}"#;
    let hello =
        r#"{"hello":{"protocol":1,"voxpop_version":"0.1.0","role":"control","stays":false}}"#;
    for (bytes, words) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "not voxpop's protocol"),
        (b"x".to_vec(), "not voxpop's protocol"),
        (oversized.clone(), "over the limit of 65536"),
        (frame("{\"hello\":"), "cannot be understood"),
        (frame(newer), "attach with the voxpop that started the run"),
        (frame(early), "before the hello"),
        ([frame(hello), oversized].concat(), "over the limit of 65536"),
        ([frame(hello), b"garbage".to_vec()].concat(), "not voxpop's protocol"),
    ] {
        let answer = send(&path, &bytes);
        assert!(answer.contains(words), "{words}: {answer:?}");
        let refusals = answer.lines().filter(|line| line.contains("{\"refused\":"));
        assert_eq!(refusals.count(), 1, "{answer:?}");
    }
    // None of it has done anything to the run.
    assert_eq!(place.voxpop(&["tell", RUN, "slots=3"]).code, 0);
    provider.wait_for(3);
    gate.open();
    wait_until("the run to end", || finished(&place));
    assert_eq!(provider.server.count(), 10);
}

const STRANGER: &str = "VOXPOP_TEST_SOCKET";

/// The child: another user. In a usual test run it has nothing to do.
#[test]
fn child_that_is_another_user() {
    let Ok(path) = env::var(STRANGER) else { return };
    println!("answer: {}", send(Path::new(&path), b"").replace('\n', " "));
}

/// Only root may become somebody else, so elsewhere there is nothing to try.
#[test]
fn another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may become another user");
        return;
    }
    let (gate, provider) = held();
    let place = Place::with_survey(&provider.base_url(), 10, 2);
    detached(&place, &[]);
    provider.wait_for(2);
    // A copy that anybody can start, and a way around what the modes refuse already.
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = open.path().join("test");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = socket(&place);
    let way_in = open.path().join("socket");
    fs::hard_link(&path, &way_in).or_else(|_| std::os::unix::fs::symlink(&path, &way_in)).unwrap();
    let ask = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = Command::new(&program);
        command
            .args(["--exact", "socket::child_that_is_another_user", "--nocapture"])
            .env(STRANGER, &way_in)
            .current_dir("/")
            .uid(65_534)
            .gid(65_534)
            .stdin(Stdio::null());
        Running::start(command).end()
    };
    let outcome = ask(0o600);
    assert_ne!(outcome.code, 0, "the mode keeps it out: {outcome:?}");
    let outcome = ask(0o666);
    assert!(outcome.out.contains("belongs to another user"), "{outcome:?}");
    gate.open();
    wait_until("the run to end", || finished(&place));
}
