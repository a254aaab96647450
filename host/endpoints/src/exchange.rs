//! One request and its response over one connection.

use std::{convert::Infallible, error::Error as _, future::pending, io, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{CONTENT_TYPE, ETAG, RETRY_AFTER},
};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use witgate_facts::{Blob, HttpResponse};

use crate::{
    connect::Stream,
    error::SendError,
    limits,
    metered::{Meter, Metered},
    place::Place,
};

/// Sends a request, waits for the whole response, and closes the connection. Nothing of it runs
/// outside this future, so whoever drops it closes the connection too.
pub(crate) async fn exchange(
    place: &Place,
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    max_body_bytes: u64,
) -> Result<HttpResponse, SendError> {
    let most = max_body_bytes.saturating_add(usize_to_u64(limits::RESPONSE_HEAD_BYTES));
    let meter = Arc::new(Meter::new(most.saturating_mul(limits::FRAMING)));
    let io = TokioIo::new(Metered::new(stream, Arc::clone(&meter)));
    let blame = |error| blame(error, &meter, place);
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(limits::RESPONSE_HEADERS)
        .max_header_size(limits::RESPONSE_HEAD_BYTES)
        .max_buf_size(limits::READ_BUFFER_BYTES)
        .handshake(io)
        .await
        .map_err(blame)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(blame)?;
        let (status, headers) = head(&response)?;
        let body = collect(response.into_body(), max_body_bytes, blame).await?;
        Ok(HttpResponse { status, headers, body: Blob(body) })
    };
    tokio::select! {
        answer = answer => answer,
        never = drive(connection) => match never {},
    }
}

/// Moves the connection along. Its end is no answer: what it has to say, it says to the one who
/// waits for the response.
async fn drive(connection: impl Future<Output = hyper::Result<()>>) -> Infallible {
    drop(connection.await);
    pending().await
}

fn head(response: &Response<Incoming>) -> Result<(u16, Vec<(String, String)>), SendError> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(SendError::Upgrade);
    }
    Ok((response.status().as_u16(), passed_on(response.headers())?))
}

/// The header fields that plugins see: what a body is, whether it changed, when to ask again.
fn passed_on(headers: &HeaderMap) -> Result<Vec<(String, String)>, SendError> {
    let names = [(CONTENT_TYPE, "content-type"), (ETAG, "etag"), (RETRY_AFTER, "retry-after")];
    let mut passed_on = Vec::new();
    for (field, name) in names {
        for value in headers.get_all(field) {
            let value = value.to_str().map_err(|_| SendError::HeaderText { name })?;
            passed_on.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(passed_on)
}

async fn collect(
    mut body: Incoming,
    max_bytes: u64,
    blame: impl Fn(hyper::Error) -> SendError,
) -> Result<Vec<u8>, SendError> {
    let too_large =
        || SendError::TooLarge { what: format!("a body of more than {max_bytes} bytes") };
    // Whoever announces too much is not listened to.
    if body.size_hint().lower() > max_bytes {
        return Err(too_large());
    }
    let mut collected = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers are nobody's business.
        let Ok(data) = frame.map_err(&blame)?.into_data() else { continue };
        if usize_to_u64(collected.len() + data.len()) > max_bytes {
            return Err(too_large());
        }
        collected.extend_from_slice(&data);
    }
    Ok(collected)
}

/// Which of our errors an error of the library is.
fn blame(source: hyper::Error, meter: &Meter, place: &Place) -> SendError {
    if source.is_parse_too_large() {
        let what = format!(
            "a head of more than {} fields or {} bytes",
            limits::RESPONSE_HEADERS,
            limits::RESPONSE_HEAD_BYTES
        );
        return SendError::TooLarge { what };
    }
    if meter.exceeded() {
        let what = "interim responses or framing without end".to_owned();
        return SendError::TooLarge { what };
    }
    if meter.silent() {
        return SendError::NoAnswer { place: place.to_string(), source };
    }
    if broken_off(&source) {
        return SendError::BrokenOff { source };
    }
    SendError::NotHttp { source }
}

fn broken_off(error: &hyper::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    error.is_incomplete_message()
        || cause.is_some_and(|cause| {
            matches!(cause.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        })
}

fn usize_to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
