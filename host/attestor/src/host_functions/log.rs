use crate::{
    LineLevel,
    bindings::witgate::attestor::log::{Host, Level},
    sandbox::Sandbox,
};

impl Host for Sandbox {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Debug => LineLevel::Debug,
            Level::Info => LineLevel::Info,
            Level::Warn => LineLevel::Warn,
            Level::Error => LineLevel::Error,
        };
        self.log.host_calls = self.log.host_calls.saturating_add(1);
        self.said().lines.write(level, &message);
        Ok(())
    }
}
