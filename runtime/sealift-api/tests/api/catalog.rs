//! The built-in catalogue is complete and valid.

use sealift_api::catalog::{Catalog, FILES};
use sealift_api::documents::read_file;
use sealift_core::grants::Grants;
use sealift_core::limits::Limits;

use crate::fixture::components;

#[test]
fn every_document_is_read_and_nothing_in_it_is_unknown() {
    let mut count = 0;
    for (name, text) in FILES {
        let (documents, warnings) = read_file(name, text, "").unwrap();
        assert_eq!(warnings, []);
        count += documents.len();
    }
    let catalog = Catalog::built_in();
    assert_eq!(count, catalog.tasks().count() + catalog.functions().count());
    let names: Vec<&str> = catalog.functions().map(|function| function.name()).collect();
    assert_eq!(
        names,
        [
            "vault-backup-1.10.3",
            "vault-restore-1.10.3",
            "restic-upload",
            "restic-download",
            "pushgateway-push",
            "update-status",
        ]
    );
    let names: Vec<&str> = catalog.tasks().map(|task| task.name()).collect();
    assert_eq!(names, ["vault-backup-1.10.3", "vault-restore-1.10.3"]);
}

#[test]
fn every_function_has_valid_permissions_and_limits_and_a_component() {
    let components = components();
    for function in Catalog::built_in().functions() {
        let name = function.name();
        let image = function.spec.image.as_deref().unwrap();
        assert!(components.contains_key(image), "{name}: {image}");
        let grants = Grants::parse(function.spec.permissions.as_ref().unwrap()).unwrap();
        assert_ne!(grants, Grants::default(), "{name}");
        Limits::parse(function.spec.limits.as_ref().unwrap()).unwrap();
    }
}

#[test]
fn every_step_names_a_function_of_the_catalogue() {
    let catalog = Catalog::built_in();
    for task in catalog.tasks() {
        for step in &task.spec.steps {
            assert!(catalog.function(&step.name).is_some(), "{}: {}", task.name(), step.name);
        }
    }
}

/// What a built-in component asks for it gets, and what the catalogue writes it understands.
#[test]
fn the_catalogue_fits_the_components_as_they_are_built() {
    let plugins = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    for function in Catalog::built_in().functions() {
        let name = function.spec.image.as_deref().unwrap().strip_prefix("builtin:").unwrap();
        let path = plugins.join(name).join("descriptor.json");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let descriptor: serde_json::Value = serde_json::from_str(&text).unwrap();
        let requests = Grants::parse(&descriptor["requests"]).unwrap();
        let allowed = Grants::parse(function.spec.permissions.as_ref().unwrap()).unwrap();
        for request in &requests.http {
            for method in &request.methods {
                for path in &request.paths {
                    let path = path.replace('*', "x");
                    assert!(
                        allowed
                            .http
                            .iter()
                            .any(|grant| grant.name == request.name && grant.allows(method, &path)),
                        "{name} asks for {method} {path} of {}",
                        request.name
                    );
                }
            }
        }
        let effective = requests.intersection(&allowed);
        assert_eq!(effective.repository, requests.repository, "{name}");
        assert_eq!(effective.unseal_keys, requests.unseal_keys, "{name}");
        let nothing = sealift_core::substitution::Variables::new();
        let spec = serde_json::to_value(&function.spec).unwrap();
        let step =
            sealift_core::resolution::resolve_step(name, 0, &spec, nothing.clone(), &nothing)
                .unwrap();
        sealift_core::parameters::from_arguments(
            &step.args,
            &descriptor["parameters"],
            None,
            &nothing,
        )
        .unwrap();
    }
}
