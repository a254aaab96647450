//! HTTP/1.1 on the public socket, by hyper, within our limits.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Body as _, Frame as BodyFrame, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use witgate_decision::Caller;
use witgate_protocol::{Ask, Dialect, Outcome, Problem, Reason, limits};

use crate::{answer::Frame, gateway::Gateway, rewound::Rewound};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Serves requests until the other end, or a deadline, closes.
pub(crate) async fn serve(gateway: Arc<Gateway>, caller: Arc<Caller>, stream: Rewound) {
    let service = hyper::service::service_fn(move |request| {
        let (gateway, caller) = (Arc::clone(&gateway), Arc::clone(&caller));
        async move { Ok::<_, Infallible>(answer(&gateway, caller, &request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle())
        .max_buf_size(limits::MAX_HEAD)
        .max_headers(limits::MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // A workload that hangs up is its own business.
    let _ = connection.await;
}

/// The next request on a kept connection must have begun and ended by then.
const fn idle() -> Duration {
    limits::IDLE_DEADLINE
}

async fn answer(
    gateway: &Gateway,
    caller: Arc<Caller>,
    request: &Request<Incoming>,
) -> Response<Body> {
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
    match ask {
        Ask::Watch => watch(gateway, caller),
        ask => whole(&gateway.answer(&caller, ask, Dialect::Http).await),
    }
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
fn watch(gateway: &Gateway, caller: Arc<Caller>) -> Response<Body> {
    let watch = gateway.watch(caller, Dialect::Http);
    let Some(watch) = watch else {
        let problem = Problem::new(Reason::RateLimited).retry_after(1);
        return whole(&Frame::Outcome(Outcome::Refuse(problem)));
    };
    let head = Response::builder()
        .header(http::header::CONTENT_TYPE, "application/x-ndjson")
        .header(http::header::CACHE_CONTROL, "no-store");
    let events = stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        let line = Frame::Event(event).bytes(Dialect::Http);
        Some((Ok(BodyFrame::data(Bytes::from(line))), watch))
    });
    respond(head, StreamBody::new(events).boxed_unsync())
}

fn respond(head: http::response::Builder, body: Body) -> Response<Body> {
    // The heads are made of constants; an empty answer is what is left if one were wrong.
    head.body(body).unwrap_or_default()
}
