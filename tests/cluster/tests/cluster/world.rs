//! What all rows share: the control plane with our CRDs, the operator, and the node.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use anyhow::{Result, anyhow};
use libtest_mimic::{Failed, Trial};
use sealift_cluster::ControlPlane;
use sealift_cluster::helm::Helm;
use sealift_cluster::images::Image;
use sealift_cluster::namespaces::{NODE_ADDRESS, Place};
use sealift_cluster::node::Node;
use sealift_cluster::operator::Operator;
use sealift_e2e::binaries;
use sealift_e2e::pushgateway::Pushgateway;
use serde_json::Value;
use tempfile::TempDir;

use crate::round::Round;
use crate::stage::{self, Backing};

/// Whose rights the operators of the rows have: those the chart gives, and no others.
pub const OPERATOR: &str = "system:serviceaccount:sealift-tests:tests-sealift";

/// Started when the first row asks for them.
pub struct World {
    // Dropped in this order.
    operator: OnceLock<Result<Mutex<Operator>, String>>,
    pushgateway: OnceLock<Result<Mutex<Pushgateway>, String>>,
    round: OnceLock<Result<Round, String>>,
    backing: OnceLock<Result<Backing, String>>,
    image: OnceLock<Result<(), String>>,
    node: OnceLock<Result<Node, String>>,
    installed: OnceLock<Result<(), String>>,
    cluster: OnceLock<Result<Cluster, String>>,
    place: Place,
    /// Held for writing by rows that break what all others stand on.
    alone: RwLock<()>,
}

struct Cluster {
    plane: ControlPlane,
    folder: TempDir,
}

impl World {
    pub fn new(place: Place) -> Self {
        Self {
            operator: OnceLock::new(),
            pushgateway: OnceLock::new(),
            round: OnceLock::new(),
            backing: OnceLock::new(),
            image: OnceLock::new(),
            node: OnceLock::new(),
            installed: OnceLock::new(),
            cluster: OnceLock::new(),
            place,
            alone: RwLock::new(()),
        }
    }

    /// A cluster of a row's own, for what depends on all that is in it.
    pub fn apart(&self) -> Self {
        Self::new(self.place.clone())
    }

    /// The control plane, with our CRDs and the catalogue.
    pub fn plane(&self) -> Result<&ControlPlane> {
        let plane = self.bare_plane()?;
        shared(self.installed.get_or_init(|| said(install(plane))))?;
        Ok(plane)
    }

    /// The control plane, which may not know our API.
    pub fn bare_plane(&self) -> Result<&ControlPlane> {
        Ok(&self.cluster()?.plane)
    }

    fn cluster(&self) -> Result<&Cluster> {
        shared(self.cluster.get_or_init(|| said(self.start_cluster())))
    }

