//! What clients of gRPC are told: that this service is not served here, in their own words.
//!
//! They send a POST with a body (gRPC over HTTP/2, "Requests"), and take any answer that is none of
//! gRPC for a fault of the connection.

use http::{HeaderValue, Request, Response, header};

/// Codes of `grpc-status` (gRPC, "Status codes and their use in gRPC").
const UNIMPLEMENTED: HeaderValue = HeaderValue::from_static("12");

const MESSAGE: HeaderValue =
    HeaderValue::from_static("witgate serves no such method on this socket");

/// The media type; what follows it names the encoding of the messages.
const MEDIA_TYPE: &[u8] = b"application/grpc";

/// Whether a client of gRPC asks.
pub(crate) fn is_request<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(MEDIA_TYPE))
}

/// A response of trailers only: the status is in the one block of fields that there is.
pub(crate) fn unimplemented<B: Default>() -> Response<B> {
    let mut response = Response::default();
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/grpc")),
        (header::HeaderName::from_static("grpc-status"), UNIMPLEMENTED),
        (header::HeaderName::from_static("grpc-message"), MESSAGE),
    ];
    response.headers_mut().extend(fields);
    response
}
