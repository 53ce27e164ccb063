//! What a watch saw: objects by namespace and name, and by what they are related to.
//!
//! The relations are an index: who has a Repository, or an invoker, is found without looking at
//! everybody. A store is written by its watch only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use kube::{Resource, ResourceExt};
use tokio::sync::watch as channel;

/// Namespace and name; a cluster-scoped object has an empty namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// A key.
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object.
    #[must_use]
    pub fn of<K: Resource>(object: &K) -> Self {
        Self::new(object.namespace().unwrap_or_default(), object.name_any())
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.as_str() {
            "" => f.write_str(&self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}

/// What an object is related to: a word for how, and to what. The object need not exist.
pub type Related<K> = fn(&K) -> Vec<(&'static str, Key)>;

/// For objects that are only found by their own names.
#[must_use]
pub fn unrelated<K>(_: &K) -> Vec<(&'static str, Key)> {
    Vec::new()
}

#[derive(Debug)]
pub(super) enum Entry<K> {
    Object(Arc<K>),
    Unreadable(String),
}

impl<K> Entry<K> {
    pub(super) fn object(&self) -> Option<Arc<K>> {
        match self {
            Self::Object(object) => Some(Arc::clone(object)),
            Self::Unreadable(_) => None,
        }
    }
}

/// The objects and their index, always changed together.
#[derive(Debug)]
pub(super) struct Content<K> {
    entries: BTreeMap<Key, Entry<K>>,
    index: BTreeMap<(&'static str, Key), BTreeSet<Key>>,
    related: Related<K>,
}

impl<K> Content<K> {
    fn new(related: Related<K>) -> Self {
        Self { entries: BTreeMap::new(), index: BTreeMap::new(), related }
    }

    /// Takes an entry in; the result is what was in its place.
    pub(super) fn put(&mut self, key: Key, entry: Entry<K>) -> Option<Entry<K>> {
        let before = self.remove(&key);
        if let Entry::Object(object) = &entry {
            for relation in (self.related)(object) {
                self.index.entry(relation).or_default().insert(key.clone());
            }
        }
        self.entries.insert(key, entry);
        before
    }

    /// Lets an entry go.
    pub(super) fn remove(&mut self, key: &Key) -> Option<Entry<K>> {
        let before = self.entries.remove(key)?;
        if let Entry::Object(object) = &before {
            for relation in (self.related)(object) {
                if let Some(keys) = self.index.get_mut(&relation) {
                    keys.remove(key);
                    if keys.is_empty() {
                        self.index.remove(&relation);
                    }
                }
            }
        }
        Some(before)
    }

    /// The keys of all entries.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.entries.keys()
    }
}

/// What a watch saw.
#[derive(Debug)]
pub struct Store<K> {
    content: Arc<RwLock<Content<K>>>,
    pub(super) trouble: Arc<RwLock<Option<String>>>,
    ready: channel::Receiver<bool>,
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self {
            content: Arc::clone(&self.content),
            trouble: Arc::clone(&self.trouble),
            ready: self.ready.clone(),
        }
    }
}

impl<K> Store<K> {
    /// An empty one, which is ready once `ready` says so.
    pub(super) fn empty(related: Related<K>, ready: channel::Receiver<bool>) -> Self {
        let content = Arc::new(RwLock::new(Content::new(related)));
        Self { content, trouble: Arc::default(), ready }
    }

    /// A store that is filled by hand, for tests of those who read it.
    #[must_use]
    pub fn of(related: Related<K>, objects: impl IntoIterator<Item = K>) -> Self
    where
        K: Resource,
    {
        let (_, ready) = channel::channel(true);
        let store = Self::empty(related, ready);
        for object in objects {
            store.write().put(Key::of(&object), Entry::Object(Arc::new(object)));
        }
        store
    }

    /// Waits until everything that was there at the beginning has been seen.
    pub async fn ready(&self) {
        let mut ready = self.ready.clone();
        // An error means that the watch ended, and with it the process.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// Whether everything that was there at the beginning has been seen.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Why the watch does not work just now.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An object.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.find(&Key::new(namespace, name))
    }

    /// An object.
    #[must_use]
    pub fn find(&self, key: &Key) -> Option<Arc<K>> {
        self.read().entries.get(key).and_then(Entry::object)
    }

    /// Why an object that is there cannot be read.
    #[must_use]
    pub fn unreadable(&self, key: &Key) -> Option<String> {
        match self.read().entries.get(key) {
            Some(Entry::Unreadable(error)) => Some(error.clone()),
            _ => None,
        }
    }

    /// How many objects are there that cannot be read.
    #[must_use]
    pub fn unreadable_count(&self) -> usize {
        self.read().entries.values().filter(|entry| matches!(entry, Entry::Unreadable(_))).count()
    }

    /// All objects, by namespace and name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read().entries.values().filter_map(Entry::object).collect()
    }

    /// All objects that are wanted, by namespace and name.
    #[must_use]
    pub fn select(&self, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let chosen = |entry: &Entry<K>| match entry {
            Entry::Object(object) if wanted(object) => Some(Arc::clone(object)),
            _ => None,
        };
        self.read().entries.values().filter_map(chosen).collect()
    }

    /// All objects of a namespace that are wanted, by name.
    #[must_use]
    pub fn select_in(&self, namespace: &str, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let chosen = |entry: &Entry<K>| match entry {
            Entry::Object(object) if wanted(object) => Some(Arc::clone(object)),
            _ => None,
        };
        self.read()
            .entries
            .range(Key::new(namespace, "")..)
            .take_while(|(key, _)| key.namespace == namespace)
            .filter_map(|(_, entry)| chosen(entry))
            .collect()
    }

    /// All objects that are related to something, by namespace and name.
    #[must_use]
    pub fn related(&self, relation: &'static str, to: &Key) -> Vec<Arc<K>> {
        let content = self.read();
        let keys = content.index.get(&(relation, to.clone()));
        let entries = keys.into_iter().flatten().filter_map(|key| content.entries.get(key));
        entries.filter_map(Entry::object).collect()
    }

    /// The first and the last namespace with objects: they are the same if there is but one.
    #[must_use]
    pub fn span(&self) -> Option<(String, String)> {
        let content = self.read();
        let ends = content.entries.first_key_value().zip(content.entries.last_key_value());
        ends.map(|((first, _), (last, _))| (first.namespace.clone(), last.namespace.clone()))
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read().entries.is_empty()
    }

    fn read(&self) -> RwLockReadGuard<'_, Content<K>> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Content<K>> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    fn map(namespace: &str, name: &str, owner: &str) -> ConfigMap {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"},
            "data": {"owner": owner}
        }))
        .unwrap()
    }

    fn owner(map: &ConfigMap) -> Vec<(&'static str, Key)> {
        let owner = map.data.as_ref().and_then(|data| data.get("owner"));
        owner.map(|owner| ("owner", Key::new("", owner))).into_iter().collect()
    }

    fn names(found: &[Arc<ConfigMap>]) -> Vec<String> {
        found.iter().map(|object| Key::of(&**object).to_string()).collect()
    }

    #[test]
    fn a_namespace_is_searched_alone() {
        let store = Store::of(
            unrelated,
            [map("a", "1", ""), map("ab", "1", ""), map("a", "2", ""), map("b", "1", "")],
        );
        assert_eq!(names(&store.select_in("a", |_| true)), ["a/1", "a/2"]);
        assert_eq!(store.select_in("c", |_| true).len(), 0);
        assert_eq!(store.span(), Some(("a".to_owned(), "b".to_owned())));
        assert_eq!(Store::<ConfigMap>::of(unrelated, []).span(), None);
    }

    #[test]
    fn objects_are_found_by_what_they_are_related_to_as_it_is_now() {
        let store = Store::of(owner, [map("a", "1", "x"), map("b", "2", "x"), map("a", "3", "y")]);
        let of = |owner: &str| names(&store.related("owner", &Key::new("", owner)));
        assert_eq!(of("x"), ["a/1", "b/2"]);
        let moved = map("b", "2", "y");
        store.write().put(Key::of(&moved), Entry::Object(Arc::new(moved)));
        assert_eq!((of("x"), of("y")), (vec!["a/1".to_owned()], vec!["a/3".into(), "b/2".into()]));
        // What cannot be read any more is related to nothing.
        store.write().put(Key::new("a", "1"), Entry::Unreadable("no".into()));
        store.write().remove(&Key::new("a", "3"));
        assert_eq!((of("x"), of("y")), (vec![], vec!["b/2".to_owned()]));
        assert_eq!(store.related("other", &Key::new("", "y")).len(), 0);
        assert_eq!(store.read().index.len(), 1);
    }
}
