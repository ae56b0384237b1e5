//! The folder beside the run file in which the files of batches lie until the batches are over.

use crate::batch::FileSize;
use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// The folder of a run.
pub(super) struct Folder(PathBuf);

/// A file in the making. It is not on disk before [`LineFile::close`].
pub(super) struct LineFile {
    path: PathBuf,
    out: BufWriter<File>,
}

impl Folder {
    /// The folder beside a run file.
    pub(super) fn beside(run_file: &Path) -> Self {
        let mut name = OsString::from(run_file);
        name.push(".batches");
        Self(name.into())
    }

    /// The file of a batch.
    pub(super) fn of(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number}.jsonl"))
    }

    /// Begins the file of a batch, over whatever a process that died has left.
    pub(super) fn begin(&self, number: u32) -> io::Result<LineFile> {
        fs::create_dir_all(&self.0)?;
        let path = self.of(number);
        Ok(LineFile { out: BufWriter::new(File::create(&path)?), path })
    }

    /// Takes away what belongs to none of these batches: its planning was never committed.
    pub(super) fn clear(&self, but: &HashSet<u32>) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let number = entry.path().file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            if number.is_some_and(|number| !but.contains(&number)) {
                let _ = fs::remove_file(entry.path());
            }
        }
        self.tidy();
    }

    /// The batch is over.
    pub(super) fn remove(&self, number: u32) {
        let _ = fs::remove_file(self.of(number));
        self.tidy();
    }

    /// An empty folder goes; one that is not empty does not let itself be taken away.
    fn tidy(&self) {
        let _ = fs::remove_dir(&self.0);
    }
}

impl LineFile {
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.out.write_all(line)
    }

    /// Puts it on disk.
    pub(super) fn close(self, size: FileSize) -> io::Result<()> {
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        debug_assert_eq!(file.metadata()?.len(), size.bytes);
        if let Some(folder) = self.path.parent() {
            #[cfg(unix)]
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Takes it away again.
    pub(super) fn discard(self) {
        let Self { path, out } = self;
        drop(out);
        let _ = fs::remove_file(path);
    }
}
