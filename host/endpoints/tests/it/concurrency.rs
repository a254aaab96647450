//! Slots, and what becomes of a request that nobody waits for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use witgate_endpoints::{EndpointSettings, NamedEndpoints};

use crate::server::{UnixServer, endpoints, get, health, raw, read_head, send, unix_settings};

/// A server that answers when it may, and says who came.
struct Gate {
    server: UnixServer,
    open: Arc<Semaphore>,
    most: Arc<AtomicUsize>,
    arrivals: mpsc::UnboundedReceiver<()>,
}

fn gate() -> Gate {
    let open = Arc::new(Semaphore::new(0));
    let (here, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (arrived, arrivals) = mpsc::unbounded_channel();
    let (opens, highest) = (Arc::clone(&open), Arc::clone(&most));
    let server = raw(move |mut stream| {
        let (open, here, most) = (Arc::clone(&opens), Arc::clone(&here), Arc::clone(&highest));
        most.fetch_max(here.fetch_add(1, SeqCst) + 1, SeqCst);
        let arrived = arrived.clone();
        async move {
            read_head(&mut stream).await;
            arrived.send(()).unwrap();
            open.acquire().await.unwrap().forget();
            here.fetch_sub(1, SeqCst);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    Gate { server, open, most, arrivals }
}

fn with_slots(server: &UnixServer, slots: u64) -> NamedEndpoints {
    endpoints(&EndpointSettings { concurrency: Some(slots), ..unix_settings(&server.path) })
}

#[tokio::test]
async fn no_more_than_the_slots_are_under_way() {
    let mut gate = gate();
    let endpoints = with_slots(&gate.server, 2);
    let mut requests = JoinSet::new();
    for _ in 0..8 {
        let endpoints = endpoints.clone();
        requests.spawn(async move { send(&endpoints, get("/")).await });
    }
    for _ in 0..2 {
        gate.arrivals.recv().await.unwrap();
    }
    let waiting = health(&endpoints);
    assert_eq!((waiting.requests, waiting.under_way, waiting.answered), (8, 8, 0));
    for _ in 0..6 {
        gate.open.add_permits(1);
        assert_eq!(requests.join_next().await.unwrap().unwrap().unwrap().status, 204);
        gate.arrivals.recv().await.unwrap();
    }
    gate.open.add_permits(2);
    requests.join_all().await;
    assert_eq!(gate.most.load(SeqCst), 2);
    assert_eq!(health(&endpoints).answered, 8);
}

#[tokio::test]
async fn who_drops_a_request_closes_its_connection_and_frees_its_slot() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let (closed, mut closings) = mpsc::unbounded_channel();
    let server = raw(move |mut stream| {
        let (arrived, closed) = (arrived.clone(), closed.clone());
        async move {
            read_head(&mut stream).await;
            // Half an answer, so that the request is in the middle of everything.
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await.unwrap();
            arrived.send(()).unwrap();
            closed.send(stream.read(&mut [0]).await.unwrap_or(0)).unwrap();
        }
    });
    let endpoints = with_slots(&server, 1);
    for abandoned in 1..=3 {
        tokio::select! {
            answer = send(&endpoints, get("/")) => panic!("{answer:?}"),
            arrival = arrivals.recv() => arrival.unwrap(),
        }
        assert_eq!(closings.recv().await, Some(0));
        let health = health(&endpoints);
        assert_eq!((health.abandoned, health.under_way), (abandoned, 0));
        assert_eq!(health.last_error, None);
    }
}
