//! Registries, as the command line reaches them: settings, credentials, who is believed, and the
//! folder of what was pulled.
//!
//! Files that are named are read at once, so that a mistake in one is told before anything is
//! asked of anybody. A registry nobody names in a file is asked by HTTPS.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use sealift_component::bounds::BoundsError;
use sealift_job::components::{FetchError, Registries};
use sealift_registry::credentials::DockerConfigs;
use sealift_registry::pull::PullError;
use sealift_registry::signature::{PublicKey, Trust, TrustedKey};
use sealift_registry::wire::WireError;
use sealift_registry::{Client, Policy, Reference, Settings};

use crate::exit::{Exit, Failure};

/// The largest file of those that are read here: a trusted root with many authorities.
const MOST_BYTES: u64 = 4 << 20;

/// How registries are reached.
#[derive(Debug, Args)]
pub(crate) struct RegistryArgs {
    /// YAML file with what is said about registries: mirrors, certificates, plain HTTP.
    #[arg(long, value_name = "FILE", env = "SEALIFT_REGISTRIES")]
    registries: Option<PathBuf>,
}

/// Who is believed, for a run.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// YAML file with the trust policy: which repositories Functions may come from, and who must
    /// have signed them. Without it no registry is asked for anything.
    #[arg(long, value_name = "FILE", env = "SEALIFT_POLICY")]
    policy: Option<PathBuf>,

    #[command(flatten)]
    registry: RegistryArgs,
}

/// Who is believed, for one component.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// File of a public key whose signature is wanted; may be repeated, one of them is enough.
    /// Counts in place of the policy.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,

    /// YAML file with the trust policy.
    #[arg(long, value_name = "FILE", env = "SEALIFT_POLICY")]
    policy: Option<PathBuf>,
}

impl RegistryArgs {
    fn settings(&self) -> Result<Settings, Failure> {
        let Some(path) = &self.registries else { return Ok(Settings::default()) };
        let text = read(path).map_err(|error| unread(path, &error))?;
        Settings::read(&text).map_err(|error| {
            let causes = sealift_job::chain_of_causes(&error);
            Failure::new(Exit::Invalid, format!("{}: {causes}", path.display()))
        })
    }

    /// A client that logs in as this user.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Client::new(self.settings()?, Arc::new(credentials())).map_err(|error| unanswered(&error))
    }

    /// Registries for one component, of which nothing is kept.
    pub(crate) fn registries(&self, policy: Policy) -> Result<Registries, Failure> {
        Ok(Registries::new(self.settings()?, Arc::new(credentials()), policy))
    }
}

impl PolicyArgs {
    /// Whether a policy was named.
    pub(crate) fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// Registries for the components of a plan. What was pulled is kept for the next run.
    pub(crate) fn registries(&self) -> Result<Registries, Failure> {
        let policy = match &self.policy {
            Some(path) => policy(path)?,
            None => Policy::of_nothing(),
        };
        let registries = self.registry.registries(policy)?;
        Ok(match cache_folder() {
            Some(folder) => registries.keeping(folder),
            None => registries,
        })
    }
}

impl TrustArgs {
    /// The policy that was named; none if nobody was.
    pub(crate) fn policy(&self) -> Result<Option<Policy>, Failure> {
        match (self.key.as_slice(), &self.policy) {
            ([], None) => Ok(None),
            ([], Some(path)) => policy(path).map(Some),
            (keys, _) => {
                let keys = keys.iter().map(|path| key(path)).collect::<Result<_, _>>()?;
                Ok(Some(Policy::of_signers(Trust { keys, identities: Vec::new() })))
            }
        }
    }

    /// The policy that was named.
    pub(crate) fn required(&self) -> Result<Policy, Failure> {
        self.policy()?.ok_or_else(|| {
            Failure::new(Exit::Invalid, "nobody is named who is believed")
                .help("give --key FILE with the publisher's public key, or --policy FILE")
        })
    }
}

/// A public key, called by its file.
fn key(path: &Path) -> Result<TrustedKey, Failure> {
    let text = read(path).map_err(|error| unread(path, &error))?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    match PublicKey::read(&text) {
        Ok(key) => Ok(TrustedKey { name, key }),
        Err(error) => Err(Failure::new(Exit::Invalid, format!("{}: {error}", path.display()))
            .help("a public key is the file NAME.pub that is made with NAME.key")),
    }
}

/// Reads a trust policy; what it names by path lies beside it.
fn policy(path: &Path) -> Result<Policy, Failure> {
    let text = read(path).map_err(|error| unread(path, &error))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    Policy::read(&text, &|name| read(&folder.join(name))).map_err(|errors| {
        let mut failure = Failure::new(Exit::Invalid, "");
        failure.lines = errors
            .iter()
            .map(|error| format!("{}: {}", path.display(), sealift_job::chain_of_causes(error)))
            .collect();
        failure
    })
}

/// What a person calls a place in a registry.
pub(crate) fn reference(text: &str) -> Result<Reference, Failure> {
    text.parse().map_err(|error| Failure::of(Exit::Invalid, &error))
}

/// Wrong input is what nobody has to ask a registry for.
pub(crate) fn exit_of(error: &WireError) -> Exit {
    match error {
        WireError::NoVersion { .. } | WireError::Client { .. } => Exit::Invalid,
        _ => Exit::Failed,
    }
}

/// A request that was not answered as it should.
pub(crate) fn unanswered(error: &WireError) -> Failure {
    Failure::of(exit_of(error), error)
}

/// A component that was not pulled, with what can be done about it.
pub(crate) fn not_pulled(error: &PullError) -> Failure {
    let exit = match error {
        PullError::NoPolicy { .. } | PullError::Unsigned { .. } | PullError::Untrusted { .. } => {
            Exit::Refused
        }
        PullError::Artifact { .. } => Exit::Invalid,
        PullError::Wire { source, .. } => exit_of(source),
        PullError::Write { .. } => Exit::Failed,
    };
    let failure = Failure::of(exit, error);
    match error {
        PullError::NoPolicy { .. } => {
            failure.help("add an entry for it to the trust policy, with who must have signed it")
        }
        PullError::Unsigned { .. } | PullError::Untrusted { .. } => failure.help(
            "get the publisher's public key, or sign it: sealift function sign REFERENCE --key FILE",
        ),
        _ => failure,
    }
}

/// A component that was not taken, with what can be done about it.
pub(crate) fn not_taken(error: &FetchError) -> Failure {
    let exit = match error {
        FetchError::Pull(error) => return not_pulled(error),
        FetchError::Client(source) | FetchError::Resolve { source, .. } => exit_of(source),
        FetchError::Bounds { source: BoundsError::Exceeded { .. }, .. } => Exit::Refused,
        FetchError::Reference { .. }
        | FetchError::Bounds { .. }
        | FetchError::Inspect { .. }
        | FetchError::Descriptor { .. } => Exit::Invalid,
    };
    Failure::of(exit, error)
}

fn credentials() -> DockerConfigs {
    DockerConfigs::of_user(&|name| std::env::var_os(name))
}

/// Where a user's programs keep what can be had again.
fn cache_folder() -> Option<PathBuf> {
    let filled = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base =
        filled("XDG_CACHE_HOME").or_else(|| filled("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("sealift").join("components"))
}

/// A file of bounded size.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 4 MiB"));
    }
    Ok(text)
}

fn unread(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Invalid, format!("failed to read {}: {error}", path.display()))
}
