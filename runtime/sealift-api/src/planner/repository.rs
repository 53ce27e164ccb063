//! The Repository of a session: found, allowed, and where it points.

use std::path::Path;

use sealift_core::plan::{Location, ObjectRef, RepositoryPlan, SecretRef};
use url::Url;

use super::invoker::Invoker;
use super::problem::{Problems, Reason};
use super::secret_check::{self, Secrets};
use super::{Environment, PlanInput, usage_policy};
use crate::manifest::STASH_GROUP;
use crate::repository::{Backend, Repository};
use crate::volume_source::LocalBackend;

pub(super) fn plan(
    input: &PlanInput<'_>,
    invoker: &Invoker<'_>,
    problems: &mut Problems,
) -> Option<RepositoryPlan> {
    let named = invoker.repository.filter(|named| !named.name.is_empty());
    let Some(named) = named else {
        problems.add(
            Reason::Invalid,
            &invoker.reference,
            "spec.repository.name",
            "no Repository is named",
            "name the Repository that holds the snapshots",
        );
        return None;
    };
    let namespace = named.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    let namespace = namespace.unwrap_or(invoker.namespace());
    let Some(repository) = input.objects.repository(namespace, &named.name) else {
        let reference = ObjectRef {
            group: STASH_GROUP.to_owned(),
            kind: "Repository".to_owned(),
            namespace: namespace.to_owned(),
            name: named.name.clone(),
        };
        problems.add(
            Reason::NotFound,
            &invoker.reference,
            "spec.repository.name",
            format!("{reference} does not exist"),
            "create it, or correct name and namespace",
        );
        return None;
    };
    usage_policy::check(input, invoker, repository, problems);
    of_object(input.secrets(), repository, problems)
}

/// None only after a problem was added.
pub(super) fn of_object(
    secrets: Secrets<'_>,
    repository: &Repository,
    problems: &mut Problems,
) -> Option<RepositoryPlan> {
    let reference = repository.reference();
    let backend = &repository.spec.backend;
    let location = location(secrets.environment, &reference, backend, problems);
    let secret = backend.storage_secret_name.as_deref().filter(|name| !name.is_empty());
    let Some(secret) = secret else {
        problems.add(
            Reason::Invalid,
            &reference,
            "spec.backend.storageSecretName",
            "no Secret is named",
            "name the Secret that holds RESTIC_PASSWORD",
        );
        return None;
    };
    let secret = SecretRef { namespace: reference.namespace.clone(), name: secret.to_owned() };
    secret_check::has_key(
        secrets,
        &reference,
        "spec.backend.storageSecretName",
        &secret,
        "RESTIC_PASSWORD",
        problems,
    );
    Some(RepositoryPlan { reference, location: location?, secret })
}

fn location(
    environment: Environment,
    reference: &ObjectRef,
    backend: &Backend,
    problems: &mut Problems,
) -> Option<Location> {
    let present = [
        ("local", backend.local.is_some()),
        ("s3", backend.s3.is_some()),
        ("rest", backend.rest.is_some()),
        ("gcs", backend.gcs.is_some()),
        ("azure", backend.azure.is_some()),
        ("swift", backend.swift.is_some()),
        ("b2", backend.b2.is_some()),
    ];
    let named: Vec<&str> =
        present.iter().filter(|(_, present)| *present).map(|(name, _)| *name).collect();
    if named.len() != 1 {
        let message = match named.is_empty() {
            true => "no storage is named".to_owned(),
            false => format!("{} are named, and only one can be", named.join(" and ")),
        };
        problems.add(
            Reason::Invalid,
            reference,
            "spec.backend",
            message,
            "name exactly one of local, s3, rest",
        );
        return None;
    }
    if let Some(local) = &backend.local {
        return folder(environment, reference, local, problems);
    }
    if let Some(s3) = &backend.s3 {
        let required = [("endpoint", &s3.endpoint), ("bucket", &s3.bucket)];
        for (field, _) in required.iter().filter(|(_, value)| value.is_empty()) {
            problems.add(
                Reason::Invalid,
                reference,
                format!("spec.backend.s3.{field}"),
                "is empty",
                "give the storage's address and bucket",
            );
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        if s3.endpoint.contains('@') {
            credentials_in_url(
                reference,
                "spec.backend.s3.endpoint",
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                problems,
            );
        }
        return Some(Location::S3 {
            endpoint: s3.endpoint.clone(),
            bucket: s3.bucket.clone(),
            prefix: text(&s3.prefix),
            region: text(&s3.region),
            insecure_tls: s3.insecure_tls == Some(true),
        });
    }
    if let Some(rest) = &backend.rest {
        return rest_server(reference, rest.url.as_deref().unwrap_or_default(), problems);
    }
    let name = named.first().copied().unwrap_or_default();
    problems.add(
        Reason::NotSupported,
        reference,
        format!("spec.backend.{name}"),
        format!("storage {name} is not supported yet"),
        "use local, s3 or rest; Google Cloud Storage also speaks S3 with an HMAC key",
    );
    None
}

/// Where a pod has the program, what it reads, what it writes, and its token; a volume over one of
/// them takes that away. The Repository may be of another namespace than the pod.
const OF_THE_POD: [&str; 8] = [
    "/dev",
    "/etc",
    "/proc",
    "/sealift",
    "/stash-interim-volume",
    "/stash-tmp",
    "/sys",
    "/var/run",
];

/// What of a pod a volume at `mount` would hide, or lie in.
fn hidden(mount: &Path) -> Option<&'static str> {
    let meets = |path: &&str| mount.starts_with(path) || Path::new(path).starts_with(mount);
    OF_THE_POD.into_iter().find(meets)
}

