//! Files of YAML to objects of the API, one document each.
//!
//! Every message names the file, the document and the object. Fields nobody knows are
//! warnings (a newer manifest must stay readable); a strict caller refuses on them. Which
//! objects belong together is `objects`' to say.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app_binding::AppBinding;
use crate::manifest::{APP_CATALOG_V1ALPHA1, STASH_V1ALPHA1, STASH_V1BETA1};
use crate::objects::{Namespace, Object};
use crate::typed::{self, TypedError};
use crate::vault_server_configuration::{self, VaultServerConfiguration};
use crate::yaml::{self, YamlError};

/// Where an object was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// File, as the caller named it.
    pub file: String,
    /// Document in the file, from 1; empty ones do not count.
    pub document: usize,
    /// Line it begins at, from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} document {} (line {})", self.file, self.document, self.line)
    }
}

/// An object and where it was read.
#[derive(Debug, Clone)]
pub struct Document {
    /// Where.
    pub place: Place,
    /// What.
    pub object: Object,
}

/// Something a user should know, but no reason to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A field nobody knows.
    UnknownField {
        /// Where.
        place: Place,
        /// `Kind namespace/name`.
        object: String,
        /// JSON path.
        field: String,
    },
    /// An object of a kind that is not used here.
    UnusedKind {
        /// Where.
        place: Place,
        /// `apiVersion/kind name`.
        object: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField { place, object, field } => {
                write!(f, "{place}: {object}: {field}: unknown field")
            }
            Self::UnusedKind { place, object } => {
                write!(f, "{place}: {object}: this kind is not used")
            }
        }
    }
}

/// Why a document is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is no YAML.
    #[error("{file}: cannot be read as YAML")]
    Yaml {
        /// File.
        file: String,
        /// What is wrong.
        #[source]
        source: YamlError,
    },
    /// A document that is no mapping.
    #[error("{place}: not a manifest: expected apiVersion, kind, metadata and spec")]
    Form {
        /// Where.
        place: Place,
    },
    /// `apiVersion`, `kind` or `metadata.name` is missing or no text.
    #[error("{place}: {object}: {field}: missing or not text")]
    Identity {
        /// Where.
        place: Place,
        /// As much of kind and name as is there.
        object: String,
        /// Which.
        field: &'static str,
    },
    /// A kind that is known, in a version that is not.
    #[error(
        "{place}: {object}: apiVersion: {found} is not served; the version of this kind is {expected}"
    )]
    Version {
        /// Where.
        place: Place,
        /// `Kind name`.
        object: String,
        /// What is written there.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A name no object can have.
    #[error("{place}: {object}: {field}: no object can be called so")]
    Name {
        /// Where.
        place: Place,
        /// `Kind name`.
        object: String,
        /// Which.
        field: &'static str,
        /// The rule it breaks.
        #[source]
        source: sealift_core::names::NameError,
    },
    /// A value of the wrong type, or a missing field.
    #[error("{place}: {object}: {field}: {message}")]
    Value {
        /// Where.
        place: Place,
        /// `Kind namespace/name`.
        object: String,
        /// JSON path.
        field: String,
        /// What is wrong; never a value of a Secret.
        message: String,
    },
    /// The same object twice.
    #[error("{second}: {object} is already in {first}")]
    Duplicate {
        /// `Kind namespace/name`.
        object: String,
        /// Where it was read first.
        first: Place,
        /// Where it was read again.
        second: Place,
    },
}

/// Reads one file. `default_namespace` is given to namespaced objects without one.
///
/// # Errors
/// All that is wrong in it, at least one.
pub fn read_file(
    file: &str,
    text: &str,
    default_namespace: &str,
) -> Result<(Vec<Document>, Vec<Warning>), Vec<ReadError>> {
    let parsed = yaml::read(text)
        .map_err(|source| vec![ReadError::Yaml { file: file.to_owned(), source }])?;
    let mut documents = Vec::new();
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    for (index, document) in parsed.into_iter().enumerate() {
        let place = Place { file: file.to_owned(), document: index + 1, line: document.line };
        let mut reading = Reading { place, default_namespace, warnings: &mut warnings };
        for item in items_of(document.value) {
            match reading.object(item) {
                Ok(Some(object)) => {
                    documents.push(Document { place: reading.place.clone(), object });
                }
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() { Ok((documents, warnings)) } else { Err(errors) }
}

/// The objects of a `kind: List`, as `kubectl get -o yaml` prints it; else the document itself.
fn items_of(value: Value) -> Vec<Value> {
    match value {
        Value::Object(mut fields)
            if fields.get("kind").and_then(Value::as_str) == Some("List")
                && fields.get("items").is_some_and(Value::is_array) =>
        {
            match fields.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    }
}

struct Reading<'a> {
    place: Place,
    default_namespace: &'a str,
    warnings: &'a mut Vec<Warning>,
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
    fn object(&mut self, mut value: Value) -> Result<Option<Object>, ReadError> {
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
        let group = crate::manifest::group_of(&version);
        let known = KINDS.iter().find(|(known, served, _)| {
            *known == kind && crate::manifest::group_of(served) == group
        });
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
        sealift_core::names::check_object_name(&name)
            .map_err(|source| invalid("metadata.name", source))?;
        let given = match text("/metadata/namespace") {
            Some(namespace) if *namespaced => {
                sealift_core::names::check_namespace(namespace)
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
