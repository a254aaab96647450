//! HTTP/1.1 and HTTP/2 on the public socket, by hyper, within our limits.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Body as _, Frame as BodyFrame, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::sync::OnceCell;
use witgate_decision::Caller;
use witgate_peer::Challenge;
use witgate_protocol::{
    Ask, Authorization, Dialect, Nonce, Outcome, Problem, Reason, frame::json_line, limits,
};

use crate::{
    answer::Frame,
    frames::{Busy, FrameStream, Pinger},
    gateway::Gateway,
    grpc,
    rewound::Rewound,
};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Serves requests until the other end, or a deadline, closes.
pub(crate) async fn serve(gateway: Arc<Gateway>, caller: Arc<Caller>, stream: Rewound) {
    let conversation = Conversation::new(gateway, caller, None);
    let served = Arc::clone(&conversation);
    let service = hyper::service::service_fn(move |request| {
        let conversation = Arc::clone(&served);
        async move { Ok::<_, Infallible>(answer(&conversation, &request, None).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle())
        .max_buf_size(limits::MAX_HEAD)
        .max_headers(limits::MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    until_leaving(&conversation.gateway, connection).await;
    conversation.end();
}

/// The same over HTTP/2, where a challenge is put by itself: every client answers a PING.
pub(crate) async fn serve_http2(gateway: Arc<Gateway>, caller: Arc<Caller>, stream: Rewound) {
    let pinger = Pinger::default();
    let stream = FrameStream::new(stream, &pinger);
    let conversation = Conversation::new(gateway, caller, Some(pinger));
    let served = Arc::clone(&conversation);
    let service = hyper::service::service_fn(move |request| {
        let conversation = Arc::clone(&served);
        async move {
            let busy = conversation.pinger.as_ref().map(Pinger::busy);
            conversation.challenge_by_ping(&request).await;
            if grpc::is_request(&request) {
                return Ok::<_, Infallible>(grpc::unimplemented());
            }
            Ok(answer(&conversation, &request, busy).await)
        }
    });
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_send_buf_size(limits::MAX_REQUEST)
        .max_local_error_reset_streams(Some(RESETS))
        .max_pending_accept_reset_streams(RESETS)
        .serve_connection(TokioIo::new(stream), service);
    until_leaving(&conversation.gateway, connection).await;
    conversation.end();
}

/// A connection that is kept between two requests is closed when the daemon stops; what was asked is
/// answered first.
async fn until_leaving(gateway: &Gateway, connection: impl GracefulConnection) {
    let mut connection = pin!(connection);
    tokio::select! {
        // A request that has arrived is looked at first. A workload that hangs up is its own business.
        biased;
        _ = connection.as_mut() => return,
        () = gateway.leaving() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Bytes of the header fields of a request.
#[expect(clippy::cast_possible_truncation, reason = "a small constant")]
const MAX_HEADER_LIST: u32 = limits::MAX_HEAD as u32;

/// Streams that a client may begin and reset before they are looked at.
const RESETS: usize = 32;

/// One connection's side of it.
struct Conversation {
    gateway: Arc<Gateway>,
    caller: Arc<Caller>,
    /// The challenge that the next request may answer.
    posed: Mutex<Option<Challenge>>,
    /// Of HTTP/2.
    pinger: Option<Pinger>,
    /// One challenge is enough for all requests; whoever did not answer is not asked again.
    pinged: OnceCell<()>,
}

impl Conversation {
    fn new(gateway: Arc<Gateway>, caller: Arc<Caller>, pinger: Option<Pinger>) -> Arc<Self> {
        let (posed, pinged) = (Mutex::default(), OnceCell::new());
        Arc::new(Self { gateway, caller, posed, pinger, pinged })
    }

    /// Puts a challenge before the first decision. Whoever does not answer gets the decision of
    /// somebody who was not asked.
    async fn challenge_by_ping(&self, request: &Request<Incoming>) {
        let Some(pinger) = &self.pinger else { return };
        let is_decision =
            Ask::from_http("GET", request.uri().path(), None).is_ok_and(Ask::is_decision);
        // Whatever a client of gRPC asks for is about who it is.
        if is_decision || grpc::is_request(request) {
            self.pinged.get_or_init(|| self.ping(pinger)).await;
        }
    }

    async fn ping(&self, pinger: &Pinger) {
        let (decider, caller) = (self.gateway.decider(), &self.caller);
        // Whatever is wrong with the caller, the decision finds it, too.
        let Ok(Some(challenge)) = decider.challenge(caller, Dialect::Http) else { return };
        if pinger.ping(challenge.nonce()).await {
            let _ = decider.answered(caller, Dialect::Http, challenge);
        } else {
            decider.unanswered();
        }
    }

    /// Nobody is left to tell that another process wrote, but it is on record.
    fn end(&self) {
        let _ = self.gateway.refuse_sender(&self.caller, Dialect::Http);
    }

    fn posed(&self) -> MutexGuard<'_, Option<Challenge>> {
        // One assignment of a whole value: poison is no news.
        self.posed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request with our authentication scheme is answered, unless it is the decision.
    fn authorize(&self, authorization: Authorization) -> Result<(), Response<Body>> {
        let (decider, caller) = (self.gateway.decider(), &self.caller);
        let refuse = |problem| whole(&Frame::Outcome(Outcome::Refuse(problem)));
        let posed = self.posed().take();
        let Authorization::Answer(answer) = authorization else {
            return match decider.challenge(caller, Dialect::Http).map_err(refuse)? {
                // It has answered one, or an answer would prove nothing.
                None => Ok(()),
                Some(challenge) => {
                    let response = unauthorized(&Nonce::new(challenge.nonce()));
                    *self.posed() = Some(challenge);
                    Err(response)
                }
            };
        };
        match posed {
            Some(posed) if Nonce::new(posed.nonce()).answer() == answer => {
                decider.answered(caller, Dialect::Http, posed).map_err(refuse)
            }
            Some(_) => {
                let saw = "it was answered wrongly";
                Err(refuse(decider.refuse_unanswered(caller, Dialect::Http, saw)))
            }
            None => {
                let saw = "an answer came that nobody had asked for";
                Err(refuse(decider.refuse_unanswered(caller, Dialect::Http, saw)))
            }
        }
    }
}

/// The next request on a kept connection must have begun and ended by then.
const fn idle() -> Duration {
    limits::IDLE_DEADLINE
}

async fn answer(
    conversation: &Conversation,
    request: &Request<Incoming>,
    busy: Option<Busy>,
) -> Response<Body> {
    let Conversation { gateway, caller, .. } = conversation;
    let uri = request.uri();
    let ask = match Ask::from_http(request.method().as_str(), uri.path(), uri.query()) {
        Ok(ask) => ask,
        Err(error) => return whole(&Frame::Outcome(Outcome::Refuse(Problem::from(&error)))),
    };
    if !request.body().is_end_stream() {
        let detail = "A request has no body.".to_owned();
        let problem = Problem { detail, ..Problem::new(Reason::BadRequest) };
        return closing(whole(&Frame::Outcome(Outcome::Refuse(problem))));
    }
    let authorization = request.headers().get(http::header::AUTHORIZATION);
    if let Some(authorization) = authorization.and_then(|a| Authorization::parse(a.as_bytes()))
        && ask.is_decision()
        && let Err(response) = conversation.authorize(authorization)
    {
        return response;
    }
    match ask {
        Ask::Watch => watch(gateway, Arc::clone(caller), busy),
        ask => whole(&gateway.answer(caller, ask, Dialect::Http).await),
    }
}

/// The challenge.
fn unauthorized(nonce: &Nonce) -> Response<Body> {
    let head = Response::builder()
        .status(StatusCode::UNAUTHORIZED)
        .header(http::header::WWW_AUTHENTICATE, nonce.www_authenticate())
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::CACHE_CONTROL, "no-store");
    let body = Full::new(Bytes::from(json_line(nonce).unwrap_or_default()));
    respond(head, body.boxed_unsync())
}

fn whole(frame: &Frame) -> Response<Body> {
    let body = Full::new(Bytes::from(frame.bytes(Dialect::Http)));
    respond(frame.head(), body.boxed_unsync())
}

/// What is left of a body is not read, so the connection cannot go on.
fn closing(mut response: Response<Body>) -> Response<Body> {
    let close = http::HeaderValue::from_static("close");
    response.headers_mut().insert(http::header::CONNECTION, close);
    response
}

/// One JSON line for every decision, for as long as the process is what it was.
fn watch(gateway: &Gateway, caller: Arc<Caller>, busy: Option<Busy>) -> Response<Body> {
    let watch = match gateway.watch(caller, Dialect::Http) {
        Ok(watch) => watch,
        Err(problem) => return whole(&Frame::Outcome(Outcome::Refuse(problem))),
    };
    let head = Response::builder()
        .header(http::header::CONTENT_TYPE, "application/x-ndjson")
        .header(http::header::CACHE_CONTROL, "no-store");
    let events = stream::unfold((watch, busy), |(mut watch, busy)| async move {
        let event = watch.next().await?;
        let line = Frame::Event(event).bytes(Dialect::Http);
        Some((Ok(BodyFrame::data(Bytes::from(line))), (watch, busy)))
    });
    respond(head, StreamBody::new(events).boxed_unsync())
}

fn respond(head: http::response::Builder, body: Body) -> Response<Body> {
    // The heads are made of constants; an empty answer is what is left if one were wrong.
    head.body(body).unwrap_or_default()
}
