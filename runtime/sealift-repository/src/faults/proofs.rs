//! The proof of a tree against the ledger, each part of it for itself.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::PoisonError;

use rustic_core::repofile::{Metadata, Node, NodeType, SnapshotFile};
use rustic_core::{BackupOptions, ReadSource, ReadSourceEntry, RepairIndexOptions, TreeId};

use super::*;
use crate::proof;
use sealift_core::fingerprint::Fingerprint;

const FOLDER: &str = "/data";

type Entry = RusticResult<ReadSourceEntry<Cursor<Vec<u8>>>>;

/// Entries as they are given, whatever their nodes claim.
struct Claims(Mutex<Vec<Entry>>);

impl ReadSource for Claims {
    type Open = Cursor<Vec<u8>>;
    type Iter = std::vec::IntoIter<Entry>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }
    fn entries(&self) -> Self::Iter {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter()
    }
}

/// Stores one file of three bytes whose node claims to have `claimed`, on bare rustic_core.
fn stored(bench: &Bench, claimed: u64) -> TreeId {
    let node = |name: &str, kind: NodeType, size: u64| {
        Node::new_node(name.as_ref(), kind, Metadata { size, ..Metadata::default() })
    };
    let entries = vec![
        Ok(ReadSourceEntry {
            path: PathBuf::from(FOLDER),
            node: node("data", NodeType::Dir, 0),
            open: None,
        }),
        Ok(ReadSourceEntry {
            path: PathBuf::from(format!("{FOLDER}/a")),
            node: node("a", NodeType::File, claimed),
            open: Some(Cursor::new(b"abc".to_vec())),
        }),
    ];
    let gate = bench.repository.holding_gate();
    let engine = bench.repository.engine(&gate).unwrap().to_indexed_ids().unwrap();
    let options = BackupOptions::default().no_scan(true);
    let folder = [PathBuf::from(FOLDER)];
    let source = Claims(Mutex::new(entries));
    engine.archive(&options, &source, SnapshotFile::default(), &folder).unwrap().tree
}

/// Proves the tree against a ledger of these names and sizes and the packs that lie there.
fn prove(
    bench: &Bench,
    tree: TreeId,
    ledger: &[(&str, u64)],
    packs: impl Fn(&mut HashMap<Id, u32>),
) -> Result<proof::Contents, Error> {
    let gate = bench.repository.shut_gate();
    let engine = bench.repository.engine(&gate).unwrap().to_indexed().unwrap();
    let ledger: BTreeMap<String, FileReceipt> = ledger
        .iter()
        .map(|(path, size)| {
            let receipt = FileReceipt {
                path: (*path).to_owned(),
                size: *size,
                fingerprint: Fingerprint::of(b"abc"),
            };
            ((*path).to_owned(), receipt)
        })
        .collect();
    let mut there: HashMap<Id, u32> =
        gate.list_with_size(FileType::Pack).unwrap().into_iter().collect();
    packs(&mut there);
    proof::prove(&engine, tree, FOLDER, &ledger, &there, |work| gate.run("reading", work))
}

#[test]
fn a_tree_is_what_the_ledger_says_and_nothing_else() {
    let bench = bench();
    let tree = stored(&bench, 3);
    prove(&bench, tree, &[("a", 3)], |_| {}).unwrap();
    let told =
        |ledger: &[(&str, u64)]| prove(&bench, tree, ledger, |_| {}).unwrap_err().to_string();
    assert!(told(&[]).contains("/data/a stands in the stored tree and was never added"));
    assert!(told(&[("a", 3), ("b", 3)]).contains("it is missing in the stored tree"));
}

#[test]
fn a_size_that_is_only_claimed_is_no_proof() {
    let bench = bench();
    // What was read, and what the node says: neither makes up for the other.
    for (claimed, read) in [(0, 3), (5, 5)] {
        let tree = stored(&bench, claimed);
        let told = prove(&bench, tree, &[("a", read)], |_| {}).unwrap_err().to_string();
        let said = format!("{read} bytes were read, its blobs hold 3, its node says {claimed}");
        assert!(told.contains(&said), "{told}");
    }
}

#[test]
fn every_pack_of_a_tree_has_to_lie_there_whole() {
    let bench = bench();
    let tree = stored(&bench, 3);
    let packs = bench.faulty.list(FileType::Pack).unwrap();
    assert_eq!(packs.len(), 2, "one of data, one of trees");
    let mut told = Vec::new();
    for pack in packs {
        let said = |packs: &dyn Fn(&mut HashMap<Id, u32>)| {
            prove(&bench, tree, &[("a", 3)], packs).unwrap_err().to_string()
        };
        told.push(said(&|packs| _ = packs.remove(&pack)));
        told.push(said(&|packs| _ = packs.insert(pack, 10)));
    }
    for said in
        ["holds a tree is not", "holds a tree has 10", "a part of it is not", "a part of it has 10"]
    {
        assert_eq!(told.iter().filter(|text| text.contains(said)).count(), 1, "{told:?}");
    }
}

