//! Unseal keys and root token, as artifacts beside the snapshot. They are moved by handle.

use sealift_function::{Context, Downstream, Error, Header, Result, keys};

/// The names of the keys, asked for before anything is done.
pub(crate) fn names() -> Result<Vec<String>> {
    let names = keys::names().context("unseal keys")?;
    if names.is_empty() {
        return Err(Error::invalid_parameter(
            "unsealKeys",
            "the target names no place for its unseal keys; describe it in \
             spec.parameters.unsealer of the AppBinding, or set unsealKeys to omit",
        ));
    }
    Ok(names)
}

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
