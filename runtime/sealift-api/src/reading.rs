//! One document to an object: its kind, its name, its fields.
//!
//! `documents` reads the files; this is its inner part.

use sealift_core::names;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app_binding::AppBinding;
use crate::finding::{Place, ReadError, Warning};
use crate::manifest::{APP_CATALOG_V1ALPHA1, STASH_V1ALPHA1, STASH_V1BETA1, group_of};
use crate::object::{Namespace, Object};
use crate::typed::{self, TypedError};
use crate::vault_server_configuration::{self, VaultServerConfiguration};

/// Reads the documents of one place.
pub(crate) struct Reading<'a> {
    pub(crate) place: Place,
    pub(crate) default_namespace: &'a str,
    pub(crate) warnings: &'a mut Vec<Warning>,
}

/// The kinds that are read: name, version, whether it has a namespace.
const KINDS: [(&str, &str, bool); 9] = [
    ("AppBinding", APP_CATALOG_V1ALPHA1, true),
    ("BackupConfiguration", STASH_V1BETA1, true),
    ("BackupSession", STASH_V1BETA1, true),
    ("Function", STASH_V1BETA1, false),
    ("Namespace", "v1", false),
    ("Repository", STASH_V1ALPHA1, true),
    ("RestoreSession", STASH_V1BETA1, true),
    ("Secret", "v1", true),
    ("Task", STASH_V1BETA1, false),
];

impl Reading<'_> {
    /// None if the kind is not used.
    pub(crate) fn object(&mut self, mut value: Value) -> Result<Option<Object>, ReadError> {
        // An empty field (`args:`) means the same as none, as it does for the API server.
        remove_nulls(&mut value);
        if !value.is_object() {
            return Err(ReadError::Form { place: self.place.clone() });
        }
        let text = |pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
        };
        let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        let mut object = format!("{} {}", kind.unwrap_or("object"), name.unwrap_or("without name"));
        let missing = |field| ReadError::Identity {
            place: self.place.clone(),
            object: object.clone(),
            field,
        };
        let version = version.ok_or_else(|| missing("apiVersion"))?.to_owned();
        let kind = kind.ok_or_else(|| missing("kind"))?.to_owned();
        let group = group_of(&version);
        let known =
            KINDS.iter().find(|(known, served, _)| *known == kind && group_of(served) == group);
        let Some((_, served, namespaced)) = known else {
            let object = format!("{version} {object}");
            self.warnings.push(Warning::UnusedKind { place: self.place.clone(), object });
            return Ok(None);
        };
        if version != *served {
            return Err(ReadError::Version {
                place: self.place.clone(),
                object,
                found: version,
                expected: served,
            });
        }
        let name = name.ok_or_else(|| missing("metadata.name"))?.to_owned();
        let invalid = |field, source| ReadError::Name {
            place: self.place.clone(),
            object: object.clone(),
            field,
            source,
        };
        names::check_object_name(&name).map_err(|source| invalid("metadata.name", source))?;
        let given = match text("/metadata/namespace") {
            Some(namespace) if *namespaced => {
                names::check_namespace(namespace)
                    .map_err(|source| invalid("metadata.namespace", source))?;
                Some(namespace.to_owned())
            }
            _ => namespaced.then(|| self.default_namespace.to_owned()),
        };
        if let Some(namespace) = &given {
            object = format!("{kind} {namespace}/{name}");
        }
        if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
            match given {
                Some(namespace) => {
                    metadata.insert("namespace".to_owned(), Value::String(namespace));
                }
                None => {
                    metadata.remove("namespace");
                }
            }
        }
        Ok(Some(match kind.as_str() {
            "AppBinding" => Object::AppBinding(Box::new(self.app_binding(value, &object)?)),
            "BackupConfiguration" => {
                Object::BackupConfiguration(Box::new(self.shaped(value, &object)?))
            }
            "BackupSession" => Object::BackupSession(Box::new(self.shaped(value, &object)?)),
            "Function" => Object::Function(Box::new(self.shaped(value, &object)?)),
            "Namespace" => Object::Namespace(Namespace::new(
                name,
                self.typed::<LabelsOnly>(value, &object)?.metadata.labels,
            )),
            "Repository" => Object::Repository(Box::new(self.shaped(value, &object)?)),
            "RestoreSession" => Object::RestoreSession(Box::new(self.shaped(value, &object)?)),
            "Secret" => Object::Secret(Box::new(self.typed(value, &object)?)),
            _ => Object::Task(Box::new(self.shaped(value, &object)?)),
        }))
    }

    /// A value that is written as it is read.
    fn shaped<T: DeserializeOwned + Serialize>(
        &mut self,
        value: Value,
        object: &str,
    ) -> Result<T, ReadError> {
        let mut unknown = Vec::new();
        let result = typed::read_shaped(value, &mut unknown);
        self.finish(result, unknown, object)
    }

    fn typed<T: DeserializeOwned>(&mut self, value: Value, object: &str) -> Result<T, ReadError> {
        let mut unknown = Vec::new();
        let result = typed::read(value, &mut unknown);
        self.finish(result, unknown, object)
    }

    fn finish<T>(
        &mut self,
        result: Result<T, TypedError>,
        unknown: Vec<String>,
        object: &str,
    ) -> Result<T, ReadError> {
        unknown.into_iter().for_each(|field| self.unknown(field, object));
        result.map_err(|TypedError { path, message }| {
            let secret = object.starts_with("Secret ") || path.contains("secretTransforms");
            let message = match secret {
                // serde's message may quote the value.
                true => "not what belongs here (`data` is base64, `stringData` is text)".to_owned(),
                false => message,
            };
            ReadError::Value {
                place: self.place.clone(),
                object: object.to_owned(),
                field: if path.is_empty() { "(the object)".to_owned() } else { path },
                message,
            }
        })
    }

    fn unknown(&mut self, field: String, object: &str) {
        let object = object.to_owned();
        self.warnings.push(Warning::UnknownField { place: self.place.clone(), object, field });
    }

    /// Parameters are kept as they are; those of a Vault are looked through all the same. What is
    /// wrong with them is said when they are used.
    fn app_binding(&mut self, value: Value, object: &str) -> Result<AppBinding, ReadError> {
        let app_binding: AppBinding = self.shaped(value, object)?;
        let parameters = app_binding.spec.parameters.clone().unwrap_or_default();
        if parameters.get("kind").and_then(Value::as_str) == Some(vault_server_configuration::KIND)
        {
            let mut unknown = Vec::new();
            let _ = typed::read::<VaultServerConfiguration>(parameters, &mut unknown);
            for field in unknown {
                self.unknown(format!("spec.parameters.{field}"), object);
            }
        }
        Ok(app_binding)
    }
}

/// Labels of a Namespace; nothing else of it matters here.
#[derive(serde::Deserialize)]
struct LabelsOnly {
    #[serde(default)]
    metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    #[serde(default, rename = "apiVersion")]
    _api_version: Value,
    #[serde(default, rename = "kind")]
    _kind: Value,
    #[serde(default, rename = "spec")]
    _spec: Value,
    #[serde(default, rename = "status")]
    _status: Value,
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}
