use super::*;

const TTL: Duration = Duration::from_secs(60);
const WAITS: May = May { wait: true, lead: true };
const LEADS: May = May { wait: false, lead: true };

fn place(key: &str) -> Place {
    Place { owner: Owner::Plugin, key: key.to_owned() }
}

fn facts(facts: &[FactName]) -> FactSet {
    facts.iter().copied().collect()
}

async fn hit(cache: &Arc<Cache>, key: &str) -> Option<Vec<u8>> {
    match cache.look(place(key), WAITS).await {
        Looked::Hit(kept) => Some(kept.value.clone()),
        Looked::Lead(_) | Looked::Miss => None,
    }
}

#[tokio::test]
async fn what_was_put_is_found_with_its_facts_until_it_is_over() {
    let cache = Arc::new(Cache::default());
    assert_eq!(hit(&cache, "a").await, None);
    cache.put(&place("a"), b"1".to_vec(), TTL, facts(&[FactName::HttpResponse]));
    let Looked::Hit(kept) = cache.look(place("a"), WAITS).await else { panic!() };
    assert_eq!((kept.value.as_slice(), kept.facts), (&b"1"[..], facts(&[FactName::HttpResponse])));
    cache.put(&place("a"), b"2".to_vec(), Duration::ZERO, FactSet::EMPTY);
    assert_eq!(hit(&cache, "a").await, None);
}

#[tokio::test]
async fn one_owner_does_not_find_what_another_has() {
    let of = |process: &str, cgroup: &str, scope| {
        let named = |name: &str| Some(name.to_owned());
        let lifetimes = Lifetimes { process: named(process), cgroup: named(cgroup) };
        Place::new(scope, lifetimes, "k").unwrap()
    };
    let cache = Arc::new(Cache::default());
    cache.put(&of("1", "a", CacheScope::Process), b"p".to_vec(), TTL, FactSet::EMPTY);
    cache.put(&of("1", "a", CacheScope::Cgroup), b"c".to_vec(), TTL, FactSet::EMPTY);
    let found = async |place: Place| match cache.look(place, LEADS).await {
        Looked::Hit(kept) => Some(kept.value.clone()),
        _ => None,
    };
    assert_eq!(found(of("1", "b", CacheScope::Process)).await.as_deref(), Some(&b"p"[..]));
    assert_eq!(found(of("2", "a", CacheScope::Process)).await, None);
    assert_eq!(found(of("2", "a", CacheScope::Cgroup)).await.as_deref(), Some(&b"c"[..]));
    assert_eq!(found(of("a", "1", CacheScope::Cgroup)).await, None);
    assert_eq!(found(of("1", "a", CacheScope::Plugin)).await, None);
    assert_eq!(Place::new(CacheScope::Cgroup, Lifetimes::default(), "k"), None);
}

#[tokio::test]
async fn who_misses_together_waits_for_one() {
    let cache = Arc::new(Cache::default());
    let Looked::Lead(lead) = cache.look(place("a"), WAITS).await else { panic!() };
    assert!(matches!(cache.look(place("a"), LEADS).await, Looked::Miss), "it must not wait");
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move { hit(&cache, "a").await })
        })
        .collect();
    tokio::task::yield_now().await;
    cache.put(lead.place(), b"1".to_vec(), TTL, FactSet::EMPTY);
    drop(lead);
    for waiter in waiting {
        assert_eq!(waiter.await.unwrap().as_deref(), Some(&b"1"[..]));
    }
}

#[tokio::test]
async fn a_lead_that_is_given_up_passes_on() {
    let cache = Arc::new(Cache::default());
    let Looked::Lead(lead) = cache.look(place("a"), WAITS).await else { panic!() };
    let next = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { matches!(cache.look(place("a"), WAITS).await, Looked::Lead(_)) }
    });
    tokio::task::yield_now().await;
    drop(lead);
    assert!(next.await.unwrap());
    assert_eq!(hit(&cache, "a").await, None);
    assert!(cache.lock().slots.is_empty());
}

#[tokio::test]
async fn who_may_not_lead_waits_for_others_and_leaves_no_trace() {
    let cache = Arc::new(Cache::default());
    let follows = May { wait: true, lead: false };
    assert!(matches!(cache.look(place("a"), follows).await, Looked::Miss));
    assert!(cache.lock().slots.is_empty());
    let Looked::Lead(lead) = cache.look(place("a"), WAITS).await else { panic!() };
    let waiter = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { matches!(cache.look(place("a"), follows).await, Looked::Miss) }
    });
    tokio::task::yield_now().await;
    assert!(!waiter.is_finished());
    drop(lead);
    assert!(waiter.await.unwrap());
    assert!(cache.lock().slots.is_empty());
}

#[test]
fn no_more_is_kept_than_fits_and_the_oldest_goes_first() {
    let cache = Cache::default();
    let value = vec![0; limits::CACHE_VALUE_BYTES];
    for number in 0..200 {
        cache.put(&place(&number.to_string()), value.clone(), TTL, FactSet::EMPTY);
        let state = cache.lock();
        assert!(state.bytes <= limits::CACHE_BYTES);
        let weights = state.slots.values().map(|slot| match slot {
            Slot::Kept(kept) => kept.weight,
            Slot::Sought(_) => 0,
        });
        assert_eq!(weights.sum::<usize>(), state.bytes);
    }
    let state = cache.lock();
    assert!(state.slots.contains_key(&place("199")) && !state.slots.contains_key(&place("0")));
}

#[test]
fn a_scope_takes_no_fact_that_could_become_untrue_of_who_finds_it() {
    use FactName::{
        CgroupsTrusted, CmdlineArguments, ExecutableDoubts, ExecutableInfo, HttpResponse,
        ProcessCredentials, ProcessStartTime,
    };
    for scope in [CacheScope::Process, CacheScope::Cgroup, CacheScope::Plugin] {
        for fact in [ExecutableDoubts, ExecutableInfo] {
            assert_eq!(carried(scope, facts(&[fact])), Err(fact));
        }
        // Read, and so not forbidden; but who finds it has to read its own.
        assert_eq!(carried(scope, facts(&[ProcessCredentials])), Ok(FactSet::EMPTY));
        assert_eq!(carried(scope, facts(&[HttpResponse])), Ok(facts(&[HttpResponse])));
    }
    let claimed = facts(&[CmdlineArguments]);
    assert_eq!(carried(CacheScope::Process, claimed), Ok(claimed));
    assert_eq!(carried(CacheScope::Cgroup, claimed), Err(CmdlineArguments));
    assert_eq!(carried(CacheScope::Plugin, claimed), Err(CmdlineArguments));
    let read = facts(&[CgroupsTrusted, HttpResponse, ProcessStartTime]);
    assert_eq!(carried(CacheScope::Process, read), Ok(read));
    assert_eq!(carried(CacheScope::Cgroup, read), Ok(facts(&[CgroupsTrusted, HttpResponse])));
    assert_eq!(carried(CacheScope::Plugin, read), Ok(facts(&[HttpResponse])));
}