#[test]
fn a_part_of_a_file_that_is_in_no_index_is_no_part_of_a_proof() {
    let bench = bench();
    let tree = stored(&bench, 3);
    let gate = bench.repository.shut_gate();
    // The pack of data goes, and the index is made anew of what is left.
    let packs = bench.faulty.list(FileType::Pack).unwrap();
    let data = packs.into_iter().find(|pack| {
        let told = prove(&bench, tree, &[("a", 3)], |packs| _ = packs.remove(pack));
        told.unwrap_err().to_string().contains("a part of it")
    });
    bench.faulty.remove(FileType::Pack, &data.unwrap(), false).unwrap();
    let engine = bench.repository.engine(&gate).unwrap();
    engine.repair_index(&RepairIndexOptions::default(), false).unwrap();
    let told = prove(&bench, tree, &[("a", 3)], |_| {}).unwrap_err().to_string();
    assert!(told.contains("is in no index"), "{told}");
}

#[test]
fn a_file_of_which_a_part_is_in_no_index_is_not_even_opened() {
    let bench = bench();
    let mut draft = bench.repository.draft(&identity(), now()).unwrap();
    let receipt = draft.add("a", Some(3), boxed(b"abc")).unwrap();
    let id = draft.commit(&expects(&[receipt])).unwrap().snapshot.id;
    let reader = || bench.repository.reader(&id, &[identity().path]).unwrap();
    assert_eq!(reader().open("a").unwrap().size(), 3);
    // The pack of data goes, which no tree is read from, and the index is made anew.
    let packs = bench.faulty.list(FileType::Pack).unwrap();
    let kept: Vec<_> =
        packs.iter().map(|pack| bench.faulty.read_full(FileType::Pack, pack).unwrap()).collect();
    for (pack, content) in packs.iter().zip(kept) {
        bench.faulty.remove(FileType::Pack, pack, false).unwrap();
        let gate = bench.repository.shut_gate();
        let engine = bench.repository.engine(&gate).unwrap();
        engine.repair_index(&RepairIndexOptions::default(), false).unwrap();
        if let Ok(reader) = bench.repository.reader(&id, &[identity().path]) {
            let told = reader.open("a").err().unwrap();
            assert!(matches!(&told, Error::Damaged { what } if what.contains("is in no index")));
            return;
        }
        bench.faulty.write_bytes(FileType::Pack, pack, false, content.into()).unwrap();
        engine.repair_index(&RepairIndexOptions::default(), false).unwrap();
    }
    panic!("no pack holds data only");
}

#[test]
fn x12_another_files_snapshot_of_the_same_size_and_time_is_no_parent() {
    let bench = bench();
    let path = identity().path;
    let metadata = |kind: NodeType, size: u64| Metadata {
        mode: Some(if kind == NodeType::Dir { 0o700 | 1 << 31 } else { 0o600 }),
        mtime: Some(now()),
        atime: Some(now()),
        ctime: Some(now()),
        uid: Some(0),
        gid: Some(0),
        size,
        ..Metadata::default()
    };
    let entry = |path: String, kind: NodeType, bytes: Option<&[u8]>| {
        let size = bytes.map_or(0, |bytes| bytes.len() as u64);
        let name = path.rsplit('/').next().unwrap().to_owned();
        let node = Node::new_node(name.as_ref(), kind.clone(), metadata(kind, size));
        let open = bytes.map(|bytes| Cursor::new(bytes.to_vec()));
        Ok(ReadSourceEntry { path: PathBuf::from(path), node, open })
    };
    let above = path.rsplit_once('/').unwrap().0.to_owned();
    let entries = vec![
        entry(above, NodeType::Dir, None),
        entry(path.clone(), NodeType::Dir, None),
        entry(format!("{path}/a"), NodeType::File, Some(b"AAA")),
    ];
    // Written by somebody who names no host, as an archive of ours does until its commit.
    let backends = rustic_core::RepositoryBackends::new(bench.faulty.clone(), None);
    let options = rustic_core::RepositoryOptions::default().no_cache(true);
    let engine = rustic_core::Repository::new(&options, &backends).unwrap();
    let password = rustic_core::Credentials::password(PASSWORD);
    let engine = engine.open(&password).unwrap().to_indexed_ids().unwrap();
    let source = Claims(Mutex::new(entries));
    let options = BackupOptions::default().no_scan(true);
    engine.archive(&options, &source, SnapshotFile::default(), &[PathBuf::from(&path)]).unwrap();

    let mut draft = bench.repository.draft(&identity(), now()).unwrap();
    let receipt = draft.add("a", Some(3), boxed(b"BBB")).unwrap();
    let committed = draft.commit(&expects(&[receipt])).unwrap();
    let reader = bench.repository.reader(&committed.snapshot.id, &[path]).unwrap();
    let mut bytes = String::new();
    reader.open("a").unwrap().read_to_string(&mut bytes).unwrap();
    assert_eq!(bytes, "BBB");
}
