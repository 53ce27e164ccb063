//! Reads the Secrets that a forced restore writes with `--write-secrets`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::vault::{Keys, SHARES};

/// Root token and unseal keys in the one Secret of `folder` that has them.
pub fn read_keys(folder: &Path, prefix: &str) -> Result<Keys> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        let path = entry.with_context(|| format!("failed to list {}", folder.display()))?.path();
        let text = fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        let secret: Value = serde_saphyr::from_str(&text)
            .with_context(|| format!("{} is not YAML", path.display()))?;
        if let Ok(root_token) = value(&secret, &format!("{prefix}-root-token")) {
            let unseal =
                (0..SHARES).map(|share| value(&secret, &format!("{prefix}-unseal-key-{share}")));
            return Ok(Keys { root_token, unseal: unseal.collect::<Result<_>>()? });
        }
    }
    bail!("no Secret in {} has the key {prefix}-root-token", folder.display())
}

/// The value of one key of a Secret.
pub fn value(secret: &Value, key: &str) -> Result<String> {
    if let Some(text) =
        secret.get("stringData").and_then(|data| data.get(key)).and_then(Value::as_str)
    {
        return Ok(text.to_owned());
    }
    let encoded = secret.get("data").and_then(|data| data.get(key)).and_then(Value::as_str);
    let encoded = encoded.with_context(|| format!("the Secret has no key {key}"))?;
    let bytes = BASE64_STANDARD.decode(encoded).with_context(|| format!("{key} is not base64"))?;
    String::from_utf8(bytes).with_context(|| format!("{key} is not UTF-8"))
}
