//! What only a Vault has: its storage, and where its unseal keys and root token are kept.

use sealift_core::chain::Flow;
use sealift_core::plan::{KeyStorePlan, SecretRef, StagePlan};

use super::invoker::Invoker;
use super::problem::{Problems, Reason};
use super::stages::Stages;
use super::target::Found;
use super::{PlanInput, secret_check};
use crate::vault_server_configuration::{self, Unsealer, VaultServerConfiguration};

/// The components that only make sense for a Vault.
const VAULT_COMPONENTS: [&str; 2] = ["builtin:vault-snapshot", "builtin:vault-restore"];
/// What `vault operator init` accepts.
const MAX_SHARES: i64 = 255;

pub(super) fn plan(
    input: &PlanInput<'_>,
    target: &Found<'_>,
    invoker: &Invoker<'_>,
    stages: &Stages,
    problems: &mut Problems,
) -> Option<KeyStorePlan> {
    let of_vault =
        |stage: &&StagePlan| VAULT_COMPONENTS.contains(&stage.component.reference.as_str());
    if stages.stages.iter().any(|stage| of_vault(&stage)) {
        check_vault(target, problems)?;
    }
    let stage = stages.stages.iter().find(|stage| wants_keys(stage))?;
    let mut found = Problems::default();
    let store = key_store(input, target, invoker, stage, &mut found);
    // A restore without force touches no key: an unsealer that cannot be used does no harm then.
    let force = stage.parameters.get("force").map(String::as_str);
    if invoker.flow == Flow::Backup || force.is_none_or(|force| force == "true") {
        problems.extend(found);
        return store;
    }
    store.filter(|_| found.is_empty())
}

/// None only after a problem was added.
fn key_store(
    input: &PlanInput<'_>,
    target: &Found<'_>,
    invoker: &Invoker<'_>,
    stage: &StagePlan,
    problems: &mut Problems,
) -> Option<KeyStorePlan> {
    let vault = target.vault.as_ref();
    let Some(unsealer) = vault.and_then(|vault| vault.unsealer.as_ref()) else {
        without_unsealer(target, invoker, problems);
        return None;
    };
    let secret = secret_of(target, unsealer, problems);
    let (shares, threshold) = shares_of(target, unsealer, problems)?;
    let parameter = |name: &str| stage.parameters.get(name).cloned().unwrap_or_default();
    let prefix = parameter("keyPrefix");
    let old = parameter("oldKeyPrefix");
    let snapshot_prefix = if old.is_empty() { prefix.clone() } else { old };
    let plan = KeyStorePlan { secret: secret?, prefix, snapshot_prefix, shares, threshold };
    check_keys(input, target, invoker, unsealer, &plan, problems);
    Some(plan)
}

/// A stage that is granted keys and was not told to leave them out.
fn wants_keys(stage: &StagePlan) -> bool {
    stage.grants.unseal_keys.is_some()
        && stage.parameters.get("unsealKeys").map(String::as_str) != Some("omit")
}

fn check_vault<'a>(
    target: &'a Found<'_>,
    problems: &mut Problems,
) -> Option<&'a VaultServerConfiguration> {
    let Some(vault) = target.vault.as_ref() else {
        problems.add(
            Reason::Invalid,
            &target.reference,
            "spec.parameters.kind",
            format!("is not {}, so this is not a Vault", vault_server_configuration::KIND),
            "give the AppBinding of a Vault, with parameters of apiVersion config.kubevault.com/v1alpha1",
        );
        return None;
    };
    let backend = vault.backend.as_deref().unwrap_or_default();
    if backend != "raft" {
        let found = match backend {
            "" => "is not given, and only raft has snapshots".to_owned(),
            other => format!("is {other}, and only raft has snapshots"),
        };
        problems.add(
            Reason::Invalid,
            &target.reference,
            "spec.parameters.backend",
            found,
            "write raft if the Vault is on integrated storage; no other storage can be backed up so",
        );
        return None;
    }
    Some(vault)
}

