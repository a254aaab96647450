//! The daemon at work: accept, hand over, drain.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::UnixStream,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use witgate_admin::{Admin, Control};
use witgate_peer::BrokerStream;

use crate::{
    admin_connection::{self, Operators},
    broker_connection, connection,
    core::Core,
    daemon::{Daemon, audit_config},
    folder_watch,
    gateway::Waiting,
    listener::Listener,
    take_over::{Estate, Given, Successor},
};

/// How long requests under way may take once we stop.
const DRAIN: Duration = Duration::from_secs(5);
/// How long requests that have begun to arrive may take once a successor is ready. Everybody else
/// waits in the queue of the socket meanwhile.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Pause after `accept` failed for want of descriptors: the listener stays readable, so trying on
/// at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often it is said that `accept` fails.
const SAY_AGAIN: Duration = Duration::from_secs(10);

impl Daemon {
    /// Serves until `stop` says so or a successor has taken over, then lets what is under way end.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let (mut serving, mut successors) = Serving::begin(self);
        let watched = serving.core.watched();
        let watch = tokio::spawn(folder_watch::run(Arc::clone(&serving.core), watched));
        loop {
            match serving.accept(&mut stop, &mut successors).await {
                None => break,
                Some(successor) => {
                    if serving.hand_over(successor, &mut stop).await == Given::Away {
                        break;
                    }
                }
            }
        }
        watch.abort();
        serving.drain().await;
    }
}

struct Serving {
    core: Arc<Core>,
    public: Arc<Listener>,
    admin: Arc<Listener>,
    broker: Option<Arc<Listener>>,
    operators: Arc<Operators>,
    /// The one strong reference besides those of requests under way.
    estate: Arc<Estate>,
    newcomers: Arc<Semaphore>,
    admins: Arc<Semaphore>,
    brokers: Arc<Semaphore>,
    connections: JoinSet<()>,
    admin_connections: JoinSet<()>,
    told: Option<Instant>,
}

impl Serving {
    fn begin(daemon: Daemon) -> (Self, mpsc::Receiver<Successor>) {
        let Daemon { core, config, places, sockets, left } = daemon;
        let (public, admin) = (Arc::new(sockets.public), Arc::new(sockets.admin));
        let broker = sockets.broker.map(Arc::new);
        let decider = Arc::clone(core.gateway().decider());
        // One at a time has its turn, so there is always room.
        let (sender, successors) = mpsc::channel(1);
        let sockets = [&public, &admin].into_iter().chain(&broker).map(Arc::clone).collect();
        let estate = Arc::new(Estate::new(&config, sockets, decider.audit().clone(), sender));
        let control = Arc::clone(&core) as Arc<dyn Control>;
        let operators = Arc::new(Operators {
            api: Arc::new(Admin::new(Arc::clone(&decider), control)),
            kernel: decider.kernel().clone(),
            estate: Arc::downgrade(&estate),
        });
        let mut serving = Self {
            core,
            public,
            admin,
            broker,
            operators,
            estate,
            newcomers: Arc::new(Semaphore::new(places.newcomers)),
            admins: Arc::new(Semaphore::new(places.admin)),
            brokers: Arc::new(Semaphore::new(places.brokers)),
            connections: JoinSet::new(),
            admin_connections: JoinSet::new(),
            told: None,
        };
        if let Some(left) = left {
            left.announce();
            serving.listeners().for_each(|listener| listener.own());
            tracing::info!(waiting = left.waiting.len(), "Taken over");
            serving.serve_waiting(left.waiting);
        }
        (serving, successors)
    }

    fn listeners(&self) -> impl Iterator<Item = &Arc<Listener>> {
        [&self.public, &self.admin].into_iter().chain(&self.broker)
    }

    /// Accepts until the daemon is to stop, or somebody is ready to go on in its place.
    async fn accept(
        &mut self,
        stop: &mut watch::Receiver<bool>,
        successors: &mut mpsc::Receiver<Successor>,
    ) -> Option<Successor> {
        loop {
            tokio::select! {
                () = stopped(stop) => return None,
                successor = successors.recv() => return successor,
                (place, accepted) = newcomer(&self.newcomers, &self.public) => {
                    let Some(stream) = self.accepted_or_pause(accepted).await else { continue };
                    if let Some(place) = place {
                        self.serve(place, stream);
                    }
                }
                accepted = self.admin.accept() => {
                    let Some(stream) = self.accepted_or_pause(accepted).await else { continue };
                    self.serve_admin(stream);
                }
                (place, accepted) = broker(&self.brokers, self.broker.as_deref()) => {
                    let Some(stream) = self.accepted_or_pause(accepted).await else { continue };
                    if let Some(place) = place {
                        self.serve_broker(place, stream);
                    }
                }
                // Ended connections are forgotten as they end.
                Some(_) = self.connections.join_next(), if !self.connections.is_empty() => {}
                Some(_) = self.admin_connections.join_next(), if !self.admin_connections.is_empty() => {}
            }
        }
    }

    fn serve(&mut self, place: OwnedSemaphorePermit, stream: UnixStream) {
        let gateway = Arc::clone(self.core.gateway());
        self.connections.spawn(connection::serve(gateway, place, stream));
    }

