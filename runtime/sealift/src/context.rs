//! What the commands share: everything that touches the environment is resolved here, once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use sealift_api::manifest::display_reference;
use sealift_api::objects::{Object, Objects};
use sealift_api::planner::{
    self, ComponentInfo, Components as PlanComponents, PlanInput, PlanOptions,
};
use sealift_core::plan::{ObjectRef, Plan};
use sealift_job::components::{Components, LocalComponents};

use crate::args::{LockArgs, PlanArgs, Resolve};
use crate::built_in::BUILT_IN;
use crate::exit::{Exit, Failure};
use crate::manifests;

/// Manifests, read and resolved.
pub(crate) struct Planned {
    /// All objects.
    pub(crate) objects: Objects,
    /// The plan.
    pub(crate) plan: Plan,
    /// Where its components come from.
    pub(crate) components: Arc<LocalComponents>,
}

/// Reads the manifests and makes the plan.
pub(crate) fn plan(args: &PlanArgs, started: Timestamp) -> Result<Planned, Failure> {
    let objects = manifests::read(&args.filename)?;
    let invoker = manifests::invoker(&objects, args.invoker.as_deref())?;
    let components = Arc::new(LocalComponents::new(BUILT_IN, PathBuf::from(".")));
    let plan = plan_of(&objects, &invoker, args, started, &components)?;
    Ok(Planned { objects, plan, components })
}

/// The plan of one invoker.
pub(crate) fn plan_of(
    objects: &Objects,
    invoker: &ObjectRef,
    args: &PlanArgs,
    started: Timestamp,
    components: &LocalComponents,
) -> Result<Plan, Failure> {
    let session = match &args.session {
        Some(name) => name.clone(),
        None => format!("{}-{}", invoker.name, started.as_second()),
    };
    let options = PlanOptions {
        target_addresses: target_addresses(objects, &args.resolve)?,
        pushgateway: pushgateway(args)?,
        ..PlanOptions::default()
    };
    let known = Known { components, refusals: RefCell::default() };
    let input =
        PlanInput { objects, invoker, session: &session, components: &known, options: &options };
    let plan = planner::plan(&input).map_err(|error| {
        let mut failure = problems(objects, &error);
        // Why a component is refused says more than that it cannot be used.
        failure.lines.extend(known.refusals.take());
        failure
    })?;
    check_components(&plan, components)?;
    Ok(plan)
}

/// Whether every component can be started with what it was granted. The host asks again when it
/// starts them; here nothing has been touched yet.
fn check_components(plan: &Plan, components: &LocalComponents) -> Result<(), Failure> {
    let mut failure = Failure::new(Exit::Invalid, "");
    for stage in plan.stages.iter().chain(&plan.observers) {
        let inspected = components
            .inspect(&stage.component.reference)
            .map_err(|error| Failure::of(Exit::Invalid, &error))?;
        let checks =
            [inspected.check_grants(&stage.grants), inspected.check_parameters(&stage.parameters)];
        for error in checks.into_iter().filter_map(Result::err) {
            failure.lines.push(format!(
                "Function {}: {}",
                stage.function,
                sealift_job::chain_of_causes(&error)
            ));
        }
    }
    if failure.lines.iter().all(String::is_empty) { Ok(()) } else { Err(failure) }
}

/// Checks the objects of the user on their own, also those that no invoker leads to.
pub(crate) fn check_alone(objects: &Objects, components: &LocalComponents) -> Result<(), Failure> {
    let known = Known { components, refusals: RefCell::default() };
    planner::check_alone(objects, &known).map_err(|error| {
        let mut failure = problems(objects, &error);
        failure.lines.extend(known.refusals.take());
        failure
    })
}

/// The addresses of `--resolve`, each of which must be for an AppBinding: a mistyped host would
/// otherwise be asked of DNS after all.
fn target_addresses(objects: &Objects, resolve: &[Resolve]) -> Result<Vec<String>, Failure> {
    let hosts: BTreeSet<String> =
        objects.iter().filter_map(|(_, object)| host_of(object)).collect();
    let mut addresses = Vec::new();
    for entry in resolve {
        let host = format!("{}:{}", entry.host, entry.port);
        if !hosts.contains(&host) {
            let known: Vec<_> = hosts.into_iter().collect();
            return Err(Failure::new(
                Exit::Invalid,
                format!("--resolve {host}: no AppBinding in the files is at this host and port"),
            )
            .help(format!("the files know {}", known.join(", "))));
        }
        addresses.push(entry.address.to_string());
    }
    Ok(addresses)
}

/// `host:port` of an AppBinding.
fn host_of(object: &Object) -> Option<String> {
    let Object::AppBinding(binding) = object else { return None };
    let config = &binding.spec.client_config;
    match (&config.url, &config.service) {
        (Some(url), _) => {
            let url = url::Url::parse(url).ok()?;
            Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
        }
        (None, Some(service)) => {
            let namespace = service.namespace.as_deref().unwrap_or(binding.namespace());
            Some(format!("{}.{namespace}.svc:{}", service.name, service.port))
        }
        (None, None) => None,
    }
}

fn pushgateway(args: &PlanArgs) -> Result<Option<url::Url>, Failure> {
    let Some(text) = &args.pushgateway_url else { return Ok(None) };
    url::Url::parse(text).map(Some).map_err(|error| {
        Failure::new(Exit::Invalid, format!("--pushgateway-url {text:?}: {error}"))
            .help("write a URL such as http://127.0.0.1:9091")
    })
}

/// All problems of a plan, each with its file.
pub(crate) fn problems(objects: &Objects, error: &planner::PlanError) -> Failure {
    let mut failure = Failure::new(Exit::Invalid, "");
    for problem in &error.problems {
        let place = objects.place(&problem.object).map(|place| format!("{place}: "));
        failure.lines.push(format!("{}{problem}", place.unwrap_or_default()));
        if !problem.help().is_empty() {
            failure.help.push(format!(
                "{}: {}",
                display_reference(&problem.object),
                problem.help()
            ));
        }
    }
    failure.help.dedup();
    failure
}

/// Components as the planner sees them.
struct Known<'a> {
    components: &'a LocalComponents,
    refusals: RefCell<Vec<String>>,
}

impl PlanComponents for Known<'_> {
    fn find(&self, reference: &str) -> Option<ComponentInfo> {
        match self.components.inspect(reference) {
            Ok(inspected) => Some(ComponentInfo {
                kind: inspected.kind,
                digest: inspected.digest,
                parameters: inspected.descriptor.parameters,
                requests: inspected.descriptor.requests,
            }),
            Err(error) => {
                self.refusals.borrow_mut().push(sealift_job::chain_of_causes(&error));
                None
            }
        }
    }

    fn references(&self) -> Vec<String> {
        BUILT_IN.iter().map(|built_in| format!("builtin:{}", built_in.name)).collect()
    }
}

/// The folder of this machine's locks: told, else below the user's home, else below the folder
/// for temporary files. It must not depend on how the process was started: a login session and
/// cron have the same home, but not the same `XDG_RUNTIME_DIR`.
pub(crate) fn lock_dir(args: &LockArgs) -> PathBuf {
    args.lock_dir.clone().unwrap_or_else(|| {
        std::env::var_os("HOME")
            .map_or_else(std::env::temp_dir, |home| PathBuf::from(home).join(".local/state"))
            .join("sealift/locks")
    })
}
