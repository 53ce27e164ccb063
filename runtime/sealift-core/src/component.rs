//! What `Function.spec.image` names: a component, or an image of the original that stands for one.
//!
//! Images of the original are recognised by base name and first argument, whatever registry
//! and tag; they are never pulled. This module only tells them apart: whether a component
//! exists is its caller's to find out.

use crate::parameters::Legacy;

/// What an image reference stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageKind {
    /// `builtin:<name>`.
    Builtin(String),
    /// `file:<path>`, only outside a cluster.
    File(String),
    /// An image of the original, run as a built-in component.
    Alias(&'static Alias),
    /// `<registry>/<repository>` with a tag or a digest: a component, or a container image.
    Registry(String),
    /// Anything else, such as a container image of a registry nobody has named.
    Other,
}

/// An image of the original and the component that takes its place.
#[derive(Debug, PartialEq, Eq)]
pub struct Alias {
    /// Base name of the image; none = any.
    pub image: Option<&'static str>,
    /// First argument.
    pub command: &'static str,
    /// Reference of the component.
    pub component: &'static str,
    /// Flags of the original that mean nothing to the component.
    pub flags: Legacy,
}

/// Flags every binary of the original takes.
macro_rules! with_common_flags {
    ($($flag:literal),* $(,)?) => {
        &[
            "alsologtostderr", "bucket", "enable-cache", "endpoint", "insecure-tls", "kubeconfig",
            "license-apiservice", "logtostderr", "master", "max-connections", "namespace",
            "output-dir", "path", "provider", "region", "scratch-dir", "secret-dir",
            "stderrthreshold", "storage-secret-name", "storage-secret-namespace", "v", "vmodule",
            $($flag),*
        ]
    };
}

/// All images of the original that are known.
pub const ALIASES: [Alias; 3] = [
    Alias {
        image: Some("stash-vault"),
        command: "backup-vault",
        component: "builtin:vault-snapshot",
        flags: Legacy {
            ignored: with_common_flags![
                "appbinding",
                "appbinding-namespace",
                "backupsession",
                "hostname",
                "interim-data-dir",
                "retention-dry-run",
                "retention-keep-daily",
                "retention-keep-hourly",
                "retention-keep-last",
                "retention-keep-monthly",
                "retention-keep-tags",
                "retention-keep-weekly",
                "retention-keep-yearly",
                "retention-prune",
            ],
            without_effect: &["vault-args"],
        },
    },
    Alias {
        image: Some("stash-vault"),
        command: "restore-vault",
        component: "builtin:vault-restore",
        flags: Legacy {
            ignored: with_common_flags![
                "appbinding",
                "appbinding-namespace",
                "hostname",
                "interim-data-dir",
                "snapshot",
                "source-hostname",
            ],
            without_effect: &["vault-args"],
        },
    },
    Alias {
        image: None,
        command: "update-status",
        component: "builtin:pushgateway-push",
        flags: Legacy {
            ignored: with_common_flags![
                "backupsession",
                "invoker-kind",
                "invoker-name",
                "metrics-enabled",
                "metrics-pushgateway-url",
                "prom-job-name",
                "repository",
                "restoresession",
                "target-kind",
                "target-name",
                "target-namespace",
            ],
            without_effect: &[],
        },
    },
];

/// What `image` with this first argument stands for.
#[must_use]
pub fn classify(image: &str, first_argument: Option<&str>) -> ImageKind {
    if let Some(name) = image.strip_prefix("builtin:") {
        return ImageKind::Builtin(name.to_owned());
    }
    if let Some(path) = image.strip_prefix("file:") {
        return ImageKind::File(path.to_owned());
    }
    let base = base_name(image);
    ALIASES
        .iter()
        .find(|alias| {
            Some(alias.command) == first_argument
                && alias.image.is_none_or(|expected| expected == base)
        })
        .map_or_else(|| elsewhere(image), ImageKind::Alias)
}

/// A registry is told from the first part of a repository by a dot, a port, or its being this
/// machine: the rule of all tools. Whether the rest is a reference is told by whoever asks for it.
fn elsewhere(image: &str) -> ImageKind {
    match image.split_once('/') {
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => {
            ImageKind::Registry(image.to_owned())
        }
        _ => ImageKind::Other,
    }
}

/// `stash-vault` of `registry:5000/stashed/stash-vault:1.10.3@sha256:…`.
fn base_name(image: &str) -> &str {
    let path = image.split('@').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component_of(image: &str, argument: &str) -> Option<&'static str> {
        match classify(image, Some(argument)) {
            ImageKind::Alias(alias) => Some(alias.component),
            _ => None,
        }
    }

    #[test]
    fn images_of_the_original_are_known_in_any_registry_and_tag() {
        for image in [
            "stashed/stash-vault:1.10.3",
            "ghcr.io/stashed/stash-vault:1.10.3-v18",
            "localhost:5000/stash-vault",
            "mirror.example:443/a/b/stash-vault@sha256:00",
            "stash-vault:1",
        ] {
            assert_eq!(component_of(image, "backup-vault"), Some("builtin:vault-snapshot"));
            assert_eq!(component_of(image, "restore-vault"), Some("builtin:vault-restore"));
        }
        assert_eq!(
            component_of("appscode/stash:0.10.0", "update-status"),
            Some("builtin:pushgateway-push")
        );
    }

    #[test]
    fn another_image_or_argument_is_no_alias() {
        assert_eq!(component_of("stashed/stash-vault-next:1", "backup-vault"), None);
        assert_eq!(component_of("stashed/stash-vault:1", "backup-pg"), None);
        assert_eq!(component_of("evil/stash-vault/x:1", "backup-vault"), None);
        for image in ["", "vault", "stashed/stash-postgres:14.0", "a/b.c/d:1", "/x"] {
            assert_eq!(classify(image, None), ImageKind::Other, "{image}");
        }
        assert_eq!(classify("stashed/stash-vault:1", None), ImageKind::Other);
    }

    #[test]
    fn a_registry_is_told_by_its_host() {
        for image in [
            "ghcr.io/acme/export:1",
            "localhost/export",
            "registry:5000/export",
            "[::1]:5000/acme/export@sha256:00",
        ] {
            assert_eq!(classify(image, None), ImageKind::Registry(image.into()));
        }
        assert!(matches!(
            classify("ghcr.io/stashed/stash-vault:1", Some("backup-vault")),
            ImageKind::Alias(_)
        ));
    }

    #[test]
    fn components_are_told_by_their_scheme() {
        assert_eq!(classify("builtin:x", Some("update-status")), ImageKind::Builtin("x".into()));
        assert_eq!(classify("file:a/b.wasm", None), ImageKind::File("a/b.wasm".into()));
    }
}
