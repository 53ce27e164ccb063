//! The built-in Tasks and Functions: `deploy/catalog/*.yaml`, read once.
//!
//! Objects of a user with the same name take their place; that is `objects`' rule.

use std::sync::OnceLock;

use crate::documents::read_file;
use crate::function::Function;
use crate::object::Object;
use crate::task::Task;

/// The files as they are shown by `sealift catalog`, by name.
pub const FILES: [(&str, &str); 2] = [
    ("functions.yaml", include_str!("../../../deploy/catalog/functions.yaml")),
    ("tasks.yaml", include_str!("../../../deploy/catalog/tasks.yaml")),
];

/// The built-in Tasks and Functions.
#[derive(Debug, Default)]
pub struct Catalog {
    tasks: Vec<Task>,
    functions: Vec<Function>,
}

impl Catalog {
    /// The catalogue. A document that cannot be read is left out; a test proves there is none.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(|| {
            let mut catalog = Self::default();
            for (name, text) in FILES {
                let documents = read_file(name, text, "").map(|(documents, _)| documents);
                for document in documents.unwrap_or_default() {
                    match document.object {
                        Object::Task(task) => catalog.tasks.push(*task),
                        Object::Function(function) => catalog.functions.push(*function),
                        _ => {}
                    }
                }
            }
            catalog
        })
    }

    /// All Tasks.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter()
    }

    /// All Functions.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter()
    }

    /// A Task.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&Task> {
        self.tasks().find(|task| task.name() == name)
    }

    /// A Function.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions().find(|function| function.name() == name)
    }

    /// The Function that ships grants and limits for a component, such as `builtin:vault-snapshot`.
    #[must_use]
    pub fn function_of(&self, component: &str) -> Option<&Function> {
        self.functions().find(|function| function.spec.image.as_deref() == Some(component))
    }
}
