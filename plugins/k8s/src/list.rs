//! The kubelet's list, shared by all calls.
//!
//! The kubelet tells of one pod only by telling of all, so what one call has asked for is kept for
//! the others, in the cache of the plugin:
//!
//! | key | value | put |
//! |---|---|---|
//! | `list` | a number that no other list has | after all of the list |
//! | `part:<number>` | a part of the index | with the list, over that of the one before |
//! | `pod:<uid>` | a pod | in the same way |
//! | `after:<list>` | the number of the list that came after this one | after all of the list |
//! | `request` | nothing | when a request begins; for as long as none other may begin |
//! | `missing:<id>` | nothing | when a container was first found not to be listed |
//!
//! Only one call finds a key missing, and others who look for it wait for that call. So `list` is
//! looked for first, and whoever does not find it asks the kubelet for all who wait; and whoever wants
//! a newer list than the one that does not have his container looks for `after:<list>`, and asks for
//! all who want that. A call that is the first to find something missing waits for no other, so
//! the parts are looked for only where they must be.
//!
//! Every pod that is kept is true by itself, as the kubelet told it at most `max_age_ms` ago. Where two
//! lists come in at once, or the cache is full, parts of one may stand beside parts of another or be
//! missing: then a container seems not to be listed, and the kubelet is asked.

use std::hash::{BuildHasher, RandomState};

use witgate_sdk::{
    Failure, Reason,
    facts::cache::{self, CacheError, Hit, Scope},
    host::log,
};

use crate::{
    document,
    index::{Index, part_of, pod_of},
    kubelet::{self, Trouble},
    place::Place,
    pod::Pod,
    settings::Settings,
};

/// Lists that one call looks through before it goes to wait.
const LISTS: usize = 3;

/// Longest pause that the daemon grants.
const MAX_PAUSE_MS: u32 = 5_000;

/// A search for the pod of one container.
#[derive(Debug)]
pub(crate) struct Search<'s> {
    pub(crate) place: &'s Place<'s>,
    pub(crate) settings: &'s Settings,
}

