//! Wrong input: an error that names object and field, the documented exit code, nothing written.

use std::fs;
use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;

use crate::scene::{PASSWORD, Scene, assert_failure, borrowed, walk};
use crate::world::{World, trial};

/// Name, what is wrong with the stage, exit code, words of the message. The stage returns
/// manifests to add to the usual ones.
type Row = (&'static str, fn(&Scene) -> Result<Vec<String>>, i32, &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        "app_binding_missing",
        |scene| without(scene, "appbinding.yaml"),
        2,
        &["AppBinding", "demo/vault"],
    ),
    (
        "token_secret_missing",
        |scene| without(scene, "vault-token.yaml"),
        2,
        &["Secret", "vault-token"],
    ),
    (
        "repository_missing",
        |scene| without(scene, "repository.yaml"),
        2,
        &["Repository", "vault-repository"],
    ),
    (
        "storage_secret_missing",
        |scene| {
            edit(
                scene,
                "repository.yaml",
                "storageSecretName: repository-secret",
                "storageSecretName: no-secret",
            )
        },
        2,
        &["Secret", "no-secret"],
    ),
    (
        "password_missing_in_the_secret",
        |scene| edit(scene, "repository.yaml", "RESTIC_PASSWORD:", "PASSWORD:"),
        2,
        &["RESTIC_PASSWORD", "repository-secret"],
    ),
    ("app_binding_twice", twice, 2, &["AppBinding", "vault"]),
    (
        "unknown_field",
        |scene| edit(scene, "backupconfiguration.yaml", "timeOut: 1h", "timeout: 1h"),
        2,
        &["backupconfiguration.yaml", "timeout"],
    ),
    (
        "field_of_a_wrong_type",
        |scene| edit(scene, "backupconfiguration.yaml", "keepLast: 5", "keepLast: five"),
        2,
        &["keepLast"],
    ),
    (
        "negative_retention",
        |scene| edit(scene, "backupconfiguration.yaml", "keepLast: 5", "keepLast: -5"),
        2,
        &["keepLast"],
    ),
    (
        "schedule_that_is_none",
        |scene| {
            edit(scene, "backupconfiguration.yaml", "\"0 */6 * * *\"", "\"every now and then\"")
        },
        2,
        &["schedule"],
    ),
    (
        "duration_that_is_none",
        |scene| edit(scene, "backupconfiguration.yaml", "timeOut: 1h", "timeOut: soon"),
        2,
        &["timeOut"],
    ),
    (
        "kind_that_is_unknown",
        |scene| edit(scene, "appbinding.yaml", "kind: AppBinding", "kind: AppBending"),
        2,
        &["AppBending"],
    ),
    (
        "yaml_that_is_none",
        |scene| edit(scene, "appbinding.yaml", "spec:\n", "spec: [\n"),
        2,
        &["appbinding.yaml"],
    ),
    (
        "backend_that_is_not_raft",
        |scene| edit(scene, "appbinding.yaml", "backend: raft", "backend: consul"),
        2,
        &["raft", "backend"],
    ),
    ("unknown_task", |scene| task(scene, "vault-backup-9.9.9"), 2, &["Task", "vault-backup-9.9.9"]),
    ("task_of_an_unknown_function", unknown_function, 2, &["Task", "Function", "no-such-function"]),
    ("variable_without_value", variable_without_value, 2, &["Function", "NO_SUCH_VARIABLE"]),
    (
        "container_image",
        |scene| function(scene, "image: registry.example/some/tool:1.0"),
        2,
        &["Function", "my-source", "registry.example/some/tool:1.0"],
    ),
    (
        "unknown_built_in",
        |scene| function(scene, "image: builtin:no-such-component"),
        2,
        &["Function", "my-source", "no-such-component"],
    ),
    (
        "component_that_is_not_there",
        |scene| function(scene, "image: file:no-such-file.wasm"),
        2,
        &["my-source", "no-such-file.wasm"],
    ),
    ("component_that_is_none", component_that_is_none, 2, &["my-source", "none.wasm"]),
    (
        "observer_before_the_source",
        |scene| function(scene, "image: builtin:pushgateway-push"),
        2,
        &["Task", "my-task"],
    ),
    (
        "unknown_permission",
        |scene| {
            function(scene, "image: builtin:vault-snapshot\n  permissions:\n    filesystem: all")
        },
        2,
        &["my-source", "filesystem"],
    ),
    (
        "unknown_parameter",
        |scene| {
            function(scene, "image: builtin:vault-snapshot\n  args: [\"--no-such-parameter=1\"]")
        },
        2,
        &["my-source", "no-such-parameter"],
    ),
    ("repository_that_is_none", repository_that_is_none, 2, &["repository"]),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials: Vec<Trial> = ROWS
        .iter()
        .flat_map(|&(name, spoil, code, words)| {
            ["run", "plan", "validate"]
                .into_iter()
                .filter(move |verb| *verb == "run" || name != "repository_that_is_none")
                .map(move |verb| {
                    (format!("bad_input::{verb}::{name}"), move |world: &World| {
                        refused(world, verb, spoil, code, words)
                    })
                })
        })
        .map(|(name, test)| trial(world, name, test))
        .collect();
    trials.push(trial(world, "bad_input::wrong_password", wrong_password));
    trials.push(trial(world, "bad_input::snapshots_of_no_repository", no_repository));
    trials.push(trial(world, "bad_input::file_that_is_not_there", missing_file));
    trials.push(trial(world, "bad_input::no_file_at_all", no_file));
    trials.push(trial(world, "bad_input::the_stage_alone_is_no_fault", |world| {
        let scene = Scene::new(world, world.small()?)?;
        for verb in ["validate", "plan"] {
            scene.sealift.succeed(&borrowed(&scene.arguments(
                verb,
                "backupconfiguration.yaml",
                &[],
            )))?;
        }
        ensure!(!scene.repository().is_dir(), "a plan wrote a repository");
        Ok(())
    }));
    trials
}

