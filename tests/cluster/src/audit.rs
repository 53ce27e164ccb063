//! What was asked of the API server and by whom, in its own words: the audit log.
//!
//! *Flow*: the control plane starts the API server with `policy`; a test reads the [`Log`]
//! whenever it likes. Only those are in it who hold rights that somebody gave them: not the
//! components of Kubernetes, and not the tests, which may do everything.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// What may be done with what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The API group; empty is the core's.
    pub group: String,
    /// The plural, and behind a slash the subresource.
    pub resource: String,
    /// As rules of RBAC call it.
    pub verb: String,
}

/// A right for all objects, or for the one of this name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The right.
    pub right: Right,
    /// The one object, if it is for one.
    pub name: Option<String>,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asked.
    pub user: String,
    /// What the answer took.
    pub right: Right,
    /// Where; empty for what lies in no namespace and for all namespaces at once.
    pub namespace: String,
    /// The object; empty where it is not named.
    pub name: String,
    /// Whether the user may.
    pub allowed: bool,
    /// Whether an object was made. An apply that makes one needs `create` beside `patch`.
    pub created: bool,
    /// The body, of what `policy` keeps it.
    pub body: Option<Value>,
}

/// All requests so far, in their order.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// The requests.
    pub requests: Vec<Request>,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{} {}{dot}{}", self.verb, self.resource, self.group)
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            None => write!(f, "{}", self.right),
            Some(name) => write!(f, "{} {name}", self.right),
        }
    }
}

/// What is kept: names of what is asked for, and of Roles also their rules.
pub(crate) fn policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "userGroups": ["system:masters", "system:nodes"]},
            {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
            {"level": "None", "users": [
                "system:apiserver", "system:kube-controller-manager", "system:kube-scheduler",
                "system:kube-proxy",
            ]},
            {"level": "None", "nonResourceURLs": ["*"]},
            {"level": "Request", "resources": [
                {"group": "rbac.authorization.k8s.io", "resources": ["roles"]},
            ]},
            {"level": "Metadata"},
        ],
    })
}

impl Log {
    /// Reads it as far as it is written.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        // The last line may be half written.
        let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
        let requests: Result<Vec<Option<Request>>> = whole
            .lines()
            .map(|line| {
                let event: Value =
                    serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
                Ok(request(&event))
            })
            .collect();
        Ok(Self { requests: requests?.into_iter().flatten().collect() })
    }

    /// What a user asked for.
    pub fn of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a Request> {
        self.requests.iter().filter(move |request| request.user == user)
    }

    /// What a user was refused and never given in that namespace, each thing once. An API server
    /// that has just started refuses everybody until it has read the Roles.
    #[must_use]
    pub fn refusals(&self, user: &str) -> BTreeSet<String> {
        let place = |request: &Request| (request.right.clone(), request.namespace.clone());
        let given: BTreeSet<_> =
            self.of(user).filter(|request| request.allowed).map(place).collect();
        self.of(user)
            .filter(|request| !request.allowed && !given.contains(&place(request)))
            .map(|request| format!("{} {}/{}", request.right, request.namespace, request.name))
            .collect()
    }

    /// The rules of the last form in which anybody but the tests wrote a Role.
    #[must_use]
    pub fn role(&self, namespace: &str, name: &str) -> Vec<Value> {
        let written = self.requests.iter().rev().find(|request| {
            request.right.resource == "roles"
                && request.namespace == namespace
                && request.name == name
                && request.body.is_some()
        });
        rules(written.and_then(|request| request.body.as_ref()))
    }

    /// The rules of all Roles that were written.
    #[must_use]
    pub fn roles(&self) -> Vec<Value> {
        let roles = self.requests.iter().filter(|request| request.right.resource == "roles");
        roles.flat_map(|request| rules(request.body.as_ref())).collect()
    }
}

impl Request {
    /// What it takes to be allowed.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        let name = Some(self.name.clone()).filter(|name| !name.is_empty());
        let of = |verb: &str| Grant {
            right: Right { verb: verb.to_owned(), ..self.right.clone() },
            name: name.clone(),
        };
        let mut grants = vec![of(&self.right.verb)];
        if self.created && self.right.verb == "patch" {
            grants.push(of("create"));
        }
        // A command in a pod is asked for with GET, since it is a WebSocket, and needs both.
        if self.right.resource == "pods/exec" {
            grants.push(of("create"));
        }
        grants
    }
}

/// Every single grant of some rules.
#[must_use]
pub fn grants(rules: &[Value]) -> BTreeSet<Grant> {
    let list = |rule: &Value, key: &str| -> Vec<String> {
        let words = rule.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        words.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut grants = BTreeSet::new();
    for rule in rules {
        let names = list(rule, "resourceNames");
        let names: Vec<Option<String>> =
            if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
        for group in list(rule, "apiGroups") {
            for resource in list(rule, "resources") {
                for verb in list(rule, "verbs") {
                    let right = Right { group: group.clone(), resource: resource.clone(), verb };
                    grants.extend(
                        names.iter().map(|name| Grant { right: right.clone(), name: name.clone() }),
                    );
                }
            }
        }
    }
    grants
}

fn rules(body: Option<&Value>) -> Vec<Value> {
    let rules = body.and_then(|body| body.get("rules")).and_then(Value::as_array);
    rules.cloned().unwrap_or_default()
}

fn request(event: &Value) -> Option<Request> {
    let text = |pointer: &str| {
        event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (resource, part) = (text("/objectRef/resource"), text("/objectRef/subresource"));
    if resource.is_empty() {
        return None;
    }
    let code = event.pointer("/responseStatus/code").and_then(Value::as_u64);
    Some(Request {
        user: text("/user/username"),
        right: Right {
            group: text("/objectRef/apiGroup"),
            resource: if part.is_empty() { resource } else { format!("{resource}/{part}") },
            verb: text("/verb"),
        },
        namespace: text("/objectRef/namespace"),
        name: text("/objectRef/name"),
        allowed: text("/annotations/authorization.k8s.io~1decision") != "forbid",
        created: code == Some(201),
        body: event.get("requestObject").cloned(),
    })
}
