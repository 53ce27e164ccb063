//! Reads a tree back from the storage and compares it with the ledger.
//!
//! The proof that what will be committed can be restored: every name and size, every blob in the
//! index as it now lies in the storage, every pack the blobs lie in, and that the pack is long
//! enough for them. It does not read the data itself; `check --read-data` does.

use std::collections::{BTreeMap, HashMap};

use rustic_core::repofile::{Node, NodeType, Tree};
use rustic_core::{DataId, Id, IndexedFullStatus, IndexedTree, RusticResult, TreeId};

use crate::{Error, FileReceipt};

/// A node and its absolute path.
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) node: Node,
}

/// All nodes of a tree, folders before what lies in them.
pub(crate) fn walk<S: IndexedTree>(
    engine: &rustic_core::Repository<S>,
    root: TreeId,
    mut visit: impl FnMut(&TreeId, &Tree),
) -> RusticResult<Vec<Found>> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), root)];
    while let Some((folder, id)) = open.pop() {
        let tree = engine.get_tree(&id)?;
        visit(&id, &tree);
        for node in tree.nodes {
            // Names are escaped in the tree.
            let path = format!("{folder}/{}", node.name().to_string_lossy());
            if let Some(subtree) = node.subtree {
                open.push((path.clone(), subtree));
            }
            found.push(Found { path, node });
        }
    }
    Ok(found)
}

/// Whether this is the tree of that name, with its nodes in restic's order.
fn is_as_written(id: &TreeId, tree: &Tree) -> bool {
    tree.nodes.is_sorted_by(|one, two| one.name < two.name)
        && tree.serialize().is_ok_and(|(_, serialized)| serialized == *id)
}

/// What the blobs of each file are, by absolute path; the result of a proof.
pub(crate) type Contents = BTreeMap<String, Vec<DataId>>;

/// Compares the stored tree with the ledger. `packs` are those in the storage and their sizes.
pub(crate) fn prove(
    engine: &rustic_core::Repository<IndexedFullStatus>,
    root: TreeId,
    folder: &str,
    ledger: &BTreeMap<String, FileReceipt>,
    packs: &HashMap<Id, u32>,
    run: impl FnOnce(&mut dyn FnMut() -> RusticResult<()>) -> Result<(), Error>,
) -> Result<Contents, Error> {
    let mut flaw = None;
    let mut trees = Vec::new();
    let mut entries = Vec::new();
    let mut found = Vec::new();
    run(&mut || {
        found = walk(engine, root, |id, tree| {
            trees.push(*id);
            if !is_as_written(id, tree) {
                flaw =
                    Some(format!("tree {} is not stored as it was written", id.to_hex().as_str()));
            }
        })?;
        // They were read by way of the index, so they are in it.
        entries = trees.iter().map(|id| engine.get_index_entry(id)).collect::<RusticResult<_>>()?;
        Ok(())
    })?;
    if let Some(cause) = flaw {
        return Err(Error::SnapshotNotProven { cause });
    }
    let in_a_pack = |pack: Id, offset: u32, length: u32, what: &str| {
        let name = pack.to_hex();
        let name = name.as_str();
        let end = u64::from(offset) + u64::from(length);
        match packs.get(&pack) {
            None => Err(format!("pack {name} that holds {what} is not in the storage")),
            Some(size) if u64::from(*size) < end => Err(format!(
                "pack {name} that holds {what} has {size} bytes in the storage and needs {end}"
            )),
            Some(_) => Ok(()),
        }
    };
    for entry in entries {
        in_a_pack(*entry.pack, entry.location.offset, entry.location.length, "a tree")
            .map_err(|cause| Error::SnapshotNotProven { cause })?;
    }
    let mut contents = Contents::new();
    for Found { path, node } in found {
        let relative = path.strip_prefix(folder).and_then(|below| below.strip_prefix('/'));
        match (&node.node_type, relative.and_then(|below| ledger.get(below))) {
            (NodeType::Dir, None) => {}
            (NodeType::File, Some(receipt)) => {
                let refuse =
                    |cause: String| Error::NotProven { artifact: receipt.path.clone(), cause };
                let mut stored = 0;
                for id in node.content.iter().flatten() {
                    let entry = engine.get_index_entry(id).map_err(|_| {
                        refuse(format!("blob {} is in no index", id.to_hex().as_str()))
                    })?;
                    let at = entry.location;
                    in_a_pack(*entry.pack, at.offset, at.length, "a part of it").map_err(refuse)?;
                    stored += u64::from(entry.data_length());
                }
                if stored != receipt.size || node.meta.size != receipt.size {
                    return Err(refuse(format!(
                        "{} bytes were read, its blobs hold {stored}, its node says {}",
                        receipt.size, node.meta.size
                    )));
                }
                contents.insert(path, node.content.unwrap_or_default());
            }
            _ => {
                return Err(Error::SnapshotNotProven {
                    cause: format!("{path} stands in the stored tree and was never added"),
                });
            }
        }
    }
    for receipt in ledger.values() {
        if !contents.contains_key(&format!("{folder}/{}", receipt.path)) {
            return Err(Error::NotProven {
                artifact: receipt.path.clone(),
                cause: "it is missing in the stored tree".to_owned(),
            });
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rustic_core::repofile::Metadata;

    use super::*;

    #[test]
    fn another_tree_and_one_out_of_order_are_not_as_they_were_written() {
        let tree = |names: &[&str]| {
            let node =
                |name: &&str| Node::new_node(name.as_ref(), NodeType::File, Metadata::default());
            let tree = Tree { nodes: names.iter().map(node).collect() };
            let (_, id) = tree.serialize().unwrap();
            (id, tree)
        };
        let (id, sorted) = tree(&["a", "b"]);
        assert!(is_as_written(&id, &sorted));
        assert!(!is_as_written(&tree(&["a", "c"]).0, &sorted));
        let (id, unsorted) = tree(&["b", "a"]);
        assert!(!is_as_written(&id, &unsorted));
    }
}
