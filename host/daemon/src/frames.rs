//! An HTTP/2 connection's bytes, with the frame layer between socket and hyper.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
    time::{Instant, Sleep},
};
use witgate_http2::{Inbound, Outbound};
use witgate_protocol::limits;

use crate::rewound::Rewound;

/// Shared by the connection and whoever puts a challenge on it.
#[derive(Debug, Default)]
struct Shared {
    layer: Mutex<Layer>,
    /// The connection's task, which has to write what is asked for here.
    connection: AtomicWaker,
    /// Requests under way.
    requests: AtomicUsize,
    /// One has ended since the idle time began.
    asked: AtomicBool,
}

#[derive(Debug, Default)]
struct Layer {
    inbound: Inbound,
    outbound: Outbound,
    /// Who waits for the answer to the challenge that `inbound` looks for; set together with it, so
    /// that an answer can never be taken for that to another.
    waiting: Option<oneshot::Sender<()>>,
}

impl Shared {
    fn layer(&self) -> MutexGuard<'_, Layer> {
        // Whatever panicked in there, the connection ends with it.
        self.layer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handle of a connection's requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pinger(Arc<Shared>);

/// A request under way; the connection is not idle meanwhile.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Shared>);

impl Pinger {
    /// Sends a PING with this payload; whether its answer came in time.
    pub(crate) async fn ping(&self, payload: [u8; 8]) -> bool {
        let (waiting, answered) = oneshot::channel();
        {
            let mut layer = self.0.layer();
            layer.inbound.challenge(payload);
            layer.outbound.ping(payload);
            layer.waiting = Some(waiting);
        }
        self.0.connection.wake();
        let answered = tokio::time::timeout(limits::CHALLENGE_DEADLINE, answered).await;
        matches!(answered, Ok(Ok(())))
    }

    /// Counts a request until the value is dropped.
    pub(crate) fn busy(&self) -> Busy {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.0))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.asked.store(true, Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The connection as hyper sees it.
#[derive(Debug)]
pub(crate) struct FrameStream {
    stream: Rewound,
    shared: Arc<Shared>,
    idle: Pin<Box<Sleep>>,
}

/// An HTTP/2 connection without a request is closed like one of HTTP/1.1.
const IDLE: Duration = limits::IDLE_DEADLINE;

impl FrameStream {
    pub(crate) fn new(stream: Rewound, pinger: &Pinger) -> Self {
        let idle = Box::pin(tokio::time::sleep(IDLE));
        Self { stream, shared: Arc::clone(&pinger.0), idle }
    }

    /// Writes what is due of a PING.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shared = Arc::clone(&self.shared);
        let mut layer = shared.layer();
        while !layer.outbound.due().is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, layer.outbound.due()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            layer.outbound.wrote_due(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether nothing was asked for too long. Other frames than those of a request do not count.
    fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        while self.idle.as_mut().poll(cx).is_ready() {
            let busy = self.shared.requests.load(Ordering::Relaxed) > 0;
            if !self.shared.asked.swap(false, Ordering::Relaxed) && !busy {
                return true;
            }
            self.idle.as_mut().reset(Instant::now() + IDLE);
        }
        false
    }

    /// Reads into the buffer, in place; true if there is something in it or the end came.
    fn poll_some(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let Some(new) = buf.filled_mut().get_mut(before..).filter(|new| !new.is_empty()) else {
            return Poll::Ready(Ok(true));
        };
        let mut layer = self.shared.layer();
        let passed = layer.inbound.filter(new).map_err(io::Error::other)?;
        if layer.inbound.take_answer()
            && let Some(waiting) = layer.waiting.take()
        {
            // Whoever asked may have been reset meanwhile.
            let _ = waiting.send(());
        }
        drop(layer);
        buf.set_filled(before + passed);
        Poll::Ready(Ok(passed > 0))
    }
}

impl AsyncRead for FrameStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared.connection.register(cx.waker());
        if let Poll::Ready(Err(error)) = self.poll_due(cx) {
            return Poll::Ready(Err(error));
        }
        if self.is_idle(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        loop {
            if buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let ready = self.shared.layer().inbound.ready(buf.initialize_unfilled());
            if ready > 0 {
                buf.advance(ready);
                return Poll::Ready(Ok(()));
            }
            match self.poll_some(cx, buf) {
                Poll::Ready(Ok(false)) => {}
                Poll::Ready(Ok(true)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl AsyncWrite for FrameStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_due(cx))?;
        let allowed = self.shared.layer().outbound.allowed(bytes);
        let now = bytes.get(..allowed).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, now))?;
        let mut layer = self.shared.layer();
        layer.outbound.wrote(bytes.get(..written).unwrap_or_default());
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

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use tokio::io::AsyncReadExt as _;
    use witgate_http2::PREFACE;
    use witgate_peer::{Kernel, Subject};

    use super::*;

    /// The server's side of a connection, read to its end, and the client's.
    fn connection() -> (Pinger, UnixStream, tokio::task::JoinHandle<()>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        rustix::net::sockopt::set_socket_passcred(&ours, true).unwrap();
        ours.set_nonblocking(true).unwrap();
        let ours = tokio::net::UnixStream::from_std(ours).unwrap();
        let subject = Subject::accept(&ours, &Kernel::probe().unwrap()).unwrap();
        let first = bytes::Bytes::from_static(PREFACE);
        let pinger = Pinger::default();
        let mut stream = FrameStream::new(Rewound::new(first, subject.stream(ours)), &pinger);
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, PREFACE, "answers do not pass");
        });
        (pinger, theirs, reading)
    }

    fn answer(client: &mut UnixStream, payload: [u8; 8]) {
        use std::io::Write as _;
        client.write_all(&[&[0, 0, 8, 6, 1, 0, 0, 0, 0][..], &payload].concat()).unwrap();
    }

    // #15: hyper drops a request that was reset, and its challenge with it. The answer to that one,
    // whenever it comes, is not the answer to the next.
    #[tokio::test]
    async fn an_answer_to_an_earlier_challenge_is_none() {
        let (pinger, mut client, reading) = connection();
        let given_up = tokio::time::timeout(Duration::from_millis(1), pinger.ping([1; 8])).await;
        assert!(given_up.is_err());
        answer(&mut client, [1; 8]);
        // Read, and found to be the answer to nobody.
        while pinger.0.layer().waiting.is_some() {
            tokio::task::yield_now().await;
        }
        let (answered, ()) = tokio::join!(pinger.ping([2; 8]), async {
            tokio::task::yield_now().await;
            assert!(pinger.0.layer().waiting.is_some(), "it waits for its own");
            answer(&mut client, [2; 8]);
        });
        assert!(answered);
        drop(client);
        reading.await.unwrap();
    }
}
