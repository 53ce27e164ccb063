//! What is done to every component, whatever it was made of: what nobody needs to run it is left
//! out, the descriptor goes to its end, and it is looked at as a host and a registry will look at
//! it. What they would refuse is refused here, where it can be mended.

use sealift_component::access::{self, Refused};
use sealift_component::binary::BinaryError;
use sealift_component::bounds::{self, Bounds, BoundsError};
use sealift_component::strip::{Names, strip};
use sealift_component::{InspectError, Inspected, inspect, section};

/// Why what a toolchain made is no Function.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// Its sections cannot be told apart.
    #[error("what the toolchain made is not a component")]
    Strip(#[source] BinaryError),
    /// Too large, or not valid.
    #[error("what the toolchain made could not be run anywhere")]
    Bounds(#[source] BoundsError),
    /// Another kind, or none.
    #[error("what the toolchain made does not fit descriptor.json")]
    Inspect(#[source] InspectError),
    /// It imports more than it asks for.
    #[error("the component imports what descriptor.json does not ask for")]
    Imports(#[source] Refused),
}

/// The finished component, and what it is.
///
/// # Errors
/// It is no component, cannot be run, is of another kind, or imports what it does not ask for.
pub(super) fn finish(
    component: &[u8],
    descriptor: &[u8],
) -> Result<(Vec<u8>, Inspected), FinishError> {
    // Names stay: a trap is told with those of the author's functions.
    let stripped = strip(component, Names::Keep).map_err(FinishError::Strip)?;
    let whole = section::append(&stripped, descriptor);
    bounds::check(&whole, &Bounds::default()).map_err(FinishError::Bounds)?;
    let inspected = inspect(&whole).map_err(FinishError::Inspect)?;
    let asked = &inspected.descriptor;
    access::check(asked, &inspected.imports, &asked.requests).map_err(FinishError::Imports)?;
    Ok((whole, inspected))
}
