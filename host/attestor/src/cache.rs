//! What a plugin keeps from one call for another.
//!
//! A store is fresh for every call, so this is the only way, and each scope has its rules:
//!
//! | scope | found by calls about | what may not have been read | what counts as read |
//! |---|---|---|---|
//! | process | this very process | image facts: it may become another program | claimed facts, and those that only root can change |
//! | cgroup | processes in the same root-owned control group | image and claimed facts | facts about the group |
//! | plugin | anything | image and claimed facts | facts about no process |
//!
//! What else was read, such as credentials, has to be read again by a call that wants to rest a key
//! on it: a process may have changed them since.
//!
//! What was kept is found together with the facts it rests on, which then count as read in the
//! call that finds it; so a cache can save the asking, and never raises what an answer is worth. What
//! it is kept for is named by something that the kernel never uses again before the next boot.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;
use witgate_facts::{CacheScope, FactName, FactSet, Lifetimes};
use witgate_identity::Assurance;

use crate::limits;

/// The cache of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    slots: HashMap<Place, Slot>,
    bytes: usize,
}

/// For whom something is kept, and under which key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    owner: Owner,
    key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    Process(String),
    Cgroup(String),
    Plugin,
}

impl Place {
    /// None if what the scope is about has no name that could outlive the call.
    pub(crate) fn new(scope: CacheScope, lifetimes: Lifetimes, key: &str) -> Option<Self> {
        let owner = match scope {
            CacheScope::Process => Owner::Process(lifetimes.process?),
            CacheScope::Cgroup => Owner::Cgroup(lifetimes.cgroup?),
            CacheScope::Plugin => Owner::Plugin,
        };
        Some(Self { owner, key: key.to_owned() })
    }

    /// The scope it is kept in.
    pub(crate) const fn scope(&self) -> CacheScope {
        match self.owner {
            Owner::Process(_) => CacheScope::Process,
            Owner::Cgroup(_) => CacheScope::Cgroup,
            Owner::Plugin => CacheScope::Plugin,
        }
    }
}

#[derive(Debug)]
enum Slot {
    /// A call looks for it; when that call ends, this channel closes.
    Sought(watch::Receiver<()>),
    Kept(Arc<Kept>),
}

/// Something that was kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) value: Vec<u8>,
    /// The facts that it rests on.
    pub(crate) facts: FactSet,
    since: Instant,
    until: Instant,
    weight: usize,
}

impl Kept {
    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }
}

/// What a look into the cache gave.
#[derive(Debug)]
pub(crate) enum Looked {
    Hit(Arc<Kept>),
    /// It is not there, and whoever else looks waits until the lead is given up.
    Lead(Lead),
    /// It is not there.
    Miss,
}

/// The first call that misses something; others wait for it.
#[derive(Debug)]
pub(crate) struct Lead {
    cache: Arc<Cache>,
    place: Place,
    ends: watch::Sender<()>,
}

impl Lead {
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        // Not another's: somebody may have put something there meanwhile, which is out of date by now.
        let ours = matches!(
            state.slots.get(&self.place),
            Some(Slot::Sought(sought)) if sought.same_channel(&self.ends.subscribe())
        );
        if ours {
            state.slots.remove(&self.place);
        }
    }
}

/// What a call may do about something that is not there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct May {
    /// If another call looks for it already, wait for that.
    pub(crate) wait: bool,
    /// Let others wait for this one.
    pub(crate) lead: bool,
}

impl Cache {
    /// Looks something up.
    pub(crate) async fn look(self: &Arc<Self>, place: Place, may: May) -> Looked {
        loop {
            let mut sought = match self.now(&place, may.lead) {
                Now::Found(looked) => return looked,
                Now::Sought(_) if !may.wait => return Looked::Miss,
                Now::Sought(sought) => sought,
            };
            // Ends with an error when the sender is dropped, which is what is waited for.
            let _ = sought.changed().await;
        }
    }

    fn now(self: &Arc<Self>, place: &Place, leads: bool) -> Now {
        let mut state = self.lock();
        match state.slots.get(place) {
            Some(Slot::Kept(kept)) if kept.until > Instant::now() => {
                return Now::Found(Looked::Hit(Arc::clone(kept)));
            }
            Some(Slot::Sought(sought)) => return Now::Sought(sought.clone()),
            Some(Slot::Kept(_)) => state.remove(place),
            None => {}
        }
        if !leads {
            return Now::Found(Looked::Miss);
        }
        let (ends, sought) = watch::channel(());
        state.slots.insert(place.clone(), Slot::Sought(sought));
        let cache = Arc::clone(self);
        Now::Found(Looked::Lead(Lead { cache, place: place.clone(), ends }))
    }

    /// Keeps something, in the place of what was there.
    pub(crate) fn put(&self, place: &Place, value: Vec<u8>, ttl: Duration, facts: FactSet) {
        const EACH: usize = 256;
        let weight = value.len() + place.key.len() + EACH;
        let since = Instant::now();
        let kept = Kept { value, facts, since, until: since + ttl, weight };
        let mut state = self.lock();
        state.remove(place);
        state.make_room(weight);
        state.bytes += weight;
        state.slots.insert(place.clone(), Slot::Kept(Arc::new(kept)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Now {
    Found(Looked),
    Sought(watch::Receiver<()>),
}

impl State {
    fn remove(&mut self, place: &Place) {
        if let Some(Slot::Kept(kept)) = self.slots.remove(place) {
            self.bytes -= kept.weight;
        }
    }

    /// Drops what is over, and then the oldest, until there is room.
    fn make_room(&mut self, weight: usize) {
        if self.bytes + weight <= limits::CACHE_BYTES {
            return;
        }
        let now = Instant::now();
        let mut kept: Vec<_> = self
            .slots
            .iter()
            .filter_map(|(place, slot)| match slot {
                Slot::Kept(kept) => Some((kept.until > now, kept.since, place.clone())),
                Slot::Sought(_) => None,
            })
            .collect();
        kept.sort_by_key(|(lives, since, _)| (*lives, *since));
        // A quarter at a time, or a full cache would be sorted for every value.
        let enough = limits::CACHE_BYTES / 4 * 3;
        for (lives, _, place) in kept {
            if lives && self.bytes + weight <= enough {
                break;
            }
            self.remove(&place);
        }
    }
}

/// Which of the facts that a call has read go along with what it keeps, or the one that forbids it.
pub(crate) fn carried(scope: CacheScope, read: FactSet) -> Result<FactSet, FactName> {
    match read.iter().find(|fact| !outlives(scope, *fact)) {
        Some(fact) => Err(fact),
        None => Ok(read.iter().filter(|fact| is_about(scope, *fact)).collect()),
    }
}

/// Whether something may be kept in this scope although the fact was read.
pub(crate) fn outlives(scope: CacheScope, fact: FactName) -> bool {
    match fact.best_assurance() {
        Assurance::Image => false,
        Assurance::Claimed => scope == CacheScope::Process,
        _ => true,
    }
}

/// Whether a fact says something about all that a scope is shared by.
const fn is_about(scope: CacheScope, fact: FactName) -> bool {
    match scope {
        CacheScope::Process => {
            matches!(fact.best_assurance(), Assurance::Claimed)
                || matches!(fact, FactName::ProcessStartTime)
                || is_about(CacheScope::Cgroup, fact)
        }
        CacheScope::Cgroup => {
            matches!(fact, FactName::CgroupsTrusted | FactName::SystemdUnit)
                || is_about(CacheScope::Plugin, fact)
        }
        CacheScope::Plugin => matches!(fact, FactName::FilesHost | FactName::HttpResponse),
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
