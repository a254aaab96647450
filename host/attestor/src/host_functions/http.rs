use std::{sync::Arc, time::Instant};

use witgate_facts::{Blob, Capability, FactError, FactName, HttpError, HttpRequest, HttpResponse};

use crate::{
    Use, bindings::witgate::attestor::http as wit, limits, lines::printable, sandbox::Sandbox,
};

impl wit::Host for Sandbox {
    async fn send(
        &mut self,
        endpoint: String,
        request: wit::Request,
    ) -> wasmtime::Result<Result<wit::Response, wit::HttpError>> {
        self.may("http.send", &endpoint, &Capability::Endpoint(endpoint.clone()))?;
        let endpoints = Arc::clone(&self.subject("http", "send")?.endpoints);
        self.log.impure = true;
        let request = HttpRequest {
            method: request.method,
            path: request.path,
            headers: request
                .headers
                .into_iter()
                .map(|header| (header.name, header.value))
                .collect(),
            body: Blob(request.body),
        };
        let asked = format!("{} {}", request.method, request.path);
        let started = Instant::now();
        let answer = self.wait(endpoints.send(&endpoint, request)).await.and_then(bounded);
        self.note_exchange(endpoint, &asked, &answer, started);
        Ok(answer.map(Into::into).map_err(Into::into))
    }
}

impl Sandbox {
    fn note_exchange(
        &mut self,
        endpoint: String,
        asked: &str,
        answer: &Result<HttpResponse, HttpError>,
        started: Instant,
    ) {
        let error = answer.as_ref().err().map(|error| FactError::Io(error.to_string()));
        self.log.note(FactName::HttpResponse, error.as_ref());
        let outcome = match answer {
            Ok(response) => response.status.to_string(),
            Err(error) => printable(&error.to_string(), limits::REASON_BYTES),
        };
        let request = printable(asked, limits::REASON_BYTES);
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.log.used(Use::Endpoint { endpoint, request, outcome, elapsed_ms });
    }
}

/// Whoever implements the endpoints has a limit of its own; a recording has not.
fn bounded(response: HttpResponse) -> Result<HttpResponse, HttpError> {
    if response.body.0.len() > limits::RESPONSE_BYTES {
        return Err(HttpError::TooLarge);
    }
    Ok(response)
}

impl From<HttpResponse> for wit::Response {
    fn from(response: HttpResponse) -> Self {
        let header = |(name, value)| wit::Header { name, value };
        Self {
            status: response.status,
            headers: response.headers.into_iter().map(header).collect(),
            body: response.body.0,
        }
    }
}

impl From<HttpError> for wit::HttpError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Unreachable(why) => Self::Unreachable(why),
            HttpError::Timeout => Self::Timeout,
            HttpError::TooLarge => Self::TooLarge,
            HttpError::Refused(why) => Self::Refused(why),
            HttpError::Malformed(why) => Self::Malformed(why),
        }
    }
}
