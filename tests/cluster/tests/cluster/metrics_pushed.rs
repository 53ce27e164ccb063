//! F: what a Pushgateway holds after backups and restores. The names and labels are those of the
//! original.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_e2e::pushgateway::Pushgateway;
use serde_json::{Map, Value, json};

use crate::acted::{ended, job_of, pod_ends, running};
use crate::conditions;
use crate::ground::Ground;
use crate::process::{Prepared, Ran};
use crate::real_vault::RealVault;
use crate::scene::{BACKUP, REPOSITORY, Scene};
use crate::world::{World, text, trial};

pub const FIRST: &str = "demo-backup-1700000001";
pub const SECOND: &str = "demo-backup-1700000002";
const THIRD: &str = "demo-backup-1700000003";

/// Behind `stash_backup_`; the newer names leave `session_` out.
pub const OF_A_BACKUP: [&str; 16] = [
    "session_success",
    "session_duration_seconds",
    "target_count_total",
    "last_success_time_seconds",
    "target_success",
    "target_host_count_total",
    "target_last_success_time_seconds",
    "host_backup_success",
    "host_backup_duration_seconds",
    "host_data_size_bytes",
    "host_data_uploaded_bytes",
    "host_data_processing_time_seconds",
    "host_files_total",
    "host_files_new",
    "host_files_modified",
    "host_files_unmodified",
];
/// Behind `stash_repository_`.
const OF_A_REPOSITORY: [&str; 4] =
    ["integrity", "size_bytes", "snapshot_count", "snapshot_cleaned"];
/// Behind `stash_restore_`.
const OF_A_RESTORE: [&str; 7] = [
    "session_success",
    "session_duration_seconds",
    "target_count_total",
    "target_success",
    "target_host_count_total",
    "host_restore_success",
    "host_restore_duration_seconds",
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "F01 F02 F03 F04 F05: a backup shows every series of the original", success),
        trial(
            world,
            "F06 F07: a backup that fails shows it in success alone, as its phase does",
            failure,
        ),
        trial(world, "F06: a backup whose pod was killed shows it in success alone", killed),
        trial(world, "F06: a backup whose pod never ran shows it in success alone", never_ran),
        trial(world, "F08: a restore shows its series", restore),
    ]
}

/// A real Vault with a BackupConfiguration, and the Pushgateway of the operator.
pub struct Row<'a> {
    world: &'a World,
    pub ground: Ground<'a>,
    _vault: RealVault,
}

type Labels = BTreeMap<String, String>;

impl<'a> Row<'a> {
    pub fn ready(world: &'a World, number: &str) -> Result<Self> {
        let ground = Ground::new(world, number)?;
        let vault = ground.vault("vault")?;
        ground.bind("vault", &vault)?;
        let mut backup = ground.scene.backup()?;
        // The row makes its sessions itself.
        backup["spec"]["schedule"] = json!("0 0 1 1 *");
        backup["spec"]["backupHistoryLimit"] = json!(5);
        ground.scene.apply(&backup)?;
        ground.scene.wait_for_phase(BACKUP, "Ready")?;
        Ok(Self { world, ground, _vault: vault })
    }