fn folder(
    environment: Environment,
    reference: &ObjectRef,
    local: &LocalBackend,
    problems: &mut Problems,
) -> Option<Location> {
    let plain = |path: &str| !path.split('/').any(|part| part == "..") && !path.contains('\0');
    let mount = local.mount_path.trim_end_matches('/');
    if !local.mount_path.starts_with('/') || mount.is_empty() || !plain(mount) {
        problems.add(
            Reason::Invalid,
            reference,
            "spec.backend.local.mountPath",
            format!("{:?} is not the absolute path of a folder", local.mount_path),
            "give the whole path, such as /safe/data",
        );
        return None;
    }
    let reserved = match environment {
        _ if Path::new(mount).starts_with("/stash") => {
            Some("/stash and what lies below it is reserved".to_owned())
        }
        Environment::Pod => hidden(Path::new(mount))
            .map(|path| format!("a volume at {mount:?} would hide what the pod has at {path}")),
        // Nothing is mounted there.
        Environment::Local => None,
    };
    if let Some(message) = reserved {
        problems.add(
            Reason::Invalid,
            reference,
            "spec.backend.local.mountPath",
            message,
            "mount the volume elsewhere",
        );
        return None;
    }
    let below = local.sub_path.as_deref().unwrap_or_default();
    if below.starts_with('/') || !plain(below) {
        problems.add(
            Reason::Invalid,
            reference,
            "spec.backend.local.subPath",
            format!("{below:?} is not a path within the volume"),
            "give a relative path without ..",
        );
        return None;
    }
    let below = below.trim_end_matches('/');
    let path = match environment {
        // In a pod the mount itself is of the sub-path.
        Environment::Pod => mount.to_owned(),
        Environment::Local if below.is_empty() => mount.to_owned(),
        Environment::Local => format!("{mount}/{below}"),
    };
    Some(Location::Local { path })
}

fn rest_server(reference: &ObjectRef, url: &str, problems: &mut Problems) -> Option<Location> {
    let field = "spec.backend.rest.url";
    let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(parsed) = parsed.filter(Url::has_host) else {
        problems.add(
            Reason::Invalid,
            reference,
            field,
            "is not an http or https URL",
            "give the server's URL, such as https://rest-server:8000/path",
        );
        return None;
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        let keys = "REST_SERVER_USERNAME and REST_SERVER_PASSWORD";
        credentials_in_url(reference, field, keys, problems);
        return None;
    }
    Some(Location::Rest { url: url.to_owned() })
}

/// The message must not repeat the URL.
fn credentials_in_url(reference: &ObjectRef, field: &str, keys: &str, problems: &mut Problems) {
    problems.add(
        Reason::Invalid,
        reference,
        field,
        "holds a user or a password, and would show it in plans, status and logs",
        format!("put them into the Secret as {keys}"),
    );
}
