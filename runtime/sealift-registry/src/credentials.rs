//! Credentials: who we are to a registry, from the files Docker, Podman and Kubernetes write.
//!
//! Values live in memory that is wiped, have no `Debug`, and are in no error. A helper program is
//! only ever run for a person at a machine, never in a pod. What a registry is told, and when, is
//! `wire::auth`.

mod file;
mod helper;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

/// How to log in.
pub enum Login {
    /// A name and a password.
    Basic {
        /// Who.
        user: String,
        /// The password, or a token in its place.
        password: Zeroizing<String>,
    },
    /// A refresh token of the registry's own service.
    Identity(Zeroizing<String>),
}

/// Why credentials could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A file that is there and cannot be read.
    #[error("failed to read credentials from {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that is no configuration of Docker's form.
    #[error("{} is no docker configuration: {why}", path.display())]
    Form {
        /// Which one.
        path: PathBuf,
        /// What is wrong, without what it holds.
        why: &'static str,
    },
    /// A helper that did not answer as it should.
    #[error("credential helper {helper} gave no credentials for {registry}: {why}")]
    Helper {
        /// Its program.
        helper: String,
        /// For which registry.
        registry: String,
        /// What went wrong, without what it printed.
        why: String,
    },
}

/// Where credentials come from.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Those for a repository of a registry; none where nothing is known of it.
    ///
    /// # Errors
    /// They are there and cannot be had.
    async fn login(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Login>, CredentialError>;
}

/// Nobody: registries are asked as everybody may.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

#[async_trait]
impl Credentials for Anonymous {
    async fn login(&self, _: &str, _: &str) -> Result<Option<Login>, CredentialError> {
        Ok(None)
    }
}

/// Files of Docker's form, asked in their order.
#[derive(Debug, Clone)]
pub struct DockerConfigs {
    files: Vec<PathBuf>,
    helpers: bool,
}

impl DockerConfigs {
    /// Those of a person: `$REGISTRY_AUTH_FILE`, else Podman's in `$XDG_RUNTIME_DIR`, then that of
    /// `$DOCKER_CONFIG` or `~/.docker`. Helper programs they name are run.
    #[must_use]
    pub fn of_user(env: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let mut files = Vec::new();
        match folder("REGISTRY_AUTH_FILE") {
            Some(file) => files.push(file),
            None => files.extend(
                folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
            ),
        }
        let docker =
            folder("DOCKER_CONFIG").or_else(|| folder("HOME").map(|home| home.join(".docker")));
        files.extend(docker.map(|folder| folder.join("config.json")));
        Self { files, helpers: true }
    }

    /// Those of pull secrets that are mounted: `.dockerconfigjson` or `config.json` in the folder,
    /// and in the folders in it, by name. No helper is run.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn mounted(folder: &Path) -> io::Result<Self> {
        let mut folders = vec![folder.to_path_buf()];
        let mut below: Vec<PathBuf> = std::fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        // Kubernetes keeps the versions of what it mounts beside them, in folders with two dots.
        below.retain(|path| {
            path.is_dir()
                && !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
        });
        below.sort();
        folders.append(&mut below);
        let files = folders
            .iter()
            .flat_map(|folder| [folder.join(".dockerconfigjson"), folder.join("config.json")])
            .collect();
        Ok(Self { files, helpers: false })
    }

    /// These files. No helper is run.
    #[must_use]
    pub fn files(files: Vec<PathBuf>) -> Self {
        Self { files, helpers: false }
    }
}

