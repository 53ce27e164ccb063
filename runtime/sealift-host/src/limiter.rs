//! Memory and tables of a stage, summed over all parts of its component.
//!
//! Going over a limit ends the Function with a trap, because a failed `memory.grow` would only
//! become an abort without words inside the guest's allocator. CPU and wall time are elsewhere
//! (`meter`, `stage`).

use sealift_core::limits::Limits;
use wasmtime::ResourceLimiter;

use crate::error::{FunctionError, LimitKind};

/// Elements of all tables together. The largest runtime seen (a Python interpreter) uses 12 000.
const TABLE_ELEMENTS: usize = 200_000;
/// Core instances, memories and tables of one component; a Python component has 40.
const PARTS: usize = 512;

/// Counts and refuses.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: u64,
    memory: u64,
    peak: u64,
    elements: usize,
}

/// The trap a limit ends a Function with.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LimitReached(pub(crate) FunctionError);

impl Limiter {
    /// Limits of one run.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limit: limits.memory_bytes, memory: 0, peak: 0, elements: 0 }
    }

    /// Most bytes of linear memory there were at once.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let after = self.memory.saturating_add(desired.saturating_sub(current) as u64);
        if after > self.limit {
            return Err(LimitReached(FunctionError::Limit {
                which: LimitKind::Memory,
                message: format!(
                    "the function asked for {after} bytes and limits.memory is {}; \
                     raise it in the Function if it needs more",
                    self.limit
                ),
            })
            .into());
        }
        self.memory = after;
        self.peak = self.peak.max(after);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let after = self.elements.saturating_add(desired.saturating_sub(current));
        if after > TABLE_ELEMENTS {
            return Err(LimitReached(FunctionError::Limit {
                which: LimitKind::Table,
                message: format!("a function has at most {TABLE_ELEMENTS} table elements"),
            })
            .into());
        }
        self.elements = after;
        Ok(true)
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn memories_are_summed_and_the_limit_itself_is_allowed() {
        let mut limiter = Limiter::new(&Limits { memory_bytes: 100, ..Limits::default() });
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        let error = limiter.memory_growing(60, 61, None).unwrap_err();
        assert!(error.downcast_ref::<LimitReached>().is_some());
        assert_eq!(limiter.peak(), 100);
    }

    #[test]
    fn tables_are_bounded() {
        let mut limiter = Limiter::new(&Limits::default());
        assert!(limiter.table_growing(0, TABLE_ELEMENTS, None).unwrap());
        assert!(limiter.table_growing(0, 1, None).is_err());
    }
}
