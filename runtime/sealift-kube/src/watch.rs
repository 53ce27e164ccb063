//! A watch that keeps what it saw: one per kind, shared by all who need it.
//!
//! An object that cannot be read (a loose schema once let it in) is kept as that, with the
//! reason, and stops nothing. Fields nobody looks at are dropped on arrival. What follows from a
//! change is not decided here.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kube::api::Api;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Resource, ResourceExt};
use sealift_core::causes::chain_of_causes;
use serde::de::DeserializeOwned;
use tokio::sync::watch as channel;

/// The annotation in which `kubectl apply` repeats the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

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

/// One object came, changed or went.
#[derive(Debug, Clone)]
pub struct Change<K> {
    /// Which.
    pub key: Key,
    /// As it was; none = it is new.
    pub before: Option<Arc<K>>,
    /// As it is; none = it is gone, or cannot be read.
    pub after: Option<Arc<K>>,
}

#[derive(Debug)]
enum Entry<K> {
    Object(Arc<K>),
    Unreadable(String),
}

impl<K> Entry<K> {
    fn object(&self) -> Option<Arc<K>> {
        match self {
            Self::Object(object) => Some(Arc::clone(object)),
            Self::Unreadable(_) => None,
        }
    }
}

/// What a watch saw.
#[derive(Debug)]
pub struct Store<K> {
    entries: Arc<RwLock<BTreeMap<Key, Entry<K>>>>,
    trouble: Arc<RwLock<Option<String>>>,
    ready: channel::Receiver<bool>,
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self {
            entries: Arc::clone(&self.entries),
            trouble: Arc::clone(&self.trouble),
            ready: self.ready.clone(),
        }
    }
}

impl<K> Store<K> {
    /// A store that is filled by hand, for tests of those who read it.
    #[must_use]
    pub fn of(objects: impl IntoIterator<Item = K>) -> Self
    where
        K: Resource,
    {
        let entries = objects
            .into_iter()
            .map(|object| (Key::of(&object), Entry::Object(Arc::new(object))))
            .collect();
        let (_, ready) = channel::channel(true);
        Self { entries: Arc::new(RwLock::new(entries)), trouble: Arc::default(), ready }
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
        self.read().get(key).and_then(Entry::object)
    }

    /// Why an object that is there cannot be read.
    #[must_use]
    pub fn unreadable(&self, key: &Key) -> Option<String> {
        match self.read().get(key) {
            Some(Entry::Unreadable(error)) => Some(error.clone()),
            _ => None,
        }
    }

    /// How many objects are there that cannot be read.
    #[must_use]
    pub fn unreadable_count(&self) -> usize {
        self.read().values().filter(|entry| matches!(entry, Entry::Unreadable(_))).count()
    }

    /// All objects, by namespace and name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read().values().filter_map(Entry::object).collect()
    }

    /// All objects that are wanted, by namespace and name.
    #[must_use]
    pub fn select(&self, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let chosen = |entry: &Entry<K>| match entry {
            Entry::Object(object) if wanted(object) => Some(Arc::clone(object)),
            _ => None,
        };
        self.read().values().filter_map(chosen).collect()
    }

    /// All objects of a namespace that are wanted, by name.
    #[must_use]
    pub fn select_in(&self, namespace: &str, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let chosen = |entry: &Entry<K>| match entry {
            Entry::Object(object) if wanted(object) => Some(Arc::clone(object)),
            _ => None,
        };
        self.read()
            .range(Key::new(namespace, "")..)
            .take_while(|(key, _)| key.namespace == namespace)
            .filter_map(|(_, entry)| chosen(entry))
            .collect()
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Key, Entry<K>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store and the changes to it. The store is only kept current while the changes are read.
pub struct Watch<K> {
    /// What is there.
    pub store: Store<K>,
    /// What changes.
    pub changes: BoxStream<'static, Change<K>>,
}

/// Watches whole objects. `prune` drops what nobody looks at.
pub fn objects<K>(
    api: Api<DeserializeGuard<K>>,
    config: Config,
    prune: impl Fn(&mut K) + Send + 'static,
) -> Watch<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    let events = watcher::watcher(api, config).default_backoff();
    follow(events, move |DeserializeGuard(read)| match read {
        Ok(mut object) => {
            slim(&mut object);
            prune(&mut object);
            (Key::of(&object), Entry::Object(Arc::new(object)))
        }
        Err(invalid) => {
            let namespace = invalid.metadata.namespace.unwrap_or_default();
            let key = Key::new(namespace, invalid.metadata.name.unwrap_or_default());
            let kind = K::kind(&());
            tracing::warn!(%kind, object = %key, error = %invalid.error, "an object cannot be read");
            (key, Entry::Unreadable(invalid.error))
        }
    })
}

