//! All schedules at once: a session of many BackupConfigurations, made within seconds.
//!
//! What is looked at: that each says what it waits for, that no more run than may, how namespaces
//! take turns, and what all of it costs. The bench plays the Jobs: it writes into a session what
//! the Job would have written, and takes the Job away once the session has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sealift_cluster::Resource;
use serde::Serialize;
use serde_json::{Value, json};

use crate::figures::rounded;
use crate::operator::seconds;
use crate::operator_meter::{Counters, Held, Meter, Requests};
use crate::operator_scene::{PLACES, Scene, each, wait_slowly};

/// How long the queue is left alone to see what waiting costs.
const WAITING: Duration = Duration::from_secs(60);
/// Between two looks at all sessions.
const LOOK: Duration = Duration::from_secs(2);

/// What was seen.
#[derive(Debug, Serialize)]
pub(crate) struct AtOnce {
    /// How long it took to make them all.
    seconds_to_make: f64,
    /// From the first until each had a place or knew its number.
    seconds_until_all_told: f64,
    /// As one of them says it.
    message: String,
    /// From making them until all were told.
    requests: Requests,
    /// While the queue was full and nobody ended anything.
    waiting: Waiting,
    played: Played,
    operator: Held,
}

#[derive(Debug, Serialize)]
struct Waiting {
    operator_requests_per_second: f64,
    cpu_seconds_per_minute: f64,
}

#[derive(Debug, Serialize)]
struct Played {
    sessions: usize,
    seconds: f64,
    sessions_per_minute: f64,
    /// The most that ran at one moment.
    most_at_once: usize,
    /// Of one namespace. One of them has half of all sessions; none is to have more of the places.
    fewest_of_a_namespace: usize,
    most_of_a_namespace: usize,
    cpu_seconds: f64,
    requests: Requests,
}

/// Makes `count` sessions and plays `played` of them to their end.
pub(crate) fn run(scene: &Scene, meter: &Meter, count: usize, played: usize) -> Result<AtOnce> {
    let chosen = scene.backups.get(..count).context("there are too few BackupConfigurations")?;
    let before = Counters::read(scene.client())?;
    let began = Instant::now();
    each(chosen, |(namespace, name)| make(scene, namespace, name))?;
    let made = began.elapsed();
    let mut looks = 0;
    let told = wait_slowly("every session is told what it waits for", LOOK, || {
        looks += 1;
        let phases = scene.phases(Resource::BACKUP_SESSION)?;
        let told = ["Pending", "Running"].iter().filter_map(|phase| phases.get(*phase));
        Ok((told.sum::<usize>() == count).then(|| began.elapsed()))
    })?;
    let own = BTreeMap::from([
        ("LIST backupsessions".to_owned(), looks),
        ("POST backupsessions".to_owned(), u64::try_from(count).unwrap_or_default()),
    ]);
    let requests = Counters::read(scene.client())?.since(&before, &own);
    let message = judge(scene, count)?;
    let waiting = wait_idle(scene, meter)?;
    let played = play(scene, meter, played)?;
    Ok(AtOnce {
        seconds_to_make: seconds(made),
        seconds_until_all_told: seconds(told),
        message,
        requests,
        waiting,
        played,
        operator: meter.held()?,
    })
}

fn session_of(backup: &str) -> String {
    format!("{backup}-1700000000")
}

/// As the CronJob's pod makes it.
fn make(scene: &Scene, namespace: &str, backup: &str) -> Result<()> {
    let owner = scene.client().object(Resource::BACKUP_CONFIGURATION, namespace, backup)?;
    let labels = json!({
        "app.kubernetes.io/component": "stash-backup",
        "app.kubernetes.io/managed-by": "stash.appscode.com",
        "stash.appscode.com/invoker-type": "BackupConfiguration",
        "stash.appscode.com/invoker-name": backup,
        "stash.appscode.com/target-kind": "AppBinding",
        "stash.appscode.com/target-name": backup,
        "stash.appscode.com/target-namespace": namespace,
    });
    let session = json!({
        "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
        "metadata": {"name": session_of(backup), "namespace": namespace, "labels": labels,
            "ownerReferences": [{"apiVersion": "stash.appscode.com/v1beta1",
                "kind": "BackupConfiguration", "name": backup, "controller": true,
                "blockOwnerDeletion": true, "uid": owner.pointer("/metadata/uid")}]},
        "spec": {"invoker": {"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration",
            "name": backup}},
    });
    scene.client().create(Resource::BACKUP_SESSION, namespace, &session)?;
    Ok(())
}

