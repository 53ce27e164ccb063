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

    /// A component that does nothing but ask for one thing when it is instantiated.
    fn asking_for(section: &[u8]) -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        module.extend_from_slice(section);
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        // Section 1: a core module. Section 2: one core instance of module 0, without arguments.
        // Its length in two bytes of LEB128.
        let length = u8::try_from(module.len() % 128).unwrap() | 0x80;
        component.extend_from_slice(&[1, length, u8::try_from(module.len() / 128).unwrap()]);
        component.extend_from_slice(&module);
        component.extend_from_slice(&[2, 4, 1, 0, 0, 0]);
        component
    }

    #[tokio::test]
    async fn bombs_of_tables_and_memory_end_before_they_are_allocated() {
        // 300 000 elements of funcref; 40 000 pages, which are 2.4 GiB. Numbers are LEB128.
        let table: &[u8] = &[4, 6, 1, 0x70, 0, 0xe0, 0xa7, 0x12];
        let memory: &[u8] = &[5, 5, 1, 0, 0xc0, 0xb8, 0x02];
        let host = crate::engine::Host::new().unwrap();
        for (section, expected) in [(table, LimitKind::Table), (memory, LimitKind::Memory)] {
            let component =
                wasmtime::component::Component::new(host.engine(), asking_for(section)).unwrap();
            let mut store = wasmtime::Store::new(host.engine(), Limiter::new(&Limits::default()));
            store.limiter(|limiter| limiter);
            store.set_epoch_deadline(1_000_000);
            let linker = wasmtime::component::Linker::new(host.engine());
            let error = linker.instantiate_async(&mut store, &component).await.unwrap_err();
            let limit = error.downcast_ref::<LimitReached>().unwrap();
            let FunctionError::Limit { which, .. } = &limit.0 else { unreachable!("{limit}") };
            assert_eq!(*which, expected);
        }
    }

    /// Instantiates a module `times` times, all in one component.
    async fn repeated(section: &[u8], times: usize) -> wasmtime::Result<()> {
        let mut component = asking_for(section);
        let again = [2, 4, 1, 0, 0, 0];
        component.extend(again.repeat(times - 1));
        let host = crate::engine::Host::new().unwrap();
        let component = wasmtime::component::Component::new(host.engine(), component)?;
        let mut store = wasmtime::Store::new(host.engine(), Limiter::new(&Limits::default()));
        store.limiter(|limiter| limiter);
        store.set_epoch_deadline(1_000_000);
        let linker = wasmtime::component::Linker::new(host.engine());
        linker.instantiate_async(&mut store, &component).await.map(drop)
    }

    #[tokio::test]
    async fn a_component_has_a_bounded_number_of_instances_memories_and_tables() {
        let nothing: &[u8] = &[];
        // Fifty memories without pages; fifty tables without elements.
        let memories = [&[5, 101, 50], [0, 0].repeat(50).as_slice()].concat();
        let tables = [&[4, 151, 1, 50], [0x70, 0, 0].repeat(50).as_slice()].concat();
        for (section, most, what) in [
            (nothing, PARTS, "instance"),
            (memories.as_slice(), PARTS / 50, "memory"),
            (tables.as_slice(), PARTS / 50, "table"),
        ] {
            repeated(section, most).await.unwrap();
            let error = format!("{:?}", repeated(section, most + 1).await.unwrap_err());
            assert!(error.contains(&format!("{what} count too high")), "{error}");
        }
    }
}
