//! What clients put into `:authority` on a Unix socket arrives, and everything else as it was.

use proptest::prelude::*;

use crate::{
    server::{Client, serve},
    wire::{self, HOW, Written},
};

/// As clients of gRPC's core write it, and those of its Java.
const PATHS: [(&str, &str); 3] = [
    ("%2Frun%2Fwitgate%2Fapi.sock", "-2Frun-2Fwitgate-2Fapi.sock"),
    ("/run/x.sock", ".run.x.sock"),
    ("localhost", "localhost"),
];

fn every_way() -> impl Iterator<Item = Written> {
    HOW.into_iter().flat_map(|how| {
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(by_index, coded)| Written { how, by_index, coded })
    })
}

#[tokio::test]
async fn a_path_arrives_as_an_authority() {
    for (path, expected) in PATHS {
        for written in every_way() {
            let (mut client, _, mut requests) = Client::layered();
            client.write(&wire::hello()).await;
            client.write(&wire::request(1, &wire::authority(written, path))).await;
            let head = client.of_stream(1).await;
            assert_eq!((head.kind, head.payload[0]), (wire::HEADERS, 0x88), "{path} {written:?}");
            let request = requests.recv().await.unwrap();
            assert_eq!(request.uri().authority().unwrap(), expected);
            assert_eq!(request.uri().path(), "/");
        }
    }
}

/// What gRPC's own client wrote for two calls; the first byte is for the fuzz target.
const GRPC: &[u8] = include_bytes!("../../fuzz/connection/grpc-core");

#[tokio::test]
async fn what_grpc_wrote_arrives() {
    let (mut client, challenger, mut requests) = Client::layered();
    // The answer to this one is among it.
    let answer = challenger.ask([1, 2, 3, 4, 5, 6, 7, 8]);
    client.write(&GRPC[1..]).await;
    for _ in 0..2 {
        let request = requests.recv().await.unwrap();
        let uri = request.uri();
        assert_eq!(uri.authority().unwrap(), "tmp-2Fwitgate-2Fapi.sock");
        assert_eq!(uri.path(), "/SpiffeWorkloadAPI/FetchX509SVID");
        assert_eq!(request.headers()["workload.spiffe.io"], "true");
    }
    answer.await.unwrap();
}

#[tokio::test]
async fn the_next_request_may_name_it_by_the_table() {
    for coded in [false, true] {
        let (mut client, _, mut requests) = Client::layered();
        client.write(&wire::hello()).await;
        let first = Written { how: HOW[0], by_index: true, coded };
        client.write(&wire::request(1, &wire::authority(first, PATHS[0].0))).await;
        for stream in [3, 5] {
            client.write(&wire::request(stream, &[wire::YOUNGEST])).await;
        }
        for stream in [1, 3, 5] {
            assert_eq!(client.of_stream(stream).await.payload[0], 0x88);
            let request = requests.recv().await.unwrap();
            assert_eq!(request.uri().authority().unwrap(), PATHS[0].1);
        }
    }
}

#[tokio::test]
async fn without_the_layer_it_is_refused() {
    for (path, _) in &PATHS[..2] {
        for written in every_way() {
            let (client, server) = tokio::io::duplex(4096);
            let (_, mut requests) = serve(server);
            let mut client = Client(client);
            client.write(&wire::hello()).await;
            client.write(&wire::request(1, &wire::authority(written, path))).await;
            let reset = client.of_stream(1).await;
            // PROTOCOL_ERROR
            assert_eq!((reset.kind, &reset.payload[..]), (wire::RESET, &[0, 0, 0, 1][..]));
            drop(client);
            assert!(requests.recv().await.is_none());
        }
    }
}

/// A request of which every part is written somehow.
#[derive(Debug, Clone)]
struct Case {
    authority: (Written, String),
    others: Vec<(Written, String)>,
    /// A new size of the table before it.
    resize: Option<usize>,
    /// Where the block is cut into frames, and how the first is padded.
    cuts: Vec<usize>,
    padding: Option<u8>,
    priority: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let written =
        || {
            (0..HOW.len(), any::<bool>(), any::<bool>())
                .prop_map(|(how, by_index, coded)| Written { how: HOW[how], by_index, coded })
        };
    let path = "[%/]?[a-z0-9%/._-]{1,100}";
    (
        (written(), path),
        proptest::collection::vec((written(), "[ -~]{0,200}"), 0..4),
        proptest::option::of(0..=4096_usize),
        proptest::collection::vec(0..300_usize, 0..4),
        proptest::option::of(0..9_u8),
        any::<bool>(),
    )
        .prop_map(|(authority, others, resize, cuts, padding, priority)| Case {
            authority,
            others,
            resize,
            cuts,
            padding,
            priority,
        })
}

impl Case {
    fn block(&self) -> Vec<u8> {
        let (written, value) = &self.authority;
        let mut block = self.resize.map(|size| wire::integer(0x20, 5, size)).unwrap_or_default();
        block.extend([wire::GET, wire::HTTP, wire::ROOT]);
        block.extend(wire::authority(*written, value));
        for (written, value) in &self.others {
            // `user-agent` is 58 in the static table, `authority` is not there.
            block.extend(wire::field(*written, (58, "user-agent"), value.trim()));
            block.extend(wire::field(*written, (0, "authority"), value.trim()));
        }
        block
    }

    fn frames(&self, stream: u32) -> Vec<u8> {
        let block = self.block();
        let mut cuts: Vec<_> = self.cuts.iter().map(|cut| (*cut).min(block.len())).collect();
        cuts.extend([0, block.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &block[cut[0]..cut[1]]).collect();
        let last = pieces.len() - 1;
        let ends = |at| if at == last { wire::END_HEADERS } else { 0 };
        let mut flags = wire::END_STREAM | ends(0);
        let mut payload = pieces[0].to_vec();
        if self.priority {
            flags |= wire::PRIORITY;
            payload.splice(..0, [0, 0, 0, 0, 9]);
        }
        if let Some(padding) = self.padding {
            flags |= wire::PADDED;
            payload.insert(0, padding);
            payload.extend(vec![0; usize::from(padding)]);
        }
        let mut frames = wire::frame(wire::HEADERS, flags, stream, &payload);
        for (at, piece) in pieces.iter().enumerate().skip(1) {
            frames.extend(wire::frame(wire::CONTINUATION, ends(at), stream, piece));
        }
        frames
    }
}

/// Sends them on one connection, with one table.
async fn arrived(cases: &[Case]) -> Result<(), TestCaseError> {
    let (mut client, _, mut requests) = Client::layered();
    client.write(&wire::hello()).await;
    for (case, stream) in cases.iter().zip((1..).step_by(2)) {
        client.write(&case.frames(stream)).await;
        prop_assert_eq!(client.of_stream(stream).await.payload[0], 0x88);
        let request = requests.recv().await.unwrap();
        let expected = case.authority.1.replace('%', "-").replace('/', ".");
        prop_assert_eq!(request.uri().authority().unwrap(), expected.as_str());
        for name in ["user-agent", "authority"] {
            let got: Vec<_> = request.headers().get_all(name).iter().collect();
            let sent: Vec<_> = case.others.iter().map(|(_, value)| value.trim()).collect();
            prop_assert_eq!(got, sent);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn requests_arrive_whole_however_they_are_written(
        cases in proptest::collection::vec(case(), 1..5),
    ) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(arrived(&cases))?;
    }
}
