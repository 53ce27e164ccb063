//! A watch that keeps what it saw: one per kind, shared by all who need it.
//!
//! kube's `watcher` does the listing by pages, the watching, the new list after 410, the back-off
//! and the end of a connection that went silent; nothing of it is repeated here. Its `reflector` is
//! not used, because its store only answers by the object's own name. Here a change tells what was
//! before it, which decides who has to look again; a store is asked by namespace and by relation
//! without a look at everybody; it knows why its watch does not work, and why an object cannot be
//! read: such a one (a loose schema once let it in) is kept as that and stops nothing.
//!
//! Fields nobody looks at are dropped on arrival. A new list is no reason to look at what it shows
//! unchanged. What follows from a change is not decided here.

mod raw;
mod store;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kube::Resource;
use kube::api::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event};
use sealift_core::causes::chain_of_causes;
use serde::de::DeserializeOwned;
use tokio::sync::watch as channel;

use raw::Raw;
use store::Entry;
pub use store::{Key, Related, Store, unrelated};

/// The annotation in which `kubectl apply` repeats the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

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

/// A store and the changes to it. The store is only kept current while the changes are read.
pub struct Watch<K> {
    /// What is there.
    pub store: Store<K>,
    /// What changes.
    pub changes: BoxStream<'static, Change<K>>,
}

/// Watches whole objects. `prune` drops what nobody looks at; `related` says what else they are
/// found by.
pub fn objects<K>(
    api: Api<K>,
    config: Config,
    prune: impl Fn(&mut K) + Send + 'static,
    related: Related<K>,
) -> Watch<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Send + Sync + 'static,
{
    watched::<K, false>(api, config, prune, related)
}

/// Watches the metadata of objects; nothing else of them is sent. `prune` sees them as they come,
/// with their managed fields, which are not kept.
pub fn metadata<K>(
    api: Api<PartialObjectMeta<K>>,
    config: Config,
    prune: impl Fn(&mut PartialObjectMeta<K>) + Send + 'static,
    related: Related<PartialObjectMeta<K>>,
) -> Watch<PartialObjectMeta<K>>
where
    K: Resource<DynamicType = ()> + Send + Sync + 'static,
{
    watched::<PartialObjectMeta<K>, true>(api, config, prune, related)
}

fn watched<K, const META: bool>(
    api: Api<K>,
    config: Config,
    prune: impl Fn(&mut K) + Send + 'static,
    related: Related<K>,
) -> Watch<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Send + Sync + 'static,
{
    let events = watcher::watcher(Raw::<META>::api(api), config).default_backoff();
    follow(events, related, move |raw: Raw<META>| {
        let key = raw.key();
        match raw.read::<K>() {
            Ok(mut object) => {
                prune(&mut object);
                slim(&mut object);
                (key, Entry::Object(Arc::new(object)))
            }
            Err(error) => {
                let kind = K::kind(&());
                tracing::warn!(%kind, object = %key, %error, "an object cannot be read");
                (key, Entry::Unreadable(error.to_string()))
            }
        }
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
    related: Related<K>,
    take: impl Fn(W) -> (Key, Entry<K>) + Send + 'static,
) -> Watch<K>
where
    W: Send + 'static,
    K: Resource + Send + Sync + 'static,
{
    let (became_ready, ready) = channel::channel(false);
    let store = Store::empty(related, ready);
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

impl<W, K: Resource> Follower<W, K> {
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
                let entry = self.known(&key, &entry).unwrap_or(entry);
                self.listed.get_or_insert_default().insert(key, entry);
                Vec::new()
            }
            Ok(Event::InitDone) => self.replace(),
            Ok(Event::Apply(object)) => {
                let (key, entry) = (self.take)(object);
                let after = entry.object();
                let before = self.store.write().put(key.clone(), entry);
                vec![Change { key, before: before.as_ref().and_then(Entry::object), after }]
            }
            Ok(Event::Delete(object)) => {
                let (key, _) = (self.take)(object);
                let before = self.store.write().remove(&key);
                vec![Change { key, before: before.as_ref().and_then(Entry::object), after: None }]
            }
        }
    }

    /// The object that is kept already, if a list shows it in the version it has: then it is not
    /// held twice.
    fn known(&self, key: &Key, listed: &Entry<K>) -> Option<Entry<K>> {
        let version = |object: &K| object.meta().resource_version.clone();
        let (known, listed) = (self.store.find(key)?, listed.object()?);
        let same = version(&listed).is_some() && version(&listed) == version(&known);
        same.then_some(Entry::Object(known))
    }

    /// A list is complete: it takes the place of everything, and whatever it lacks is gone.
    fn replace(&mut self) -> Vec<Change<K>> {
        let listed = self.listed.take().unwrap_or_default();
        let mut content = self.store.write();
        let gone: Vec<Key> =
            content.keys().filter(|key| !listed.contains_key(key)).cloned().collect();
        let mut changes = Vec::new();
        for (key, entry) in listed {
            let after = entry.object();
            let before = content.put(key.clone(), entry).as_ref().and_then(Entry::object);
            match (&before, &after) {
                (Some(before), Some(after)) if Arc::ptr_eq(before, after) => {}
                _ => changes.push(Change { key, before, after }),
            }
        }
        for key in gone {
            let before = content.remove(&key).as_ref().and_then(Entry::object);
            changes.push(Change { key, before, after: None });
        }
        drop(content);
        self.became_ready.send_replace(true);
        changes
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
        follow(futures::stream::iter(events), unrelated, |object: ConfigMap| {
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

    #[tokio::test]
    async fn a_new_list_tells_nothing_of_what_it_shows_unchanged() {
        let version = |name: &str, version: &str| {
            let mut object = map(name, version);
            object.metadata.resource_version = Some(version.to_owned());
            object
        };
        let Watch { store, mut changes } = watch(vec![
            Ok(Event::Init),
            Ok(Event::InitApply(version("a", "1"))),
            Ok(Event::InitApply(version("b", "2"))),
            Ok(Event::InitDone),
            Ok(Event::Init),
            Ok(Event::InitApply(version("a", "1"))),
            Ok(Event::InitApply(version("b", "3"))),
            Ok(Event::InitDone),
        ]);
        let mut told_first = Vec::new();
        for _ in 0..2 {
            told_first.push(told(&changes.next().await.unwrap()));
        }
        assert_eq!(told_first, ["demo/a ->1", "demo/b ->2"]);
        let kept = store.get("demo", "a").unwrap();
        let rest: Vec<String> = changes.map(|change| told(&change)).collect().await;
        assert_eq!(rest, ["demo/b 2>3"]);
        assert!(Arc::ptr_eq(&kept, &store.get("demo", "a").unwrap()));
    }
}
