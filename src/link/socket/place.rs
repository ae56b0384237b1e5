//! Where the socket of a run is: in a folder that only its user can enter, under a name that
//! follows from the run file, so that every terminal of the user finds it.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tokio::net::UnixStream;

/// Socket addresses hold no more bytes than some hundred, on every system.
const LONGEST_PATH: usize = 100;

/// Making a socket takes less.
const BEING_MADE: Duration = Duration::from_secs(10);

/// Nobody but the user may look into the folder.
const FOLDER_MODE: u32 = 0o700;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("the run file {path} cannot be looked at: {source}")]
    RunFile { path: PathBuf, source: io::Error },
    #[error(
        "no folder for the run's socket can be used: {tried}; set XDG_RUNTIME_DIR to a folder of \
         yours with a short path, or use --foreground"
    )]
    NoFolder { tried: String },
}

/// The user this process acts for.
pub(super) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The name of a run's socket. It follows from which file it is and not from its path, which may
/// be written in several ways.
///
/// # Errors
/// A run file that is not there.
pub fn socket_name(run_file: &Path) -> Result<String, PlaceError> {
    let file = fs::metadata(run_file)
        .map_err(|source| PlaceError::RunFile { path: run_file.to_owned(), source })?;
    Ok(format!("{:x}-{:x}.sock", file.dev(), file.ino()))
}

/// The folders in which sockets may be, the best first. A shell may lack the variables that
/// another has, so all of them are looked into.
fn folders() -> Vec<PathBuf> {
    let uid = own_uid();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let mut folders: Vec<PathBuf> = runtime
        .filter(|folder| folder.is_absolute())
        .into_iter()
        .chain([PathBuf::from(format!("/run/user/{uid}"))])
        .map(|folder| folder.join("voxpop"))
        .collect();
    for temporary in [std::env::temp_dir(), PathBuf::from("/tmp")] {
        folders.push(temporary.join(format!("voxpop-{uid}")));
    }
    let mut seen = Vec::new();
    folders.retain(|folder| {
        let fresh = !seen.contains(folder);
        seen.push(folder.clone());
        fresh
    });
    folders
}

/// Where to look for the socket of this name, the best place first.
pub(super) fn candidates(name: &str) -> Vec<PathBuf> {
    let paths = folders().into_iter().filter(|folder| is_ours(folder).is_ok());
    paths.map(|folder| folder.join(name)).collect()
}

/// Where to make the socket of this name; its folder is there.
pub(super) fn make_room(name: &str) -> Result<PathBuf, PlaceError> {
    let mut tried = Vec::new();
    for folder in folders() {
        let path = folder.join(name);
        let usable = if path.as_os_str().len() > LONGEST_PATH {
            Err("its path is too long".to_owned())
        } else {
            make(&folder).and_then(|()| is_ours(&folder))
        };
        match usable {
            Ok(()) => return Ok(path),
            Err(why) => tried.push(format!("{} ({why})", folder.display())),
        }
    }
    Err(PlaceError::NoFolder { tried: tried.join(", ") })
}

fn make(folder: &Path) -> Result<(), String> {
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Takes sockets away that engines have left behind which were killed.
pub(super) async fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // One that is being made does not listen yet.
        let old = |made: SystemTime| made.elapsed().is_ok_and(|age| age > BEING_MADE);
        let made = entry.metadata().and_then(|found| found.modified());
        if path.extension().is_none_or(|extension| extension != "sock") || !made.is_ok_and(old) {
            continue;
        }
        let nobody = UnixStream::connect(&path).await;
        if nobody.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// In a folder for everybody, somebody else may have made ours first.
fn is_ours(folder: &Path) -> Result<(), String> {
    let found = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    if !found.is_dir() {
        return Err("it is no folder".to_owned());
    }
    if found.uid() != own_uid() {
        return Err(format!("it belongs to user {}", found.uid()));
    }
    if found.permissions().mode() & 0o077 != 0 {
        // It is ours, so its mode can be mended.
        let mended = fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE));
        mended.map_err(|error| format!("others may enter it: {error}"))?;
    }
    Ok(())
}
