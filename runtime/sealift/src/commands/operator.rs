//! `sealift operator`: the controllers of the Stash API, until the process is told to end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sealift_api::planner::ComponentInfo;
use sealift_job::components::{Components, LocalComponents};
use sealift_kube::SystemClock;
use sealift_operator::Options;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::run::cancel_on_signal;
use crate::built_in::BUILT_IN;
use crate::exit::{Exit, Failure};

/// The operator.
#[derive(Debug, Args)]
pub(crate) struct OperatorArgs {
    /// Image of the Jobs and CronJobs: the one this process runs from.
    #[arg(long, value_name = "IMAGE", env = "SEALIFT_IMAGE")]
    pub(crate) image: String,

    /// Image pull secret of the Jobs and CronJobs; may be repeated or separated by commas.
    #[arg(long = "image-pull-secrets", value_name = "NAME", value_delimiter = ',')]
    pub(crate) image_pull_secrets: Vec<String>,

    /// Label of the nodes Jobs and CronJobs run on, unless `runtimeSettings` say otherwise of it; may
    /// be repeated or separated by commas.
    #[arg(long, value_name = "LABEL=VALUE", value_delimiter = ',', value_parser = label)]
    pub(crate) job_node_selector: Vec<(String, String)>,

    /// Pushgateway for the metrics, as Jobs reach it; without it none are pushed.
    #[arg(long, value_name = "URL")]
    pub(crate) pushgateway_url: Option<Url>,

    /// The cluster's domain behind `svc`, such as `cluster.local`; default: names end with `.svc`.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) cluster_domain: Option<String>,

    /// Only look at this namespace; default: all.
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) watch_namespace: Option<String>,

    /// Backups and restores that run at once; 0 = any number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) max_concurrent_sessions: usize,

    /// Work although the operator of the original runs in the cluster.
    #[arg(long)]
    pub(crate) takeover: bool,

    /// Where /metrics, /healthz and /readyz are served; default: nowhere.
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) metrics_address: Option<SocketAddr>,

    /// Wait for the leader's Lease, so that several operators can be started.
    #[arg(long)]
    pub(crate) leader_elect: bool,

    /// Namespace of the operator, where its Lease is.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", default_value = "default")]
    pub(crate) service_account_namespace: String,

    /// Name of this process among the operators.
    #[arg(long, value_name = "NAME", env = "POD_NAME", default_value = "sealift-operator")]
    pub(crate) pod_name: String,

    /// A session whose pod is not scheduled, or whose image does not come, is ended after this.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) pending_limit: u64,
}

pub(crate) async fn run(args: &OperatorArgs) -> Result<Exit, Failure> {
    let options = options(args)?;
    let client =
        sealift_kube::connect().await.map_err(|error| Failure::of(Exit::Failed, &error))?;
    let stop = CancellationToken::new();
    cancel_on_signal(stop.clone())?;
    sealift_operator::run(client, options, Arc::new(SystemClock), stop)
        .await
        .map(|()| Exit::Done)
        .map_err(|error| Failure::of(Exit::Failed, &error))
}

fn options(args: &OperatorArgs) -> Result<Options, Failure> {
    Ok(Options {
        image: args.image.clone(),
        image_pull_secrets: args.image_pull_secrets.clone(),
        node_selector: args.job_node_selector.iter().cloned().collect(),
        pushgateway: args.pushgateway_url.clone(),
        cluster_domain: args.cluster_domain.clone(),
        watch_namespace: args.watch_namespace.clone().filter(|namespace| !namespace.is_empty()),
        max_concurrent_sessions: args.max_concurrent_sessions,
        takeover: args.takeover,
        metrics_address: args.metrics_address,
        leader_election: args.leader_elect,
        namespace: args.service_account_namespace.clone(),
        identity: args.pod_name.clone(),
        pending_limit: Duration::from_secs(args.pending_limit),
        components: components()?,
    })
}

/// `LABEL=VALUE`; what a label may hold is the API server's to say.
fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((label, value)) if !label.is_empty() => Ok((label.to_owned(), value.to_owned())),
        _ => Err("a label of a node is given as LABEL=VALUE".to_owned()),
    }
}

/// What the planner has to know of the components that are built in. They are only looked at.
fn components() -> Result<BTreeMap<String, ComponentInfo>, Failure> {
    let local = LocalComponents::new(BUILT_IN, PathBuf::new());
    let mut known = BTreeMap::new();
    for built_in in BUILT_IN {
        let reference = format!("builtin:{}", built_in.name);
        let inspected =
            local.inspect(&reference).map_err(|error| Failure::of(Exit::Failed, &error))?;
        let info = ComponentInfo {
            kind: inspected.kind,
            reference: reference.clone(),
            digest: inspected.digest,
            parameters: inspected.descriptor.parameters,
            requests: inspected.descriptor.requests,
            unknown_size: inspected.descriptor.unknown_size,
        };
        known.insert(reference, info);
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_label_of_a_node_has_a_name_and_a_value() {
        let arch = ("kubernetes.io/arch".to_owned(), "amd64".to_owned());
        assert_eq!(label("kubernetes.io/arch=amd64"), Ok(arch));
        assert_eq!(label("empty="), Ok(("empty".to_owned(), String::new())));
        for wrong in ["", "kubernetes.io/arch", "=amd64"] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_built_in_components_are_known_to_the_planner() {
        let known = components().unwrap();
        assert!(known.contains_key("builtin:vault-snapshot"));
        assert_eq!(known.len(), BUILT_IN.len());
    }
}