    pub fn scene(&self) -> &Scene<'a> {
        &self.ground.scene
    }

    /// A session whose Job runs to its end, whatever that is.
    fn run(&self, session: &str) -> Result<Ran> {
        self.scene().session(session)?;
        Prepared::of(self.scene(), &job_of(session))?.run()
    }

    pub fn succeed(&self, session: &str) -> Result<(Ran, Value)> {
        let ran = self.run(session)?;
        ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
        let ended = ended(self.scene(), session, "Succeeded")?;
        Ok((ran, ended))
    }

    /// Changes the BackupConfiguration, and waits until that is seen.
    fn patch(&self, spec: &Value) -> Result<()> {
        self.scene().edit(&json!({ "spec": spec }))
    }

    /// The job of the backups.
    fn job(&self) -> String {
        format!("backupconfiguration-{}-{BACKUP}", self.scene().namespace)
    }

    /// What the Pushgateway holds of them.
    pub fn pushed(&self) -> Result<Map<String, Value>> {
        pushed(&*self.world.pushgateway()?, &self.job())
    }

    fn labels_of_a_session(&self) -> Labels {
        labels(&[
            ("job", &self.job()),
            ("instance", ""),
            ("invoker_kind", "BackupConfiguration"),
            ("invoker_name", BACKUP),
            ("namespace", &self.scene().namespace),
            ("driver", "Restic"),
            ("repository", REPOSITORY),
        ])
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The original's series of a job; the Pushgateway's own are left out.
fn pushed(gateway: &Pushgateway, job: &str) -> Result<Map<String, Value>> {
    let found = gateway.families(job)?.with_context(|| format!("nothing is pushed as {job}"))?;
    Ok(found.into_iter().filter(|(name, _)| name.starts_with("stash_")).collect())
}

/// Labels and value of the only series of a family.
pub fn series(families: &Map<String, Value>, name: &str) -> Result<(Labels, f64)> {
    let family = families.get(name).with_context(|| format!("{name} is missing"))?;
    ensure!(family["type"] == "GAUGE", "{name} is a {}", family["type"]);
    let all = family["metrics"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [only] = all else { anyhow::bail!("{name} has not one series: {all:?}") };
    let labels = serde_json::from_value(only["labels"].clone())?;
    Ok((labels, text(only, "/value").parse().with_context(|| format!("{name}: {only}"))?))
}

pub fn value(families: &Map<String, Value>, name: &str) -> Result<f64> {
    Ok(series(families, name)?.1)
}

/// Old and new name of every series below a prefix.
pub fn twins(old: &str, new: &str, names: &[&str]) -> Vec<(String, String)> {
    let newer = |name: &&str| name.strip_prefix("session_").unwrap_or(name).to_owned();
    names
        .iter()
        .map(|name| {
            (format!("stash_{old}_{name}"), format!("stash_appscode_com_{new}_{}", newer(name)))
        })
        .collect()
}

/// Exactly these families are there, each a gauge, and twins are equal.
pub fn ensure_twins(families: &Map<String, Value>, twins: &[(String, String)]) -> Result<()> {
    let wanted: BTreeSet<&String> = twins.iter().flat_map(|(old, new)| [old, new]).collect();
    let found: BTreeSet<&String> = families.keys().collect();
    ensure!(wanted == found, "wanted {wanted:?}, found {found:?}");
    for (old, new) in twins {
        let (one, other) = (series(families, old)?, series(families, new)?);
        ensure!(one == other, "{old} is {one:?}, {new} is {other:?}");
    }
    Ok(())
}

pub fn of_a_backup() -> Vec<(String, String)> {
    let mut all = twins("backup", "backupsession", &OF_A_BACKUP);
    all.extend(twins("repository", "repository", &OF_A_REPOSITORY));
    all
}

fn success(world: &World) -> Result<()> {
    let row = Row::ready(world, "F01")?;
    let (_, session) = row.succeed(FIRST)?;
    ensure!(
        conditions::of(&session, "MetricsPushed") == "True SuccessfullyPushedMetrics"
            && conditions::of(&session, "RepositoryMetricsPushed")
                == "True SuccessfullyPushedRepositoryMetrics",
        "{}",
        session["status"]
    );
    let families = row.pushed()?;
    ensure_twins(&families, &of_a_backup())?;
    for (name, wanted) in [
        ("stash_backup_session_success", 1.0),
        ("stash_backup_target_count_total", 1.0),
        ("stash_backup_target_success", 1.0),
        ("stash_backup_target_host_count_total", 1.0),
        ("stash_backup_host_backup_success", 1.0),
        ("stash_repository_integrity", 1.0),
        ("stash_repository_snapshot_count", 1.0),
        ("stash_repository_snapshot_cleaned", 0.0),
        // The snapshot, the root token, five unseal keys.
        ("stash_backup_host_files_total", 7.0),
        ("stash_backup_host_files_new", 7.0),
    ] {
        let found = value(&families, name)?;
        ensure!(found.total_cmp(&wanted).is_eq(), "{name} is {found}");
    }
    ensure!(value(&families, "stash_backup_host_data_size_bytes")? > 0.0, "no data");

    let of_session = row.labels_of_a_session();
    let with = |more: &[(&str, &str)]| -> Labels {
        of_session.clone().into_iter().chain(labels(more)).collect()
    };
    let target = [("kind", "appbindings"), ("group", "appcatalog.appscode.com"), ("name", "vault")];
    let host = [target[0], target[1], target[2], ("hostname", "host-0")];
    let repository = row.scene().object(Resource::REPOSITORY, REPOSITORY)?;
    let folder = text(&repository, "/spec/backend/local/mountPath");
    let repository =
        [("name", REPOSITORY), ("backend", "local"), ("bucket", ""), ("prefix", folder)];
    for (name, wanted) in [
        ("stash_backup_session_success", of_session.clone()),
        ("stash_backup_target_success", with(&target)),
        ("stash_backup_host_backup_success", with(&host)),
        ("stash_repository_size_bytes", with(&repository)),
    ] {
        let (found, _) = series(&families, name)?;
        ensure!(found == wanted, "{name} has {found:?} instead of {wanted:?}");
    }

    // F03: the type of an AppBinding names the resource behind it.
    let scene = row.scene();
    let patch = json!({"spec": {"type": "kubevault.com/vaultservers"}});
    scene.client().patch(Resource::APP_BINDING, &scene.namespace, "vault", &patch)?;
    row.succeed(SECOND)?;
    let (found, _) = series(&row.pushed()?, "stash_backup_target_success")?;
    let wanted = with(&[("kind", "vaultservers"), ("group", "kubevault.com"), ("name", "vault")]);
    ensure!(found == wanted, "{found:?} instead of {wanted:?}");
    Ok(())
}

fn failure(world: &World) -> Result<()> {
    let row = Row::ready(world, "F06")?;
    let scene = row.scene();
    row.succeed(FIRST)?;
    let before = row.pushed()?;

    // A token that opens nothing: the chain fails.
    let token = scene.object(Resource::SECRET, "vault-backup-token")?;
    scene.apply(&scene.secret("vault-backup-token", &json!({"token": "hvs.unknown"})))?;
    let ran = row.run(SECOND)?;
    ensure!(ran.code == Some(1), "{:?}: {} {}", ran.code, ran.left, ran.log);
    ended(scene, SECOND, "Failed")?;
    ensure_failure_shows(&before, &row.pushed()?)?;

    // A snapshot is taken, but no rule of retention matches anything: phase and metric agree.
    let data = json!({"apiVersion": "v1", "kind": "Secret", "data": token["data"],
        "metadata": {"name": "vault-backup-token"}});
    scene.apply(&data)?;
    row.patch(&json!({"retentionPolicy": {"name": "none", "keepLast": null, "prune": true,
        "keepTags": ["nobody"]}}))?;
    let ran = row.run(THIRD)?;
    let session = ended(scene, THIRD, "Failed")?;
    ensure!(
        conditions::of(&session, "RetentionPolicyApplied") == "False FailedToApplyRetentionPolicy",
        "{} {}",
        session["status"],
        ran.log
    );
    ensure!(row.ground.restic()?.snapshots()?.len() == 2, "there are not two snapshots");
    ensure_failure_shows(&before, &row.pushed()?)
}

fn killed(world: &World) -> Result<()> {
    let row = Row::ready(world, "F06-killed")?;
    pushed_for(&row, |scene| {
        scene.session(SECOND)?;
        running(scene, SECOND)?;
        pod_ends(scene, &job_of(SECOND), 137, "OOMKilled", "")
    })
}

fn never_ran(world: &World) -> Result<()> {
    let row = Row::ready(world, "F06-never")?;
    pushed_for(&row, |scene| {
        scene.edit(&json!({"spec": {"timeOut": "5s"}}))?;
        scene.session(SECOND)?;
        running(scene, SECOND)?;
        let job = Resource::JOB.path(&scene.namespace, &job_of(SECOND));
        scene.client().wait_until_gone(&job)
    })
}

/// A session that says nothing itself, after one that succeeded.
fn pushed_for(row: &Row<'_>, lose: impl Fn(&Scene<'_>) -> Result<()>) -> Result<()> {
    row.succeed(FIRST)?;
    let before = row.pushed()?;
    let scene = row.scene();
    lose(scene)?;
    ended(scene, SECOND, "Failed")?;
    let push = Prepared::of(scene, &format!("sealift-push-{SECOND}"))?.run()?;
    ensure!(push.code == Some(0), "{:?}: {} {}", push.code, push.left, push.log);
    ensure_failure_shows(&before, &row.pushed()?)
}

/// Success is 0, and everything else is what it was.
fn ensure_failure_shows(before: &Map<String, Value>, after: &Map<String, Value>) -> Result<()> {
    ensure_twins(after, &of_a_backup())?;
    for name in before.keys() {
        let (was, is) = (series(before, name)?, series(after, name)?);
        if name.ends_with("_success") {
            ensure!(is.0 == was.0 && is.1.total_cmp(&0.0).is_eq(), "{name} is {is:?}");
        } else {
            ensure!(is == was, "{name} was {was:?} and is {is:?}");
        }
    }
    Ok(())
}

fn restore(world: &World) -> Result<()> {
    let row = Row::ready(world, "F08")?;
    row.succeed(FIRST)?;
    let name = "vault-restore-session";
    row.ground.succeed(&row.ground.restore(name, |_| ())?)?;
    let job = format!("restoresession-{}-{name}", row.scene().namespace);
    let families = pushed(&*world.pushgateway()?, &job)?;
    ensure_twins(&families, &twins("restore", "restoresession", &OF_A_RESTORE))?;
    let (found, success) = series(&families, "stash_restore_host_restore_success")?;
    let wanted = labels(&[
        ("job", &job),
        ("instance", ""),
        ("invoker_kind", "RestoreSession"),
        ("invoker_name", name),
        ("namespace", &row.scene().namespace),
        ("driver", "Restic"),
        ("repository", REPOSITORY),
        ("kind", "appbindings"),
        ("group", "appcatalog.appscode.com"),
        ("name", "vault"),
        ("hostname", "host-0"),
    ]);
    ensure!(found == wanted, "{found:?} instead of {wanted:?}");
    ensure!(success.total_cmp(&1.0).is_eq(), "success is {success}");
    ensure!(value(&families, "stash_restore_session_duration_seconds")? > 0.0, "it took no time");
    Ok(())
}
