//! Makes what a broken backup left usable again.
//!
//! rustic writes its index every five minutes and at the end; a backup that died before leaves
//! packs that are in no index. They cost nothing but space, but only when the index knows them is
//! their content not sent again. The index is only ever added to here: packs the index knows and
//! the storage does not, or has with another size, are damage, and are told instead of being
//! dropped from the index, which is what rustic's repair does with them.

use std::collections::{BTreeMap, BTreeSet};

use rustic_core::repofile::{FileType, IndexFile};
use rustic_core::{Id, ReadBackend, RepairIndexOptions};

use crate::{Error, Repository};

/// What was found and done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Packs that were in no index.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether the index was repaired.
    pub repaired: bool,
}

impl Repository {
    /// Looks for packs in no index and, if there are any, repairs the index. Hold the repository
    /// alone: what a backup is just writing looks the same.
    ///
    /// # Errors
    /// Packs are missing or of another size than the index says, or the storage failed.
    pub fn resume(&self) -> Result<Resumed, Error> {
        let gate = self.shut_gate();
        let engine = self.engine(&gate)?;
        let mut known = BTreeSet::new();
        let mut in_use: BTreeMap<Id, u32> = BTreeMap::new();
        gate.run("reading the index", || {
            for file in engine.stream_files::<IndexFile>()? {
                let (_, index) = file?;
                for pack in &index.packs {
                    add(&mut in_use, *pack.id, pack.pack_size());
                }
                known.extend(index.packs_to_delete.iter().map(|pack| *pack.id));
            }
            Ok(())
        })?;
        known.extend(in_use.keys().copied());
        let stored: BTreeMap<Id, u32> = gate
            .run("listing the packs", || gate.list_with_size(FileType::Pack))?
            .into_iter()
            .collect();
        let missing: Vec<&Id> = in_use.keys().filter(|pack| !stored.contains_key(*pack)).collect();
        if let Some(first) = missing.first() {
            return Err(Error::Damaged {
                what: format!(
                    "{} packs that the index knows are not in the storage, {} is one; run check",
                    missing.len(),
                    first.to_hex().as_str()
                ),
            });
        }
        let other_size = in_use
            .iter()
            .filter_map(|(pack, size)| Some((pack, *size, *stored.get(pack)?)))
            .filter(|(_, size, found)| size != found);
        if let Some((pack, size, found)) = other_size.clone().next() {
            return Err(Error::Damaged {
                what: format!(
                    "{} packs have another size in the storage than in the index, {} has {found} \
                     bytes instead of {size}; run check",
                    other_size.count(),
                    pack.to_hex().as_str()
                ),
            });
        }
        let unknown: Vec<u32> = stored
            .iter()
            .filter(|(pack, _)| !known.contains(*pack))
            .map(|(_, size)| *size)
            .collect();
        let mut resumed = Resumed {
            packs: unknown.len() as u64,
            bytes: unknown.iter().map(|size| u64::from(*size)).sum(),
            repaired: false,
        };
        if resumed.packs > 0 {
            gate.run("repairing the index", || {
                engine.repair_index(&RepairIndexOptions::default(), false)
            })?;
            resumed.repaired = true;
        }
        Ok(resumed)
    }
}

/// Adds an entry of the index. Of several of one pack the one with the most blobs describes it.
fn add(in_use: &mut BTreeMap<Id, u32>, pack: Id, size: u32) {
    let known = in_use.entry(pack).or_default();
    *known = size.max(*known);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_entry_of_a_pack_describes_it_in_whatever_order_they_come() {
        for sizes in [[10, 30, 20], [30, 20, 10], [10, 20, 30]] {
            let mut in_use = BTreeMap::new();
            for size in sizes {
                add(&mut in_use, Id::default(), size);
            }
            assert_eq!(in_use, BTreeMap::from([(Id::default(), 30)]), "{sizes:?}");
        }
    }
}
