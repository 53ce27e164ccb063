//! The AppBinding of a session, its parameters, and the Task it is backed up or restored with.

use sealift_core::chain::Flow;
use sealift_core::plan::{ObjectRef, Target};
use serde_json::Value;

use super::PlanInput;
use super::invoker::Invoker;
use super::problem::{Problems, Reason};
use crate::app_binding::AppBinding;
use crate::manifest::{APP_CATALOG_GROUP, group_of};
use crate::reference::{Param, TaskRef};
use crate::typed::{self, TypedError};
use crate::vault_server_configuration::{self, StashParameters, VaultServerConfiguration};

/// The target and what is known of it.
pub(super) struct Found<'a> {
    pub(super) app_binding: &'a AppBinding,
    pub(super) reference: ObjectRef,
    pub(super) addon: StashParameters,
    /// Parameters of a Vault; none = another application.
    pub(super) vault: Option<VaultServerConfiguration>,
}

/// The Task by name, and its params in order.
pub(super) struct ChosenTask {
    pub(super) name: String,
    /// The addon's and the user's, by rising precedence.
    pub(super) params: Vec<Param>,
    /// The object and field that name it, for messages.
    pub(super) named_by: ObjectRef,
    pub(super) field: String,
}

pub(super) fn find<'a>(
    input: &PlanInput<'a>,
    invoker: &Invoker<'_>,
    problems: &mut Problems,
) -> Option<Found<'a>> {
    let problem = |problems: &mut Problems, reason, field: &str, message: String, help: &str| {
        problems.add(reason, &invoker.reference, format!("spec.target{field}"), message, help);
    };
    let Some(named) = invoker.target else {
        let message = "no target is named".to_owned();
        problem(
            problems,
            Reason::Invalid,
            ".ref",
            message,
            "name the AppBinding of the application",
        );
        return None;
    };
    let kind = named.kind.as_deref().unwrap_or_default();
    let group = group_of(named.api_version.as_deref().unwrap_or_default());
    if kind != "AppBinding" {
        let message = match kind {
            "" => "no kind is named".to_owned(),
            kind => format!("targets of kind {kind} are not supported yet"),
        };
        problem(
            problems,
            Reason::NotSupported,
            ".ref.kind",
            message,
            "use the AppBinding of an application",
        );
        return None;
    }
    // The group is not looked at closely: the original's own documentation writes apps/v1 here.
    if !group.is_empty() && group != APP_CATALOG_GROUP && group != "apps" {
        let message = format!("an AppBinding is of {APP_CATALOG_GROUP}, not of {group}");
        problem(
            problems,
            Reason::Invalid,
            ".ref.apiVersion",
            message,
            "write appcatalog.appscode.com/v1alpha1",
        );
        return None;
    }
    let name = named.name.as_deref().unwrap_or_default();
    let namespace = named.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    let namespace = namespace.unwrap_or(invoker.namespace());
    let Some(app_binding) = input.objects.app_binding(namespace, name) else {
        let message = format!("AppBinding {namespace}/{name} does not exist");
        problem(
            problems,
            Reason::NotFound,
            ".ref",
            message,
            "create it, or correct name and namespace",
        );
        return None;
    };
    let reference = app_binding.reference();
    let parameters = app_binding.spec.parameters.clone().unwrap_or(Value::Null);
    let mut read_error = |field: &str, error: TypedError| {
        let path = if error.path.is_empty() { String::new() } else { format!(".{}", error.path) };
        problems.add(
            Reason::Invalid,
            &reference,
            format!("spec.parameters{field}{path}"),
            error.message,
            "correct the parameters of the AppBinding",
        );
    };
    let addon = match parameters.get("stash").cloned() {
        Some(stash) => match typed::read_shaped::<StashParameters>(stash, &mut Vec::new()) {
            Ok(addon) => addon,
            Err(error) => {
                read_error(".stash", error);
                return None;
            }
        },
        None => StashParameters::default(),
    };
    let is_vault =
        parameters.get("kind").and_then(Value::as_str) == Some(vault_server_configuration::KIND);
    let vault = match is_vault
        .then(|| typed::read_shaped::<VaultServerConfiguration>(parameters, &mut Vec::new()))
    {
        Some(Ok(vault)) => Some(vault),
        Some(Err(error)) => {
            read_error("", error);
            return None;
        }
        None => None,
    };
    Some(Found { app_binding, reference, addon, vault })
}

impl Found<'_> {
    pub(super) fn plan(&self, invoker: &Invoker<'_>) -> Target {
        let typed = self.app_binding.spec.type_.as_deref().and_then(|text| text.split_once('/'));
        let (group, kind) = typed
            .filter(|(group, kind)| !group.is_empty() && !kind.is_empty())
            .unwrap_or((APP_CATALOG_GROUP, "appbindings"));
        Target {
            reference: self.reference.clone(),
            hostname: invoker.hostname().to_owned(),
            metrics_group: group.to_owned(),
            metrics_kind: kind.to_owned(),
        }
    }
}

/// The Task of the invoker, else of the AppBinding's addon; params of both, the invoker's last.
pub(super) fn task(
    invoker: &Invoker<'_>,
    target: &Found<'_>,
    problems: &mut Problems,
) -> Option<ChosenTask> {
    let addon = &target.addon.addon;
    let (of_addon, addon_field): (Option<&TaskRef>, &str) = match invoker.flow {
        Flow::Backup => (addon.backup_task.as_ref(), "backupTask"),
        Flow::Restore => (addon.restore_task.as_ref(), "restoreTask"),
    };
    let name_of = |task: Option<&TaskRef>| {
        task.and_then(|task| task.name.clone()).filter(|name| !name.is_empty())
    };
    let own = name_of(invoker.task);
    let (named_by, field) = match &own {
        Some(_) => (&invoker.reference, "spec.task.name".to_owned()),
        None => (&target.reference, format!("spec.parameters.stash.addon.{addon_field}.name")),
    };
    let Some(name) = own.or_else(|| name_of(of_addon)) else {
        problems.add(
            Reason::Invalid,
            &invoker.reference,
            "spec.task.name",
            format!("no Task is named, neither here nor in {}", target.reference),
            format!(
                "name the Task here or in spec.parameters.stash.addon.{addon_field}.name of the AppBinding; built in are vault-backup-1.10.3 and vault-restore-1.10.3"
            ),
        );
        return None;
    };
    let params_of = |task: Option<&TaskRef>| task.map_or(Vec::new(), |task| task.params.clone());
    let mut params = params_of(of_addon);
    params.extend(params_of(invoker.task));
    Some(ChosenTask { name, params, named_by: named_by.clone(), field })
}
