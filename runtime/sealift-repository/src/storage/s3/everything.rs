//! All objects of a repository's place, whatever they are, for its removal.
//!
//! Lists end in an error when a page of them fails, as everywhere here. Objects beside the prefix
//! (`demo-vault-2` beside `demo-vault`) are never seen: what is listed and removed lies below
//! `<prefix>/`.

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rustic_core::RusticResult;

use super::Bucket;
use crate::storage::Item;

/// Requests at once: enough to be quick, and far below what stores throttle.
const AT_ONCE: usize = 16;

impl Bucket {
    /// Where this is, for people.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Whether the whole bucket is the repository's place.
    pub(crate) fn is_whole_bucket(&self) -> bool {
        self.prefix.as_ref().is_empty()
    }

    /// Everything in the place, named from its top.
    pub(crate) fn everything(&self) -> RusticResult<Vec<Item>> {
        let below = (!self.is_whole_bucket()).then_some(&self.prefix);
        let objects: Vec<_> = self.wait(self.store.list(below).boxed().try_collect())?;
        let top = self.prefix.as_ref();
        Ok(objects
            .into_iter()
            .filter_map(|object| {
                let name = object.location.as_ref().strip_prefix(top)?;
                let name = if top.is_empty() { name } else { name.strip_prefix('/')? };
                Some(Item { name: name.to_owned(), size: object.size })
            })
            .collect())
    }

    /// Removes these. One that is gone already is removed.
    pub(crate) fn remove_all(&self, names: &[String]) -> RusticResult<()> {
        let top = self.prefix.as_ref();
        let path = |name: &String| match top.is_empty() {
            true => Path::parse(name),
            false => Path::parse(format!("{top}/{name}")),
        };
        let removals = names.iter().map(|name| {
            let path = path(name);
            async move {
                match self.store.delete(&path?).await {
                    Err(object_store::Error::NotFound { .. }) => Ok(()),
                    other => other,
                }
            }
        });
        self.wait(stream::iter(removals).buffer_unordered(AT_ONCE).try_collect::<()>())
    }
}
