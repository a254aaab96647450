//! HTTP/2 on the public socket: real clients, and frames that no client of ours would send.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::Value;
use witgate_testkit::daemon::Daemon;

use crate::folder;

/// One request of an HTTP/2 client; the answer's JSON.
async fn get(client: &mut h2::client::SendRequest<bytes::Bytes>, path: &str) -> Value {
    let request = http::Request::get(format!("http://localhost{path}")).body(()).unwrap();
    let mut ready = client.clone().ready().await.unwrap();
    let (response, _) = ready.send_request(request, true).unwrap();
    let mut body = response.await.unwrap().into_body();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    serde_json::from_slice(&all).unwrap()
}

async fn connect(socket: &Path) -> h2::client::SendRequest<bytes::Bytes> {
    let stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

#[tokio::test]
async fn many_requests_share_a_connection_and_its_challenge() {
    let daemon = folder().serve();
    let mut client = connect(&daemon.socket()).await;
    assert_eq!(get(&mut client, "/v1/health").await["ready"], true);
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let mut client = client.clone();
        asked.spawn(async move { get(&mut client, "/v1/attest").await });
    }
    while let Some(answer) = asked.join_next().await {
        let answer = answer.unwrap();
        let expected = (&Value::from("allow"), &Value::from(true));
        assert_eq!((&answer["decision"], &answer["challenged"]), expected, "{answer}");
    }
}

/// A client of gRPC sends a message before it knows anything of the other end.
#[tokio::test]
async fn a_method_of_grpc_is_answered_in_its_own_words() {
    let daemon = folder().serve();
    let client = connect(&daemon.socket()).await;
    for path in ["/v1/attest", "/v1/watch", "/spiffe.Service/Method"] {
        let request = http::Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc+proto")
            .body(())
            .unwrap();
        let mut ready = client.clone().ready().await.unwrap();
        let (response, mut stream) = ready.send_request(request, false).unwrap();
        stream.send_data(vec![0; 5].into(), true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], "12");
        assert!(response.into_body().data().await.is_none(), "{path}");
    }
    // The connection goes on, and one challenge was enough.
    let answer = get(&mut client.clone(), "/v1/attest").await;
    assert_eq!(answer["challenged"], true, "{answer}");
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [vec![a, b, c, kind, flags, 0, 0, 0, stream], payload.to_vec()].concat()
}

const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// `GET /v1/attest` with this field for its authority.
fn request(stream: u8, authority: &[u8]) -> Vec<u8> {
    let path = b"/v1/attest";
    let head = [0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    frame(1, 5, stream, &[&head[..], path, authority].concat())
}

/// A client made by hand.
struct Client(UnixStream);

impl Client {
    fn begin(daemon: &Daemon) -> Self {
        let mut stream = UnixStream::connect(daemon.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(&[BEGINNING, &frame(4, 0, 0, &[])].concat()).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The next frame: kind, flags, payload.
    fn next(&mut self) -> Option<(u8, u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).ok()?;
        Some((head[3], head[4], payload))
    }

    /// The JSON of the next answer; PINGs are answered as `pong` says, if they are.
    fn answer(&mut self, pong: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Value> {
        loop {
            match self.next()? {
                (0, _, body) if !body.is_empty() => return serde_json::from_slice(&body).ok(),
                (6, 0, payload) => {
                    if let Some(payload) = pong(&payload) {
                        self.send(&frame(6, 1, 0, &payload));
                    }
                }
                // A stream that is reset, or the end of all.
                (3 | 7, ..) => return None,
                _ => {}
            }
        }
    }
}

fn honest(payload: &[u8]) -> Option<Vec<u8>> {
    Some(payload.to_vec())
}

/// What gRPC's C core and Java send on a Unix socket, as it is and in the Huffman code.
#[test]
fn an_authority_with_the_path_of_the_socket_is_served() {
    let daemon = folder().serve();
    let raw = |text: &[u8]| [&[0x41, u8::try_from(text.len()).unwrap()], text].concat();
    // `%2Frun%2Fx.sock` in the Huffman code.
    let coded =
        [0x41, 0x8c, 0x54, 0x58, 0x6c, 0xb6, 0xa5, 0x45, 0x87, 0xca, 0xe8, 0x39, 0x3a, 0xff];
    for authority in
        [raw(b"%2Frun%2Fwitgate%2Fapi.sock"), raw(b"/run/witgate/api.sock"), coded.to_vec()]
    {
        let mut client = Client::begin(&daemon);
        client.send(&request(1, &authority));
        let answer = client.answer(honest).unwrap();
        assert_eq!((&answer["decision"], &answer["challenged"]), (&"allow".into(), &true.into()));
        // And again by its number in the table of the connection.
        client.send(&request(3, &[0x80 | 62]));
        assert_eq!(client.answer(honest).unwrap()["decision"], "allow");
    }
}

// #15: what is sent in advance, guessed or never sent is no answer; it costs the caller what an answer
// would have been worth, and nothing else.
#[test]
fn a_ping_that_is_answered_wrongly_leaves_a_caller_unchallenged() {
    let daemon = folder().serve();
    let authority = [&[0x41, 9][..], b"localhost"].concat();
    for pong in [|_: &[u8]| None, |_: &[u8]| Some(vec![0; 8])] {
        let mut client = Client::begin(&daemon);
        for guess in 0..64_u64 {
            client.send(&frame(6, 1, 0, &guess.to_be_bytes()));
        }
        client.send(&request(1, &authority));
        let answer = client.answer(pong).unwrap();
        assert_eq!((&answer["decision"], &answer["challenged"]), (&"allow".into(), &false.into()));
    }
}

// #50
#[test]
fn frames_without_end_end_the_connection() {
    let daemon = folder().serve();
    let floods: [Vec<u8>; 3] = [
        [frame(1, 0, 1, &[0x82]), frame(9, 0, 1, &[]).repeat(10_000)].concat(),
        // Streams that are begun and reset.
        (0..1000).flat_map(|_| [request(1, &[]), frame(3, 0, 1, &[0, 0, 0, 8])].concat()).collect(),
        [frame(1, 0, 1, &vec![0; 16_000]), frame(9, 0, 1, &vec![0; 16_000]).repeat(10)].concat(),
    ];
    for flood in floods {
        let mut client = Client::begin(&daemon);
        // It may be cut off before everything is written.
        let _ = client.0.write_all(&flood);
        while client.next().is_some() {}
    }
    let mut client = Client::begin(&daemon);
    client.send(&request(1, &[&[0x41, 1][..], b"x"].concat()));
    assert_eq!(client.answer(honest).unwrap()["decision"], "allow");
}
