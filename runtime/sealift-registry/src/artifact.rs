//! The form in which a component lies in a registry: the artifact the CNCF's working group for
//! WebAssembly has agreed on, and the older ones that are still read.
//!
//! `build` is pure and has no clock: the same component with the same words has the same digest on
//! every machine. What the annotations say is for looking only; the truth about a component stands
//! in its bytes, which are not looked into here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::manifest::{
    DOCKER_LIST, DOCKER_MANIFEST, Descriptor, EMPTY, INDEX, MANIFEST, Manifest, Outline, quoted,
};
use crate::wire::limits;

/// The type of the config.
pub const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The type of the one layer.
pub const LAYER: &str = "application/wasm";
/// The kind of a Function, such as `source`.
pub const KIND: &str = "sealift.dev/kind";
/// The version of the contract it was built for.
pub const CONTRACT: &str = "sealift.dev/contract";
/// A copy of the descriptor in its bytes, for tools that look at manifests only.
pub const DESCRIPTOR: &str = "sealift.dev/descriptor";

/// The layer's file name, for tools that write files.
const TITLE: &str = "org.opencontainers.image.title";
const VERSION: &str = "org.opencontainers.image.version";
const DESCRIPTION: &str = "org.opencontainers.image.description";
const CREATED: &str = "org.opencontainers.image.created";

/// Forms of before, by config and layer. They are read and never written.
const LEGACY_CONFIG: &str = "application/vnd.wasm.config.v1+json";
const LEGACY_LAYERS: [&str; 2] = [
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];
/// Configs of container images.
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// What is said of a component when it is published. All of it is known before its digest is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publication {
    /// Its name, of the descriptor.
    pub name: String,
    /// Its version, of the descriptor.
    pub version: String,
    /// What it does, in one sentence.
    pub summary: String,
    /// Its kind, such as `source`.
    pub kind: String,
    /// The version of the contract it was built for.
    pub contract: String,
    /// What it exports, as its bytes say.
    pub exports: Vec<String>,
    /// What it imports, as its bytes say.
    pub imports: Vec<String>,
    /// The descriptor as it stands in its bytes, on one line.
    pub descriptor: String,
    /// When it is said to be made; the beginning of 1970 where nothing is said.
    pub created: Timestamp,
    /// Who is said to have made it.
    pub author: Option<String>,
    /// Further annotations. Those above go before them.
    pub annotations: BTreeMap<String, String>,
}

/// An artifact, ready to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The config.
    pub config: Vec<u8>,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The manifest's digest, which is the artifact's.
    pub digest: Digest,
    /// The component.
    pub component: Descriptor,
}

/// The config, in the order in which it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: String,
    author: Option<&'a str>,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [Digest; 1],
    component: Component<'a>,
}

#[derive(Serialize)]
struct Component<'a> {
    exports: &'a [String],
    imports: &'a [String],
    target: Option<&'a str>,
}

/// What a config says that can be compared.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigRead {
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    layer_digests: Option<Vec<String>>,
}

/// A manifest that was read: where the component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The component.
    pub component: Descriptor,
    /// The config, if there is one to compare with.
    pub config: Option<Descriptor>,
    /// What is said about the component.
    pub annotations: BTreeMap<String, String>,
    /// What is unusual about its form, for people.
    pub notes: Vec<String>,
}

/// Why something in a registry is no component, or no such as are taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// Other JSON, or none.
    #[error("the manifest is not read: {why}")]
    Form {
        /// What is wrong.
        why: String,
    },
    /// Something that Kubernetes runs.
    #[error(
        "it is a container image, not a component; a Function's image is a WebAssembly component"
    )]
    Image,
    /// Many things under one name.
    #[error("it is an index of several manifests, not a component; name one of them by its digest")]
    Index,
    /// Not exactly one layer.
    #[error("it has {0} layers; a component has one")]
    Layers(usize),
    /// A layer of another type.
    #[error("its layer is {found}, not {LAYER}")]
    Layer {
        /// Its type.
        found: String,
    },
    /// A component of that size is none.
    #[error("the component has {size} bytes, more than {most}")]
    TooLarge {
        /// What it says.
        size: u64,
        /// The bound.
        most: u64,
    },
    /// The config is about something else.
    #[error("the config is of another component: {why}")]
    Config {
        /// What does not fit.
        why: String,
    },
}

