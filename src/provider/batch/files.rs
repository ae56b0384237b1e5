//! Files: up from the disk, down line by line.

use super::BatchError;
use crate::{
    model::{Failure, FailureKind, FileId},
    provider::client::{Client, lost},
};
use bytes::{Bytes, BytesMut};
use reqwest::{
    Body,
    header::CONTENT_TYPE,
    multipart::{Form, Part},
};
use serde::Deserialize;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::{fs::File, time::timeout};

/// How long a file may take on its way: 200 MB at 60 KB/s.
const LONGEST_TRANSFER: Duration = Duration::from_secs(60 * 60);

/// A download of which nothing comes for so long has broken off.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// The longest line that is read: a reply of the longest length, and what stands around it.
const LONGEST_LINE: usize = 17 * 1024 * 1024;

#[derive(Deserialize)]
struct FileObject {
    id: String,
}

#[derive(Deserialize)]
struct Deleted {}

impl Client {
    /// Uploads an input file. `name` is what the provider calls it, and ends in `.jsonl`.
    ///
    /// # Errors
    /// Where it does not get there.
    pub async fn upload(&self, path: &Path, name: &str) -> Result<FileId, BatchError> {
        let broken = |source| BatchError::File { path: path.to_owned(), source };
        let file = File::open(path).await.map_err(broken)?;
        let length = file.metadata().await.map_err(broken)?.len();
        let part = Part::stream_with_length(Body::from(file), length)
            .file_name(name.to_owned())
            .mime_str("application/jsonl")
            .map_err(|error| broken(std::io::Error::other(error)))?;
        let mut headers = self.headers.clone();
        headers.remove(CONTENT_TYPE);
        let form = Form::new().text("purpose", "batch").part("file", part);
        let request = self.http.post(self.beside(&["files"])).headers(headers);
        let request = request.multipart(form).timeout(LONGEST_TRANSFER);
        let file: FileObject = self.ask_json(request, "file").await?;
        Ok(FileId(file.id))
    }

    /// Begins to download a file.
    ///
    /// # Errors
    /// Where the provider does not give it.
    pub async fn content(&self, file: &FileId) -> Result<ContentLines<'_>, BatchError> {
        let url = self.beside(&["files", &file.0, "content"]);
        let request = self.http.get(url).headers(self.headers.clone()).timeout(LONGEST_TRANSFER);
        let response = self.ask(request).await?;
        Ok(ContentLines { client: self, response, buffer: BytesMut::new(), searched: 0 })
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// Where the provider does not.
    pub async fn delete_file(&self, file: &FileId) -> Result<(), BatchError> {
        let request = self.http.delete(self.beside(&["files", &file.0]));
        let request = request.headers(self.headers.clone());
        self.ask_json::<Deleted>(request, "deletion").await.map(|Deleted {}| ())
    }
}

/// The lines of a file on its way down.
pub struct ContentLines<'a> {
    client: &'a Client,
    response: reqwest::Response,
    buffer: BytesMut,
    /// So much of the buffer has no line's end.
    searched: usize,
}

impl ContentLines<'_> {
    /// The next line that is not blank; `None` at the end of the file.
    ///
    /// # Errors
    /// Where the download breaks off. What came before it is good.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BatchError> {
        loop {
            while let Some(line) = self.buffered() {
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(self.client.without_key(line)));
                }
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(BatchError::malformed("file of lines", &"one is longer than 17 MiB"));
            }
            match self.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => {
                    self.searched = 0;
                    let last = self.buffer.split().freeze();
                    let blank = last.trim_ascii().is_empty();
                    return Ok((!blank).then(|| self.client.without_key(last)));
                }
            }
        }
    }

    fn buffered(&mut self) -> Option<Bytes> {
        match memchr::memchr(b'\n', &self.buffer[self.searched..]) {
            Some(at) => {
                let line = self.buffer.split_to(self.searched + at + 1).freeze();
                self.searched = 0;
                Some(line)
            }
            None => {
                self.searched = self.buffer.len();
                None
            }
        }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, BatchError> {
        let since = Instant::now();
        let failure = match timeout(LONGEST_SILENCE, self.response.chunk()).await {
            Ok(Ok(chunk)) => return Ok(chunk),
            Ok(Err(error)) => lost(&error, since),
            Err(_) => Failure::new(FailureKind::Timeout, "the download stood still for 60 s"),
        };
        Err(BatchError::Provider { status: None, failure })
    }
}
