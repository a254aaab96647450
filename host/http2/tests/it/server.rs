//! A server that answers every request at once, and a client that is written by hand.

use bytes::Bytes;
use http::{Request, Response};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream},
    sync::mpsc,
    task::JoinHandle,
};

use crate::{
    layered::{Challenger, Layered},
    wire,
};

/// Bytes that fit between the two ends; few, and odd, so that writes are short.
pub(crate) const ROOM: usize = 777;

pub(crate) type Requests = mpsc::UnboundedReceiver<Request<()>>;

/// The library on one end, and what it was asked.
pub(crate) fn serve<S>(stream: S) -> (JoinHandle<()>, Requests)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (asked, requests) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        while let Some(Ok((request, mut answer))) = connection.accept().await {
            let _ = asked.send(request.map(drop));
            answer.send_response(Response::new(()), true).unwrap();
        }
    });
    (task, requests)
}

/// A frame as the client reads it.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Bytes,
}

/// The client's end.
pub(crate) struct Client(pub(crate) DuplexStream);

impl Client {
    /// A client of a server behind the layer.
    pub(crate) fn layered() -> (Self, Challenger, Requests) {
        let (client, server) = tokio::io::duplex(ROOM);
        let (layered, challenger) = Layered::new(server);
        let (_, requests) = serve(layered);
        (Self(client), challenger, requests)
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn read(&mut self) -> Frame {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.unwrap();
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).await.unwrap();
        Frame { kind, flags, stream: u32::from_be_bytes(stream), payload: payload.into() }
    }

    /// The next frame of a stream, whatever else comes before it.
    pub(crate) async fn of_stream(&mut self, stream: u32) -> Frame {
        loop {
            let frame = self.read().await;
            if frame.stream == stream {
                return frame;
            }
        }
    }

    /// The next PING that is not an answer.
    pub(crate) async fn ping(&mut self) -> [u8; 8] {
        loop {
            let frame = self.read().await;
            if (frame.kind, frame.flags & wire::ACK) == (wire::PING, 0) {
                return frame.payload[..].try_into().unwrap();
            }
        }
    }
}
