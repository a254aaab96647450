//! Paths, and who may walk them.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower::{Service, ServiceExt as _, util::BoxCloneSyncService};
use witgate_decision::Decider;

use crate::{
    Control, decisions, endpoints, health, lines, loaded, metrics, problem::Problem, reload, status,
};

/// What somebody may do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    View,
    /// Look, ask about other processes, reload.
    Admin,
}

/// Who is on the other end of an admin connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// User id, from the socket.
    pub uid: u32,
    /// What they may do; none: nothing.
    pub role: Option<Role>,
}

impl Viewer {
    pub(crate) fn must_administer(self) -> Result<(), Problem> {
        if self.role == Some(Role::Admin) {
            return Ok(());
        }
        let detail = format!(
            "uid {} may look, and only an administrator may do this; see [listen.admin] admin",
            self.uid
        );
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }
}

/// The admin API.
#[derive(Debug)]
pub struct Admin {
    router: Router,
}

/// What every handler gets.
pub(crate) type Shared = Arc<Handles>;

/// The decider to read from and the daemon to ask.
#[derive(Debug)]
pub(crate) struct Handles {
    pub(crate) decider: Arc<Decider>,
    pub(crate) control: Arc<dyn Control>,
    pub(crate) started: std::time::Instant,
}

impl Admin {
    /// The API over a decider, with the daemon behind it.
    #[must_use]
    pub fn new(decider: Arc<Decider>, control: Arc<dyn Control>) -> Self {
        let handles = Handles { decider, control, started: std::time::Instant::now() };
        Self { router: router(Arc::new(handles)) }
    }

    /// The service for one connection, whose other end is known.
    pub fn service<B>(
        &self,
        viewer: Viewer,
    ) -> impl Service<axum::http::Request<B>, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + use<B>
    where
        B: axum::body::HttpBody<Data = axum::body::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let router = self.router.clone();
        BoxCloneSyncService::new(tower::service_fn(move |request: axum::http::Request<B>| {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(viewer);
            router.clone().oneshot(request)
        }))
    }
}

fn router(handles: Shared) -> Router {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/decisions", get(decisions::list))
        .route("/api/v1/decisions/{id}", get(decisions::one))
        .route("/api/v1/decisions/{id}/suggest", get(decisions::suggest))
        .route("/api/v1/plugins", get(loaded::plugins))
        .route("/api/v1/plugins/{name}/lines", get(lines::lines))
        .route("/api/v1/endpoints", get(endpoints::endpoints))
        .route("/api/v1/entries", get(loaded::entries))
        .route("/api/v1/why/pid/{pid}", get(decisions::dry_run))
        .route("/api/v1/reload", post(reload::reload))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .layer(middleware::from_fn(guard))
        .with_state(handles)
}

/// Lets in who has a role, and says to every cache and browser that nothing here is to be kept.
async fn guard(request: Request, next: Next) -> Response {
    let viewer = request.extensions().get::<Viewer>().copied();
    let mut response = match viewer {
        Some(Viewer { role: Some(_), .. }) => next.run(request).await,
        Some(Viewer { uid, role: None }) => {
            let detail = format!(
                "uid {uid} may not look here; an operator can list it under [listen.admin] view"
            );
            turned_away(&detail)
        }
        None => turned_away("the connection has no credentials"),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Nobody who may not look keeps a connection.
fn turned_away(detail: &str) -> Response {
    let mut response = Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
