//! A PING is answered by real clients while they do something else, and cannot be answered by others.

use bytes::Bytes;
use h2::{RecvStream, client, server};
use http::{Request, Response};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
    task::JoinSet,
};

use crate::{
    layered::Layered,
    server::{Client, ROOM},
    wire,
};

/// Bytes that go to and fro on each of so many streams.
const BODY: usize = 300_000;
const STREAMS: u8 = 4;

/// Challenges while they do.
const CHALLENGES: u64 = 300;

async fn all_of(body: &mut RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    all
}

/// Sends back what came, and everything that is in the library's way.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let mut connection = server::handshake(stream).await.unwrap();
    while let Some(request) = connection.accept().await {
        let (request, mut answer) = request.unwrap();
        tokio::spawn(async move {
            let all = all_of(&mut request.into_body()).await;
            let mut body = answer.send_response(Response::new(()), false).unwrap();
            body.send_data(all.into(), true).unwrap();
        });
    }
}

async fn ask_for_echo(mut requests: client::SendRequest<Bytes>, fill: u8) {
    let request = Request::post("http://localhost/").body(()).unwrap();
    let (answer, mut body) = requests.send_request(request, false).unwrap();
    let sent: Vec<u8> = (0..BODY).map(|at| fill ^ u8::try_from(at % 251).unwrap()).collect();
    body.send_data(sent.clone().into(), true).unwrap();
    let answer = answer.await.unwrap();
    assert!(all_of(&mut answer.into_body()).await == sent);
}

/// Requests and challenges at once; all of both are answered.
async fn both_at_once<S>(server: S, client: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (layered, challenger) = Layered::new(server);
    let serving = tokio::spawn(echo(layered));
    let (requests, connection) = client::handshake(client).await.unwrap();
    let connected = tokio::spawn(connection);
    let mut tasks = JoinSet::new();
    for fill in 0..STREAMS {
        tasks.spawn(ask_for_echo(requests.clone(), fill));
    }
    for challenge in 0..CHALLENGES {
        challenger.ask(challenge.to_be_bytes()).await.unwrap();
    }
    tasks.join_all().await;
    drop(requests);
    connected.await.unwrap().unwrap();
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_client_answers_while_requests_run() {
    let (server, client) = tokio::io::duplex(ROOM);
    both_at_once(server, client).await;
    let (server, client) = UnixStream::pair().unwrap();
    both_at_once(server, client).await;
}

/// Bytes of a field that makes the head of an answer several frames long.
const LARGE: usize = 60_000;

#[tokio::test]
async fn no_head_of_an_answer_is_cut_by_a_ping() {
    let (server, client) = tokio::io::duplex(ROOM);
    let (layered, challenger) = Layered::new(server);
    let serving = tokio::spawn(async move {
        let mut connection = server::handshake(layered).await.unwrap();
        while let Some(Ok((_, mut answer))) = connection.accept().await {
            let head = Response::builder().header("x", "x".repeat(LARGE)).body(()).unwrap();
            answer.send_response(head, true).unwrap();
        }
    });
    let (requests, connection) = client::handshake(client).await.unwrap();
    let connected = tokio::spawn(connection);
    let asking = tokio::spawn(async move {
        for asked in 0_u64.. {
            challenger.ask(asked.to_be_bytes()).await.unwrap();
        }
    });
    let mut ready = requests.ready().await.unwrap();
    for _ in 0..100 {
        let request = Request::get("http://localhost/").body(()).unwrap();
        let answer = ready.send_request(request, true).unwrap().0.await.unwrap();
        assert_eq!(answer.headers()["x"].len(), LARGE);
    }
    // Only the end of the connection ends it.
    assert!(!asking.is_finished());
    asking.abort();
    drop(ready);
    connected.await.unwrap().unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn an_idle_client_answers_and_settings_come_first() {
    let (mut client, challenger, _requests) = Client::layered();
    // Before the library has written anything.
    let mut answer = challenger.ask([5; 8]);
    client.write(&wire::hello()).await;
    assert_eq!(client.read().await.kind, wire::SETTINGS);
    assert_eq!(client.ping().await, [5; 8]);
    assert!(answer.try_recv().is_err());
    client.write(&wire::pong([5; 8])).await;
    answer.await.unwrap();
}

/// Answers in advance, and guesses (security matrix 15).
const GUESSES: u64 = 100_000;

#[tokio::test]
async fn what_is_no_answer_never_counts() {
    let (mut client, challenger, mut requests) = Client::layered();
    let challenge = 0x8000_0000_0000_0001_u64.to_be_bytes();
    client.write(&wire::hello()).await;
    // In advance, and with what the library's own PINGs carry.
    client.write(&wire::pong(challenge)).await;
    let constant = [0x3b, 0x7c, 0xdb, 0x7a, 0x0b, 0x87, 0x16, 0xb4];
    client.write(&wire::pong(constant)).await;
    client.write(&wire::frame(wire::PING, 0, 0, &[9; 8])).await;
    // All of it has been read when this is answered.
    while client.read().await.kind != wire::PING {}
    let mut answer = challenger.ask(challenge);
    assert_eq!(client.ping().await, challenge);
    client.write(&wire::pong(constant)).await;
    for guess in 0..GUESSES {
        client.write(&wire::pong(guess.to_be_bytes())).await;
    }
    // The library has not minded, and has read all of it.
    let localhost = wire::Written { how: wire::HOW[0], by_index: true, coded: true };
    client.write(&wire::request(1, &wire::authority(localhost, "localhost"))).await;
    assert_eq!(client.of_stream(1).await.payload[0], 0x88);
    assert!(requests.recv().await.is_some());
    assert!(answer.try_recv().is_err());
    client.write(&wire::pong(challenge)).await;
    answer.await.unwrap();
}