/// Makes the artifact of a component.
#[must_use]
pub fn build(wasm: &[u8], publication: &Publication) -> Artifact {
    let file = format!("{}.wasm", publication.name);
    let component = Descriptor {
        annotations: Some(BTreeMap::from([(TITLE.to_owned(), file)])),
        ..Descriptor::of(LAYER, wasm)
    };
    // Whole seconds: other tools write them so, and nobody has two builds in one.
    let created = publication.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let config = text(&Config {
        created: created.clone(),
        author: publication.author.as_deref(),
        architecture: "wasm",
        os: "wasip2",
        layer_digests: [component.digest],
        component: Component {
            exports: &publication.exports,
            imports: &publication.imports,
            target: None,
        },
    });
    let mut annotations = publication.annotations.clone();
    let said = [
        (TITLE, &publication.name),
        (VERSION, &publication.version),
        (DESCRIPTION, &publication.summary),
        (CREATED, &created),
        (KIND, &publication.kind),
        (CONTRACT, &publication.contract),
        (DESCRIPTOR, &publication.descriptor),
    ];
    for (key, value) in said {
        if !value.is_empty() {
            annotations.insert(key.to_owned(), value.clone());
        }
    }
    let manifest = text(&Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        artifact_type: None,
        config: Descriptor::of(CONFIG, &config),
        layers: vec![component.clone()],
        subject: None,
        annotations: Some(annotations),
    });
    Artifact { digest: Digest::of(&manifest), config, manifest, component }
}

/// JSON of a value that has a form in it.
fn text<T: Serialize>(value: &T) -> Vec<u8> {
    // Texts, numbers and maps with texts for keys cannot fail; an empty text would be found at
    // once, since its digest is none of a manifest.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads a manifest whose digest is right. `media_type` is what the registry says it is.
///
/// # Errors
/// What it is instead of a component.
pub fn read(manifest: &[u8], media_type: &str) -> Result<Form, ArtifactError> {
    let outline: Outline = parse(manifest)?;
    // The text and the header must be of one mind, or two readers would see two things.
    let own = outline.media_type.as_deref().unwrap_or(media_type);
    if !media_type.is_empty() && own != media_type {
        let why = format!("it says {}, the registry {}", quoted(own, 80), quoted(media_type, 80));
        return Err(ArtifactError::Form { why });
    }
    if outline.manifests.is_some() || matches!(own, INDEX | DOCKER_LIST) {
        return Err(ArtifactError::Index);
    }
    let config = outline.config.and_then(|config| config.media_type).unwrap_or_default();
    let is_image = own == DOCKER_MANIFEST || IMAGE_CONFIGS.contains(&config.as_str());
    if is_image || outline.layers_of_old.is_some() {
        return Err(ArtifactError::Image);
    }
    if !matches!(own, MANIFEST | "") {
        return Err(ArtifactError::Form { why: format!("it is {}", quoted(own, 80)) });
    }
    let manifest: Manifest = parse(manifest)?;
    let [component] = <[Descriptor; 1]>::try_from(manifest.layers)
        .map_err(|layers| ArtifactError::Layers(layers.len()))?;
    let mut notes = Vec::new();
    if LEGACY_LAYERS.contains(&component.media_type.as_str()) {
        notes.push(format!("its layer has the older type {}", component.media_type));
    } else if component.media_type != LAYER {
        return Err(ArtifactError::Layer { found: quoted(&component.media_type, 80) });
    }
    if component.size > limits::LAYER {
        return Err(ArtifactError::TooLarge { size: component.size, most: limits::LAYER });
    }
    let config = match manifest.config.media_type.as_str() {
        CONFIG => Some(manifest.config),
        LEGACY_CONFIG => {
            notes.push(format!("its config has the older type {LEGACY_CONFIG}"));
            None
        }
        EMPTY => {
            notes.push("it has no config of a component".to_owned());
            None
        }
        other => {
            notes.push(format!("its config has the type {}", quoted(other, 80)));
            None
        }
    };
    let annotations = manifest.annotations.unwrap_or_default();
    Ok(Form { component, config, annotations, notes })
}

/// Checks that a config whose digest is right is about this component.
///
/// # Errors
/// What does not fit.
pub fn check_config(config: &[u8], component: &Descriptor) -> Result<(), ArtifactError> {
    let refused = |why: String| ArtifactError::Config { why };
    let config: ConfigRead =
        serde_json::from_slice(config).map_err(|_| refused("it is not read".to_owned()))?;
    if let Some(other) = config.architecture.filter(|architecture| architecture != "wasm") {
        return Err(refused(format!("its architecture is {}", quoted(&other, 40))));
    }
    match config.layer_digests.as_deref() {
        Some([one]) if *one == component.digest.to_string() => Ok(()),
        Some(digests) => Err(refused(format!("it names {} other layers", digests.len()))),
        None => Err(refused("it names no layer".to_owned())),
    }
}

fn parse<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, ArtifactError> {
    serde_json::from_slice(text)
        .map_err(|error| ArtifactError::Form { why: quoted(&error.to_string(), 120) })
}

#[cfg(test)]
mod tests;
