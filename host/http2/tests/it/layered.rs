//! The layer between a stream and the library, as simply as can be.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};
use witgate_http2::{Inbound, Outbound};

#[derive(Default)]
struct Layer {
    inbound: Inbound,
    outbound: Outbound,
    connection: Option<Waker>,
    waiting: Option<oneshot::Sender<()>>,
}

/// Puts challenges on the connection.
#[derive(Default, Clone)]
pub(crate) struct Challenger(Arc<Mutex<Layer>>);

impl Challenger {
    fn layer(&self) -> MutexGuard<'_, Layer> {
        self.0.lock().unwrap()
    }

    /// Sends a PING with this payload; what comes when it was answered.
    pub(crate) fn ask(&self, payload: [u8; 8]) -> oneshot::Receiver<()> {
        let mut layer = self.layer();
        let (answered, answer) = oneshot::channel();
        layer.waiting = Some(answered);
        layer.inbound.challenge(payload);
        layer.outbound.ping(payload);
        if let Some(connection) = layer.connection.take() {
            connection.wake();
        }
        answer
    }
}

/// A stream of which the library sees what the layer lets pass.
pub(crate) struct Layered<S> {
    stream: S,
    layer: Challenger,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Layered<S> {
    pub(crate) fn new(stream: S) -> (Self, Challenger) {
        let layer = Challenger::default();
        (Self { stream, layer: layer.clone() }, layer)
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut layer = self.layer.layer();
        layer.connection = Some(cx.waker().clone());
        while !layer.outbound.due().is_empty() {
            let due = ready!(Pin::new(&mut self.stream).poll_write(cx, layer.outbound.due()))?;
            layer.outbound.wrote_due(due);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Layered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(result) = this.poll_due(cx) {
            result?;
        }
        loop {
            let mut layer = this.layer.layer();
            let ready = layer.inbound.ready(buf.initialize_unfilled());
            if ready > 0 {
                buf.advance(ready);
                return Poll::Ready(Ok(()));
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            let new = &mut buf.filled_mut()[before..];
            if new.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let passed = layer.inbound.filter(new).map_err(io::Error::other)?;
            buf.set_filled(before + passed);
            if layer.inbound.take_answer()
                && let Some(waiting) = layer.waiting.take()
            {
                let _ = waiting.send(());
            }
            if passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Layered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_due(cx))?;
        let allowed = self.layer.layer().outbound.allowed(bytes);
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes[..allowed]))?;
        self.layer.layer().outbound.wrote(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_due(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