/// Without keys a backup would look complete and could not be unsealed, and a forced restore
/// would leave a Vault that nobody can unseal: the user must say so.
fn without_unsealer(target: &Found<'_>, invoker: &Invoker<'_>, problems: &mut Problems) {
    let (message, help) = match invoker.flow {
        Flow::Backup => (
            "is not given, so the unseal keys cannot be stored with the snapshot",
            "add the unsealer, or set unsealKeys: omit in spec.task.params and keep the keys elsewhere",
        ),
        Flow::Restore => (
            "is not given, so the unseal keys of the snapshot cannot be put back",
            "add the unsealer, or set unsealKeys: omit in spec.task.params and have the original keys ready",
        ),
    };
    let field = "spec.parameters.unsealer";
    problems.add(Reason::Invalid, &target.reference, field, message, help);
}

fn secret_of(
    target: &Found<'_>,
    unsealer: &Unsealer,
    problems: &mut Problems,
) -> Option<SecretRef> {
    let mode = &unsealer.mode;
    let others = [
        ("googleKmsGcs", mode.google_kms_gcs.is_some()),
        ("awsKmsSsm", mode.aws_kms_ssm.is_some()),
        ("azureKeyVault", mode.azure_key_vault.is_some()),
    ];
    let field = "spec.parameters.unsealer.mode";
    if let Some((name, _)) = others.iter().find(|(_, given)| *given) {
        problems.add(
            Reason::NotSupported,
            &target.reference,
            format!("{field}.{name}"),
            format!("unsealer {name} is not supported yet"),
            "use kubernetesSecret, or set unsealKeys: omit in spec.task.params and keep the keys elsewhere",
        );
        return None;
    }
    let named = mode.kubernetes_secret.as_ref().map(|mode| mode.secret_name.clone());
    let Some(name) = named.filter(|name| !name.is_empty()) else {
        problems.add(
            Reason::Invalid,
            &target.reference,
            format!("{field}.kubernetesSecret.secretName"),
            "no Secret is named",
            "name the Secret that holds the unseal keys",
        );
        return None;
    };
    Some(SecretRef { namespace: target.reference.namespace.clone(), name })
}

fn shares_of(
    target: &Found<'_>,
    unsealer: &Unsealer,
    problems: &mut Problems,
) -> Option<(u32, u32)> {
    let shares = unsealer.secret_shares.unwrap_or(0);
    let threshold = unsealer.secret_threshold.unwrap_or(0);
    let mut wrong = |field: &str, message: String| {
        problems.add(
            Reason::Invalid,
            &target.reference,
            format!("spec.parameters.unsealer.{field}"),
            message,
            "give the numbers Vault was initialised with",
        );
    };
    if !(1..=MAX_SHARES).contains(&shares) {
        wrong("secretShares", format!("{shares} is not a number from 1 to {MAX_SHARES}"));
        return None;
    }
    if !(1..=shares).contains(&threshold) {
        wrong("secretThreshold", format!("{threshold} is not a number from 1 to {shares}"));
        return None;
    }
    Some((u32::try_from(shares).ok()?, u32::try_from(threshold).ok()?))
}

/// On a machine without a cluster: whether every key a backup will read is there. A restore
/// writes them, and its Secret need not exist yet.
fn check_keys(
    input: &PlanInput<'_>,
    target: &Found<'_>,
    invoker: &Invoker<'_>,
    unsealer: &Unsealer,
    plan: &KeyStorePlan,
    problems: &mut Problems,
) {
    if invoker.flow == Flow::Restore {
        return;
    }
    let field = "spec.parameters.unsealer.mode.kubernetesSecret.secretName";
    let found =
        secret_check::keys(input.secrets(), &target.reference, field, &plan.secret, problems);
    let Some(found) = found else { return };
    let missing: Vec<String> =
        plan.names_under(&plan.prefix).into_iter().filter(|name| !found.contains(name)).collect();
    if missing.is_empty() {
        return;
    }
    let no_root_token = unsealer.store_root_token == Some(false);
    let help = match no_root_token {
        true => {
            "store the root token (storeRootToken), or set unsealKeys: omit in spec.task.params"
        }
        false => "correct keyPrefix in the params, secretShares, or the Secret",
    };
    problems.add(
        Reason::Invalid,
        &target.reference,
        field,
        format!(
            "Secret {}/{} has no key {}",
            plan.secret.namespace,
            plan.secret.name,
            missing.join(", ")
        ),
        help,
    );
}
