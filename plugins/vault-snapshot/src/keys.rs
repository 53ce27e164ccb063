//! Unseal keys and root token, as artifacts beside the snapshot. They are moved by handle.

use sealift_function::{Context, Downstream, Header, Result, keys};

/// Sends one artifact per name. A missing key fails the backup, naming it.
pub(crate) fn send(downstream: &mut Downstream, names: &[String]) -> Result<()> {
    for name in names {
        let key = keys::open(name).context(format!("unseal key {name}"))?;
        let mut header = Header::new(name);
        header.size = key.size();
        let mut artifact = downstream.send(header).context(name)?;
        artifact.forward(key).context(name)?;
        artifact.finish().context(name)?;
    }
    Ok(())
}
