//! The operator's own rights, and the code that needs each. The chart's rules are these.
//!
//! Whether they are enough and none too many is seen where the operator really asks: the tests
//! on a cluster compare this list with the API server's log.

use k8s_openapi::api::rbac::v1::PolicyRule;

use super::{CATALOG, STASH};

/// A rule of the operator and the reason for it.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorRule {
    /// The rule.
    pub rule: PolicyRule,
    /// The code that needs it.
    pub reason: &'static str,
    /// The chart value that switches it off; none = it is always there.
    pub value: Option<&'static str>,
    /// Where it has to hold.
    pub scope: Scope,
}

/// Where a right has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In every namespace that is watched: all, or the one of `--watch-namespace`.
    Watched,
    /// In the whole cluster, whatever is watched.
    Cluster,
    /// In the namespace the operator runs in.
    Own,
}

/// What the operator itself may do. It holds what it grants to Jobs, so that it needs neither
/// `escalate` nor `bind`.
#[must_use]
pub fn operator_rules() -> Vec<OperatorRule> {
    let rule = |groups: &[&str], resources: &[&str], verbs: &[&str], reason| OperatorRule {
        rule: PolicyRule {
            api_groups: Some(groups.iter().map(|group| (*group).to_owned()).collect()),
            resources: Some(resources.iter().map(|name| (*name).to_owned()).collect()),
            verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
            ..PolicyRule::default()
        },
        reason,
        value: None,
        scope: Scope::Watched,
    };
    let optional = |value, rule: OperatorRule| OperatorRule { value: Some(value), ..rule };
    let cluster = |rule: OperatorRule| OperatorRule { scope: Scope::Cluster, ..rule };
    let own = |rule: OperatorRule| OperatorRule { scope: Scope::Own, ..rule };
    vec![
        rule(
            &[STASH],
            &["backupconfigurations", "backupsessions", "restoresessions", "repositories"],
            &["get", "list", "watch", "patch"],
            "cluster.rs watches them; controller/* adds finalizers, labels and owners",
        ),
        rule(
            &[STASH],
            &[
                "backupconfigurations/status",
                "backupsessions/status",
                "restoresessions/status",
                "repositories/status",
            ],
            &["update"],
            "controller/*/status.rs; rules.rs grants it to Jobs",
        ),
        rule(
            &[STASH],
            &[
                "backupconfigurations/finalizers",
                "backupsessions/finalizers",
                "restoresessions/finalizers",
            ],
            &["update"],
            "labels.rs makes them owners that block",
        ),
        rule(
            &[STASH],
            &["backupsessions"],
            &["create", "delete"],
            "controller/backup_session/{retry,history}.rs; build/cron_job.rs grants create",
        ),
        rule(
            &[CATALOG],
            &["appbindings"],
            &["get", "list", "watch"],
            "cluster.rs watches them: targets; rules.rs grants get",
        ),
        rule(
            &["batch"],
            &["cronjobs"],
            &["list", "watch", "create", "patch", "delete"],
            "controller/backup_configuration/apply.rs makes them",
        ),
        rule(
            &["batch"],
            &["jobs"],
            &["get", "list", "watch", "create", "delete"],
            "controller/launch.rs and controller/repository/wipe.rs make them, ending.rs watches them",
        ),
        rule(
            &[""],
            &["pods"],
            &["list", "watch"],
            "ending.rs: why a Job's pod died or does not start",
        ),
        rule(
            &[""],
            &["configmaps"],
            &["get", "create", "patch", "delete"],
            "controller/launch.rs: plans, also in place of one that was left behind",
        ),
        rule(
            &[""],
            &["persistentvolumeclaims"],
            &["get", "create", "delete"],
            "controller/launch.rs: interim volumes, also in place of one an earlier session of the name left behind",
        ),
        rule(
            &[""],
            &["serviceaccounts"],
            &["list", "watch", "create", "patch", "delete"],
            "controller/launch.rs, controller/backup_configuration/apply.rs: one for each invoker; controller/repository/wipe.rs",
        ),
        rule(
            &["rbac.authorization.k8s.io"],
            &["roles", "rolebindings"],
            &["list", "watch", "create", "patch", "delete"],
            "controller/launch.rs, controller/backup_configuration/apply.rs: one pair for each invoker; controller/repository/wipe.rs",
        ),
        rule(
            &["coordination.k8s.io"],
            &["leases"],
            &["get", "create", "update"],
            "controller/launch.rs and controller/repository/wipe.rs make one for each repository; rules.rs grants get and update",
        ),
        rule(&[""], &["events"], &["create"], "sealift-kube/event.rs; rules.rs grants it"),
        rule(
            &[""],
            &["secrets"],
            &["get"],
            "secret_check.rs looks whether those that are named are there; rules.rs grants it",
        ),
        optional(
            "rbac.restoreUnsealKeys",
            rule(
                &[""],
                &["secrets"],
                &["patch"],
                "rules.rs grants it to the Job of a restore that brings unseal keys back",
            ),
        ),
        optional(
            "rbac.execHooks",
            rule(
                &[""],
                &["pods/exec"],
                &["create", "get"],
                "rules.rs grants it to Jobs with an exec hook",
            ),
        ),
        optional(
            "rbac.execHooks",
            rule(
                &[""],
                &["endpoints", "pods"],
                &["get"],
                "rules.rs grants it to Jobs with an exec hook",
            ),
        ),
        own(rule(
            &["coordination.k8s.io"],
            &["leases"],
            &["get", "create", "update"],
            "sealift-kube/leader.rs: the leader's Lease",
        )),
        cluster(rule(
            &[STASH],
            &["tasks", "functions"],
            &["list", "watch"],
            "cluster.rs watches them: plans are made of them",
        )),
        cluster(rule(
            &[""],
            &["namespaces"],
            &["list", "watch"],
            "cluster.rs watches their labels: usagePolicy selects by them",
        )),
        cluster(rule(
            &["apps"],
            &["deployments"],
            &["list", "watch"],
            "takeover.rs: whether the original's operator runs",
        )),
        cluster(rule(
            &["apiregistration.k8s.io"],
            &["apiservices"],
            &["list"],
            "leftovers.rs: what the original left behind",
        )),
        cluster(rule(
            &["admissionregistration.k8s.io"],
            &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
            &["list"],
            "leftovers.rs: what the original left behind",
        )),
    ]
}
