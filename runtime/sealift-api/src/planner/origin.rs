//! What the names `target` and `pushgateway` are bound to.

use sealift_core::plan::{ObjectRef, Origin};
use sealift_core::substitution::Variables;
use url::Url;

use super::problem::{Problems, Reason};
use super::stages::Stages;
use super::target::Found;
use super::{PlanInput, credential};
use crate::app_binding::{ClientConfig, ServiceReference};

/// The cluster's domain where nobody says another.
const USUAL_DOMAIN: &str = "cluster.local";

/// Only names that a stage may reach are bound. `stages` is none when they could not be made;
/// the target is checked all the same, so that its problems are reported together with theirs.
pub(super) fn plan(
    input: &PlanInput<'_>,
    target: &Found<'_>,
    stages: Option<&Stages>,
    variables: &Variables,
    problems: &mut Problems,
) -> Vec<Origin> {
    let reached = |name: &str| {
        stages.is_none_or(|stages| stages.all().any(|stage| stage.grants.reaches(name)))
    };
    let mut origins = Vec::new();
    if reached("target") {
        origins.extend(target_origin(input, target, variables, problems));
    }
    if reached("pushgateway")
        && let Some(url) = &input.options.pushgateway
    {
        origins.extend(pushgateway(input, url, problems));
    }
    origins
}

fn pushgateway(input: &PlanInput<'_>, url: &Url, problems: &mut Problems) -> Option<Origin> {
    if !acceptable(input.invoker, "(options).pushgateway", url, problems) {
        return None;
    }
    Some(Origin {
        name: "pushgateway".to_owned(),
        url: base_of(url),
        ca_pem: input.options.pushgateway_ca_pem.clone(),
        server_name: None,
        insecure_skip_tls_verify: false,
        credential: None,
        redirect_hosts: Vec::new(),
        redirect_domains: Vec::new(),
        addresses: input.options.pushgateway_addresses.clone(),
    })
}

fn target_origin(
    input: &PlanInput<'_>,
    target: &Found<'_>,
    variables: &Variables,
    problems: &mut Problems,
) -> Option<Origin> {
    let config = &target.app_binding.spec.client_config;
    let url = address(input, target, config, problems);
    let ca_pem = certificates(target, config, problems);
    let credential = credential::plan(input, target, problems);
    let server_name = config.server_name.clone().filter(|name| !name.is_empty());
    Some(Origin {
        name: "target".to_owned(),
        url: url?,
        ca_pem,
        server_name,
        insecure_skip_tls_verify: config.insecure_skip_tls_verify == Some(true),
        credential,
        redirect_hosts: allowed_hosts(target, variables, problems),
        redirect_domains: domains(input, target, config),
        addresses: input.options.target_addresses.clone(),
    })
}

/// Param `allowedHosts`: hosts, with or without port, that the target may redirect to besides
/// its own, separated by commas. A Vault of several nodes sends to its leader's `api_addr`.
fn allowed_hosts(
    target: &Found<'_>,
    variables: &Variables,
    problems: &mut Problems,
) -> Vec<String> {
    let text = variables.get("allowedHosts").map(String::as_str).unwrap_or_default();
    let mut hosts = Vec::new();
    for host in text.split(',').map(str::trim).filter(|host| !host.is_empty()) {
        let plain = Url::parse(&format!("http://{host}"))
            .is_ok_and(|url| url.has_host() && url.path() == "/" && url.username().is_empty());
        if plain && !host.contains(['/', '?', '#', '@']) {
            hosts.push(host.to_ascii_lowercase());
        } else {
            problems.add(
                Reason::Invalid,
                &target.reference,
                "param allowedHosts",
                format!("{host:?} is not a host"),
                "write names with or without port, such as vault-0.vault-internal:8200",
            );
        }
    }
    hosts
}

/// Where the nodes of a Vault behind a Service are: in the Service's namespace. Their `api_addr`
/// is mostly a pod's name below a headless Service, as `vault-0.vault-internal` or whole.
fn domains(input: &PlanInput<'_>, target: &Found<'_>, config: &ClientConfig) -> Vec<String> {
    let url = config.url.as_deref().filter(|url| !url.is_empty());
    let Some(service) = config.service.as_ref().filter(|_| url.is_none()) else {
        return Vec::new();
    };
    let short = format!("{}.svc", namespace_of(service, &target.reference));
    match &input.options.cluster_domain {
        Some(domain) => vec![format!("{short}.{domain}"), short],
        None => vec![short.clone(), format!("{short}.{USUAL_DOMAIN}")],
    }
}

