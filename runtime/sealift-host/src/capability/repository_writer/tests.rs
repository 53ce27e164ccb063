//! What a Function can make of a snapshot: its paths, tags and files, and what it left unfinished.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::sync::Mutex;

use async_trait::async_trait;
use sealift_bindings::v0_1_0::errors::Error;
use wit::{Host as _, HostFile as _, HostSnapshot as _};

use super::*;
use crate::body::Torn;
use crate::ports::{PortError, PortResult};

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for path in
        ["", "/a", "a/", "a//b", "a/../b", "..", ".", "a/./b", "a\\b", "a\0b", &"x".repeat(4097)]
    {
        assert!(check_path(path).is_err(), "{path:?}");
    }
    for path in ["a", "a/b.c", "..a", "a..b/c", "ä ö"] {
        assert!(check_path(path).is_ok(), "{path:?}");
    }
}

#[test]
fn the_hosts_own_tags_are_denied() {
    assert!(matches!(check_tag("sealift.target=x"), Err(FunctionError::Denied(_))));
    assert!(matches!(check_tag("a,b"), Err(FunctionError::InvalidState(_))));
    assert!(check_tag("release").is_ok());
    assert!(check_tag(&"x".repeat(255)).is_ok());
    assert!(check_tag(&"x".repeat(256)).is_err(), "the repository takes no longer ones");
    for tag in ["", "a,b", "a\nb", &"x".repeat(TAG_BYTES + 1)] {
        assert!(matches!(check_tag(tag), Err(FunctionError::InvalidState(_))), "{tag:?}");
    }
}

#[tokio::test]
async fn nothing_is_created_beside_an_open_file_or_after_an_unfinished_one() {
    for (open, unfinished, words) in
        [(Some("a"), None, "still open"), (None, Some("a"), "left unfinished")]
    {
        let mut ctx = RepositoryWriterCtx {
            open: open.map(str::to_owned),
            unfinished: unfinished.map(str::to_owned),
            ..RepositoryWriterCtx::default()
        };
        let (mut table, stop, secrets) =
            (ResourceTable::new(), Stop::default(), Secrets::default());
        let mut view = View { ctx: &mut ctx, table: &mut table, stop: &stop, secrets: &secrets };
        let refused = view.create(Resource::new_own(0), "b".to_owned(), None).await.err();
        let Some(Failure::Told(Error::InvalidState(told))) = refused else {
            unreachable!("{words}")
        };
        assert!(told.contains(words), "{told}");
    }
}

/// A repository in memory: it takes everything, or fails at its next write.
#[derive(Clone, Default)]
struct Memory {
    told: Arc<Mutex<Vec<String>>>,
    fails: Arc<Mutex<bool>>,
}

impl Memory {
    fn tell(&self, text: String) {
        self.told.lock().unwrap().push(text);
    }
}

#[async_trait]
impl RepositoryWriter for Memory {
    async fn begin(&self) -> PortResult<Box<dyn SnapshotWriter>> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl SnapshotWriter for Memory {
    fn add_tag(&mut self, tag: &str) -> PortResult<()> {
        self.tell(format!("tag {tag}"));
        Ok(())
    }
    fn set_label(&mut self, label: &str) -> PortResult<()> {
        self.tell(format!("label {label}"));
        Ok(())
    }
    async fn create(&mut self, path: &str, _: Option<u64>) -> PortResult<Box<dyn FileWriter>> {
        Ok(Box::new(MemoryFile { memory: self.clone(), path: path.to_owned(), size: 0 }))
    }
    async fn stage(self: Box<Self>) -> PortResult<()> {
        self.tell("staged".to_owned());
        Ok(())
    }
}

struct MemoryFile {
    memory: Memory,
    path: String,
    size: u64,
}

#[async_trait]
impl FileWriter for MemoryFile {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        if std::mem::take(&mut *self.memory.fails.lock().unwrap()) {
            return Err(PortError::Retryable("the storage is away".to_owned()));
        }
        self.size += bytes.len() as u64;
        Ok(())
    }
    async fn finish(self: Box<Self>) -> PortResult<u64> {
        self.memory.tell(format!("{} has {}", self.path, self.size));
        Ok(self.size)
    }
}

/// A Function that has begun a snapshot.
struct Begun {
    memory: Memory,
    ctx: RepositoryWriterCtx,
    table: ResourceTable,
    stop: Stop,
    secrets: Secrets,
    snapshot: u32,
}

impl Begun {
    async fn new() -> Self {
        let memory = Memory::default();
        let mut begun = Self {
            ctx: RepositoryWriterCtx::new(Some(Arc::new(memory.clone()))),
            memory,
            table: ResourceTable::new(),
            stop: Stop::default(),
            secrets: Secrets::default(),
            snapshot: 0,
        };
        begun.snapshot = begun.view().begin().await.unwrap().rep();
        begun
    }

