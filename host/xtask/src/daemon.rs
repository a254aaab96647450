//! A daemon for what is tried against it.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How long the daemon may take to compile its plugins and open its sockets.
const START: Duration = Duration::from_secs(60);

/// A daemon of ours; it is stopped when this is dropped.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Returns when it is ready.
    pub(crate) fn start(binary: &Path, dir: &Path) -> Result<Self> {
        let child = Command::new(binary)
            .args(["serve", "--dir"])
            .arg(dir)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| binary.display().to_string())?;
        let mut daemon = Self(child);
        let started = Instant::now();
        loop {
            let ready = Command::new(binary).args(["status", "--dir"]).arg(dir).output()?;
            if ready.status.success() {
                return Ok(daemon);
            }
            if let Some(status) = daemon.0.try_wait()? {
                bail!("the daemon ended with {status} before it was ready");
            }
            if started.elapsed() > START {
                bail!("the daemon was not ready after {} s", START.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Until it is stopped from elsewhere.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let status = self.0.wait()?;
        if !status.success() {
            bail!("the daemon ended with {status}");
        }
        Ok(())
    }

    /// Lets it finish what it is doing.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.0.wait()?;
        if !status.success() {
            bail!("the daemon ended with {status} after SIGTERM");
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
