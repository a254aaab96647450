use wasmtime::ResourceLimiter;

use crate::limits;

/// Counts what one call holds, over all memories and tables of the component, and refuses more.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes: usize,
    most_bytes: usize,
    elements: usize,
    refused: bool,
}

impl Meter {
    /// Most linear memory at once, in bytes.
    pub(crate) const fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// Whether the guest was refused memory. It may have lived on; if it trapped, this is why.
    pub(crate) const fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current));
        if bytes > limits::MEMORY {
            self.refused = true;
            return Ok(false);
        }
        self.bytes = bytes;
        self.most_bytes = self.most_bytes.max(bytes);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self.elements.saturating_add(desired.saturating_sub(current));
        if elements > limits::TABLE_ELEMENTS {
            self.refused = true;
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        limits::CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        limits::TABLES
    }

    fn memories(&self) -> usize {
        limits::MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_together_stay_below_the_limit() {
        let mut meter = Meter::default();
        let half = limits::MEMORY / 2;
        assert!(meter.memory_growing(0, half, None).unwrap());
        assert!(meter.memory_growing(0, half, None).unwrap());
        assert!(!meter.memory_growing(half, half + 1, None).unwrap());
        assert!(meter.refused());
        assert_eq!(meter.most_bytes(), limits::MEMORY);
    }

    #[test]
    fn all_tables_together_stay_below_the_limit() {
        let mut meter = Meter::default();
        assert!(meter.table_growing(0, limits::TABLE_ELEMENTS, None).unwrap());
        assert!(!meter.table_growing(0, 1, None).unwrap());
        assert!(meter.refused());
    }
}