/// Watches the metadata of objects; nothing else of them is sent.
pub fn metadata<K>(api: Api<PartialObjectMeta<K>>, config: Config) -> Watch<PartialObjectMeta<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let events = watcher::watcher(api, config).default_backoff();
    follow(events, |mut object: PartialObjectMeta<K>| {
        slim(&mut object);
        (Key::of(&object), Entry::Object(Arc::new(object)))
    })
}

fn slim(object: &mut impl Resource) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = meta.annotations.as_mut() {
        annotations.remove(LAST_APPLIED);
    }
}

fn follow<W, K>(
    events: impl Stream<Item = watcher::Result<Event<W>>> + Send + 'static,
    take: impl Fn(W) -> (Key, Entry<K>) + Send + 'static,
) -> Watch<K>
where
    W: Send + 'static,
    K: Send + Sync + 'static,
{
    let (became_ready, ready) = channel::channel(false);
    let store = Store { entries: Arc::default(), trouble: Arc::default(), ready };
    let mut follower =
        Follower { store: store.clone(), listed: None, take: Box::new(take), became_ready };
    let changes =
        events.map(move |event| futures::stream::iter(follower.event(event))).flatten().boxed();
    Watch { store, changes }
}

type Take<W, K> = Box<dyn Fn(W) -> (Key, Entry<K>) + Send>;

struct Follower<W, K> {
    store: Store<K>,
    /// What a new list has shown so far.
    listed: Option<BTreeMap<Key, Entry<K>>>,
    take: Take<W, K>,
    became_ready: channel::Sender<bool>,
}

impl<W, K> Follower<W, K> {
    fn event(&mut self, event: watcher::Result<Event<W>>) -> Vec<Change<K>> {
        let trouble = event.as_ref().err().map(|error| chain_of_causes(error));
        if let Some(trouble) = &trouble {
            tracing::warn!(error = %trouble, "a watch is interrupted");
        }
        *self.store.trouble.write().unwrap_or_else(PoisonError::into_inner) = trouble;
        match event {
            Err(_) => Vec::new(),
            Ok(Event::Init) => {
                self.listed = Some(BTreeMap::new());
                Vec::new()
            }
            Ok(Event::InitApply(object)) => {
                let (key, entry) = (self.take)(object);
                self.listed.get_or_insert_default().insert(key, entry);
                Vec::new()
            }
            Ok(Event::InitDone) => self.replace(),
            Ok(Event::Apply(object)) => {
                let (key, entry) = (self.take)(object);
                let after = entry.object();
                let before = self.write().insert(key.clone(), entry);
                vec![Change { key, before: before.as_ref().and_then(Entry::object), after }]
            }
            Ok(Event::Delete(object)) => {
                let (key, _) = (self.take)(object);
                let before = self.write().remove(&key);
                vec![Change { key, before: before.as_ref().and_then(Entry::object), after: None }]
            }
        }
    }

