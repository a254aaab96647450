//! `witgate serve`: settings, config, build, spawn, wait for a signal, drain.

use std::{io::IsTerminal as _, sync::Arc};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, watch},
};
use tracing_subscriber::EnvFilter;
use witgate_admin::Control;
use witgate_attestor::{CallFilter, CompilerCommand, EngineError, StoreError};
use witgate_confine::ConfineError;
use witgate_daemon::{Daemon, StartError, TakeOverError, config::Config};
use witgate_decision::audit::AuditError;

use crate::{
    args::{Place, ServeOptions},
    exit::{Exit, Failure, is_permission, with_causes},
    output::say,
};

/// Runs the daemon until SIGTERM or SIGINT, or until another one has taken over.
pub(crate) fn serve(place: &Place, options: ServeOptions) -> Result<Exit, Failure> {
    let config = place.config()?;
    log_to_stderr();
    // Before any thread is started.
    witgate_daemon::confine(&config).map_err(|error| unconfined(&error))?;
    // On a worker, and not on this thread: whatever accepts there hands every connection to
    // another thread, which costs a wake-up, a fifth of what a decision costs.
    let runtime = runtime()?;
    let end = runtime
        .block_on(async { tokio::spawn(run(config, options)).await.map_err(Failure::internal)? });
    // All is answered and written; a reload that is still compiling is not waited for.
    runtime.shutdown_background();
    end
}

/// At least two threads: a plugin that uses up its time must never hold the only one.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("witgate")
        .enable_all()
        .build()
        .map_err(Failure::internal)
}

async fn run(config: Config, options: ServeOptions) -> Result<Exit, Failure> {
    let signals = Signals::listen().map_err(Failure::internal)?;
    let compiler = compiler(config.call_filter)?;
    let started = if options.take_over {
        Daemon::take_over(config, compiler).await
    } else {
        Daemon::start(config, compiler).await
    };
    let daemon = started.map_err(|error| of_start(&error))?;
    say(&listening(&daemon));
    let (stop, stopped) = watch::channel(false);
    let signals = tokio::spawn(signals.obey(daemon.control(), stop));
    daemon.serve(stopped).await;
    signals.abort();
    Ok(Exit::Ok)
}

/// Where it does, all in one write.
fn listening(daemon: &Daemon) -> String {
    let mut lines = vec!["witgate is listening".to_owned()];
    lines.push(format!("  workloads  {}", daemon.public_socket().display()));
    lines.extend(daemon.broker_socket().map(|path| format!("  brokers    {}", path.display())));
    lines.push(format!("  operators  {}", daemon.admin_socket().display()));
    lines.join("\n")
}

/// What the daemon is told by signals. Listened for before anything is started, so that none is
/// missed once the daemon says that it listens.
#[derive(Debug)]
struct Signals {
    term: Signal,
    interrupt: Signal,
    hup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    /// Reloads on SIGHUP, until SIGTERM or SIGINT, which do not wait for a reload to end.
    async fn obey(mut self, control: Arc<dyn Control>, stop: watch::Sender<bool>) {
        let asked = Arc::new(Notify::new());
        let reloads = tokio::spawn(reload_when(Arc::clone(&asked), control));
        loop {
            tokio::select! {
                _ = self.term.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.hup.recv() => asked.notify_one(),
            }
        }
        stop.send_replace(true);
        reloads.abort();
    }
}

/// One reload after the other. However often it is asked for during one, there is one more.
async fn reload_when(asked: Arc<Notify>, control: Arc<dyn Control>) {
    loop {
        asked.notified().await;
        control.reload().await;
    }
}

/// Plugins are compiled by this same program, in a child with limits.
pub(crate) fn compiler(filter: CallFilter) -> Result<CompilerCommand, Failure> {
    let program = std::env::current_exe().map_err(Failure::internal)?;
    let mut args = vec!["compile-component".into()];
    if filter == CallFilter::Off {
        args.push("--unfiltered".into());
    }
    Ok(CompilerCommand { program, args })
}

fn unconfined(error: &ConfineError) -> Failure {
    let hint = match error {
        ConfineError::Filter { .. } | ConfineError::Architecture { .. } => {
            "; to serve all the same, set process.seccomp = \"off\""
        }
        _ => "",
    };
    Failure::unavailable(with_causes(error) + hint)
}

fn of_start(error: &StartError) -> Failure {
    let exit = match error {
        error if error.is_configuration() => Exit::Config,
        StartError::Audit(AuditError::Unsafe { .. })
        | StartError::Engine(EngineError::Store(StoreError::Exposed { .. })) => Exit::Permission,
        error if is_permission(error) => Exit::Permission,
        StartError::TakeOver(TakeOverError::Refused { .. } | TakeOverError::Stranger { .. }) => {
            Exit::Permission
        }
        StartError::Listen(_) | StartError::TakeOver(_) => Exit::Unavailable,
        _ => Exit::Internal,
    };
    Failure::new(exit, with_causes(error))
}

/// JSON for a log collector, text for a person; `WITGATE_LOG` filters.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("WITGATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.json().init();
    }
}

/// The hidden `witgate compile-component`.
pub(crate) fn compile_component(filter: CallFilter) -> Result<Exit, Failure> {
    witgate_attestor::compile_child(filter, std::io::stdin(), std::io::stdout())
        .map_err(Failure::internal)?;
    Ok(Exit::Ok)
}
