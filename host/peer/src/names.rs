//! Names of users and groups, from the host's own database.
//!
//! That database may be a server elsewhere (NSS), so names are looked up on threads of their own and
//! kept for a while; a name that is kept is there at once.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::unistd::{Gid, Group, Uid, User};
use witgate_facts::{Credentials, FactError, FactResult, Names};

use crate::{limits, workers::Workers};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Account {
    User(u32),
    Group(u32),
}

/// The lookup and what it has found.
#[derive(Debug)]
pub(crate) struct AccountNames {
    workers: Workers,
    deadline: Duration,
    kept: std::sync::Arc<Kept>,
}

#[derive(Debug, Default)]
struct Kept(Mutex<HashMap<Account, (Instant, Option<String>)>>);

impl AccountNames {
    pub(crate) fn new(deadline: Duration) -> Self {
        let workers = Workers::new("witgate-names", limits::NAME_THREADS, limits::NAME_THREADS);
        Self { workers, deadline, kept: std::sync::Arc::default() }
    }

    /// The names of all ids, ready at once if all are kept.
    pub(crate) async fn of(&self, ids: &Credentials) -> FactResult<Names> {
        if ids.groups.len() > limits::NAMED_GROUPS {
            return Err(FactError::TooLarge);
        }
        if let Some(names) = self.kept.all(ids) {
            return Ok(names);
        }
        let (kept, wanted) = (std::sync::Arc::clone(&self.kept), ids.clone());
        self.workers.run(ids.uid, self.deadline, move || kept.look_up(&wanted)).await?
    }
}

impl Kept {
    fn map(&self) -> MutexGuard<'_, HashMap<Account, (Instant, Option<String>)>> {
        // Only whole values are ever put in.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self, ids: &Credentials) -> Option<Names> {
        let map = self.map();
        let name = |account| {
            let (since, name) = map.get(&account)?;
            (since.elapsed() < limits::NAME_AGE).then(|| name.clone())
        };
        Some(Names {
            user: name(Account::User(ids.uid))?,
            group: name(Account::Group(ids.gid))?,
            groups: ids.groups.iter().map(|id| name(Account::Group(*id))).collect::<Option<_>>()?,
        })
    }

    fn look_up(&self, ids: &Credentials) -> FactResult<Names> {
        let group = |id: u32| {
            self.name(Account::Group(id), || {
                Group::from_gid(Gid::from_raw(id)).map(|group| group.map(|group| group.name))
            })
        };
        Ok(Names {
            user: self.name(Account::User(ids.uid), || {
                User::from_uid(Uid::from_raw(ids.uid)).map(|user| user.map(|user| user.name))
            })?,
            group: group(ids.gid)?,
            groups: ids.groups.iter().copied().map(group).collect::<FactResult<_>>()?,
        })
    }

    fn name(
        &self,
        account: Account,
        ask: impl FnOnce() -> nix::Result<Option<String>>,
    ) -> FactResult<Option<String>> {
        if let Some((since, name)) = self.map().get(&account)
            && since.elapsed() < limits::NAME_AGE
        {
            return Ok(name.clone());
        }
        let name = ask().map_err(|errno| FactError::Io(format!("user database: {errno}")))?;
        let mut map = self.map();
        if map.len() >= limits::CACHED_NAMES {
            map.retain(|_, (since, _)| since.elapsed() < limits::NAME_AGE);
        }
        // Full of names that are all in use: do without rather than grow.
        if map.len() < limits::CACHED_NAMES {
            map.insert(account, (Instant::now(), name.clone()));
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn names_come_from_the_host_and_the_second_time_at_once() {
        let names = AccountNames::new(limits::READ_DEADLINE);
        let ids = Credentials { uid: 0, gid: 0, groups: vec![0, 3_999_999_999] };
        let first = names.of(&ids).await.unwrap();
        assert_eq!(first.user.as_deref(), Some("root"));
        assert_eq!(first.groups, [Some("root".to_owned()), None]);
        assert_eq!(names.of(&ids).now_or_never(), Some(Ok(first)));
    }

    #[tokio::test]
    async fn too_many_groups_are_not_looked_up() {
        let names = AccountNames::new(limits::READ_DEADLINE);
        let groups = (0..).take(limits::NAMED_GROUPS + 1).collect();
        let ids = Credentials { uid: 0, gid: 0, groups };
        assert_eq!(names.of(&ids).await, Err(FactError::TooLarge));
    }
}
