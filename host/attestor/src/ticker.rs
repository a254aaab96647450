use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, Thread},
};

use wasmtime::EngineWeak;

use crate::limits;

/// The clock of the engine's epochs: one thread that ticks while guests run, and a little longer
/// (see [`limits::TICKER_LINGER`]), and is parked otherwise.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    parked: AtomicBool,
    stop: AtomicBool,
}

/// A guest runs; the ticker ticks at least as long as this lives.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a Shared);

impl Ticker {
    pub(crate) fn start(engine: EngineWeak) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("wasm-epochs".to_owned())
            .spawn(move || tick(&seen, &engine))?
            .thread()
            .clone();
        Ok(Self { shared, thread })
    }

    /// Announces a guest. Wakes the thread only if it is parked.
    pub(crate) fn run(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        if self.shared.parked.swap(false, SeqCst) {
            self.thread.unpark();
        }
        Running(&self.shared)
    }

    /// Whether the thread sleeps until the next guest.
    #[cfg(test)]
    fn is_parked(&self) -> bool {
        self.shared.parked.load(SeqCst)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.thread.unpark();
    }
}

fn tick(shared: &Shared, engine: &EngineWeak) {
    let linger = limits::TICKER_LINGER.as_millis() / limits::TICK.as_millis();
    let mut idle = 0;
    while !shared.stop.load(SeqCst) {
        thread::sleep(limits::TICK);
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
        idle = if shared.running.load(SeqCst) == 0 { idle + 1 } else { 0 };
        if idle > linger {
            park(shared);
            idle = 0;
        }
    }
}

/// Parks until a guest runs. `parked` is set before `running` is looked at again, and a guest does
/// it the other way round, so one of the two sees the other.
fn park(shared: &Shared) {
    shared.parked.store(true, SeqCst);
    if shared.running.load(SeqCst) != 0 {
        shared.parked.store(false, SeqCst);
    }
    while shared.parked.load(SeqCst) && !shared.stop.load(SeqCst) {
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_until(what: impl Fn() -> bool) {
        while !what() {
            thread::sleep(limits::TICK);
        }
    }

    #[test]
    fn it_parks_when_idle_and_wakes_for_a_guest() {
        let engine = wasmtime::Engine::default();
        let ticker = Ticker::start(engine.weak()).unwrap();
        for _ in 0..3 {
            wait_until(|| ticker.is_parked());
            let running = ticker.run();
            assert!(!ticker.is_parked());
            // It ticks: a parked one would leave this loop waiting for ever.
            thread::sleep(2 * limits::TICKER_LINGER);
            assert!(!ticker.is_parked(), "a guest still runs");
            drop(running);
        }
    }

    #[test]
    fn it_ends_with_its_owner() {
        let engine = wasmtime::Engine::default();
        let ticker = Ticker::start(engine.weak()).unwrap();
        let shared = Arc::downgrade(&ticker.shared);
        drop(ticker);
        wait_until(|| shared.upgrade().is_none());
    }
}