    fn view(&mut self) -> View<'_> {
        let Self { ctx, table, stop, secrets, .. } = self;
        View { ctx, table, stop, secrets }
    }

    fn snapshot(&self) -> Resource<wit::Snapshot> {
        Resource::new_own(self.snapshot)
    }

    /// A new file, by its number.
    async fn create(&mut self, path: &str, size: Option<u64>) -> Result<u32, Failure> {
        let snapshot = self.snapshot();
        Ok(self.view().create(snapshot, path.to_owned(), size).await?.rep())
    }

    async fn write(&mut self, file: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.view().write(Resource::new_own(file), bytes.to_vec()).await
    }

    async fn finish(&mut self, file: u32) -> Result<u64, Failure> {
        self.view().finish(Resource::new_own(file)).await
    }

    async fn stage(&mut self) -> Result<(), Failure> {
        let snapshot = self.snapshot();
        self.view().stage(snapshot).await
    }

    fn told(&self) -> Vec<String> {
        self.memory.told.lock().unwrap().clone()
    }

    /// Whatever the Function does after file `a` broke, there is no snapshot.
    async fn stays_broken(mut self, file: u32) {
        for refused in [self.write(file, b"x").await.err(), self.finish(file).await.err()] {
            let told = invalid_state(refused);
            assert!(told.contains("finished or broken"), "{told}");
        }
        let told = invalid_state(self.create("next", None).await.err());
        assert!(told.contains("a was left unfinished"), "{told}");
        invalid_state(self.stage().await.err());
        let (name, error) = self.ctx.settle().unwrap_err();
        assert_eq!(name.as_deref(), Some("a"), "{error}");
        assert_eq!(self.told(), [""; 0]);
    }
}

fn invalid_state(failure: Option<Failure>) -> String {
    let Some(Failure::Told(Error::InvalidState(told))) = failure else {
        unreachable!("it was not refused: {failure:?}")
    };
    told
}

#[tokio::test]
async fn a_file_of_which_a_write_failed_stays_broken_though_the_next_write_would_do() {
    let mut begun = Begun::new().await;
    *begun.memory.fails.lock().unwrap() = true;
    let file = begun.create("a", None).await.unwrap();
    begun.write(file, b"lost").await.unwrap_err();
    begun.stays_broken(file).await;
    // A byte too many is as bad, though others would fit.
    let mut begun = Begun::new().await;
    let file = begun.create("a", Some(1)).await.unwrap();
    begun.write(file, b"xy").await.unwrap_err();
    begun.stays_broken(file).await;
}

#[tokio::test]
async fn a_file_that_holds_half_a_body_stays_broken() {
    let mut begun = Begun::new().await;
    let file = begun.create("a", None).await.unwrap();
    let body = begun.table.push(Body::new(Torn::new(b"half"), None)).unwrap();
    let forwarded = begun.view().forward(Resource::new_own(file), handle(&body)).await;
    assert!(matches!(forwarded, Err(Failure::Told(Error::ExternalFailed(_)))));
    begun.stays_broken(file).await;
}

#[tokio::test]
async fn a_file_with_fewer_bytes_than_it_was_created_with_is_a_loss() {
    let mut begun = Begun::new().await;
    let file = begun.create("a", Some(2)).await.unwrap();
    begun.write(file, b"x").await.unwrap();
    let failure = begun.finish(file).await.unwrap_err();
    let Failure::Told(Error::DataLossRisk(told)) = failure else { unreachable!("{failure:?}") };
    assert!(told.contains("created with 2 bytes and got 1"), "{told}");
    begun.stays_broken(file).await;
}

#[tokio::test]
async fn a_file_that_was_dropped_is_left_unfinished_and_a_finished_one_is_not() {
    let mut begun = Begun::new().await;
    let file = begun.create("b", None).await.unwrap();
    begun.finish(file).await.unwrap();
    wit::HostFile::drop(&mut begun.view(), Resource::new_own(file)).await.unwrap();
    let file = begun.create("a", None).await.unwrap();
    begun.write(file, b"half").await.unwrap();
    wit::HostFile::drop(&mut begun.view(), Resource::new_own(file)).await.unwrap();
    let told = invalid_state(begun.create("next", None).await.err());
    assert!(told.contains("a was left unfinished"), "{told}");
    invalid_state(begun.stage().await.err());
    assert_eq!(begun.told(), ["b has 0"]);
}

#[tokio::test]
async fn a_label_is_as_bounded_and_as_free_of_credentials_as_a_tag() {
    let mut begun = Begun::new().await;
    begun.secrets.remember("hvs.the-token");
    let (for_label, for_tag) = (begun.snapshot(), begun.snapshot());
    let [label, tag] = ["by hvs.the-token"; 2].map(str::to_owned);
    begun.view().set_label(for_label, label).await.unwrap();
    begun.view().add_tag(for_tag, tag).await.unwrap();
    assert_eq!(begun.told(), ["label by [redacted]", "tag by [redacted]"]);
    for text in ["sealift.target=x", "a,b", "", "a\nb"] {
        let (for_label, for_tag) = (begun.snapshot(), begun.snapshot());
        begun.view().set_label(for_label, text.to_owned()).await.unwrap_err();
        begun.view().add_tag(for_tag, text.to_owned()).await.unwrap_err();
    }
    assert_eq!(begun.told().len(), 2);
}