/// The text at a pointer; empty if there is none.
fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// No more run than may, and each of the others says its number in the queue and why it waits.
fn judge(scene: &Scene, count: usize) -> Result<String> {
    let mut message = String::new();
    let mut waiting = 0;
    for session in scene.all(Resource::BACKUP_SESSION)? {
        if text(&session, "/status/phase") != "Pending" {
            continue;
        }
        waiting += 1;
        let conditions = session.pointer("/status/conditions").and_then(Value::as_array);
        let queued =
            conditions.into_iter().flatten().find(|condition| text(condition, "/type") == "Queued");
        let queued = queued.with_context(|| format!("it does not say that it waits: {session}"))?;
        let said = text(queued, "/message");
        ensure!(
            text(queued, "/reason") == "WaitingForPlace" && said.contains("number "),
            "it does not say its number: {queued}"
        );
        said.clone_into(&mut message);
    }
    // What one namespace may take leaves some places free, fewer the more namespaces there are.
    let (running, free) = (count - waiting, count.min(PLACES));
    ensure!(running <= free && running * 2 >= free, "{running} of {count} run, and {PLACES} may");
    Ok(message)
}

fn wait_idle(scene: &Scene, meter: &Meter) -> Result<Waiting> {
    let (before, held) = (Counters::read(scene.client())?.operator(), meter.held()?);
    let began = Instant::now();
    wait_slowly(
        "the queue is left alone",
        LOOK,
        || Ok((began.elapsed() >= WAITING).then_some(())),
    )?;
    let took = began.elapsed().as_secs_f64();
    let asked = Counters::read(scene.client())?.operator().saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "a number of requests")]
    let asked = asked as f64;
    let cpu = meter.held()?.cpu_seconds - held.cpu_seconds;
    Ok(Waiting {
        operator_requests_per_second: rounded(asked / took),
        cpu_seconds_per_minute: rounded(cpu * 60.0 / took),
    })
}

fn play(scene: &Scene, meter: &Meter, wanted: usize) -> Result<Played> {
    let (before, held) = (Counters::read(scene.client())?, meter.held()?);
    let began = Instant::now();
    let places: BTreeMap<String, &str> = scene
        .backups
        .iter()
        .map(|(namespace, name)| (session_of(name), namespace.as_str()))
        .collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut ended = 0;
    let mut most_at_once = 0;
    wait_slowly("sessions end", Duration::ZERO, || {
        let running: Vec<String> = scene
            .rows(Resource::BACKUP_SESSION)?
            .iter()
            .filter(|row| row.get("Phase").is_some_and(|phase| phase == "Running"))
            .filter_map(|row| row.get("Name").cloned())
            .collect();
        most_at_once = most_at_once.max(running.len());
        let unseen = running.into_iter().filter(|name| !seen.contains(name));
        let rest: Vec<String> = unseen.take(wanted - ended).collect();
        each(&rest, |session| {
            let namespace = places.get(session).context("a session is not of this bench")?;
            end(scene, namespace, session)
        })?;
        ended += rest.len();
        seen.extend(rest);
        Ok((ended >= wanted).then_some(()))
    })?;
    let took = began.elapsed();
    ensure!(most_at_once <= PLACES, "{most_at_once} ran at once, and {PLACES} may");
    let mut of_namespace: BTreeMap<&str, usize> = places.values().map(|it| (*it, 0)).collect();
    for namespace in seen.iter().filter_map(|name| places.get(name)) {
        *of_namespace.entry(namespace).or_default() += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of sessions")]
    let per_minute = ended as f64 * 60.0 / took.as_secs_f64();
    Ok(Played {
        sessions: ended,
        seconds: seconds(took),
        sessions_per_minute: rounded(per_minute),
        most_at_once,
        fewest_of_a_namespace: of_namespace.values().copied().min().unwrap_or_default(),
        most_of_a_namespace: of_namespace.values().copied().max().unwrap_or_default(),
        cpu_seconds: rounded(meter.held()?.cpu_seconds - held.cpu_seconds),
        requests: Counters::read(scene.client())?.since(&before, &BTreeMap::new()),
    })
}

/// Writes what the Job would write at its end, waits until the operator has drawn its conclusion,
/// and takes the Job away.
fn end(scene: &Scene, namespace: &str, session: &str) -> Result<()> {
    let client = scene.client();
    let found = client.object(Resource::BACKUP_SESSION, namespace, session)?;
    let mut target = found.pointer("/status/targets/0").cloned().unwrap_or_default();
    let stats = json!([{"hostname": "host-0", "phase": "Succeeded", "duration": "1s"}]);
    target
        .as_object_mut()
        .with_context(|| format!("a session that runs names no target: {found}"))?
        .insert("stats".to_owned(), stats);
    let patch = json!({"status": {"targets": [target]}});
    client.patch_status(Resource::BACKUP_SESSION, namespace, session, &patch)?;
    let path = Resource::BACKUP_SESSION.path(namespace, session);
    client.wait(&format!("{session} ends"), &path, |session| {
        let phase = session?.pointer("/status/phase").and_then(Value::as_str)?;
        (phase == "Succeeded").then_some(())
    })?;
    client.delete(Resource::JOB, namespace, &format!("stash-backup-{session}-0"))
}
