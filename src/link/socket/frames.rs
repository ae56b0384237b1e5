//! Frames off a stream.

use crate::protocol::codec::{CodecError, HEADER, Lengths, Message};
use bytes::{Buf, BytesMut};
use std::{io, marker::PhantomData};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Why no frame comes any more.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

/// Reads messages of one kind.
pub(super) struct Frames<R, M> {
    from: R,
    buffer: BytesMut,
    most: usize,
    kind: PhantomData<fn() -> M>,
}

impl<R: AsyncRead + Unpin, M: Message> Frames<R, M> {
    /// `most` is the longest frame that is let in.
    pub(super) fn new(from: R, most: usize) -> Self {
        Self { from, buffer: BytesMut::new(), most, kind: PhantomData }
    }

    /// The stream, without what has been read ahead.
    #[cfg(test)]
    pub(super) fn into_inner(self) -> R {
        self.from
    }

    /// The next message; `None` where the other end has left. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<M>, FrameError> {
        loop {
            if let Some(message) = self.parse()? {
                return Ok(Some(message));
            }
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// A message that is there as a whole.
    fn parse(&mut self) -> Result<Option<M>, FrameError> {
        let Some(header) = self.buffer.first_chunk::<HEADER>() else {
            // Garbage may be shorter than a header.
            let mark = self.buffer.len().min(4);
            if !b"vox1".starts_with(&self.buffer[..mark]) {
                return Err(CodecError::Garbage.into());
            }
            return Ok(None);
        };
        let lengths = Lengths::read(*header, self.most)?;
        let whole = HEADER + lengths.whole();
        if self.buffer.len() < whole {
            self.buffer.reserve(whole - self.buffer.len());
            return Ok(None);
        }
        let (json, tail) = self.buffer[HEADER..whole].split_at(lengths.json);
        let message = M::decode(json, tail)?;
        self.buffer.advance(whole);
        if self.buffer.is_empty() {
            // A snapshot's room is not kept for deltas.
            self.buffer = BytesMut::new();
        }
        Ok(Some(message))
    }
}
