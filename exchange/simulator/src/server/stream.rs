//! A TCP stream that can be reset: closed without a farewell, as the exchange often does.
//!
//! The order to reset comes from elsewhere, because hyper owns the stream while it is served.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Orders one stream's reset.
#[derive(Clone, Debug, Default)]
pub(super) struct Reset {
    ordered: Arc<AtomicBool>,
    wake: Arc<Notify>,
}

impl Reset {
    /// Orders the reset; it happens when the stream is dropped.
    pub(super) fn order(&self) {
        self.ordered.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Waits until the reset is ordered.
    pub(super) async fn wait(&self) {
        while !self.ordered.load(Ordering::Acquire) {
            self.wake.notified().await;
        }
    }
}

/// The stream.
#[derive(Debug)]
pub(super) struct Resettable {
    stream: TcpStream,
    reset: Reset,
}

impl Resettable {
    pub(super) fn new(stream: TcpStream) -> (Self, Reset) {
        let reset = Reset::default();
        let handle = reset.clone();
        (Self { stream, reset }, handle)
    }
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.reset.ordered.load(Ordering::Acquire) {
            // With a linger time of zero the kernel sends RST in place of FIN; if it refuses, FIN must do.
            let _set = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