impl Search<'_> {
    /// The pod, as it is kept.
    ///
    /// # Errors
    /// `Retry`, if the kubelet does not list the container yet; `Failed`, if it contradicts the control
    /// group or itself; `Unavailable`, if it cannot be asked.
    pub(crate) fn pod(&self) -> Result<Vec<u8>, Failure> {
        let Some(hit) = look("list")? else { return self.ask(None) };
        let mut list = hit.value;
        for _ in 0..LISTS {
            if let Some(pod) = self.kept()? {
                return Ok(pod);
            }
            let after = after(&list);
            let Some(hit) = look(&after)? else { return self.ask(Some(&after)) };
            list = hit.value;
        }
        Err(self.again(0, NOT_LISTED))
    }

    /// The pod, if the list that is kept has it.
    fn kept(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(uid) = self.uid(|listed| {
            let part = look(&format!("part:{}", part_of(listed)))?;
            Ok(part.and_then(|hit| String::from_utf8(hit.value).ok()).unwrap_or_default())
        })?
        else {
            return Ok(None);
        };
        let pod = look(&format!("pod:{uid}"))?.map(|hit| hit.value);
        Ok(pod.filter(|pod| self.may_be(pod)))
    }

    /// Whether the container is in a pod as it is kept. Not if index and pod are of different lists.
    fn may_be(&self, pod: &[u8]) -> bool {
        let listed = |text: &str| text.contains(self.place.id);
        !self.settings.container_selectors || str::from_utf8(pod).is_ok_and(listed)
    }

    /// Uid of the pod, by the part of an index that tells about the container. Without selectors of the
    /// container it is enough that the pod is listed, if the control group tells which it is.
    fn uid(
        &self,
        part: impl Fn(&str) -> Result<String, Failure>,
    ) -> Result<Option<String>, Failure> {
        let Place { id, pod_uid } = self.place;
        let listed = pod_of(&part(id)?, id)?.map(str::to_owned);
        match (listed, pod_uid) {
            (Some(listed), Some(pod_uid)) if listed != *pod_uid => Err(Failure::Failed(format!(
                "the kubelet lists the container in the pod {listed}, and its control group is that \
                 of {pod_uid}"
            ))),
            (None, Some(pod_uid)) if !self.settings.container_selectors => {
                Ok(pod_of(&part(pod_uid)?, pod_uid)?.map(str::to_owned))
            }
            (listed, _) => Ok(listed),
        }
    }

    /// Asks the kubelet, for all who wait, unless it was asked just now. `after` is where they look who
    /// want a newer list than they have.
    fn ask(&self, after: Option<&str>) -> Result<Vec<u8>, Failure> {
        let interval = self.settings.poll_interval_ms;
        if let Some(hit) = look("request")? {
            return Err(self.again(interval.saturating_sub(hit.age_ms), NOT_LISTED));
        }
        keep("request", &[], interval);
        let body = match kubelet::pods() {
            Ok(body) => body,
            Err(Trouble::Lasting(reason)) => return Err(Failure::Unavailable(reason)),
            Err(Trouble::Passing(reason)) => {
                log::write(log::Level::Warn, &reason);
                // Whoever waits for this call is not to try at once, and so one after the other.
                keep("request", &[], interval);
                return Err(self.again(interval, &reason));
            }
        };
        let pods = document::read(&body)?;
        let index = Index::of(&pods);
        self.keep(&pods, &index, after);
        let uid = self.uid(|listed| Ok(index.part(listed).to_owned()))?;
        let pod = uid.and_then(|uid| pods.iter().find(|pod| *pod.uid == *uid));
        pod.and_then(written).ok_or_else(|| self.again(0, NOT_LISTED))
    }

    /// Keeps a list for all others, what it says before what says that it is there.
    fn keep(&self, pods: &[Pod<'_>], index: &Index, after: Option<&str>) {
        let age = self.settings.max_age_ms;
        for (number, part) in index.parts() {
            keep(&format!("part:{number}"), part.as_bytes(), age);
        }
        for pod in pods {
            if let Some(text) = written(pod) {
                keep(&format!("pod:{}", pod.uid), &text, age);
            }
        }
        let list = format!("{:016x}", RandomState::new().hash_one(age));
        for key in ["list"].into_iter().chain(after) {
            keep(key, list.as_bytes(), age);
        }
    }

    /// Not now; maybe in a while. The longer a container has been missing, the longer the pause, so that
    /// the few attempts that a request has reach far.
    fn again(&self, at_least_ms: u32, reason: &str) -> Failure {
        let Settings { deadline_ms, poll_interval_ms, .. } = *self.settings;
        let key = format!("missing:{}", self.place.id);
        let waited = match look(&key) {
            Ok(Some(hit)) => hit.age_ms,
            Ok(None) => {
                keep(&key, &[], deadline_ms.saturating_mul(2).max(1));
                0
            }
            Err(failure) => return failure,
        };
        if waited >= deadline_ms {
            return Failure::Unavailable(reason.to_owned());
        }
        let pause = waited.max(poll_interval_ms).min(deadline_ms - waited).max(at_least_ms);
        Failure::Retry(pause.clamp(1, MAX_PAUSE_MS))
    }
}

const NOT_LISTED: &str = "the kubelet does not list the container";

/// Where a list is looked for that is newer than this one.
fn after(list: &[u8]) -> String {
    format!("after:{}", String::from_utf8_lossy(list))
}

fn written(pod: &Pod<'_>) -> Option<Vec<u8>> {
    // An error is not possible: all of it is text and numbers.
    serde_json::to_vec(pod).ok()
}

fn look(key: &str) -> Result<Option<Hit>, Failure> {
    cache::get(Scope::Plugin, key).map_err(|error| match error {
        CacheError::Refused(why) => Failure::Failed(Reason::from(why).to_string()),
        CacheError::TooLarge => Failure::Failed(format!("too long for the cache: {key}")),
    })
}

/// What cannot be kept is asked for again.
fn keep(key: &str, value: &[u8], ttl_ms: u32) {
    let _ = cache::put(Scope::Plugin, key, value, ttl_ms);
}
