//! What the operator costs: its process by the kernel's accounting, its requests by the API
//! server's own metrics.
//!
//! The API server counts requests by verb and resource, whoever makes them, and by flow schema.
//! The operator has a user here, and one flow schema for its reads and one for its writes: so both
//! sums are the operator's alone. The table by verb and resource is everybody's, and shows what
//! the sums are made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use sealift_cluster::Client;
use serde::Serialize;
use serde_json::{Value, json};

use crate::figures::{mib, rounded};

/// The user the operator is to the API server.
pub(crate) const USER: &str = "sealift-operator";
/// The flow schemas of its requests.
const READS: &str = "sealift-operator-reads";
const WRITES: &str = "sealift-operator-writes";

/// What the metrics call requests that change something.
const WRITING: [&str; 5] = ["POST", "PUT", "PATCH", "APPLY", "DELETE"];
/// What the kernel counts CPU time in for programs, whatever its own clock.
const TICKS_PER_SECOND: f64 = 100.0;

/// Counters of the API server at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    /// By `VERB resource[/subresource]`, those that failed with ` <status>` behind it.
    by_kind: BTreeMap<String, u64>,
    /// Of the operator.
    reads: u64,
    /// Of the operator.
    writes: u64,
}

/// How many requests there were between two moments.
#[derive(Debug, Serialize)]
pub(crate) struct Requests {
    /// Of the operator, watches that began included.
    pub(crate) operator_reads: u64,
    /// Of the operator.
    pub(crate) operator_writes: u64,
    /// Of everybody: what changes something, by verb and resource.
    pub(crate) all_writes: BTreeMap<String, u64>,
    /// Of everybody: what only reads, by verb and resource, watches that ended included.
    pub(crate) all_reads: BTreeMap<String, u64>,
}

impl Counters {
    /// Asks the API server.
    pub(crate) fn read(client: &Client) -> Result<Self> {
        let (status, text) = client.call("GET", "/metrics", "", None)?;
        let Value::String(text) = text else {
            bail!("/metrics was answered with {status}: {text}")
        };
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut counters = Self::default();
        for line in text.lines() {
            let Some((name, labels, value)) = sample(line) else { continue };
            let label = |wanted: &str| labels.get(wanted).copied().unwrap_or_default();
            match name {
                "apiserver_request_total" => {
                    let mut kind = format!("{} {}", label("verb"), label("resource"));
                    if !label("subresource").is_empty() {
                        kind.push('/');
                        kind.push_str(label("subresource"));
                    }
                    if !label("code").starts_with('2') {
                        kind.push(' ');
                        kind.push_str(label("code"));
                    }
                    *counters.by_kind.entry(kind).or_default() += value;
                }
                "apiserver_flowcontrol_dispatched_requests_total" => match label("flow_schema") {
                    READS => counters.reads += value,
                    WRITES => counters.writes += value,
                    _ => {}
                },
                _ => {}
            }
        }
        counters
    }

    /// Of the operator.
    pub(crate) fn operator(&self) -> u64 {
        self.reads + self.writes
    }

    /// What came since `earlier`, without what this program asked itself.
    pub(crate) fn since(&self, earlier: &Self, own: &BTreeMap<String, u64>) -> Requests {
        let mut requests = Requests {
            operator_reads: self.reads.saturating_sub(earlier.reads),
            operator_writes: self.writes.saturating_sub(earlier.writes),
            all_writes: BTreeMap::new(),
            all_reads: BTreeMap::new(),
        };
        for (kind, now) in &self.by_kind {
            let before = earlier.by_kind.get(kind).copied().unwrap_or_default();
            let own = own.get(kind).copied().unwrap_or_default();
            let count = now.saturating_sub(before + own);
            if count == 0 {
                continue;
            }
            let is_write = WRITING.iter().any(|verb| kind.split(' ').next() == Some(*verb));
            let place = if is_write { &mut requests.all_writes } else { &mut requests.all_reads };
            place.insert(kind.clone(), count);
        }
        requests
    }
}

/// `name{label="value",…} number`; the values here hold no escapes.
fn sample(line: &str) -> Option<(&str, BTreeMap<&str, &str>, u64)> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once("} ")?;
    let labels = labels.split("\",").filter_map(|pair| {
        let (name, value) = pair.split_once("=\"")?;
        Some((name, value.trim_end_matches('"')))
    });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
    let value = value.trim().parse::<f64>().ok()? as u64;
    Some((name, labels.collect(), value))
}

