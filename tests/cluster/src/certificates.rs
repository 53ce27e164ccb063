//! The certificates and keys of one cluster, made for this run and valid nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// A certificate authority whose files lie in one folder.
pub struct Authority {
    folder: PathBuf,
    certificate: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files in PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// The pair that service-account tokens are signed and checked with.
#[derive(Debug, Clone)]
pub struct TokenKeys {
    /// Signs.
    pub private: PathBuf,
    /// Checks.
    pub public: PathBuf,
}

impl Authority {
    /// A new authority; its certificate is `<folder>/<name>.pem`.
    pub fn new(folder: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = folder.join(format!("{name}.pem"));
        write(&certificate, &params.self_signed(&key)?.pem())?;
        Ok(Self { folder: folder.to_path_buf(), certificate, issuer: Issuer::new(params, key) })
    }

    /// The file with the authority's own certificate.
    #[must_use]
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// A certificate for a server that is reached under `names` (host names or addresses).
    pub fn server(&self, name: &str, names: &[&str]) -> Result<Certificate> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(name, &params)
    }

    /// A certificate for the user `user` in the group `group`.
    pub fn client(&self, name: &str, user: &str, group: Option<&str>) -> Result<Certificate> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(name, &params)
    }

    fn sign(&self, name: &str, params: &CertificateParams) -> Result<Certificate> {
        let key = KeyPair::generate()?;
        let signed = Certificate {
            certificate: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}-key.pem")),
        };
        write(&signed.certificate, &params.signed_by(&key, &self.issuer)?.pem())?;
        write(&signed.key, &key.serialize_pem())?;
        Ok(signed)
    }
}

impl TokenKeys {
    /// A new pair in `folder`.
    pub fn new(folder: &Path) -> Result<Self> {
        let key = KeyPair::generate()?;
        let keys = Self {
            private: folder.join("service-accounts-key.pem"),
            public: folder.join("service-accounts.pem"),
        };
        write(&keys.private, &key.serialize_pem())?;
        write(&keys.public, &key.public_key_pem())?;
        Ok(keys)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}
