//! Names of objects that more than one invoker may want: the first one keeps it. In memory,
//! because two that are looked at together see neither one's object yet.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sealift_kube::watch::Key;

/// Who holds which name.
#[derive(Debug, Default)]
pub struct Taken {
    holders: Mutex<BTreeMap<Key, String>>,
}

impl Taken {
    /// Takes a name for the object with this uid. False = another one that still `lives` has it.
    pub fn take(&self, name: &Key, uid: &str, lives: impl Fn(&str) -> bool) -> bool {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        match holders.get(name) {
            Some(holder) if holder != uid && lives(holder) => false,
            _ => {
                holders.insert(name.clone(), uid.to_owned());
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keeps_a_name_as_long_as_it_lives() {
        let taken = Taken::default();
        let name = Key::new("demo", "stash-trigger-a-b");
        assert!(taken.take(&name, "one", |_| true));
        assert!(taken.take(&name, "one", |_| true));
        assert!(!taken.take(&name, "two", |_| true));
        assert!(taken.take(&name, "two", |uid| uid != "one"));
        assert!(!taken.take(&name, "one", |_| true));
    }
}
