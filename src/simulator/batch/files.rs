//! The files that clients upload and batches make, in a temporary folder that goes with the
//! provider.

use super::Wrong;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Batch,
    BatchOutput,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::BatchOutput => "batch_output",
        }
    }
}

/// A file that is kept. It is seen only by the group of keys that it belongs to.
#[derive(Clone, Debug)]
pub struct Kept {
    pub path: PathBuf,
    pub group: usize,
    pub purpose: Purpose,
    name: String,
    bytes: u64,
    created_at: u64,
}

impl Kept {
    /// The file as the API shows it.
    pub fn object(&self, id: &str) -> Value {
        json!({
            "id": id, "object": "file", "bytes": self.bytes, "created_at": self.created_at,
            "filename": self.name, "purpose": self.purpose.as_str(), "status": "processed",
            "status_details": null,
        })
    }
}

/// All files.
#[derive(Debug, Default)]
pub struct Files(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    /// Made for the first file.
    folder: Option<TempDir>,
    made: u64,
    kept: HashMap<String, Kept>,
}

impl Files {
    /// A place for a file that is about to be written, and the id that it will have.
    ///
    /// # Errors
    /// Where there can be no temporary folder.
    pub fn place(&self) -> io::Result<(String, PathBuf)> {
        let mut shelf = self.shelf();
        let folder = match shelf.folder.take() {
            Some(folder) => folder,
            None => tempfile::Builder::new().prefix("voxpop-simulator-").tempdir()?,
        };
        shelf.made += 1;
        let id = unique("file-", shelf.made);
        let path = folder.path().join(&id);
        shelf.folder = Some(folder);
        Ok((id, path))
    }

    /// Keeps a file that has been written to its place.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn keep(
        &self,
        id: &str,
        path: &Path,
        name: String,
        purpose: Purpose,
        group: usize,
    ) -> io::Result<Kept> {
        let bytes = fs::metadata(path)?.len();
        let kept =
            Kept { path: path.to_owned(), group, purpose, name, bytes, created_at: super::now() };
        self.shelf().kept.insert(id.to_owned(), kept.clone());
        Ok(kept)
    }

    /// Finds a file of a group.
    ///
    /// # Errors
    /// A 404.
    pub(super) fn find(&self, id: &str, group: usize) -> Result<Kept, Wrong> {
        let shelf = self.shelf();
        let kept = shelf.kept.get(id).filter(|kept| kept.group == group);
        kept.cloned().ok_or_else(|| Wrong::not_found("File", id))
    }

    /// Takes a file away.
    ///
    /// # Errors
    /// A 404.
    pub(super) fn delete(&self, id: &str, group: usize) -> Result<Value, Wrong> {
        let kept = self.find(id, group)?;
        self.shelf().kept.remove(id);
        // A batch that still reads it has it open.
        let _ = fs::remove_file(kept.path);
        Ok(json!({ "id": id, "object": "file", "deleted": true }))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An id that no other start of the simulator gives: a client may come back with what it kept.
pub fn unique(prefix: &str, number: u64) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{prefix}{:012x}{number:06x}", since.as_micros() & 0xffff_ffff_ffff)
}
