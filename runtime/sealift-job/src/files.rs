//! Objects from manifests on this machine: the adapter of `sealift run`.
//!
//! What was read is never changed. A Secret a session changes is written as a manifest into a
//! folder the user named, readable by its owner only.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealift_core::plan::{ObjectRef, SecretRef};
use zeroize::Zeroizing;

use crate::objects::{ObjectError, Objects};
use crate::secrets::SecretData;

/// Secrets and AppBindings that were read from files.
#[derive(Debug, Default)]
pub struct FileObjects {
    secrets: BTreeMap<SecretRef, SecretData>,
    added_keys: BTreeMap<(ObjectRef, String), SecretValue>,
    write_folder: Option<PathBuf>,
}

/// A value that is not shown.
struct SecretValue(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl FileObjects {
    /// Nothing yet; changed Secrets go into `write_folder`, and none may change without one.
    #[must_use]
    pub fn new(write_folder: Option<PathBuf>) -> Self {
        Self { write_folder, ..Self::default() }
    }

    /// Adds a Secret.
    pub fn add_secret(&mut self, secret: SecretRef, data: SecretData) {
        self.secrets.insert(secret, data);
    }

    /// Adds the value of an AppBinding's `addKey` transform.
    pub fn add_key(&mut self, binding: ObjectRef, key: String, value: Zeroizing<Vec<u8>>) {
        self.added_keys.insert((binding, key), SecretValue(value));
    }

    fn folder(&self, secret: &SecretRef) -> Result<&Path, ObjectError> {
        self.write_folder.as_deref().ok_or_else(|| ObjectError::WriteRefused {
            secret: secret.clone(),
            reason: "name a folder for it with --write-secrets DIR".to_owned(),
        })
    }
}

#[async_trait]
impl Objects for FileObjects {
    async fn secret(&self, secret: &SecretRef) -> Result<SecretData, ObjectError> {
        self.secrets.get(secret).cloned().ok_or_else(|| ObjectError::SecretNotFound(secret.clone()))
    }

    async fn added_key(
        &self,
        binding: &ObjectRef,
        key: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ObjectError> {
        self.added_keys
            .get(&(binding.clone(), key.to_owned()))
            .map(|value| value.0.clone())
            .ok_or_else(|| ObjectError::AddedKeyNotFound {
                binding: binding.clone(),
                key: key.to_owned(),
            })
    }

    async fn check_writable(&self, secret: &SecretRef) -> Result<(), ObjectError> {
        let folder = self.folder(secret)?;
        let failed = |source| ObjectError::WriteSecret { secret: secret.clone(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        tempfile::Builder::new().tempfile_in(folder).map(drop).map_err(failed)
    }

    async fn write_secret(&self, secret: &SecretRef, data: SecretData) -> Result<(), ObjectError> {
        let folder = self.folder(secret)?;
        let path = folder.join(format!("{}.{}.yaml", secret.namespace, secret.name));
        write_private(folder, &path, &manifest(secret, &data))
            .map_err(|source| ObjectError::WriteSecret { secret: secret.clone(), source })
    }
}

/// The Secret as a manifest. JSON is YAML; its strings need no quoting rules of ours.
fn manifest(secret: &SecretRef, data: &SecretData) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {:?}\n  namespace: {:?}\ntype: Opaque\ndata:\n",
        secret.name, secret.namespace
    ));
    for (key, value) in data.iter() {
        let encoded = Zeroizing::new(STANDARD.encode(value));
        text.push_str(&format!("  {key:?}: "));
        text.push_str(&encoded);
        text.push('\n');
    }
    text
}

/// Writes whole or not at all. A file that is there already is kept beside it as `.replaced`.
fn write_private(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = tempfile::Builder::new().tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match std::fs::read(path).map(Zeroizing::new) {
        Ok(before) => {
            let mut kept = keep(path)?;
            kept.write_all(&before)?;
            kept.sync_all()?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A new file beside `path` for what it held: `.replaced`, `.replaced.1` and so on. An older one
/// is never overwritten, since it may hold the only keys that still open a Vault.
fn keep(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut number = 0_u32;
    loop {
        let end = if number == 0 { String::new() } else { format!(".{number}") };
        match options.open(path.with_extension(format!("yaml.replaced{end}"))) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn reference() -> SecretRef {
        SecretRef { namespace: "demo".into(), name: "vault-keys".into() }
    }

    fn data(value: &str) -> SecretData {
        let mut data = SecretData::default();
        data.insert("unseal-key-0", Zeroizing::new(value.as_bytes().to_vec()));
        data
    }

    #[tokio::test]
    async fn a_changed_secret_is_written_for_its_owner_only_and_the_old_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let objects = FileObjects::new(Some(folder.path().join("new")));
        objects.check_writable(&reference()).await.unwrap();
        objects.write_secret(&reference(), data("old")).await.unwrap();
        objects.write_secret(&reference(), data("new")).await.unwrap();
        objects.write_secret(&reference(), data("newer")).await.unwrap();
        let path = folder.path().join("new/demo.vault-keys.yaml");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains(&format!("\"unseal-key-0\": {}", STANDARD.encode("newer"))),
            "{text}"
        );
        let kept = std::fs::read_to_string(path.with_extension("yaml.replaced")).unwrap();
        assert!(kept.contains(&STANDARD.encode("old")), "{kept}");
        for (path, mode) in [
            (folder.path().join("new"), 0o700),
            (path.with_extension("yaml.replaced"), 0o600),
            (path.with_extension("yaml.replaced.1"), 0o600),
        ] {
            let found = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{path:?}");
        }
    }

    #[tokio::test]
    async fn without_a_folder_a_write_is_refused_before_anything_happens() {
        let error = FileObjects::new(None).check_writable(&reference()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "Secret demo/vault-keys cannot be written: name a folder for it with --write-secrets DIR"
        );
    }

    #[tokio::test]
    async fn a_folder_that_takes_no_file_is_found_out_before_anything_happens() {
        // It is there, and nobody can make a file in it.
        let objects = FileObjects::new(Some("/proc".into()));
        let error = objects.check_writable(&reference()).await.unwrap_err();
        assert!(matches!(error, ObjectError::WriteSecret { .. }), "{error:?}");
    }

    #[test]
    fn debug_shows_no_key_that_was_added() {
        let mut objects = FileObjects::new(None);
        let binding = ObjectRef {
            group: String::new(),
            kind: "AppBinding".into(),
            namespace: "demo".into(),
            name: "vault".into(),
        };
        objects.add_key(binding, "token".into(), Zeroizing::new(b"hidden-word".to_vec()));
        objects.add_secret(reference(), data("hidden-word"));
        let told = format!("{objects:?}");
        let bytes = format!("{:?}", b"hidden-word");
        assert!(!told.contains("hidden-word") && !told.contains(bytes.trim_matches(['[', ']'])));
        assert!(told.contains("[redacted]"), "{told}");
    }
}