    /// A list is complete: it takes the place of everything, and whatever it lacks is gone.
    fn replace(&mut self) -> Vec<Change<K>> {
        let listed = self.listed.take().unwrap_or_default();
        let mut changes: Vec<Change<K>> = listed
            .iter()
            .map(|(key, entry)| Change { key: key.clone(), before: None, after: entry.object() })
            .collect();
        let mut old = std::mem::replace(&mut *self.write(), listed);
        for change in &mut changes {
            change.before = old.remove(&change.key).as_ref().and_then(Entry::object);
        }
        changes.extend(old.into_iter().map(|(key, entry)| Change {
            key,
            before: entry.object(),
            after: None,
        }));
        self.became_ready.send_replace(true);
        changes
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<Key, Entry<K>>> {
        self.store.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    fn map(name: &str, text: &str) -> ConfigMap {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": name, "namespace": "demo"}, "data": {"text": text}
        }))
        .unwrap()
    }

    fn watch(events: Vec<watcher::Result<Event<ConfigMap>>>) -> Watch<ConfigMap> {
        follow(futures::stream::iter(events), |object: ConfigMap| {
            let entry = match object.data.as_ref().and_then(|data| data.get("text")) {
                Some(text) if text == "bad" => Entry::Unreadable("no".to_owned()),
                _ => Entry::Object(Arc::new(object.clone())),
            };
            (Key::of(&object), entry)
        })
    }

    fn told(change: &Change<ConfigMap>) -> String {
        let text = |object: &Option<Arc<ConfigMap>>| {
            object.as_ref().map_or("-".to_owned(), |object| {
                object.data.clone().unwrap_or_default()["text"].clone()
            })
        };
        format!("{} {}>{}", change.key, text(&change.before), text(&change.after))
    }

    #[tokio::test]
    async fn a_new_list_replaces_everything_and_tells_what_is_gone() {
        let Watch { store, changes } = watch(vec![
            Ok(Event::Init),
            Ok(Event::InitApply(map("a", "1"))),
            Ok(Event::InitApply(map("b", "1"))),
            Ok(Event::InitDone),
            Ok(Event::Apply(map("b", "2"))),
            Err(watcher::Error::NoResourceVersion),
            Ok(Event::Init),
            Ok(Event::InitApply(map("b", "3"))),
            Ok(Event::InitDone),
            Ok(Event::Delete(map("b", "3"))),
        ]);
        assert!(!store.is_ready());
        let told: Vec<String> = changes.map(|change| told(&change)).collect().await;
        assert_eq!(
            told,
            ["demo/a ->1", "demo/b ->1", "demo/b 1>2", "demo/b 2>3", "demo/a 1>-", "demo/b 3>-"]
        );
        assert!(store.is_ready() && store.is_empty());
    }

    #[tokio::test]
    async fn an_object_that_cannot_be_read_stops_nothing_and_is_named() {
        let Watch { store, changes } = watch(vec![
            Ok(Event::Init),
            Ok(Event::InitApply(map("a", "1"))),
            Ok(Event::InitDone),
            Ok(Event::Apply(map("a", "bad"))),
            Ok(Event::Apply(map("b", "1"))),
        ]);
        let told: Vec<String> = changes.map(|change| told(&change)).collect().await;
        assert_eq!(told, ["demo/a ->1", "demo/a 1>-", "demo/b ->1"]);
        assert_eq!(store.unreadable(&Key::new("demo", "a")), Some("no".to_owned()));
        assert_eq!(store.all().len(), 1);
        assert!(store.get("demo", "b").is_some());
    }

    #[tokio::test]
    async fn trouble_shows_until_the_watch_works_again() {
        let Watch { store, mut changes } = watch(vec![
            Err(watcher::Error::NoResourceVersion),
            Ok(Event::Init),
            Ok(Event::InitApply(map("a", "1"))),
            Ok(Event::InitDone),
        ]);
        assert!(changes.next().await.is_some());
        assert_eq!(store.trouble(), None);
        let Watch { store, mut changes } = watch(vec![Err(watcher::Error::NoResourceVersion)]);
        assert!(changes.next().await.is_none());
        assert!(store.trouble().unwrap().contains("resourceVersion"));
    }

    #[test]
    fn a_namespace_is_searched_alone() {
        let in_namespace = |namespace: &str, name: &str| {
            let mut object = map(name, "1");
            object.metadata.namespace = Some(namespace.to_owned());
            object
        };
        let store = Store::of([
            in_namespace("a", "1"),
            in_namespace("ab", "1"),
            in_namespace("a", "2"),
            in_namespace("b", "1"),
        ]);
        let found = store.select_in("a", |object| object.name_any() != "1");
        assert_eq!(
            found.iter().map(|object| Key::of(&**object)).collect::<Vec<_>>(),
            [Key::new("a", "2")]
        );
        assert_eq!(store.select_in("a", |_| true).len(), 2);
    }
}
