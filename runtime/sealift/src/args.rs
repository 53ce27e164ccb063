//! What was typed, as it was typed. Nothing here looks at files or at the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::function::FunctionCommand;
use crate::commands::operator::OperatorArgs;
use crate::registries::PolicyArgs;

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
    /// Default: warn, in a pod info.
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed, nothing committed · 2 invalid input, nothing touched · \
3 snapshot safe, but retention or check failed · 4 a Function is refused · 10 no repository · 11 repository locked · \
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
    /// Make Functions, look at their components, publish and sign them, carry them over an air gap.
    #[command(subcommand)]
    Function(FunctionCommand),
    /// Serve the Stash API in a cluster: plan sessions, start their Jobs, watch them.
    Operator(OperatorArgs),
    /// Run one session in a pod of the cluster, as the operator planned it.
    Job(JobArgs),
    /// Make one BackupSession of a BackupConfiguration in the cluster.
    #[command(alias = "create-backupsession")]
    Trigger(TriggerArgs),
    /// Remove the data of a Repository that is being deleted with wipeOut, in a pod of the cluster.
    Wipe(WipeArgs),
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

    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
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

/// One session in a pod.
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// The plan, mounted from its ConfigMap.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: PathBuf,

    /// SHA-256 of the plan; with another one nothing is done.
    #[arg(long, value_name = "HEX")]
    pub(crate) plan_sha256: String,

    /// Only run the observers, for a session that is over: its metrics are pushed again.
    #[arg(long)]
    pub(crate) observers_only: bool,

    /// Termination message of the session's Job; default: what stands in the session's status.
    #[arg(long, value_name = "JSON", requires = "observers_only")]
    pub(crate) outcome: Option<String>,

    /// Name of the pod.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub(crate) pod_name: String,

    /// How much nicer it is to others of its node; at least -20 and at most 19, less than 0 needs
    /// the capability SYS_NICE.
    #[arg(long, value_name = "NUMBER", env = "NICE_ADJUSTMENT", allow_hyphen_values = true)]
    pub(crate) nice: Option<i32>,

    /// Where the interim volume is mounted, if the plan has one.
    #[arg(long, value_name = "DIR", default_value = "/stash-interim-volume")]
    pub(crate) interim_dir: PathBuf,

    /// Where the outcome is left for the operator.
    #[arg(long, value_name = "FILE", default_value = "/dev/termination-log")]
    pub(crate) termination_log: PathBuf,
}

/// A Repository, as the operator saw it.
#[derive(Debug, Args)]
pub(crate) struct WipeArgs {
    /// Its namespace.
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: String,

    /// Its name.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,

    /// Its uid; with another one nothing is removed.
    #[arg(long, value_name = "UID")]
    pub(crate) uid: String,

    /// Its generation; with another one nothing is removed.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) generation: i64,

    /// Name of the pod.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub(crate) pod_name: String,

    /// Where the outcome is left for the operator.
    #[arg(long, value_name = "FILE", default_value = "/dev/termination-log")]
    pub(crate) termination_log: PathBuf,
}

/// One BackupSession.
#[derive(Debug, Args)]
pub(crate) struct TriggerArgs {
    /// The BackupConfiguration.
    #[arg(long, value_name = "NAME")]
    pub(crate) invoker_name: String,

    /// Its kind.
    #[arg(long, value_name = "KIND", default_value = "BackupConfiguration")]
    pub(crate) invoker_kind: String,

    /// Its namespace; default: the pod's, else that of the kubeconfig.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE")]
    pub(crate) invoker_namespace: Option<String>,

    #[command(flatten)]
    pub(crate) ignored: IgnoredArgs,
}

/// Flags of the original's command that mean nothing here, so that a CronJob it made still runs.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct IgnoredArgs {
    #[arg(long, hide = true)]
    master: Option<String>,
    #[arg(long, hide = true)]
    kubeconfig: Option<String>,
    #[arg(long, hide = true)]
    license_apiservice: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    enable_analytics: Option<Option<String>>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    use_kubeapiserver_fqdn_for_aks: Option<Option<String>>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    bypass_validating_webhook_xray: Option<Option<String>>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    logtostderr: Option<Option<String>>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    alsologtostderr: Option<Option<String>>,
    #[arg(long, hide = true)]
    stderrthreshold: Option<String>,
    #[arg(long, hide = true)]
    vmodule: Option<String>,
    #[arg(long = "log_dir", hide = true)]
    log_dir: Option<String>,
    #[arg(long = "log_backtrace_at", hide = true)]
    log_backtrace_at: Option<String>,
    #[arg(long = "v", short = 'v', hide = true)]
    verbosity: Option<String>,
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
    #![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cron_job_of_the_original_still_triggers() {
        let typed = [
            "sealift",
            "create-backupsession",
            "--invoker-name=demo-backup",
            "--invoker-kind=BackupConfiguration",
            "--master=",
            "--v=3",
            "--enable-analytics=true",
            "--logtostderr",
            "--use-kubeapiserver-fqdn-for-aks=false",
        ];
        match Cli::try_parse_from(typed).unwrap().command {
            Command::Trigger(args) => assert_eq!(args.invoker_name, "demo-backup"),
            other => panic!("{other:?}"),
        }
        let typed = ["sealift", "trigger", "--invoker-name=a", "--backup-everything"];
        assert!(Cli::try_parse_from(typed).is_err());
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
