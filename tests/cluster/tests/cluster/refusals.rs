//! Sessions the API server does not let begin: they end, say why, and hold nobody up.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::json;

use crate::acted;
use crate::scene::Scene;
use crate::world::{World, trial};

const FIRST: &str = "demo-backup-1700000000";
const SECOND: &str = "demo-backup-1700000300";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(world, "fault: a session a quota does not let begin says so and ends", quota)]
}

fn quota(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "quota")?;
    scene.apply(
        &json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
        "spec": {"hard": {"count/jobs.batch": "0"}}}),
    )?;
    scene.kubectl(&[
        "wait",
        "resourcequota/none",
        "--for=jsonpath={.status.hard.count/jobs\\.batch}=0",
        "--timeout=60s",
    ])?;
    scene.session(FIRST)?;
    let ended = acted::ended(&scene, FIRST, "Failed")?;
    let status = ended["status"].to_string();
    ensure!(status.contains("exceeded quota: none"), "status: {status}");
    ensure!(scene.client().names(Resource::JOB, &scene.namespace)?.is_empty(), "there is a Job");
    scene.kubectl(&["delete", "resourcequota", "none"])?;
    scene.session(SECOND)?;
    scene.wait("the next has its Job", Resource::JOB, &acted::job_of(SECOND), |_| true)?;
    Ok(())
}
