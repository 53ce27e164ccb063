//! The objects a plan is made of: those of the user, and beneath them the built-in ones.
//!
//! An object is found by kind, namespace and name; a user's Task or Function hides the
//! built-in one of the same name. Nothing is checked here but that no object is there twice.

use std::collections::BTreeMap;

use sealift_core::plan::ObjectRef;

use crate::app_binding::AppBinding;
use crate::backup_configuration::BackupConfiguration;
use crate::catalog::Catalog;
use crate::documents::{Document, read_file};
use crate::finding::{Place, ReadError, Warning};
use crate::function::Function;
use crate::manifest::{APP_CATALOG_GROUP, STASH_GROUP};
use crate::object::{Namespace, Object, reference};
use crate::repository::Repository;
use crate::restore_session::RestoreSession;
use crate::secret::Secret;
use crate::task::Task;

/// Where a Task or Function comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// The user.
    User,
    /// The built-in catalogue.
    Catalog,
}

/// A file to read.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// A set of objects. `Debug` shows no value of a Secret.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    objects: BTreeMap<ObjectRef, (Place, Object)>,
}

impl Objects {
    /// Reads files. `default_namespace` is given to namespaced objects without one.
    ///
    /// # Errors
    /// All that is wrong in all of them, at least one.
    pub fn read<'a>(
        files: impl IntoIterator<Item = SourceFile<'a>>,
        default_namespace: &str,
    ) -> Result<(Self, Vec<Warning>), Vec<ReadError>> {
        let mut set = Self::default();
        let mut warnings = Vec::new();
        let mut errors = Vec::new();
        for file in files {
            match read_file(file.name, file.text, default_namespace) {
                Ok((documents, more)) => {
                    warnings.extend(more);
                    for document in documents {
                        if let Err(error) = set.insert(document) {
                            errors.push(error);
                        }
                    }
                }
                Err(more) => errors.extend(more),
            }
        }
        if errors.is_empty() { Ok((set, warnings)) } else { Err(errors) }
    }

    /// Adds an object.
    ///
    /// # Errors
    /// It is there already.
    pub fn insert(&mut self, document: Document) -> Result<(), ReadError> {
        let key = document.object.reference();
        if let Some((first, _)) = self.objects.get(&key) {
            return Err(ReadError::Duplicate {
                object: key.to_string(),
                first: first.clone(),
                second: document.place,
            });
        }
        self.objects.insert(key, (document.place, document.object));
        Ok(())
    }

    /// Every object in order of group, kind, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, &Object)> {
        self.objects.values().map(|(place, object)| (place, object))
    }

    /// Where an object was read.
    #[must_use]
    pub fn place(&self, object: &ObjectRef) -> Option<&Place> {
        self.objects.get(object).map(|(place, _)| place)
    }

    /// The BackupConfigurations and RestoreSessions, which are what can be run.
    #[must_use]
    pub fn invokers(&self) -> Vec<ObjectRef> {
        self.objects
            .iter()
            .filter(|(_, (_, object))| {
                matches!(object, Object::BackupConfiguration(_) | Object::RestoreSession(_))
            })
            .map(|(key, _)| key.clone())
            .collect()
    }

    fn get(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        self.objects.get(&reference(group, kind, namespace, name)).map(|(_, object)| object)
    }

    /// A BackupConfiguration.
    #[must_use]
    pub fn backup_configuration(
        &self,
        namespace: &str,
        name: &str,
    ) -> Option<&BackupConfiguration> {
        match self.get(STASH_GROUP, "BackupConfiguration", namespace, name)? {
            Object::BackupConfiguration(object) => Some(object),
            _ => None,
        }
    }

    /// A RestoreSession.
    #[must_use]
    pub fn restore_session(&self, namespace: &str, name: &str) -> Option<&RestoreSession> {
        match self.get(STASH_GROUP, "RestoreSession", namespace, name)? {
            Object::RestoreSession(object) => Some(object),
            _ => None,
        }
    }

    /// A Repository.
    #[must_use]
    pub fn repository(&self, namespace: &str, name: &str) -> Option<&Repository> {
        match self.get(STASH_GROUP, "Repository", namespace, name)? {
            Object::Repository(object) => Some(object),
            _ => None,
        }
    }

    /// All Repositories.
    pub fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.objects.values().filter_map(|(_, object)| match object {
            Object::Repository(object) => Some(&**object),
            _ => None,
        })
    }

    /// An AppBinding.
    #[must_use]
    pub fn app_binding(&self, namespace: &str, name: &str) -> Option<&AppBinding> {
        match self.get(APP_CATALOG_GROUP, "AppBinding", namespace, name)? {
            Object::AppBinding(object) => Some(object),
            _ => None,
        }
    }

    /// A Secret.
    #[must_use]
    pub fn secret(&self, namespace: &str, name: &str) -> Option<&Secret> {
        match self.get("", "Secret", namespace, name)? {
            Object::Secret(object) => Some(object),
            _ => None,
        }
    }

    /// Labels of a Namespace.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<&Namespace> {
        match self.get("", "Namespace", "", name)? {
            Object::Namespace(object) => Some(object),
            _ => None,
        }
    }

    /// A Task of the user, else the built-in one.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<(&Task, Provenance)> {
        match self.get(STASH_GROUP, "Task", "", name) {
            Some(Object::Task(object)) => Some((object, Provenance::User)),
            _ => Catalog::built_in().task(name).map(|task| (task, Provenance::Catalog)),
        }
    }

    /// A Function of the user, else the built-in one.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<(&Function, Provenance)> {
        match self.get(STASH_GROUP, "Function", "", name) {
            Some(Object::Function(object)) => Some((object, Provenance::User)),
            _ => Catalog::built_in().function(name).map(|function| (function, Provenance::Catalog)),
        }
    }

    /// Names of all Functions, built-in ones included.
    #[must_use]
    pub fn function_names(&self) -> Vec<String> {
        self.names("Function", Catalog::built_in().functions().map(|object| object.name()))
    }

    /// Names of all Tasks, built-in ones included.
    #[must_use]
    pub fn task_names(&self) -> Vec<String> {
        self.names("Task", Catalog::built_in().tasks().map(|object| object.name()))
    }

    fn names<'a>(&'a self, kind: &str, built_in: impl Iterator<Item = &'a str>) -> Vec<String> {
        let own = self.objects.keys().filter(|key| key.kind == kind).map(|key| key.name.as_str());
        let mut names: Vec<String> = own.chain(built_in).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }
}
