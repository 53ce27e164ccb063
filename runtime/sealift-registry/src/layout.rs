//! Over an air gap: components and all that refers to them, as an OCI image layout in a tar file
//! or a folder.
//!
//! Manifests travel byte for byte, so digests and signatures hold on the other side. What comes out
//! of a file is believed as little as a registry: names that are none of a layout are left out,
//! everything has its bound, and every blob must be what its name says. Whether a signature is
//! trusted is asked by whoever pulls from the new place.

mod load;
mod save;

use std::io;
use std::path::PathBuf;

pub use load::{Loaded, load};
pub use save::{Saved, save};

use crate::artifact::ArtifactError;
use crate::digest::Digest;
use crate::reference::ReferenceError;
use crate::wire::WireError;

/// What the file that makes a folder a layout says.
const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// What an entry of the index was called where it came from.
const NAME: &str = "org.opencontainers.image.ref.name";
/// The most components and signatures of one layout.
const MOST_MANIFESTS: usize = 10_000;
/// The most files of one.
const MOST_FILES: usize = 4 * MOST_MANIFESTS;

/// Why something was not carried over.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The registry.
    #[error("failed to carry {reference}")]
    Wire {
        /// What.
        reference: String,
        /// Why.
        #[source]
        source: WireError,
    },
    /// It is no component.
    #[error("{reference} is not carried")]
    Artifact {
        /// What.
        reference: String,
        /// What it is instead.
        #[source]
        source: ArtifactError,
    },
    /// The file.
    #[error("failed to write the layout")]
    Write(#[source] io::Error),
    /// The file, or something in it that is not what its name says.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no layout, or none of ours.
    #[error("{} is no layout of components: {why}", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A blob that is named and is not there.
    #[error("the layout has no blob {0}")]
    Missing(Digest),
    /// A name that no registry takes.
    #[error("an entry of the layout is called {text:?}")]
    Name {
        /// As it stands there.
        text: String,
        /// Why.
        #[source]
        source: ReferenceError,
    },
}
