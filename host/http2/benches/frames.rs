//! What the layer costs on a connection without a challenge, beside a copy of the same bytes:
//! `cargo bench -p witgate-http2`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has to stop")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use witgate_http2::{Inbound, Outbound, PREFACE};

/// Bytes of one read or write, as the library makes them.
const READ: usize = 16 * 1024;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [vec![a, b, c, kind, flags, 0, 0, 0, 1], payload.to_vec()].concat()
}

/// Frames whose ends lie anywhere in a read.
fn data() -> Vec<u8> {
    frame(0, 0, &vec![7; READ]).repeat(64)
}

/// Requests of about 60 bytes, with the authority that gRPC sends; what is rewritten once stays so.
fn headers() -> Vec<u8> {
    let authority = b"%2Frun%2Fwitgate%2Fapi.sock";
    let length = u8::try_from(authority.len()).unwrap();
    let block = [&[0x83, 0x86, 0x84, 0x01, length][..], authority, &[0xbe, 0xbf, 0xc0]].concat();
    frame(1, 5, &block).repeat(4096)
}

fn inbound(bytes: &mut [u8]) -> usize {
    let mut inbound = Inbound::default();
    let mut passed = inbound.filter(&mut PREFACE.to_vec()).unwrap();
    let mut ready = [0; READ];
    for read in bytes.chunks_mut(READ) {
        passed += inbound.filter(read).unwrap();
        while inbound.has_ready() {
            passed += inbound.ready(&mut ready);
        }
    }
    passed
}

fn outbound(bytes: &[u8]) -> Outbound {
    let mut outbound = Outbound::default();
    for write in bytes.chunks(READ) {
        let allowed = outbound.allowed(write);
        outbound.wrote(write.get(..allowed).unwrap());
    }
    outbound
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frames");
    for (name, mut bytes) in [("data-16k", data()), ("headers", headers())] {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let mut copy = vec![0; READ];
        group.bench_function(BenchmarkId::new("copy", name), |bencher| {
            bencher.iter(|| {
                for read in bytes.chunks(READ) {
                    copy.iter_mut().zip(read).for_each(|(to, from)| *to = *from);
                    black_box(&mut copy);
                }
            });
        });
        group.bench_function(BenchmarkId::new("inbound", name), |bencher| {
            bencher.iter(|| inbound(black_box(&mut bytes)));
        });
        group.bench_function(BenchmarkId::new("outbound", name), |bencher| {
            bencher.iter(|| outbound(black_box(&bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
