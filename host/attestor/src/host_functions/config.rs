use std::time::Instant;

use crate::{bindings::witgate::attestor::config::Host, sandbox::Sandbox};

impl Host for Sandbox {
    fn settings(&mut self) -> wasmtime::Result<String> {
        self.subject("config", "settings")?;
        Ok(self.said().settings.clone())
    }

    fn wants(&mut self, key: String) -> wasmtime::Result<bool> {
        Ok(self.subject("config", "wants")?.wants.wants(&key))
    }

    fn remaining_ms(&mut self) -> wasmtime::Result<u32> {
        self.subject("config", "remaining-ms")?;
        let left = self.clock.remaining(Instant::now());
        Ok(u32::try_from(left.as_millis()).unwrap_or(u32::MAX))
    }
}
