//! A Vault of three nodes, asked through one that does not lead: it sends on to its leader, which
//! is followed if the user said so, and a leader that steps down leaves all or nothing.

use std::fs;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;
use sealift_e2e::process::http_client;
use sealift_e2e::vault::Vault;
use sealift_e2e::vault_cluster::ELECTION_LIMIT;
use sealift_e2e::wait;

use crate::archive::Archive;
use crate::round_trip::counts;
use crate::scene::{Scene, assert_failure};
use crate::tcp_proxy::TcpProxy;
use crate::vault_double::Watch;
use crate::world::{FilledCluster, World, trial};

/// The stage of a backup that talks to Vault.
const STAGE: &str = "vault-backup-1-10-3-0";
/// A leader that was told to step down and still serves a request may finish that first.
const STEP_DOWN_LIMIT: Duration = Duration::from_secs(10);

/// How much of the snapshot has come when the leader steps down, in per cent.
const POINTS: [(&str, usize); 3] = [("begins", 0), ("is_half_sent", 50), ("is_nearly_sent", 95)];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = vec![
        trial(world, "standby::a_backup_is_of_the_leader_that_allowed_hosts_names", backup),
        trial(world, "standby::a_backup_without_allowed_hosts_is_denied", backup_denied),
        trial(world, "standby::a_restore_is_applied_on_every_node", restore),
        trial(world, "standby::a_restore_without_allowed_hosts_changes_nothing", restore_denied),
    ];
    trials.extend(POINTS.map(|(name, percent)| {
        trial(
            world,
            format!("no_false_success::cluster::the_leader_steps_down_when_the_snapshot_{name}"),
            move |world| steps_down(world, percent),
        )
    }));
    trials
}

/// `host:port` of a node, as `allowedHosts` takes it.
fn authority(node: &Vault) -> String {
    node.address().trim_start_matches("http://").to_owned()
}

/// A stage whose AppBinding has this address.
fn scene(world: &World, filled: &FilledCluster, url: &str) -> Result<Scene> {
    let scene = Scene::at(world, url, &filled.token, &filled.cluster.keys)?;
    // The keys are those of the cluster, before and after.
    scene.edit("restoresession.yaml", "value: \"true\"", "value: \"false\"")?;
    Ok(scene)
}

/// Names hosts in the param of both Tasks.
fn allow(scene: &Scene, hosts: &[String]) -> Result<()> {
    scene.edit(
        "appbinding.yaml",
        "value: demo.vault\n",
        &format!(
            "value: demo.vault\n            - name: allowedHosts\n              value: \"{}\"\n",
            hosts.join(", ")
        ),
    )
}

/// What is stored is a whole snapshot: restic reads all of it, Vault accepts it.
fn assert_whole(world: &World, scene: &Scene) -> Result<()> {
    let restic = scene.restic()?;
    restic.check()?;
    let snapshots = restic.snapshots()?;
    ensure!(snapshots.len() == 1, "there are {} snapshots instead of one", snapshots.len());
    let id = snapshots[0]["id"].as_str().context("a snapshot without id")?;
    let files = restic.files(id)?;
    let path = files.iter().find(|file| file.ends_with("/backup.snap"));
    let dumped = restic.dump(id, path.context("the snapshot has no backup.snap")?)?;
    let names: Vec<String> =
        Archive::read(&dumped)?.members.into_iter().map(|(name, _)| name).collect();
    ensure!(
        names == ["meta.json", "state.bin", "SHA256SUMS", "SHA256SUMS.sealed"],
        "members: {names:?}"
    );
    let folder = world.folder()?;
    let file = folder.path().join("backup.snap");
    fs::write(&file, dumped)?;
    let counted = counts(&file)?;
    ensure!(counted["TotalCountKV"].as_u64() > Some(0), "vault counted nothing: {counted}");
    Ok(())
}

fn backup(world: &World) -> Result<()> {
    let filled = world.cluster()?;
    let cluster = &filled.cluster;
    let (leader, standby) = (cluster.leader()?, cluster.standby()?);
    let scene = scene(world, &filled, &cluster.node(standby)?.address())?;
    allow(&scene, &[authority(cluster.node(leader)?)])?;
    let before = cluster.snapshots_served(leader)?;
    let others: Vec<usize> = (0..3).filter(|index| *index != leader).collect();
    let of_others = |index: &usize| cluster.snapshots_served(*index);
    let others_before: Vec<usize> = others.iter().map(of_others).collect::<Result<_>>()?;
    scene.successful_backup()?;
    let served = cluster.snapshots_served(leader)? - before;
    ensure!(served == 1, "the leader served {served} snapshots instead of one");
    let others_after: Vec<usize> = others.iter().map(of_others).collect::<Result<_>>()?;
    ensure!(others_before == others_after, "a standby served a snapshot");
    assert_whole(world, &scene)
}

fn backup_denied(world: &World) -> Result<()> {
    let filled = world.cluster()?;
    let cluster = &filled.cluster;
    let leader = authority(cluster.node(cluster.leader()?)?);
    let scene = scene(world, &filled, &cluster.node(cluster.standby()?)?.address())?;
    let outcome = scene.backup(&[])?;
    scene.assert_failed(&outcome, 1, &[STAGE, "denied", &leader, "allowedHosts"])?;
    // Another host in the list does not help, and neither does the leader's at another port.
    allow(&scene, &["vault-0.elsewhere.example:8200".to_owned(), "127.0.0.1:1".to_owned()])?;
    let outcome = scene.backup(&[])?;
    scene.assert_failed(&outcome, 1, &[STAGE, "denied", &leader, "allowedHosts"])
}

