//! Connections that can be reset: what neither hyper nor axum does on purpose.

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// Listens as a [`TcpListener`] does, for connections of this kind.
pub struct WireListener(pub TcpListener);

/// One connection.
pub struct Wire {
    stream: TcpStream,
    handle: WireHandle,
}

/// What a request may do to its connection.
#[derive(Clone, Default)]
pub struct WireHandle(Arc<Orders>);

#[derive(Default)]
struct Orders {
    reset: AtomicBool,
    mute: AtomicBool,
}

impl WireHandle {
    /// The connection will end with a reset instead of a proper end.
    pub fn reset_at_the_end(&self) {
        self.0.reset.store(true, Relaxed);
    }

    /// The connection is reset as soon as anything is to be written to it, which is not.
    pub fn reset_now(&self) {
        self.reset_at_the_end();
        self.0.mute.store(true, Relaxed);
    }

    /// What a write is answered with on a connection that is to be reset.
    fn refuse_to_write(&self) -> io::Result<()> {
        if self.0.mute.load(Relaxed) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.handle.0.reset.load(Relaxed) {
            // A closed socket that lingers for zero seconds throws away what is unsent and
            // sends RST (RFC 1122, 4.2.2.13). Where that fails, a proper end must do.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl Listener for WireListener {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        // Axum's own listener knows which errors of accept to sit out.
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Replies are written in one piece; waiting for more would only add latency.
        let _ = stream.set_nodelay(true);
        (Wire { stream, handle: WireHandle::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, WireListener>> for WireHandle {
    fn connect_info(stream: IncomingStream<'_, WireListener>) -> Self {
        stream.io().handle.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.handle.refuse_to_write()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.handle.refuse_to_write()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