    /// The operator, which all rows share, since in a cluster there is one.
    pub fn operator(&self) -> Result<MutexGuard<'_, Operator>> {
        let operator = shared(self.operator.get_or_init(|| said(self.start_operator())))?;
        Ok(operator.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The Pushgateway of that operator, where Jobs reach it.
    pub fn pushgateway(&self) -> Result<MutexGuard<'_, Pushgateway>> {
        let start = || {
            let folder = self.cluster()?.folder.path().join("pushgateway");
            Pushgateway::start_on(&folder, self.address()).map(Mutex::new)
        };
        let gateway = shared(self.pushgateway.get_or_init(|| said(start())))?;
        Ok(gateway.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another operator, with flags of the row's own. Its name among them is `name`.
    pub fn another_operator(&self, name: &str, arguments: &[&str]) -> Result<Operator> {
        let group = Some("system:serviceaccounts");
        let kubeconfig = self.plane()?.kubeconfig(name, OPERATOR, group)?;
        let folder = self.cluster()?.folder.path().join(name);
        let (image, identity) = (format!("--image={}", stage::IMAGE), format!("--pod-name={name}"));
        let mut all = vec![image.as_str(), identity.as_str()];
        all.extend(arguments);
        Operator::start_unready(&folder, &kubeconfig, &all)
    }

    /// The node.
    pub fn node(&self) -> Result<&Node> {
        let start = || Node::start(self.bare_plane()?, &self.place);
        shared(self.node.get_or_init(|| said(start())))
    }

    /// The built `sealift` as an image on the node.
    pub fn image(&self) -> Result<()> {
        let import = || self.node()?.import(&Image::of(stage::IMAGE, &binaries::sealift()?)?);
        shared(self.image.get_or_init(|| said(import()))).copied()
    }

    /// The Vault and the storage rows share.
    pub fn backing(&self) -> Result<&Backing> {
        shared(self.backing.get_or_init(|| said(Backing::new(self))))
    }

    /// The guide, played once.
    pub fn round(&self) -> Result<&Round> {
        shared(self.round.get_or_init(|| said(Round::new(self))))
    }

    /// The control plane, if any row asked for it.
    pub fn started_plane(&self) -> Option<&ControlPlane> {
        self.cluster.get().and_then(|cluster| Some(&cluster.as_ref().ok()?.plane))
    }

    /// How long things took.
    pub fn say_figures(&self) {
        if let Some(Ok(cluster)) = self.cluster.get() {
            eprintln!(
                "control plane ready in {:.1} s",
                cluster.plane.start_duration().as_secs_f64()
            );
        }
        if let Some(Ok(node)) = self.node.get() {
            eprintln!("node ready in {:.1} s", node.start_duration().as_secs_f64());
        }
    }

    fn start_cluster(&self) -> Result<Cluster> {
        let folder = tempfile::Builder::new().prefix("sealift-cluster-").tempdir()?;
        let plane = ControlPlane::start(&folder.path().join("plane"), self.address())?;
        Ok(Cluster { plane, folder })
    }

    /// Where servers of the rows listen.
    pub fn address(&self) -> &'static str {
        // Outside of a network of its own the machine's address must not be listened on.
        if self.place == Place::Own { NODE_ADDRESS } else { "127.0.0.1" }
    }

    fn start_operator(&self) -> Result<Mutex<Operator>> {
        let pushgateway = format!("--pushgateway-url={}", self.pushgateway()?.url());
        let mut operator = self.another_operator("operator", &[&pushgateway])?;
        operator.wait_until_ready()?;
        Ok(Mutex::new(operator))
    }
}

/// Our definitions, the Functions and Tasks, and the operator's rights.
fn install(plane: &ControlPlane) -> Result<()> {
    let deploy = binaries::source_root().join("deploy");
    let (crds, catalog) = (deploy.join("crds"), deploy.join("catalog"));
    let crds = crds.to_string_lossy();
    let kubectl = plane.kubectl();
    kubectl.succeed(&["apply", "--server-side", "-f", &crds])?;
    kubectl.succeed(&["wait", "--for=condition=Established", "--timeout=60s", "-f", &crds])?;
    kubectl.succeed(&["apply", "--server-side", "-f", &catalog.to_string_lossy()])?;
    let chart = deploy.join("chart").join("sealift");
    let rights = Helm::new(kubectl)?.succeed(&[
        "template",
        "tests",
        &chart.to_string_lossy(),
        "--namespace=sealift-tests",
        "--show-only=templates/cluster-role.yaml",
    ])?;
    kubectl.apply(&rights, &["--server-side"])?;
    Ok(())
}

/// Whether all rows are asked for, also those that take minutes.
pub fn is_full_tier() -> bool {
    std::env::var("SEALIFT_TEST_TIER").as_deref() == Ok("full")
}

/// One row; its error is told with all causes.
pub fn trial(
    world: &Arc<World>,
    name: impl Into<String>,
    test: impl FnOnce(&World) -> Result<()> + Send + 'static,
) -> Trial {
    let world = Arc::clone(world);
    Trial::test(name, move || {
        let _beside_others = world.alone.read().unwrap_or_else(PoisonError::into_inner);
        test(&world).map_err(|error| Failed::from(format!("{error:#}")))
    })
}

/// The kind of the rows that run alone.
pub const ALONE: &str = "alone";

/// A row that no other may run beside, since it takes away what all of them use.
pub fn trial_alone(
    world: &Arc<World>,
    name: impl Into<String>,
    test: impl FnOnce(&World) -> Result<()> + Send + 'static,
) -> Trial {
    let world = Arc::clone(world);
    Trial::test(name, move || {
        let _alone = world.alone.write().unwrap_or_else(PoisonError::into_inner);
        test(&world).map_err(|error| Failed::from(format!("{error:#}")))
    })
    .with_kind(ALONE)
}

/// The text at a pointer; empty if there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn said<T>(result: Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{error:#}"))
}

fn shared<T>(result: &Result<T, String>) -> Result<&T> {
    result.as_ref().map_err(|error| anyhow!("what the rows share could not be made: {error}"))
}
