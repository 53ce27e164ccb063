//! What was typed, as it was typed. Nothing here looks at files or at the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Back up and restore secrets through chains of WebAssembly Functions.
#[derive(Debug, Parser)]
#[command(name = "sealift", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// How results are printed to standard output.
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,

    /// What is logged to standard error: error, warn, info, debug, or a tracing filter.
    #[arg(long, global = true, default_value = "warn", value_name = "FILTER")]
    pub(crate) log: String,
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed, nothing committed · 2 invalid input, nothing touched · \
3 snapshot safe, but retention or check failed · 10 no repository · 11 repository locked · \
12 wrong password · 130 interrupted";

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a BackupConfiguration or RestoreSession on this machine, without a cluster.
    Run(RunArgs),
    /// Print the plan of a run: stages, parameters, grants, without running it.
    Plan(PlanArgs),
    /// Check manifests strictly: unknown fields, types, references, substitution.
    Validate(PlanArgs),
    /// Show the built-in Tasks and Functions as YAML.
    Catalog(CatalogArgs),
    /// List the snapshots of a Repository.
    Snapshots(RepositoryArgs),
    /// Check a Repository for errors.
    Check(CheckArgs),
    /// Forget snapshots that the retention policy of a BackupConfiguration does not keep.
    Forget(ForgetArgs),
    /// Remove data that no snapshot uses.
    Prune(PruneArgs),
}

/// Manifests and what is done with them.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// YAML file with manifests; may be repeated, a folder stands for its .yaml and .yml files, `-` for standard input.
    #[arg(long = "filename", short, required = true, value_name = "FILE")]
    pub(crate) filename: Vec<PathBuf>,

    /// BackupConfiguration or RestoreSession to use when the files hold several: NAME or KIND/NAME.
    #[arg(long, value_name = "NAME")]
    pub(crate) invoker: Option<String>,

    /// Name of the session; default: the configuration's name and the time in unix seconds.
    #[arg(long, value_name = "NAME")]
    pub(crate) session: Option<String>,

    /// Connect to ADDRESS for HOST:PORT instead of asking DNS, such as a Service's name.
    #[arg(long, value_name = "HOST:PORT:ADDRESS", value_parser = Resolve::parse)]
    pub(crate) resolve: Vec<Resolve>,

    /// Pushgateway for the metrics; without it none are pushed.
    #[arg(long, value_name = "URL")]
    pub(crate) pushgateway_url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) plan: PlanArgs,

    /// Folder into which changed Secrets are written as manifests (a forced restore brings unseal keys back).
    #[arg(long, value_name = "DIR")]
    pub(crate) write_secrets: Option<PathBuf>,

    /// Folder for artifacts whose size is not known beforehand, if the manifest has an
    /// interimVolumeTemplate: a private folder is made in it and removed afterwards.
    /// Default: the machine's folder for temporary files.
    #[arg(long, value_name = "DIR")]
    pub(crate) interim_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Where this machine's locks lie.
#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    /// Folder of the lock files that keep two runs on this machine apart.
    #[arg(long, value_name = "DIR", env = "SEALIFT_LOCK_DIR")]
    pub(crate) lock_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CatalogArgs {
    /// Only the Task and Function of this name.
    pub(crate) name: Option<String>,
}

/// A Repository in manifests.
#[derive(Debug, Args)]
pub(crate) struct RepositoryArgs {
    /// YAML file with the Repository and its Secret; may be repeated.
    #[arg(long = "filename", short, required = true, value_name = "FILE")]
    pub(crate) filename: Vec<PathBuf>,

    /// Repository to use when the files hold several.
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,

    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,

    /// Read and verify all data, not only its structure.
    #[arg(long)]
    pub(crate) read_data: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,

    /// Only say what would be forgotten.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,

    /// Only say what would be removed.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `HOST:PORT:ADDRESS`, as curl has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolve {
    /// The name in the manifest's URL.
    pub(crate) host: String,
    /// The port in the manifest's URL.
    pub(crate) port: u16,
    /// Where it is; without a port of its own that of the URL.
    pub(crate) address: SocketAddr,
}

impl Resolve {
    fn parse(text: &str) -> Result<Self, String> {
        let wanted = "write HOST:PORT:ADDRESS, such as vault.demo.svc:8200:127.0.0.1";
        let (host, rest) = text.split_once(':').ok_or(wanted)?;
        let (port, address) = rest.split_once(':').ok_or(wanted)?;
        let port: u16 = port.parse().map_err(|_| format!("{port:?} is no port; {wanted}"))?;
        let address = match address.parse::<SocketAddr>() {
            Ok(address) => address,
            Err(_) => {
                let ip = address.trim_start_matches('[').trim_end_matches(']');
                let ip = ip.parse().map_err(|_| format!("{ip:?} is no IP address; {wanted}"))?;
                SocketAddr::new(ip, port)
            }
        };
        if host.is_empty() {
            return Err(wanted.to_owned());
        }
        Ok(Self { host: host.to_owned(), port, address })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn resolve_takes_an_address_with_and_without_port() {
        let plain = Resolve::parse("vault.demo.svc:8200:127.0.0.1").unwrap();
        assert_eq!(plain.address, "127.0.0.1:8200".parse().unwrap());
        let other_port = Resolve::parse("vault.demo.svc:8200:127.0.0.1:18200").unwrap();
        assert_eq!(other_port.address, "127.0.0.1:18200".parse().unwrap());
        assert_eq!(Resolve::parse("v:1:[::1]").unwrap().address, "[::1]:1".parse().unwrap());
        assert!(Resolve::parse("vault:8200").unwrap_err().contains("HOST:PORT:ADDRESS"));
    }
}
