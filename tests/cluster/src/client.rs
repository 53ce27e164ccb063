//! The API in JSON, for what a test asks again and again: `kubectl` would be a process each time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sealift_e2e::process::http_client;
use sealift_e2e::wait;
use serde_json::Value;

/// A client of `kubectl proxy`.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    port: u16,
}

/// A kind of objects, by where they lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// `/api/v1` or `/apis/<group>/<version>`.
    pub root: &'static str,
    /// Its plural.
    pub plural: &'static str,
}

/// How long a test waits for what a controller does. Goals are a tenth of it and less; a test
/// asserts what happens, never when.
pub const PATIENCE: Duration = Duration::from_secs(180);

macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident = $root:literal $plural:literal;)*) => {
        impl Resource {
            $($(#[$doc])* pub const $name: Self = Self { root: $root, plural: $plural };)*
        }
    };
}

resources! {
    /// `BackupConfiguration`.
    BACKUP_CONFIGURATION = "/apis/stash.appscode.com/v1beta1" "backupconfigurations";
    /// `BackupSession`.
    BACKUP_SESSION = "/apis/stash.appscode.com/v1beta1" "backupsessions";
    /// `RestoreSession`.
    RESTORE_SESSION = "/apis/stash.appscode.com/v1beta1" "restoresessions";
    /// `Repository`.
    REPOSITORY = "/apis/stash.appscode.com/v1alpha1" "repositories";
    /// `AppBinding`.
    APP_BINDING = "/apis/appcatalog.appscode.com/v1alpha1" "appbindings";
    /// `CronJob`.
    CRON_JOB = "/apis/batch/v1" "cronjobs";
    /// `Job`.
    JOB = "/apis/batch/v1" "jobs";
    /// `ServiceAccount`.
    SERVICE_ACCOUNT = "/api/v1" "serviceaccounts";
    /// `RoleBinding`.
    ROLE_BINDING = "/apis/rbac.authorization.k8s.io/v1" "rolebindings";
    /// `Role`.
    ROLE = "/apis/rbac.authorization.k8s.io/v1" "roles";
    /// `Secret`.
    SECRET = "/api/v1" "secrets";
    /// `ConfigMap`.
    CONFIG_MAP = "/api/v1" "configmaps";
    /// `Pod`.
    POD = "/api/v1" "pods";
    /// `Event`.
    EVENT = "/api/v1" "events";
}

impl Resource {
    /// The path of all objects of a namespace.
    #[must_use]
    pub fn list(&self, namespace: &str) -> String {
        format!("{}/namespaces/{namespace}/{}", self.root, self.plural)
    }

    /// The path of one object.
    #[must_use]
    pub fn path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.list(namespace))
    }
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        Self { agent: http_client(), port }
    }

    /// The object at `path`; `None` if there is none.
    pub fn get(&self, path: &str) -> Result<Option<Value>> {
        match self.call("GET", path, "", None)? {
            (404, _) => Ok(None),
            (200, body) => Ok(Some(body)),
            (status, body) => bail!("GET {path} was answered with {status}: {body}"),
        }
    }

    /// The object; that there is none is an error.
    pub fn object(&self, resource: Resource, namespace: &str, name: &str) -> Result<Value> {
        self.get(&resource.path(namespace, name))?
            .with_context(|| format!("there is no {} {namespace}/{name}", resource.plural))
    }

    /// All objects of a kind in a namespace.
    pub fn list(&self, resource: Resource, namespace: &str) -> Result<Vec<Value>> {
        let found = self.get(&resource.list(namespace))?;
        let found = found.with_context(|| format!("{} are not served", resource.plural))?;
        Ok(found.pointer("/items").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// The names of all objects of a kind in a namespace, sorted.
    pub fn names(&self, resource: Resource, namespace: &str) -> Result<Vec<String>> {
        let mut names: Vec<String> = self
            .list(resource, namespace)?
            .iter()
            .filter_map(|object| Some(object.pointer("/metadata/name")?.as_str()?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Makes an object; returns it as it is stored.
    pub fn create(&self, resource: Resource, namespace: &str, object: &Value) -> Result<Value> {
        self.expect("POST", &resource.list(namespace), "application/json", Some(object))
    }

    /// A merge patch.
    pub fn patch(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value> {
        let path = resource.path(namespace, name);
        self.expect("PATCH", &path, "application/merge-patch+json", Some(patch))
    }

    /// A merge patch of the status.
    pub fn patch_status(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value> {
        let path = format!("{}/status", resource.path(namespace, name));
        self.expect("PATCH", &path, "application/merge-patch+json", Some(patch))
    }

    /// Deletes an object; that it is gone already is no error.
    pub fn delete(&self, resource: Resource, namespace: &str, name: &str) -> Result<()> {
        let path = resource.path(namespace, name);
        match self.call("DELETE", &path, "", None)? {
            (200 | 202 | 404, _) => Ok(()),
            (status, body) => bail!("DELETE {path} was answered with {status}: {body}"),
        }
    }

    /// Waits until `seen` says something about the object at `path`, which may be absent.
    /// The error shows the object as it was last.
    pub fn wait<T>(
        &self,
        what: &str,
        path: &str,
        mut seen: impl FnMut(Option<&Value>) -> Option<T>,
    ) -> Result<T> {
        let mut last = None;
        let result = wait::until(what, PATIENCE, || {
            last = self.get(path)?;
            Ok(seen(last.as_ref()))
        });
        result.with_context(|| {
            let mut shown = format!("{path} was last ");
            match &last {
                Some(object) => {
                    let _ = write!(shown, "{object:#}");
                }
                None => shown.push_str("absent"),
            }
            shown
        })
    }

    /// Waits until the object at `path` is gone.
    pub fn wait_until_gone(&self, path: &str) -> Result<()> {
        self.wait(&format!("{path} is gone"), path, |object| object.is_none().then_some(()))
    }

    fn expect(&self, method: &str, path: &str, media: &str, body: Option<&Value>) -> Result<Value> {
        match self.call(method, path, media, body)? {
            (200..=202, body) => Ok(body),
            (status, body) => bail!("{method} {path} was answered with {status}: {body}"),
        }
    }

    /// The objects at `path` as `kubectl get` shows them: cells by the title of their column. Much
    /// smaller than the objects, where there are thousands.
    pub fn table(&self, path: &str) -> Result<Vec<BTreeMap<String, String>>> {
        let wanted = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let path = format!("{path}?includeObject=None");
        let (status, table) = self.send("GET", &path, &[("Accept", wanted)], None)?;
        let list = |name: &str| table.get(name).and_then(Value::as_array);
        let (200, Some(columns), Some(rows)) = (status, list("columnDefinitions"), list("rows"))
        else {
            bail!("GET {path} was answered with {status}: {table}");
        };
        let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let titles: Vec<String> =
            columns.iter().filter_map(|column| column.get("name")).map(text).collect();
        let cells = |row: &Value| {
            let cells = row.get("cells").and_then(Value::as_array).into_iter().flatten();
            titles.iter().cloned().zip(cells.map(text)).collect()
        };
        Ok(rows.iter().map(cells).collect())
    }

    /// One request; any status is an answer.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        media: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        let headers: &[(&str, &str)] =
            if media.is_empty() { &[] } else { &[("Content-Type", media)] };
        self.send(method, path, headers, body)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}{path}", self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(body.map(Value::to_string).unwrap_or_default())
            .context("failed to form a request")?;
        let mut answer =
            self.agent.run(request).with_context(|| format!("{method} {path} failed"))?;
        let status = answer.status().as_u16();
        let text = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string()
            .with_context(|| format!("failed to read the answer to {method} {path}"))?;
        // Some answers, such as those of /readyz, are text.
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}
