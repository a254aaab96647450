use crate::{
    LineLevel,
    bindings::{
        preview::witgate::attestor::log as next,
        witgate::attestor::log::{Host, Level},
    },
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
        self.write_line(level, &message);
        Ok(())
    }
}

/// The second version: it translates, and ends in the same place as the first.
impl next::Host for Sandbox {
    fn write(
        &mut self,
        level: next::Level,
        message: String,
        fields: Vec<next::Field>,
    ) -> wasmtime::Result<()> {
        let level = match level {
            next::Level::Trace | next::Level::Debug => LineLevel::Debug,
            next::Level::Info => LineLevel::Info,
            next::Level::Warn => LineLevel::Warn,
            next::Level::Error => LineLevel::Error,
        };
        let fields = fields.iter().map(|field| format!(" {}={:?}", field.name, field.value));
        self.write_line(level, &(message + &fields.collect::<String>()));
        Ok(())
    }
}

impl Sandbox {
    fn write_line(&mut self, level: LineLevel, message: &str) {
        self.log.host_calls = self.log.host_calls.saturating_add(1);
        self.log.impure = true;
        self.common().lines.write(level, message);
    }
}