/// The flow schemas that count the operator's requests; their queues are those of ServiceAccounts.
pub(crate) fn flow_schemas() -> Value {
    let schema = |name: &str, precedence: u32, verbs: &[&str]| {
        json!({
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema",
            "metadata": {"name": name},
            "spec": {
                "priorityLevelConfiguration": {"name": "workload-low"},
                "matchingPrecedence": precedence,
                "distinguisherMethod": {"type": "ByUser"},
                "rules": [{
                    "subjects": [{"kind": "User", "user": {"name": USER}}],
                    "resourceRules": [{"verbs": verbs, "apiGroups": ["*"], "resources": ["*"],
                        "clusterScope": true, "namespaces": ["*"]}],
                }],
            },
        })
    };
    let writes = schema(WRITES, 500, &["create", "update", "patch", "delete", "deletecollection"]);
    let items = [writes, schema(READS, 501, &["*"])];
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// A process of this machine.
#[derive(Debug)]
pub(crate) struct Meter {
    folder: PathBuf,
}

/// What a process holds and has used.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Held {
    /// Memory that is resident now.
    pub(crate) rss_mib: f64,
    /// The most since it began.
    pub(crate) peak_rss_mib: f64,
    /// User and system time since it began.
    pub(crate) cpu_seconds: f64,
}

impl Meter {
    /// Of the process with this id.
    pub(crate) fn of(process: u32) -> Self {
        Self { folder: PathBuf::from(format!("/proc/{process}")) }
    }

    /// What it holds and has used.
    pub(crate) fn held(&self) -> Result<Held> {
        let status = self.file("status")?;
        let memory = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            kib.map(|kib| mib(kib << 10)).with_context(|| format!("the kernel tells no {name}"))
        };
        Ok(Held {
            rss_mib: memory("VmRSS:")?,
            peak_rss_mib: memory("VmHWM:")?,
            cpu_seconds: self.cpu_seconds()?,
        })
    }

    /// Fields 14 and 15 of `stat`; the name before them may hold blanks.
    fn cpu_seconds(&self) -> Result<f64> {
        let stat = self.file("stat")?;
        let (_, fields) = stat.rsplit_once(") ").context("the kernel tells no state")?;
        let ticks: Vec<u32> =
            fields.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        Ok(rounded(ticks.iter().copied().map(f64::from).sum::<f64>() / TICKS_PER_SECOND))
    }

    fn file(&self, name: &str) -> Result<String> {
        let path = self.folder.join(name);
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const BEFORE: &str = r#"# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",group="",resource="secrets",subresource="",verb="GET",version="v1"} 3
apiserver_flowcontrol_dispatched_requests_total{flow_schema="sealift-operator-reads",priority_level="workload-low"} 5
apiserver_flowcontrol_dispatched_requests_total{flow_schema="exempt",priority_level="exempt"} 1.5e+03
"#;
    const AFTER: &str = r#"
apiserver_request_total{code="200",component="apiserver",group="",resource="secrets",subresource="",verb="GET",version="v1"} 7
apiserver_request_total{code="200",component="apiserver",group="g",resource="backupconfigurations",subresource="status",verb="PUT",version="v1"} 2
apiserver_request_total{code="409",component="apiserver",group="g",resource="backupconfigurations",subresource="status",verb="PUT",version="v1"} 1
apiserver_flowcontrol_dispatched_requests_total{flow_schema="sealift-operator-reads",priority_level="workload-low"} 11
apiserver_flowcontrol_dispatched_requests_total{flow_schema="sealift-operator-writes",priority_level="workload-low"} 3
"#;

    #[test]
    fn requests_are_told_by_verb_and_resource_and_refusals_apart() {
        let own = BTreeMap::from([("GET secrets".to_owned(), 1)]);
        let requests = Counters::parse(AFTER).since(&Counters::parse(BEFORE), &own);
        assert_eq!((requests.operator_reads, requests.operator_writes), (6, 3));
        assert_eq!(requests.all_reads, BTreeMap::from([("GET secrets".to_owned(), 3)]));
        assert_eq!(
            requests.all_writes,
            BTreeMap::from([
                ("PUT backupconfigurations/status".to_owned(), 2),
                ("PUT backupconfigurations/status 409".to_owned(), 1),
            ])
        );
    }

    #[test]
    fn this_process_holds_memory_and_has_run() {
        let held = Meter::of(std::process::id()).held().unwrap();
        assert!(held.rss_mib > 0.0 && held.peak_rss_mib >= held.rss_mib, "{held:?}");
    }
}