    fn serve_broker(&mut self, place: OwnedSemaphorePermit, stream: UnixStream) {
        let (gateway, callers) = (Arc::clone(self.core.gateway()), self.core.brokers());
        let stream = BrokerStream::new(stream);
        self.connections.spawn(broker_connection::serve(gateway, callers, place, stream));
    }

    /// Those that somebody else accepted; they were let in once already.
    fn serve_waiting(&mut self, waiting: Waiting) {
        for stream in waiting.brokers {
            let (gateway, callers) = (Arc::clone(self.core.gateway()), self.core.brokers());
            let brokers = Arc::clone(&self.brokers);
            self.connections.spawn(async move {
                let Ok(place) = brokers.acquire_owned().await else { return };
                broker_connection::serve(gateway, callers, place, stream).await;
            });
        }
        for stream in waiting.workloads {
            let (gateway, newcomers) =
                (Arc::clone(self.core.gateway()), Arc::clone(&self.newcomers));
            self.connections.spawn(async move {
                let Ok(place) = newcomers.acquire_owned().await else { return };
                connection::serve(gateway, place, stream).await;
            });
        }
    }

    fn serve_admin(&mut self, stream: UnixStream) {
        // Whoever comes when all places are taken finds the connection closed.
        let Ok(place) = Arc::clone(&self.admins).try_acquire_owned() else { return };
        let (operators, access) = (Arc::clone(&self.operators), self.core.access());
        self.admin_connections.spawn(async move {
            admin_connection::serve(operators, access, stream).await;
            drop(place);
        });
    }

    /// A connection; none if `accept` failed, after a pause if trying at once would fail again.
    async fn accepted_or_pause(&mut self, accepted: io::Result<UnixStream>) -> Option<UnixStream> {
        let error = match accepted {
            Ok(stream) => return Some(stream),
            Err(error) => error,
        };
        let decider = self.core.gateway().decider();
        decider.metrics().shed("accept");
        // Whoever holds the most makes room for the next, whoever that is.
        let evicted = decider.admission().evict();
        if self.told.is_none_or(|told| told.elapsed() >= SAY_AGAIN) {
            self.told = Some(Instant::now());
            tracing::warn!(error = %error, evicted, "Accept failed; not said again for a while");
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
        None
    }

    /// Stops deciding, and gives everything to the successor; goes on if that ends before it serves.
    async fn hand_over(
        &mut self,
        mut successor: Successor,
        stop: &mut watch::Receiver<bool>,
    ) -> Given {
        let gateway = Arc::clone(self.core.gateway());
        let decider = gateway.decider();
        gateway.hand_over();
        let all = async { while self.connections.join_next().await.is_some() {} };
        let _ = timeout(LAST_WORDS, all).await;
        gateway.drain();
        // Every decision has a deadline.
        let none_begins = decider.finish().await;
        let kept = gateway.kept();
        let Some((lock, head)) = decider.audit().release() else {
            gateway.resume();
            self.serve_waiting(kept);
            return Given::Back;
        };
        let given = tokio::select! {
            biased;
            given = successor.give(&lock, &kept) => given,
            // Whoever has everything needs nobody to wait for it.
            () = stopped(stop) => Given::Away,
        };
        if given == Given::Back {
            if let Err(error) = decider.audit().take_back(audit_config(self.core.config()), lock) {
                tracing::error!(error = %error, "The audit log cannot be gone on with");
            }
            drop(none_begins);
            gateway.resume();
            self.serve_waiting(kept);
            return Given::Back;
        }
        tracing::info!(audit.head = %head, waiting = kept.len(), "Handed over");
        self.listeners().for_each(|listener| listener.disown());
        // Whoever is at the other end is to see the end of it when the successor closes it.
        let own = rustix::process::geteuid().as_raw();
        let closed = async {
            for stream in kept.brokers {
                stream.close(decider.reader(), own, ()).await;
            }
        };
        let _ = timeout(LAST_WORDS, closed).await;
        Given::Away
    }

    async fn drain(self) {
        let Self { core, mut connections, mut admin_connections, .. } = self;
        core.gateway().drain();
        drop((self.estate, self.public, self.admin, self.broker));
        tracing::info!(open = connections.len(), "Draining");
        let all = async {
            while connections.join_next().await.is_some() {}
            while admin_connections.join_next().await.is_some() {}
        };
        if timeout(DRAIN, all).await.is_err() {
            tracing::info!("Connections that stayed open were closed");
        }
        match core.gateway().decider().audit().close() {
            Ok(head) => tracing::info!(audit.head = %head, "Stopped"),
            Err(error) => tracing::error!(error = %error, "The audit log was not closed"),
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Without anybody who could say it, it is to stop.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A place, and then a connection for it.
async fn newcomer(
    places: &Arc<Semaphore>,
    listener: &Listener,
) -> (Option<OwnedSemaphorePermit>, io::Result<UnixStream>) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, listener.accept().await)
}

/// The same among brokers, if there is a socket for them.
async fn broker(
    places: &Arc<Semaphore>,
    listener: Option<&Listener>,
) -> (Option<OwnedSemaphorePermit>, io::Result<UnixStream>) {
    match listener {
        Some(listener) => newcomer(places, listener).await,
        None => std::future::pending().await,
    }
}