#[async_trait]
impl Credentials for DockerConfigs {
    async fn login(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Login>, CredentialError> {
        for path in &self.files {
            let Some(config) = file::read(path)? else { continue };
            if self.helpers
                && let Some(helper) = config.helper(registry)
                && let Some(login) = helper::ask(helper, registry).await?
            {
                return Ok(Some(login));
            }
            if let Some(login) = config.login(path, registry, repository)? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(text: &str) -> (tempfile::TempDir, DockerConfigs) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, text).unwrap();
        (folder, DockerConfigs::files(vec![file]))
    }

    async fn told(configs: &DockerConfigs, registry: &str, repository: &str) -> String {
        match configs.login(registry, repository).await {
            Ok(Some(Login::Basic { user, password })) => format!("{user}:{}", *password),
            Ok(Some(Login::Identity(token))) => format!("identity {}", *token),
            Ok(None) => "none".to_owned(),
            Err(error) => format!("{error}"),
        }
    }

    #[tokio::test]
    async fn every_form_of_an_entry_is_read() {
        // `b25lOnB3OjE=` is `one:pw:1`; the colon belongs to the password.
        let (_folder, configs) = world(
            r#"{"auths": {
                "a.io": {"auth": "b25lOnB3OjE="},
                "https://b.io/v1/": {"username": "two", "password": "pw2"},
                "c.io": {"identitytoken": "refresh"},
                "d.io:5000": {"auth": "b25lOnB3OjE"},
                "e.io/acme": {"username": "acme", "password": "pw"},
                "e.io/acme/deep": {"username": "deep", "password": "pw"},
                "e.io": {"username": "all", "password": "pw"},
                "https://index.docker.io/v1/": {"username": "hub", "password": "pw"},
                "g.io": {}
            }, "HttpHeaders": {"x": "y"}}"#,
        );
        for (registry, repository, expected) in [
            ("a.io", "x", "one:pw:1"),
            ("b.io", "x", "two:pw2"),
            ("c.io", "x", "identity refresh"),
            ("d.io:5000", "x", "one:pw:1"),
            ("d.io", "x", "none"),
            ("e.io", "acme", "acme:pw"),
            ("e.io", "acme/other", "acme:pw"),
            ("e.io", "acme/deep/x", "deep:pw"),
            ("e.io", "acme-evil/x", "all:pw"),
            ("docker.io", "library/x", "hub:pw"),
            ("evil-a.io", "x", "none"),
            ("g.io", "x", "none"),
        ] {
            assert_eq!(
                told(&configs, registry, repository).await,
                expected,
                "{registry}/{repository}"
            );
        }
    }

    #[tokio::test]
    async fn a_broken_file_is_named_and_not_repeated() {
        for text in [
            "{",
            r#"{"auths": {"a.io": {"auth": "c2VjcmV0"}}}"#,
            r#"{"auths": {"a.io": {"auth": "s3cret!"}}}"#,
            r#"{"auths": {"a.io": {"username": "s3cret"}}}"#,
            r#"{"auths": ["s3cret"]}"#,
        ] {
            let (_folder, configs) = world(text);
            let said = told(&configs, "a.io", "x").await;
            assert!(said.contains("config.json is no docker configuration"), "{said}");
            assert!(!said.contains("s3cret") && !said.contains("secret"), "{said}");
        }
        let (folder, _) = world("{}");
        let configs = DockerConfigs::files(vec![folder.path().to_path_buf()]);
        assert!(told(&configs, "a.io", "x").await.contains("failed to read credentials"));
        let configs = DockerConfigs::files(vec![folder.path().join("none.json")]);
        assert_eq!(told(&configs, "a.io", "x").await, "none");
    }

    #[tokio::test]
    async fn mounted_secrets_are_read_in_their_order_and_run_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |user: &str| {
            format!(r#"{{"auths": {{"a.io": {{"username": "{user}", "password": "p"}}}}}}"#)
        };
        for (name, text) in [("b", entry("second")), ("a", r#"{"credsStore": "none"}"#.to_owned())]
        {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join(".dockerconfigjson"), text).unwrap();
        }
        let configs = DockerConfigs::mounted(folder.path()).unwrap();
        assert_eq!(told(&configs, "a.io", "x").await, "second:p");
    }

    #[test]
    fn the_files_of_a_person_are_where_other_tools_put_them() {
        let of = |pairs: &[(&str, &str)]| {
            DockerConfigs::of_user(&|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
            })
            .files
        };
        assert_eq!(of(&[("HOME", "/h")]), [Path::new("/h/.docker/config.json")]);
        assert_eq!(
            of(&[("HOME", "/h"), ("DOCKER_CONFIG", "/d"), ("XDG_RUNTIME_DIR", "/x")]),
            [Path::new("/x/containers/auth.json"), Path::new("/d/config.json")]
        );
        assert_eq!(
            of(&[("REGISTRY_AUTH_FILE", "/r"), ("XDG_RUNTIME_DIR", "/x")]),
            [Path::new("/r")]
        );
    }
}
