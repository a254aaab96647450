//! Endpoints by name.

use std::{collections::BTreeMap, sync::Arc};

use witgate_facts::{Endpoints, HttpError, HttpFuture, HttpRequest};

use crate::{EndpointConfig, EndpointHealth, FileError, endpoint::Endpoint, show::cut};

/// The endpoints that an operator configured, or those of them that one plugin was granted.
///
/// Cheap to clone; clones share slots and counters.
#[derive(Debug, Clone, Default)]
pub struct NamedEndpoints(BTreeMap<String, Arc<Endpoint>>);

impl NamedEndpoints {
    /// Endpoints that nobody has used yet. Nothing is opened or read.
    #[must_use]
    pub fn new(configs: impl IntoIterator<Item = EndpointConfig>) -> Self {
        let named =
            |config: EndpointConfig| (config.name().to_owned(), Arc::new(Endpoint::new(config)));
        Self(configs.into_iter().map(named).collect())
    }

    /// The same, but what was already there and is configured as before goes on with its slots,
    /// its files and its counters: a reload must not double what an endpoint has to bear.
    #[must_use]
    pub fn keeping(mut self, earlier: &Self) -> Self {
        for (name, endpoint) in &mut self.0 {
            if let Some(kept) = earlier.0.get(name)
                && kept.config() == endpoint.config()
            {
                *endpoint = Arc::clone(kept);
            }
        }
        self
    }

    /// Only those with these names; a name that is not there stays away.
    #[must_use]
    pub fn only<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let named = |name| self.0.get_key_value(name);
        let found = names.into_iter().filter_map(named);
        Self(found.map(|(name, endpoint)| (name.clone(), Arc::clone(endpoint))).collect())
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How each of them is doing, in the order of their names.
    #[must_use]
    pub fn health(&self) -> Vec<EndpointHealth> {
        self.0.values().map(|endpoint| endpoint.health()).collect()
    }

    /// The endpoints whose files cannot be used now, and why. They may appear later, so this is
    /// for a warning: whatever has to do with an endpoint is looked at again before each request.
    #[must_use]
    pub fn check_files(&self) -> Vec<(String, FileError)> {
        let failed = |(name, endpoint): (&String, &Arc<Endpoint>)| {
            endpoint.check_files().err().map(|error| (name.clone(), error))
        };
        self.0.iter().filter_map(failed).collect()
    }
}

impl Endpoints for NamedEndpoints {
    fn send<'a>(&'a self, endpoint: &'a str, request: HttpRequest) -> HttpFuture<'a> {
        Box::pin(async move {
            match self.0.get(endpoint) {
                Some(endpoint) => endpoint.send(request).await,
                None => {
                    let name = cut(endpoint);
                    Err(HttpError::Refused(format!("there is no endpoint {name:?}")))
                }
            }
        })
    }
}
