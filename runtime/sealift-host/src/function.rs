//! A Function that is loaded: compiled, described, ready to be run any number of times.

use std::fmt;
use std::sync::Arc;

use sealift_component::Descriptor;
use sealift_core::plan::Kind;
use wasmtime::component::Component;

/// A loaded component. Cheap to clone.
#[derive(Clone)]
pub struct Function(Arc<Loaded>);

struct Loaded {
    component: Component,
    descriptor: Descriptor,
    export: String,
    imports: Vec<String>,
}

impl Function {
    pub(crate) fn new(
        component: Component,
        descriptor: Descriptor,
        export: String,
        imports: Vec<String>,
    ) -> Self {
        Self(Arc::new(Loaded { component, descriptor, export, imports }))
    }

    /// What it says of itself.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.descriptor.kind
    }

    /// Names of everything it really imports, versions included.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    pub(crate) fn component(&self) -> &Component {
        &self.0.component
    }

    pub(crate) fn export(&self) -> &str {
        &self.0.export
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("descriptor", &self.0.descriptor).finish_non_exhaustive()
    }
}
