//! Reads ahead in packs that lie far away.
//!
//! A restore asks for one blob after the other, 16 KiB each; one request for each would take a
//! round trip each. Neighbours in a snapshot are neighbours in a pack, so a request for a part of
//! a pack fetches what follows too, and the last few such windows are kept.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticResult, WriteBackend};

/// What is fetched at once.
const LENGTH: u32 = 4 << 20;
/// How many are kept: with `LENGTH` the memory this costs.
const KEPT: usize = 4;

/// A storage with read-ahead.
pub(super) struct Window<S> {
    storage: S,
    kept: Mutex<VecDeque<(Id, u32, Bytes)>>,
}

impl<S> Window<S> {
    pub(super) fn new(storage: S) -> Self {
        Self { storage, kept: Mutex::new(VecDeque::new()) }
    }

    fn find(&self, id: &Id, offset: u32, length: u32) -> Option<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|(pack, _, _)| pack == id).find_map(|(_, start, bytes)| {
            let from = usize::try_from(offset.checked_sub(*start)?).ok()?;
            let to = from.checked_add(usize::try_from(length).ok()?)?;
            (to <= bytes.len()).then(|| bytes.slice(from..to))
        })
    }
}

impl<S: ReadBackend> ReadBackend for Window<S> {
    fn location(&self) -> String {
        self.storage.location()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.storage.list_with_size(tpe)
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        self.storage.read_full(tpe, id)
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        if tpe != FileType::Pack || length >= LENGTH {
            return self.storage.read_partial(tpe, id, cacheable, offset, length);
        }
        if let Some(bytes) = self.find(id, offset, length) {
            return Ok(bytes);
        }
        // Shorter at the end of the pack; the gate sees to it that no answer is too short.
        let bytes = self.storage.read_partial(tpe, id, cacheable, offset, LENGTH)?;
        let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
        let answer = bytes.slice(..wanted);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((*id, offset, bytes));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(answer)
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.storage.warmup_path(tpe, id)
    }
}

impl<S: WriteBackend> WriteBackend for Window<S> {
    fn create(&self) -> RusticResult<()> {
        self.storage.create()
    }

    fn write_bytes(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        self.storage.write_bytes(tpe, id, cacheable, content)
    }

    fn remove(&self, tpe: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        // A pack's name is the hash of its bytes: what is kept of it stays right.
        self.storage.remove(tpe, id, cacheable)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Pack(Vec<u8>, AtomicUsize);

    impl ReadBackend for Pack {
        fn location(&self) -> String {
            String::new()
        }
        fn list_with_size(&self, _: FileType) -> RusticResult<Vec<(Id, u32)>> {
            Ok(Vec::new())
        }
        fn read_full(&self, _: FileType, _: &Id) -> RusticResult<Bytes> {
            Ok(self.0.clone().into())
        }
        fn read_partial(
            &self,
            _: FileType,
            _: &Id,
            _: bool,
            offset: u32,
            length: u32,
        ) -> RusticResult<Bytes> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let from = offset as usize;
            let to = (from + length as usize).min(self.0.len());
            Ok(self.0[from..to].to_vec().into())
        }
        fn warmup_path(&self, _: FileType, _: &Id) -> String {
            String::new()
        }
    }

    #[test]
    fn neighbours_are_read_with_one_request_and_rightly() {
        let bytes: Vec<u8> = (0..9_000_000_u32).map(|n| (n % 251) as u8).collect();
        let window = Window::new(Pack(bytes.clone(), AtomicUsize::new(0)));
        let id = Id::default();
        let mut offset = 0;
        while offset < bytes.len() {
            let length = 16_000.min(bytes.len() - offset);
            let read = window
                .read_partial(FileType::Pack, &id, false, offset as u32, length as u32)
                .unwrap();
            assert_eq!(read, bytes[offset..offset + length]);
            offset += length;
        }
        assert_eq!(window.storage.1.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn what_is_kept_is_bounded_and_is_never_that_of_another_pack() {
        let window = Window::new(Pack((0..=255).cycle().take(100).collect(), AtomicUsize::new(0)));
        for nth in 0..2 * KEPT {
            let id: Id = format!("{nth:064x}").parse().unwrap();
            window.read_partial(FileType::Pack, &id, false, 0, 10).unwrap();
            // Each pack is asked for by itself, though all are alike.
            assert_eq!(window.storage.1.load(Ordering::Relaxed), nth + 1);
        }
        assert_eq!(window.kept.lock().unwrap().len(), KEPT);
        // More than what is kept of the last one: no half an answer out of the window.
        let id: Id = format!("{:064x}", 2 * KEPT - 1).parse().unwrap();
        window.read_partial(FileType::Pack, &id, false, 50, 60).unwrap();
        assert_eq!(window.storage.1.load(Ordering::Relaxed), 2 * KEPT + 1);
    }
}
