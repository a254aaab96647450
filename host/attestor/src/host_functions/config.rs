use std::time::Instant;

use witgate_identity::KeyName;

use crate::{Question, bindings::witgate::attestor::config::Host, sandbox::Sandbox};

impl Host for Sandbox {
    fn settings(&mut self) -> wasmtime::Result<String> {
        let other = self.subject("config", "settings")?.settings.as_deref().map(str::to_owned);
        Ok(other.unwrap_or_else(|| self.common().settings.clone()))
    }

    fn wants(&mut self, key: String) -> wasmtime::Result<bool> {
        let wanted = self.subject("config", "wants")?.wants.wants(&key);
        match KeyName::new(key) {
            Ok(key) => self.asked(|| Question::Wants(key)),
            // No key of any plugin, so that nobody wants it; and of any length, so that it is not
            // kept.
            Err(_) => self.log.impure = true,
        }
        Ok(wanted)
    }

    fn remaining_ms(&mut self) -> wasmtime::Result<u32> {
        self.subject("config", "remaining-ms")?;
        self.log.impure = true;
        let left = self.clock.remaining(Instant::now());
        Ok(u32::try_from(left.as_millis()).unwrap_or(u32::MAX))
    }
}
