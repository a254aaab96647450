//! How many may be here at once, so that the descriptors last.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Limits;

/// Descriptors of one connection: socket, pidfd, `/proc/<pid>`, and one for a fact that is being read;
/// those who wait have two.
const OF_CONNECTION: usize = 4;
/// The same before it is known whether it is let in.
const OF_NEWCOMER: usize = 4;
/// Descriptors for everything else: listeners, files, admin connections, reads under way.
const OWN: usize = 320;
/// The least of them: some 35 are open in a daemon that does nothing.
const OWN_LEAST: usize = 48;
/// With fewer descriptors than this there is nothing to serve with.
pub(crate) const LEAST: usize = 64;
/// Connections to the admin socket at a time: operators are few.
const ADMIN: usize = 64;
/// Connections of brokers at a time: each asks one thing, which takes a few hundred microseconds.
const BROKERS: usize = 32;
/// Descriptors of one of them besides those of every connection: what was passed, the subject's pidfd,
/// `/proc/<pid>`, its cgroup, an exec watch for both, and those of facts that are being read.
const OF_BROKER: usize = 10;
/// Connections that are accepted and not yet let in: they take a few microseconds each, or wait to be
/// told why they are not.
const NEWCOMERS: usize = 64;

/// Places besides those of the connections that are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) admin: usize,
    pub(crate) newcomers: usize,
    /// None, if there is no socket for them.
    pub(crate) brokers: usize,
}

impl Places {
    /// Takes as many descriptors as the system lets us have, and no more connections than fit.
    ///
    /// # Errors
    /// How many there are, if those are too few to serve at all.
    pub(crate) fn within_descriptors(limits: &mut Limits, brokers: bool) -> Result<Self, usize> {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let have = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        };
        let have = have.and_then(|have| usize::try_from(have).ok()).unwrap_or(usize::MAX);
        let (places, fit) = Self::within(have, brokers).ok_or(have)?;
        if limits.connections_total > fit {
            tracing::warn!(
                descriptors = have,
                connections = fit,
                "Fewer connections than configured: the limit of descriptors is too low"
            );
            limits.connections_total = fit;
        }
        Ok(places)
    }

    /// Of a small limit about half is kept for ourselves.
    fn within(descriptors: usize, brokers: bool) -> Option<(Self, usize)> {
        let of_few = |most: usize| (descriptors / 32).min(most);
        let brokers = if brokers { (descriptors / 64).clamp(1, BROKERS) } else { 0 };
        let places = Self { admin: of_few(ADMIN), newcomers: of_few(NEWCOMERS), brokers };
        let own = OWN + places.newcomers * OF_NEWCOMER + places.brokers * OF_BROKER;
        let kept = own.min((descriptors / 2).max(OWN_LEAST));
        (descriptors >= LEAST).then(|| (places, (descriptors - kept) / OF_CONNECTION))
    }

    /// Those of the newcomers that may wait to be told why they are not let in; never all.
    pub(crate) const fn refusals(self) -> usize {
        self.newcomers / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // #51
    #[test]
    fn a_small_limit_leaves_something_for_everybody() {
        let (places, connections) = Places::within(1 << 20, false).unwrap();
        assert_eq!(places, Places { admin: 64, newcomers: 64, brokers: 0 });
        assert!(connections > 100_000);
        assert_eq!(Places::within(8192, false).unwrap().1, (8192 - 320 - 256) / 4);
        assert_eq!(Places::within(8192, true).unwrap().1, (8192 - 320 - 256 - 320) / 4);
        for few in [64, 100, 256, 1024] {
            let (places, connections) = Places::within(few, true).unwrap();
            assert!(places.admin >= 1 && places.refusals() >= 1, "{places:?}");
            assert!(places.brokers >= 1 && places.brokers * OF_BROKER < few / 2, "{places:?}");
            assert!(connections >= 1 && connections * OF_CONNECTION <= few - OWN_LEAST);
        }
        assert_eq!(Places::within(LEAST - 1, true), None);
    }
}
