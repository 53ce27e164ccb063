//! What the commands share: everything that touches the environment is resolved here, once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;
use sealift_api::object::Object;
use sealift_api::objects::Objects;
use sealift_api::planner::{
    self, ComponentInfo, Components as PlanComponents, PlanInput, PlanOptions,
};
use sealift_core::plan::{ObjectRef, Plan};
use sealift_host::{Host, Inspected};
use sealift_job::components::{ComponentError, Components, LocalComponents};

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
    let known = Known::new(components);
    let input =
        PlanInput { objects, invoker, session: &session, components: &known, options: &options };
    let plan = planner::plan(&input).map_err(|error| problems(objects, &error))?;
    check_components(&plan, &known)?;
    Ok(plan)
}

/// Whether every component can be started with what it was granted. The host asks again when it
/// starts them; here nothing has been touched yet. A file is compiled for that: whether what it
/// imports is what the host has under these names shows itself only then.
fn check_components(plan: &Plan, known: &Known<'_>) -> Result<(), Failure> {
    let mut failure = Failure::new(Exit::Invalid, "");
    let mut host = None;
    for stage in plan.stages.iter().chain(&plan.observers) {
        let inspected = known
            .inspect(&stage.component.reference)
            .map_err(|error| Failure::of(Exit::Invalid, &error))?;
        let checks = [
            ("spec.image", sealift_host::check_grants(&inspected, &stage.grants)),
            ("spec.args", sealift_host::check_parameters(&inspected, &stage.parameters)),
        ];
        let before = failure.lines.len();
        for (field, check) in checks {
            let Err(error) = check else { continue };
            failure.lines.push(format!(
                "Function {}: {field}: {}",
                stage.function,
                sealift_job::chain_of_causes(&error)
            ));
        }
        // What is built in was loaded when it was built.
        if failure.lines.len() > before || !stage.component.reference.starts_with("file:") {
            continue;
        }
        let host = match &host {
            Some(host) => host,
            None => host.insert(Host::new().map_err(|error| Failure::of(Exit::Failed, &error))?),
        };
        if let Err(error) = known.components.load(host, &stage.component) {
            failure.lines.push(format!(
                "Function {}: spec.image: {}",
                stage.function,
                sealift_job::chain_of_causes(&error)
            ));
        }
    }
    if failure.lines.iter().all(String::is_empty) { Ok(()) } else { Err(failure) }
}

/// Checks the objects of the user on their own, also those that no invoker leads to.
pub(crate) fn check_alone(objects: &Objects, components: &LocalComponents) -> Result<(), Failure> {
    planner::check_alone(objects, &Known::new(components))
        .map_err(|error| problems(objects, &error))
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
            failure.help.push(format!("{}: {}", problem.object, problem.help()));
        }
    }
    failure.help.dedup();
    failure
}

/// Components as the planner sees them. One that can be used is read and looked at once.
struct Known<'a> {
    components: &'a LocalComponents,
    inspected: RefCell<BTreeMap<String, Rc<Inspected>>>,
}

impl<'a> Known<'a> {
    fn new(components: &'a LocalComponents) -> Self {
        Self { components, inspected: RefCell::default() }
    }

    fn inspect(&self, reference: &str) -> Result<Rc<Inspected>, ComponentError> {
        if let Some(inspected) = self.inspected.borrow().get(reference) {
            return Ok(Rc::clone(inspected));
        }
        let inspected = Rc::new(self.components.inspect(reference)?);
        self.inspected.borrow_mut().insert(reference.to_owned(), Rc::clone(&inspected));
        Ok(inspected)
    }
}

impl PlanComponents for Known<'_> {
    fn find(&self, reference: &str) -> Option<ComponentInfo> {
        let inspected = self.inspect(reference).ok()?;
        Some(ComponentInfo {
            kind: inspected.kind,
            digest: inspected.digest.clone(),
            parameters: inspected.descriptor.parameters.clone(),
            requests: inspected.descriptor.requests.clone(),
            unknown_size: inspected.descriptor.unknown_size,
        })
    }

    fn refusal(&self, file: &str) -> Option<String> {
        let error = self.inspect(file).err()?;
        Some(sealift_job::chain_of_causes(&error))
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