/// Changes the cluster's data after a backup: one secret has another value, one is new.
fn change(filled: &FilledCluster) -> Result<()> {
    let leader = filled.cluster.node(filled.cluster.leader()?)?;
    let token = &filled.cluster.keys.root_token;
    leader.put(token, &filled.secrets[0].0, "changed after the backup")?;
    leader.put(token, "written-after-the-backup", "new")
}

fn restore(world: &World) -> Result<()> {
    let filled = world.cluster()?;
    let cluster = &filled.cluster;
    let token = &cluster.keys.root_token;
    let (leader, standby) = (cluster.leader()?, cluster.standby()?);
    let scene = scene(world, &filled, &cluster.node(standby)?.address())?;
    allow(&scene, &[authority(cluster.node(leader)?)])?;
    scene.successful_backup()?;
    change(&filled)?;
    let outcome = scene.restore(&[])?;
    ensure!(outcome.code == Some(0), "the restore failed: {}", outcome.text());
    // What Sealift calls restored is restored, without any wait of ours, where it was told to.
    let leader = cluster.node(leader)?;
    leader.compare_all(token, &filled.secrets[..1]).context("right after the restore")?;
    cluster.wait_until_settled()?;
    for (index, node) in cluster.nodes().enumerate() {
        let left = node.get(token, "written-after-the-backup")?;
        ensure!(left.is_none(), "node {index} still has what the restore replaced");
    }
    cluster.compare_all(token, &filled.secrets)
}

fn restore_denied(world: &World) -> Result<()> {
    let filled = world.cluster()?;
    let cluster = &filled.cluster;
    let token = &cluster.keys.root_token;
    let leader = cluster.leader()?;
    let scene = scene(world, &filled, &cluster.node(leader)?.address())?;
    scene.successful_backup()?;
    change(&filled)?;
    scene.manifests.app_binding(&cluster.node(cluster.standby()?)?.address())?;
    let outcome = scene.restore(&[])?;
    let leader = cluster.node(leader)?;
    assert_failure(&outcome, 1, &["denied", &authority(leader), "allowedHosts"])?;
    let (changed, value) = (&filled.secrets[0].0, &filled.secrets[0].1);
    ensure!(
        leader.get(token, changed)?.as_deref() == Some("changed after the backup"),
        "a restore that was denied has replaced data"
    );
    // As the next test wants it.
    leader.call("DELETE", "v1/secret/written-after-the-backup", token, None)?;
    leader.put(token, changed, value)
}

/// A proxy before the leader, which makes it step down when that much of the snapshot has gone
/// through. Either all of it comes and is proven, or there is no snapshot.
fn steps_down(world: &World, percent: usize) -> Result<()> {
    let filled = world.cluster()?;
    let cluster = &filled.cluster;
    let former = cluster.leader()?;
    let leader = cluster.node(former)?;
    // What health and leader answer is far less than this, the snapshot is far more.
    let whole = leader.snapshot(&cluster.keys.root_token)?.len();
    let point = (whole * percent / 100).max(16 << 10);
    let told: Arc<OnceLock<Result<(), String>>> = Arc::default();
    let (address, token) = (leader.address(), cluster.keys.root_token.clone());
    let telling = Arc::clone(&told);
    let watch: Watch = Arc::new(move |sent| {
        if sent >= point {
            telling
                .get_or_init(|| step_down(&address, &token).map_err(|error| format!("{error:#}")));
        }
    });
    let proxy = TcpProxy::start(&authority(leader), watch)?;
    let scene = scene(world, &filled, &proxy.address())?;
    allow(&scene, &cluster.nodes().map(authority).collect::<Vec<_>>())?;

    let outcome = scene.backup(&[])?;
    match told.get() {
        Some(Ok(())) => {}
        Some(Err(error)) => bail!("the leader was not told to step down: {error}"),
        None => bail!("so much of the snapshot never came: {}", outcome.text()),
    }
    if outcome.code == Some(0) {
        assert_whole(world, &scene)?;
    } else {
        scene.assert_failed(&outcome, 1, &[STAGE, "snapshot"])?;
    }
    let left = scene.snapshot_files()?;

    let next = wait::until("another leader", ELECTION_LIMIT, || {
        Ok(cluster.nodes().position(|node| node.health() == Some(200)).filter(|i| *i != former))
    });
    let next = next.with_context(|| format!("after {}", outcome.text()))?;
    cluster.wait_until_settled()?;
    // The AppBinding still has the address of the former leader.
    let served = cluster.snapshots_served(next)?;
    scene.successful_backup().context("the run after the change of leader")?;
    ensure!(cluster.snapshots_served(next)? == served + 1, "not the new leader was asked");
    let snapshots = scene.snapshot_files()?;
    ensure!(snapshots == left + 1, "{snapshots} snapshots after {left} and one more run");
    scene.restic()?.check()
}

/// Tells a leader to step down and waits until it no longer leads, or until it is clear that it
/// first finishes what it is doing, which the caller holds up.
fn step_down(address: &str, token: &str) -> Result<()> {
    let client = http_client();
    let answer = client
        .put(format!("{address}/v1/sys/step-down"))
        .header("X-Vault-Token", token)
        .send_empty()
        .context("failed to ask")?;
    ensure!(answer.status().is_success(), "the answer was {}", answer.status());
    let health = format!("{address}/v1/sys/health");
    // Either end is right: what counts is that the stream was open when it was told.
    let _ = wait::until("the leader has stepped down", STEP_DOWN_LIMIT, || {
        let leads = client.get(&health).call().is_ok_and(|answer| answer.status() == 200);
        Ok((!leads).then_some(()))
    });
    Ok(())
}
