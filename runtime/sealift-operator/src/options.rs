//! What the operator is told when it starts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sealift_api::planner::{ComponentInfo, Environment, PlanOptions};
use url::Url;

/// Everything the operator is told. All of it is a value here: flags and environment are read by
/// the binary.
#[derive(Debug, Clone)]
pub struct Options {
    /// Image of the Jobs and CronJobs: our own.
    pub image: String,
    /// Names of image pull secrets for them, in the namespaces they run in.
    pub image_pull_secrets: Vec<String>,
    /// Labels of the nodes they run on: those the image is built for. A user's value of the same
    /// label wins.
    pub node_selector: BTreeMap<String, String>,
    /// Base URL of the Pushgateway, as Jobs reach it; none = no metrics are pushed.
    pub pushgateway: Option<Url>,
    /// The cluster's domain behind `svc`; none = names end with `.svc`.
    pub cluster_domain: Option<String>,
    /// Only this namespace; none = all.
    pub watch_namespace: Option<String>,
    /// Sessions that run at once; 0 = any number. What one namespace may take of them, `line` says.
    pub max_concurrent_sessions: usize,
    /// Work although the original's operator runs in the cluster.
    pub takeover: bool,
    /// Where `/metrics`, `/healthz` and `/readyz` are served; none = nowhere.
    pub metrics_address: Option<SocketAddr>,
    /// Wait for the leader's Lease before anything is written.
    pub leader_election: bool,
    /// Namespace of the operator itself: of its Lease, and of the ServiceAccount it runs as.
    pub namespace: String,
    /// Name of this process among the operators, such as its pod's.
    pub identity: String,
    /// A pod that is not scheduled, or whose image does not come, ends its session after this.
    pub pending_limit: Duration,
    /// The components that can be run: those built in.
    pub components: BTreeMap<String, ComponentInfo>,
}

impl Options {
    /// What the planner has to know.
    #[must_use]
    pub fn plan_options(&self) -> PlanOptions {
        PlanOptions {
            environment: Environment::Pod,
            pushgateway: self.pushgateway.clone(),
            cluster_domain: self.cluster_domain.clone(),
            ..PlanOptions::default()
        }
    }
}
