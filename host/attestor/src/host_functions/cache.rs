use std::{sync::Arc, time::Duration};

use witgate_facts::{CacheScope, Capability};

use crate::{
    Use,
    bindings::witgate::attestor::cache as wit,
    cache::{self, Cache, Looked, May, Place},
    limits,
    lines::printable,
    sandbox::Sandbox,
};

type Told<T> = wasmtime::Result<Result<T, wit::CacheError>>;

impl wit::Host for Sandbox {
    async fn get(&mut self, scope: wit::Scope, key: String) -> Told<Option<wit::Hit>> {
        let (scope, place, cache) = match self.place("cache.get", scope, &key)? {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused)),
        };
        // Who leads the search for one thing does not wait for another: two could wait for
        // each other. And nobody waits for a call that may not keep what it finds.
        let keeps = cache::carried(scope, self.log.read).is_ok();
        let lead = keeps && self.leads.len() < limits::CACHE_LEADS;
        let may = May { wait: self.leads.is_empty(), lead };
        self.waits_for_another = true;
        let looked = self.wait(cache.look(place, may)).await;
        self.waits_for_another = false;
        match looked {
            Looked::Hit(kept) => {
                let age = kept.age();
                for fact in kept.facts.iter() {
                    // As if it had been read here.
                    self.leads.retain(|lead| cache::outlives(lead.place().scope(), fact));
                    self.log.note(fact, None);
                }
                let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
                let key = printable(&key, limits::SHOWN_BYTES);
                self.log.used(Use::Cache { scope, key, age_ms });
                let age_ms = u32::try_from(age_ms).unwrap_or(u32::MAX);
                Ok(Ok(Some(wit::Hit { value: kept.value.clone(), age_ms })))
            }
            Looked::Lead(lead) => {
                self.leads.push(lead);
                Ok(Ok(None))
            }
            Looked::Miss => Ok(Ok(None)),
        }
    }

    fn put(&mut self, scope: wit::Scope, key: String, value: Vec<u8>, ttl_ms: u32) -> Told<()> {
        let (scope, place, cache) = match self.place("cache.put", scope, &key)? {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused)),
        };
        if value.len() > limits::CACHE_VALUE_BYTES {
            return Ok(Err(wit::CacheError::TooLarge));
        }
        let facts = match cache::carried(scope, self.log.read) {
            Ok(facts) => facts,
            Err(fact) => {
                let why = format!(
                    "this call has read `{fact}`, which must not outlive it in scope {}",
                    scope.as_str()
                );
                return Ok(Err(wit::CacheError::Refused(why)));
            }
        };
        let ttl = Duration::from_millis(ttl_ms.into()).min(limits::CACHE_TTL);
        cache.put(&place, value, ttl, facts);
        self.leads.retain(|lead| lead.place() != &place);
        Ok(Ok(()))
    }
}

impl Sandbox {
    /// Where something of this scope and key is kept, or why it is not.
    fn place(
        &mut self,
        function: &'static str,
        scope: wit::Scope,
        key: &str,
    ) -> Told<(CacheScope, Place, Arc<Cache>)> {
        let scope = match scope {
            wit::Scope::Process => CacheScope::Process,
            wit::Scope::Cgroup => CacheScope::Cgroup,
            wit::Scope::Plugin => CacheScope::Plugin,
        };
        self.may(function, scope.as_str(), &Capability::Cache(scope))?;
        self.log.impure = true;
        let (interface, name) = function.split_once('.').unwrap_or_default();
        let subject = self.subject(interface, name)?;
        let (cache, lifetimes) = (Arc::clone(&subject.cache), subject.facts.lifetimes());
        if key.len() > limits::CACHE_KEY_BYTES {
            return Ok(Err(wit::CacheError::TooLarge));
        }
        let place = Place::new(scope, lifetimes, key).ok_or_else(|| {
            let why = format!(
                "there is no {} here that could be told from its successor",
                scope.as_str()
            );
            wit::CacheError::Refused(why)
        });
        Ok(place.map(|place| (scope, place, cache)))
    }
}
