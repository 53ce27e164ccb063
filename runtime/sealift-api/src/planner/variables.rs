//! The built-in variables of a session, with the params of addon and user over them.

use sealift_core::chain::Flow;
use sealift_core::metrics;
use sealift_core::names::{INTERIM_PATH, INTERIM_VOLUME_PATH};
use sealift_core::plan::{Location, RepositoryPlan};
use sealift_core::substitution::Variables;
use url::Url;

use super::PlanInput;
use super::invoker::Invoker;
use super::target::{ChosenTask, Found};

/// Everything a Task and its Functions may name, by rising precedence merged into one map.
pub(super) fn built_in(
    input: &PlanInput<'_>,
    invoker: &Invoker<'_>,
    repository: &RepositoryPlan,
    target: &Found<'_>,
    task: &ChosenTask,
) -> Variables {
    let mut variables = Variables::new();
    let mut set = |name: &str, value: &str| {
        variables.insert(name.to_owned(), value.to_owned());
    };
    of_repository(repository, &mut set);
    set("TARGET_KIND", &target.reference.kind);
    set("TARGET_NAME", &target.reference.name);
    set("TARGET_NAMESPACE", &target.reference.namespace);
    let paths = invoker.paths.join(",");
    set("TARGET_PATHS", if paths.is_empty() { "/stash-data" } else { &paths });
    set("TARGET_MOUNT_PATH", "/stash-data");
    set("DRIVER_ARGS", &invoker.args.join(","));
    set("EXCLUDE_PATTERNS", &invoker.exclude.join(","));
    set("ENABLE_CACHE", if invoker.disable_caching { "false" } else { "true" });
    let interim = if invoker.interim_volume.is_some() { INTERIM_VOLUME_PATH } else { INTERIM_PATH };
    set("INTERIM_DATA_DIR", interim);
    match invoker.flow {
        Flow::Backup => {
            set("HOSTNAME", invoker.hostname());
            set("BACKUP_SESSION", &invoker.session.name);
        }
        Flow::Restore => of_restore(invoker, &mut set),
    }
    set("NAMESPACE", invoker.namespace());
    set("INVOKER_KIND", &invoker.reference.kind);
    set("INVOKER_NAME", &invoker.reference.name);
    of_retention(invoker, &mut set);
    // The original's own images are never pulled; their parts are known and empty.
    for name in
        ["STASH_DOCKER_REGISTRY", "STASH_DOCKER_IMAGE", "STASH_IMAGE_TAG", "LICENSE_APISERVICE"]
    {
        set(name, "");
    }
    set("PROMETHEUS_PUSHGATEWAY_URL", input.options.pushgateway.as_ref().map_or("", Url::as_str));
    let job =
        metrics::job_name(&invoker.reference.kind, invoker.namespace(), &invoker.reference.name);
    set("PROMETHEUS_JOB_NAME", &job);
    for param in &task.params {
        set(&param.name, &param.value);
    }
    variables
}

fn of_repository(repository: &RepositoryPlan, set: &mut impl FnMut(&str, &str)) {
    set("REPOSITORY_NAME", &repository.reference.name);
    set("REPOSITORY_NAMESPACE", &repository.reference.namespace);
    set("REPOSITORY_PROVIDER", repository.location.provider());
    set("REPOSITORY_SECRET_NAME", &repository.secret.name);
    set("REPOSITORY_SECRET_NAMESPACE", &repository.secret.namespace);
    set("MAX_CONNECTIONS", "0");
    let (bucket, prefix, endpoint, region, insecure) = match &repository.location {
        Location::Local { path } => (path.clone(), String::new(), "", "", false),
        Location::S3 { endpoint, bucket, prefix, region, insecure_tls } => {
            (bucket.clone(), prefix.clone(), endpoint.as_str(), region.as_str(), *insecure_tls)
        }
        Location::Rest { url } => {
            let parsed = Url::parse(url).ok();
            let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
            let path = parsed.as_ref().map_or("", Url::path).to_owned();
            (host, path, url.as_str(), "", false)
        }
    };
    set("REPOSITORY_BUCKET", &bucket);
    set("REPOSITORY_PREFIX", &prefix);
    set("REPOSITORY_ENDPOINT", endpoint);
    set("REPOSITORY_REGION", region);
    set("REPOSITORY_INSECURE_TLS", if insecure { "true" } else { "false" });
}

fn of_restore(invoker: &Invoker<'_>, set: &mut impl FnMut(&str, &str)) {
    set("HOSTNAME", invoker.alias.unwrap_or_default());
    set("RESTORE_SESSION", &invoker.session.name);
    set("TARGET_APP_REPLICAS", "1");
    let rule = super::snapshot::rule_for(invoker.hostname(), invoker.rules);
    let list = |items: Option<&Vec<String>>| items.map_or(String::new(), |items| items.join(","));
    let source = rule.and_then(|rule| rule.source_host.as_deref()).unwrap_or_default();
    set("SOURCE_HOSTNAME", source);
    set("RESTORE_PATHS", &list(rule.map(|rule| &rule.paths)));
    set("RESTORE_SNAPSHOTS", &list(rule.map(|rule| &rule.snapshots)));
    set("INCLUDE_PATTERNS", &list(rule.map(|rule| &rule.include)));
    set("EXCLUDE_PATTERNS", &list(rule.map(|rule| &rule.exclude)));
}

/// Numbers only where greater than zero, switches only where true: so it is in the original.
fn of_retention(invoker: &Invoker<'_>, set: &mut impl FnMut(&str, &str)) {
    let Some(policy) = invoker.retention else { return };
    for (name, count) in [
        ("RETENTION_KEEP_LAST", policy.keep_last),
        ("RETENTION_KEEP_HOURLY", policy.keep_hourly),
        ("RETENTION_KEEP_DAILY", policy.keep_daily),
        ("RETENTION_KEEP_WEEKLY", policy.keep_weekly),
        ("RETENTION_KEEP_MONTHLY", policy.keep_monthly),
        ("RETENTION_KEEP_YEARLY", policy.keep_yearly),
    ] {
        if let Some(count) = count.filter(|count| *count > 0) {
            set(name, &count.to_string());
        }
    }
    if !policy.keep_tags.is_empty() {
        set("RETENTION_KEEP_TAGS", &policy.keep_tags.join(","));
    }
    if policy.prune {
        set("RETENTION_PRUNE", "true");
    }
    if policy.dry_run == Some(true) {
        set("RETENTION_DRY_RUN", "true");
    }
}
