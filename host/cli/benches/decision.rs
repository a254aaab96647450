//! What a decision costs over the socket, beside a bare floor, and what the transport is of it:
//! `cargo bench --workspace --bench decision`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has to stop")]

mod floor;
mod workload;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    time::Duration,
};

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use floor::Floor;
use workload::{
    ATTEST, ATTEST_HTTP, ATTEST_HTTP_ONCE, Held, PING, ask, ask_challenged, folder,
    folder_about_image, says,
};

/// Bytes of one echo.
const ECHO: usize = 256;

fn main() {
    floor::serve_if_asked();
    let mut criterion = Criterion::default()
        .sample_size(60)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    decisions(&mut criterion);
    transports(&mut criterion);
    criterion.final_summary();
}

/// Every case has a daemon of its own: the grants of one uid may write 64 MiB of audit log a
/// minute, which is some thirty thousand.
fn decisions(criterion: &mut Criterion) {
    let mut answer = Vec::new();
    ask(&folder(true).serve().socket(), ATTEST, &mut answer);
    let floor = Floor::start(answer.len());

    let mut group = criterion.benchmark_group("new connection");
    anew(&mut group, "floor", &floor.socket(), ATTEST, "x");
    for (name, allow, request, expected) in [
        ("attest", true, ATTEST, "spiffe://"),
        ("attest, denied", false, ATTEST, "no_matching_entry"),
        ("attest over HTTP", true, ATTEST_HTTP_ONCE, "spiffe://"),
        ("ping", true, PING, "ready"),
    ] {
        anew(&mut group, name, &folder(allow).serve().socket(), request, expected);
    }
    let image = folder_about_image().serve();
    anew(&mut group, "attest, image", &image.socket(), ATTEST, "/image");
    let image = folder_about_image().serve();
    group.bench_function("attest, image, challenged", |bencher| {
        bencher.iter(|| ask_challenged(&image.socket(), &mut answer));
        assert!(says(&answer, "\"challenged\":true"), "{}", String::from_utf8_lossy(&answer));
    });
    group.finish();

    let mut group = criterion.benchmark_group("held connection");
    let daemon = folder(true).serve();
    let mut held = Held::connect(&daemon.socket());
    group.bench_function("attest over HTTP", |bencher| {
        bencher.iter(|| assert!(says(held.ask(ATTEST_HTTP), "spiffe://")));
    });
    group.finish();
}

fn anew(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    socket: &Path,
    request: &[u8],
    expected: &str,
) {
    let mut answer = Vec::new();
    group.bench_function(name, |bencher| {
        bencher.iter(|| ask(socket, request, &mut answer));
        assert!(says(&answer, expected), "{}", String::from_utf8_lossy(&answer));
    });
}

/// Is a Unix socket faster than loopback TCP? Two threads, and nothing but the transport.
fn transports(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let unix = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || unix.incoming().for_each(|stream| echo(stream.unwrap())));
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in tcp.incoming() {
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            echo(stream);
        }
    });
    let unix = || UnixStream::connect(&path).unwrap();
    let tcp = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    };
    let mut group = criterion.benchmark_group("echo");
    group.bench_function("new Unix connection", |b| b.iter(|| round_trip(&mut unix())));
    group.bench_function("new TCP connection", |b| b.iter(|| round_trip(&mut tcp())));
    // Each server serves one connection at a time, so the held one comes last.
    let (mut unix, mut tcp) = (unix(), tcp());
    group.bench_function("held Unix connection", |b| b.iter(|| round_trip(&mut unix)));
    group.bench_function("held TCP connection", |b| b.iter(|| round_trip(&mut tcp)));
    group.finish();
}

fn round_trip(stream: &mut (impl Read + Write)) {
    stream.write_all(&[1; ECHO]).unwrap();
    stream.read_exact(&mut [0; ECHO]).unwrap();
}

/// Says again what it is told until the other end closes.
fn echo(mut stream: impl Read + Write) {
    let mut bytes = [0; ECHO];
    while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&bytes).is_ok() {}
}
