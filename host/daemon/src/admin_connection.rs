//! One connection to the admin socket: who is it, may they, serve.

use std::sync::Arc;

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::UnixStream;
use witgate_admin::{Admin, Role, Viewer};
use witgate_facts::Credentials;
use witgate_peer::{Kernel, Subject};
use witgate_protocol::limits;

use crate::config::{AdminAccess, Roles};

/// Serves a connection to its end.
pub(crate) async fn serve(
    admin: Arc<Admin>,
    access: AdminAccess,
    kernel: Kernel,
    stream: UnixStream,
) {
    let subject = match Subject::accept(&stream, &kernel) {
        Ok(subject) => subject,
        Err(error) => {
            tracing::warn!(error = %error, "Admin connection refused");
            return;
        }
    };
    let viewer = viewer(&access, subject.credentials());
    if viewer.role.is_none() {
        tracing::info!(peer.uid = viewer.uid, "Admin connection refused");
    }
    let service = TowerToHyperService::new(admin.service(viewer));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::IDLE_DEADLINE)
        .max_buf_size(limits::MAX_HEAD)
        .serve_connection(TokioIo::new(subject.stream(stream)), service);
    tokio::select! {
        // Whoever hangs up is not an error.
        _ = connection => {}
        // Whoever holds the other end now is not the one who was let in.
        () = subject.exited() => {}
    }
}

fn viewer(access: &AdminAccess, credentials: &Credentials) -> Viewer {
    let mut gids = credentials.groups.clone();
    gids.push(credentials.gid);
    Viewer { uid: credentials.uid, role: role(access, credentials.uid, &gids) }
}

/// Root and the daemon's own uid are administrators.
fn role(access: &AdminAccess, uid: u32, gids: &[u32]) -> Option<Role> {
    let own = rustix::process::geteuid().as_raw();
    let listed = |roles: &Roles| {
        roles.uids.contains(&uid) || roles.gids.iter().any(|gid| gids.contains(gid))
    };
    if uid == 0 || uid == own || listed(&access.admin) {
        Some(Role::Admin)
    } else if listed(&access.view) {
        Some(Role::View)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_follow_uid_and_groups() {
        let access = AdminAccess {
            view: Roles { uids: vec![], gids: vec![50] },
            admin: Roles { uids: vec![1001], gids: vec![60] },
        };
        assert_eq!(role(&access, 0, &[]), Some(Role::Admin));
        assert_eq!(role(&access, 1001, &[1001]), Some(Role::Admin));
        assert_eq!(role(&access, 1002, &[1002, 60]), Some(Role::Admin));
        assert_eq!(role(&access, 1002, &[1002, 50]), Some(Role::View));
        // #79: whoever is in no list gets nothing.
        assert_eq!(role(&access, 65_534, &[65_534]), None);
    }
}