fn refused(
    world: &World,
    verb: &str,
    spoil: fn(&Scene) -> Result<Vec<String>>,
    code: i32,
    words: &[&str],
) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    let more = spoil(&scene)?;
    let before = walk(&scene.repository())?;
    let mut arguments = scene.arguments(verb, "backupconfiguration.yaml", &[]);
    for file in more {
        arguments.push("-f".to_owned());
        arguments.push(file);
    }
    let outcome = scene.sealift.run(&borrowed(&arguments))?;
    assert_failure(&outcome, code, words)?;
    ensure!(walk(&scene.repository())? == before, "something was written: {}", outcome.text());
    Ok(())
}

fn edit(scene: &Scene, manifest: &str, from: &str, to: &str) -> Result<Vec<String>> {
    scene.edit(manifest, from, to)?;
    Ok(Vec::new())
}

/// The manifest stays as a file, its object goes.
fn without(scene: &Scene, manifest: &str) -> Result<Vec<String>> {
    scene.manifests.write(
        manifest,
        "apiVersion: v1\nkind: Secret\nmetadata: {name: another, namespace: demo}\n",
    )?;
    Ok(Vec::new())
}

fn twice(scene: &Scene) -> Result<Vec<String>> {
    let text = fs::read_to_string(scene.manifests.path("appbinding.yaml"))?;
    more(scene, &text)
}

fn more(scene: &Scene, text: &str) -> Result<Vec<String>> {
    Ok(vec![scene.manifests.write("more.yaml", text)?.to_string_lossy().into_owned()])
}

fn task(scene: &Scene, name: &str) -> Result<Vec<String>> {
    edit(
        scene,
        "backupconfiguration.yaml",
        "spec:\n",
        &format!("spec:\n  task:\n    name: {name}\n"),
    )
}

fn unknown_function(scene: &Scene) -> Result<Vec<String>> {
    task(scene, "my-task")?;
    more(
        scene,
        "apiVersion: stash.appscode.com/v1beta1\nkind: Task\nmetadata:\n  name: my-task\nspec:\n  steps:\n    - name: no-such-function\n",
    )
}

/// A Task `my-task` with one step, the Function `my-source`.
pub fn function(scene: &Scene, spec: &str) -> Result<Vec<String>> {
    task(scene, "my-task")?;
    more(
        scene,
        &format!(
            "apiVersion: stash.appscode.com/v1beta1\nkind: Task\nmetadata:\n  name: my-task\nspec:\n  steps:\n    - name: my-source\n---\n\
             apiVersion: stash.appscode.com/v1beta1\nkind: Function\nmetadata:\n  name: my-source\nspec:\n  {spec}\n"
        ),
    )
}

fn variable_without_value(scene: &Scene) -> Result<Vec<String>> {
    function(scene, "image: builtin:vault-snapshot\n  args: [\"--key-prefix=${NO_SUCH_VARIABLE}\"]")
}

fn component_that_is_none(scene: &Scene) -> Result<Vec<String>> {
    let path = scene.manifests.write("none.wasm", "this is no component")?;
    function(scene, &format!("image: file:{}", path.display()))
}

fn repository_that_is_none(scene: &Scene) -> Result<Vec<String>> {
    fs::create_dir_all(scene.repository())?;
    fs::write(scene.repository().join("config"), "this is no repository")?;
    Ok(Vec::new())
}

fn wrong_password(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    scene.successful_backup()?;
    let before = walk(&scene.repository())?;
    scene.manifests.local_repository(&scene.repository(), "a password of another repository")?;
    let outcome = scene.backup(&[])?;
    assert_failure(&outcome, 12, &["password"])?;
    let repository = scene.manifests.path("repository.yaml").to_string_lossy().into_owned();
    for verb in ["snapshots", "check", "prune"] {
        assert_failure(&scene.sealift.run(&[verb, "-f", &repository])?, 12, &["password"])?;
    }
    ensure!(walk(&scene.repository())? == before, "something was written: {}", outcome.text());
    ensure!(!outcome.text().contains("a password of another repository"));
    ensure!(!outcome.text().contains(PASSWORD));
    Ok(())
}

fn no_repository(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    let repository = scene.manifests.path("repository.yaml").to_string_lossy().into_owned();
    for verb in ["snapshots", "check", "prune"] {
        assert_failure(&scene.sealift.run(&[verb, "-f", &repository])?, 10, &["repository"])?;
    }
    ensure!(!scene.repository().is_dir(), "a question made a repository");
    let outcome = scene.restore(&[])?;
    assert_failure(&outcome, 10, &["repository"])
}

fn missing_file(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    let outcome = scene.sealift.run(&["run", "-f", "no-such-file.yaml"])?;
    assert_failure(&outcome, 2, &["no-such-file.yaml"])
}

fn no_file(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    assert_failure(&scene.sealift.run(&["run"])?, 2, &["--filename"])
}
