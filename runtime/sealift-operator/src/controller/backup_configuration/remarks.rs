//! What a person should know of a BackupConfiguration although nothing is wrong with it. Pure. It is
//! said once, on the object, and not by each of its sessions: whoever is woken by Warnings of good
//! backups soon looks at none.

use sealift_core::plan::Plan;
use sealift_kube::event::Event;

pub(super) fn remarks(plan: &Plan) -> Vec<Event> {
    let notes = plan.notes.iter().map(|note| Event::normal("PlanNote", note));
    notes.chain(keys_beside(plan)).collect()
}

/// Who can read the repository can rebuild the Vault: that must be known.
fn keys_beside(plan: &Plan) -> Option<Event> {
    let keys = plan.keys.as_ref()?;
    Some(Event::warning(
        "UnsealKeysInRepository",
        format!(
            "the root token and {} unseal keys of {} are stored in {} beside each snapshot, protected by RESTIC_PASSWORD of Secret {}/{} alone; parameter unsealKeys: omit leaves them out",
            keys.shares,
            plan.target.reference,
            plan.repository.reference,
            plan.repository.secret.namespace,
            plan.repository.secret.name
        ),
    ))
}