fn namespace_of<'a>(service: &'a ServiceReference, binding: &'a ObjectRef) -> &'a str {
    let namespace = service.namespace.as_deref().filter(|name| !name.is_empty());
    namespace.unwrap_or(&binding.namespace)
}

pub(super) fn address(
    input: &PlanInput<'_>,
    target: &Found<'_>,
    config: &ClientConfig,
    problems: &mut Problems,
) -> Option<Url> {
    let object = &target.reference;
    let (field, text) = match (config.url.as_deref().filter(|url| !url.is_empty()), &config.service)
    {
        (Some(url), _) => ("spec.clientConfig.url", url.to_owned()),
        (None, Some(service)) => {
            let namespace = namespace_of(service, object);
            let domain = match &input.options.cluster_domain {
                Some(domain) => format!(".{domain}"),
                None => String::new(),
            };
            let scheme = service.scheme.to_lowercase();
            let path = service.path.as_deref().unwrap_or_default().trim_start_matches('/');
            let names = [
                (
                    "spec.clientConfig.service.name",
                    sealift_core::names::check_object_name(&service.name),
                ),
                (
                    "spec.clientConfig.service.namespace",
                    sealift_core::names::check_namespace(namespace),
                ),
            ];
            for (field, result) in names {
                if let Err(error) = result {
                    problems.add(
                        Reason::Invalid,
                        object,
                        field,
                        error.to_string(),
                        "correct the name",
                    );
                    return None;
                }
            }
            if !(1..=65535).contains(&service.port) {
                problems.add(
                    Reason::Invalid,
                    object,
                    "spec.clientConfig.service.port",
                    format!("{} is not a port", service.port),
                    "give a number from 1 to 65535",
                );
                return None;
            }
            (
                "spec.clientConfig.service",
                format!(
                    "{scheme}://{}.{namespace}.svc{domain}:{}/{path}",
                    service.name, service.port
                ),
            )
        }
        (None, None) => {
            problems.add(
                Reason::Invalid,
                object,
                "spec.clientConfig",
                "neither url nor service is given",
                "give the address of the application",
            );
            return None;
        }
    };
    let Ok(url) = Url::parse(&text) else {
        problems.add(
            Reason::Invalid,
            object,
            field,
            "is not a URL",
            "give scheme, host and port, such as https://vault.demo.svc:8200",
        );
        return None;
    };
    acceptable(object, field, &url, problems).then(|| base_of(&url))
}

/// No message repeats the URL: it may hold a password.
fn acceptable(object: &ObjectRef, field: &str, url: &Url, problems: &mut Problems) -> bool {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        problems.add(
            Reason::Invalid,
            object,
            field,
            format!("scheme {} cannot be used by a Function", url.scheme()),
            "use http or https",
        );
        return false;
    }
    if !url.username().is_empty() || url.password().is_some() {
        problems.add(
            Reason::Invalid,
            object,
            field,
            "holds a user or a password, and would show it in plans and logs",
            "put credentials into a Secret",
        );
        return false;
    }
    true
}

/// Without query and fragment: those belong to a request.
fn base_of(url: &Url) -> Url {
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    base
}

pub(super) fn certificates(
    target: &Found<'_>,
    config: &ClientConfig,
    problems: &mut Problems,
) -> Option<String> {
    let bundle = config.ca_bundle.as_ref().filter(|bundle| !bundle.0.is_empty())?;
    let text = std::str::from_utf8(&bundle.0).ok();
    match text.filter(|text| text.contains("-----BEGIN CERTIFICATE-----")) {
        Some(pem) => Some(pem.to_owned()),
        None => {
            problems.add(
                Reason::Invalid,
                &target.reference,
                "spec.clientConfig.caBundle",
                "holds no PEM certificate",
                "encode the PEM file of the certificate authority once with base64",
            );
            None
        }
    }
}
