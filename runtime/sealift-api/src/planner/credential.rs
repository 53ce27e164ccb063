//! The token of a Vault: the Secret it lies in, and the AppBinding's changes to its keys.
//!
//! Only names of keys are looked at, and only on a machine without a cluster.

use std::collections::BTreeSet;

use sealift_core::plan::{Credential, SecretRef, SecretTransform};

use super::problem::{Problems, Reason};
use super::target::Found;
use super::{PlanInput, secret_check};

/// The header Vault reads its token from.
const VAULT_TOKEN_HEADER: &str = "X-Vault-Token";
/// The key of the token in the Secret that KubeVault makes.
const VAULT_TOKEN_KEY: &str = "token";

/// The header the host adds to requests for the target; none for anything but a Vault.
pub(super) fn plan(
    input: &PlanInput<'_>,
    target: &Found<'_>,
    problems: &mut Problems,
) -> Option<Credential> {
    let vault = target.vault.as_ref()?;
    let namespace = &target.reference.namespace;
    let field = "spec.parameters.backupTokenSecretRef.name";
    let named = vault.backup_token_secret_ref.as_ref().map(|named| named.name.clone());
    let Some(name) = named.filter(|name| !name.is_empty()) else {
        problems.add(
            Reason::Invalid,
            &target.reference,
            field,
            "no Secret is named",
            "name the Secret whose key `token` holds a Vault token for snapshots",
        );
        return None;
    };
    let secret = SecretRef { namespace: namespace.clone(), name };
    let transforms = transforms(target, problems)?;
    if let Some(keys) =
        secret_check::keys(input.secrets(), &target.reference, field, &secret, problems)
    {
        let mut keys: BTreeSet<String> = keys.into_iter().collect();
        for (index, transform) in transforms.iter().enumerate() {
            let field = format!("spec.secretTransforms[{index}]");
            apply(input, target, &field, transform, &mut keys, problems);
        }
        if !keys.contains(VAULT_TOKEN_KEY) {
            problems.add(
                Reason::Invalid,
                &target.reference,
                field,
                format!("Secret {}/{} has no key {VAULT_TOKEN_KEY}", secret.namespace, secret.name),
                "add it to the Secret, or rename the key that holds the token in spec.secretTransforms",
            );
        }
    }
    Some(Credential {
        header: VAULT_TOKEN_HEADER.to_owned(),
        secret,
        key: VAULT_TOKEN_KEY.to_owned(),
        transforms,
    })
}

fn transforms(target: &Found<'_>, problems: &mut Problems) -> Option<Vec<SecretTransform>> {
    let namespace = &target.reference.namespace;
    let mut plans = Vec::new();
    for (index, transform) in target.app_binding.spec.secret_transforms.iter().enumerate() {
        let found = (
            &transform.rename_key,
            &transform.add_key,
            &transform.add_keys_from,
            &transform.remove_key,
        );
        plans.push(match found {
            (Some(rename), None, None, None) => {
                SecretTransform::RenameKey { from: rename.from.clone(), to: rename.to.clone() }
            }
            (None, Some(add), None, None) => SecretTransform::AddKey { key: add.key.clone() },
            (None, None, Some(from), None) => SecretTransform::AddKeysFrom {
                secret: SecretRef {
                    namespace: namespace.clone(),
                    name: from.secret_ref.name.clone(),
                },
            },
            (None, None, None, Some(remove)) => {
                SecretTransform::RemoveKey { key: remove.key.clone() }
            }
            _ => {
                problems.add(
                    Reason::Invalid,
                    &target.reference,
                    format!("spec.secretTransforms[{index}]"),
                    "is not exactly one of renameKey, addKey, addKeysFrom, removeKey",
                    "write one per entry",
                );
                return None;
            }
        });
    }
    Some(plans)
}

/// The effect on the names of the keys; a missing key is left to the final check.
fn apply(
    input: &PlanInput<'_>,
    target: &Found<'_>,
    field: &str,
    transform: &SecretTransform,
    keys: &mut BTreeSet<String>,
    problems: &mut Problems,
) {
    match transform {
        SecretTransform::RenameKey { from, to } => {
            if keys.remove(from) {
                keys.insert(to.clone());
            }
        }
        SecretTransform::AddKey { key } => {
            keys.insert(key.clone());
        }
        SecretTransform::AddKeysFrom { secret } => {
            let found =
                secret_check::keys(input.secrets(), &target.reference, field, secret, problems);
            keys.extend(found.unwrap_or_default());
        }
        SecretTransform::RemoveKey { key } => {
            keys.remove(key);
        }
    }
}
