//! One endpoint at work.

use http::{HeaderValue, header::AUTHORIZATION};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};
use witgate_facts::{HttpError, HttpRequest, HttpResponse};

use crate::{
    EndpointConfig, EndpointHealth,
    connect::Connector,
    error::SendError,
    exchange::exchange,
    files::{FileError, Kept},
    health::Health,
    request::prepare,
    token::token,
};

/// An endpoint with its slots, its files and its counters.
#[derive(Debug)]
pub(crate) struct Endpoint {
    config: EndpointConfig,
    connector: Connector,
    token: Option<Kept<HeaderValue>>,
    slots: Semaphore,
    health: Health,
}

impl Endpoint {
    pub(crate) fn new(config: EndpointConfig) -> Self {
        Self {
            connector: Connector::new(&config.place),
            token: config.token_file.as_deref().map(token),
            slots: Semaphore::new(usize::try_from(config.concurrency).unwrap_or(1)),
            health: Health::default(),
            config,
        }
    }

    pub(crate) const fn config(&self) -> &EndpointConfig {
        &self.config
    }

    pub(crate) fn health(&self) -> EndpointHealth {
        self.health.show(&self.config.name, self.config.place.to_string())
    }

    pub(crate) fn check_files(&self) -> Result<(), FileError> {
        self.connector.check_files()?;
        self.token.as_ref().map_or(Ok(()), |token| token.now().map(drop))
    }

    /// Sends one request and takes note of how it ended.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let attempt = self.health.begin();
        match self.answer(request).await {
            Ok(response) => {
                attempt.answered(response.status);
                Ok(response)
            }
            Err(error) => {
                tracing::debug!(endpoint.name = self.config.name, %error, "No response from endpoint");
                attempt.failed(&error);
                Err(error.told())
            }
        }
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, SendError> {
        let EndpointConfig { place, timeout, max_response_bytes, .. } = &self.config;
        let mut request = prepare(&self.config, request)?;
        let deadline = Instant::now() + *timeout;
        let late = |stage| SendError::Timeout { timeout: *timeout, stage };
        let slot = before(deadline, self.slots.acquire()).await;
        let _slot = slot.and_then(Result::ok).ok_or_else(|| late("waiting for a free slot"))?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.now()?);
        }
        let connected = before(deadline, self.connector.connect(place)).await;
        let stream = connected.ok_or_else(|| late("connecting"))??;
        let answered = exchange(place, stream, request, *max_response_bytes);
        before(deadline, answered).await.ok_or_else(|| late("waiting for the response"))?
    }
}

/// What comes of a future before the deadline. Once that has passed not even what is ready counts,
/// or those who waited for a slot would all connect in the moment they give up.
async fn before<T>(deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    // A timer of no length is not over at once.
    if Instant::now() >= deadline {
        return None;
    }
    tokio::select! {
        biased;
        () = sleep_until(deadline) => None,
        outcome = future => Some(outcome),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::EndpointSettings;

    #[tokio::test]
    async fn what_is_ready_too_late_does_not_count() {
        let now = Instant::now();
        for _ in 0..64 {
            assert_eq!(before(now, std::future::ready(())).await, None);
        }
        assert_eq!(before(now + Duration::from_secs(60), async {}).await, Some(()));
    }

    #[tokio::test]
    async fn waiting_for_a_slot_counts_against_the_time() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("api.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let settings = EndpointSettings {
            unix: Some(socket),
            paths: Some(vec!["/".to_owned()]),
            timeout_ms: Some(50),
            concurrency: Some(1),
            ..EndpointSettings::default()
        };
        let endpoint = Endpoint::new(EndpointConfig::new("here", &settings).unwrap());
        let request = HttpRequest {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: Vec::new().into(),
        };
        let taken = endpoint.slots.acquire().await.unwrap();
        tokio::select! {
            biased;
            answer = endpoint.send(request) => assert_eq!(answer, Err(HttpError::Timeout)),
            connection = listener.accept() => panic!("{connection:?}"),
        }
        drop(taken);
        let text = endpoint.health().last_error.unwrap().text;
        assert_eq!(text, "out of time after 50 ms while waiting for a free slot");
    }
}
