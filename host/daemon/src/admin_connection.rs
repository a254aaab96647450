//! One connection to the admin socket: who is it, may they, serve.

use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{io::AsyncReadExt as _, net::UnixStream, time::timeout};
use witgate_admin::{Admin, Role, Viewer};
use witgate_facts::Credentials;
use witgate_peer::{Connected, Kernel, PeerStream, Subject};
use witgate_protocol::limits;

use crate::{
    config::AdminAccess,
    rewound::Rewound,
    take_over::{self, Estate},
};

/// What the connections of operators need.
#[derive(Debug)]
pub(crate) struct Operators {
    pub(crate) api: Arc<Admin>,
    pub(crate) kernel: Kernel,
    /// For whoever takes over; gone once the daemon stops.
    pub(crate) estate: Weak<Estate>,
}

/// Serves a connection to its end.
pub(crate) async fn serve(operators: Arc<Operators>, access: AdminAccess, stream: UnixStream) {
    let subject = match Subject::accept(&stream, &operators.kernel) {
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
    let mut stream = subject.stream(stream);
    let first = tokio::select! {
        first = first_bytes(&mut stream) => first,
        () = subject.exited() => None,
    };
    let Some(first) = first else { return };
    if !take_over::is_request(&first) {
        return converse(&operators, viewer, &subject, Rewound::new(first, stream)).await;
    }
    if let Some(estate) = operators.estate.upgrade() {
        estate.introduce(&viewer, subject, stream, &first).await;
    }
}

async fn converse(
    operators: &Operators,
    viewer: Viewer,
    subject: &Subject<Connected>,
    stream: Rewound,
) {
    let service = TowerToHyperService::new(operators.api.service(viewer));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::IDLE_DEADLINE)
        .max_buf_size(limits::MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // Whoever hangs up is not an error.
        _ = connection => {}
        // Whoever holds the other end now is not the one who was let in.
        () = subject.exited() => {}
    }
}

/// Enough to tell a request of HTTP from another; none if nothing comes.
async fn first_bytes(stream: &mut PeerStream) -> Option<Bytes> {
    let mut first = BytesMut::with_capacity(1024);
    let read = timeout(limits::IDLE_DEADLINE, stream.read_buf(&mut first)).await;
    matches!(read, Ok(Ok(1..))).then(|| first.freeze())
}

fn viewer(access: &AdminAccess, credentials: &Credentials) -> Viewer {
    Viewer { uid: credentials.uid, role: role(access, credentials) }
}

/// Root and the daemon's own uid are administrators.
fn role(access: &AdminAccess, credentials: &Credentials) -> Option<Role> {
    let own = rustix::process::geteuid().as_raw();
    let uid = credentials.uid;
    if uid == 0 || uid == own || access.admin.list(credentials) {
        Some(Role::Admin)
    } else if access.view.list(credentials) {
        Some(Role::View)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Roles;

    #[test]
    fn roles_follow_uid_and_groups() {
        let access = AdminAccess {
            view: Roles { uids: vec![], gids: vec![50] },
            admin: Roles { uids: vec![1001], gids: vec![60] },
        };
        let role = |uid, gid, groups: &[u32]| {
            role(&access, &Credentials { uid, gid, groups: groups.to_vec() })
        };
        assert_eq!(role(0, 0, &[]), Some(Role::Admin));
        assert_eq!(role(1001, 1001, &[]), Some(Role::Admin));
        assert_eq!(role(1002, 1002, &[60]), Some(Role::Admin));
        assert_eq!(role(1002, 60, &[]), Some(Role::Admin));
        assert_eq!(role(1002, 1002, &[50]), Some(Role::View));
        // #79: whoever is in no list gets nothing.
        assert_eq!(role(65_534, 65_534, &[]), None);
    }
}
