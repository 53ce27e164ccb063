//! Hooks of a BackupConfiguration or RestoreSession: read, checked, and fixed.
//!
//! Whatever can be known to be wrong is said here, before any Job: a template's fields, a port's
//! name, a header. Where a hook names no host, the target's own address is meant. No message
//! repeats a path, a header or a body: people put tokens there.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sealift_core::chain::Flow;
use sealift_core::hook::{
    AfterHook, HookAction, HookBody, HookPolicy, HookRequest, Hooks, Summary,
};
use sealift_core::names;
use sealift_core::template::{Template, Value};
use url::Url;

use super::invoker::Invoker;
use super::origin;
use super::problem::{Problems, Reason};
use super::target::Found;
use super::{Environment, PlanInput};
use crate::hook::{
    ExecAction, ExecutionPolicy, FormField, Handler, HttpHeader, HttpPostAction, PostHandler,
    TcpSocketAction,
};
use crate::manifest::APP_CATALOG_V1ALPHA1;

pub(super) fn plan(
    input: &PlanInput<'_>,
    invoker: &Invoker<'_>,
    target: &Found<'_>,
    problems: &mut Problems,
) -> Hooks {
    let sample = Summary {
        session: &invoker.session,
        invoker: &invoker.reference,
        target: &target.reference,
        target_version: APP_CATALOG_V1ALPHA1,
        phase: "Succeeded",
        duration: "1s",
        error: "",
        retry_left: 0,
    }
    .value();
    let mut reader =
        Reader { input, invoker, target, sample: &sample, field: String::new(), problems };
    let before = invoker.hooks.before.and_then(|(field, handler)| reader.action(field, handler));
    let after = invoker.hooks.after.and_then(|(field, handler)| {
        let policy = reader.policy(field, handler.execution_policy.unwrap_or_default());
        let action = reader.action(field, &without_policy(handler))?;
        Some(AfterHook { policy, action })
    });
    Hooks { before, after }
}

fn without_policy(handler: &PostHandler) -> Handler {
    let PostHandler { exec, http_get, http_post, tcp_socket, container_name, execution_policy: _ } =
        handler.clone();
    Handler { exec, http_get, http_post, tcp_socket, container_name }
}

/// Reads one hook; each method gives none only after a problem was added.
struct Reader<'a, 'p> {
    input: &'a PlanInput<'a>,
    invoker: &'a Invoker<'a>,
    target: &'a Found<'a>,
    sample: &'a Value,
    field: String,
    problems: &'p mut Problems,
}

impl Reader<'_, '_> {
    fn problem(&mut self, reason: Reason, below: &str, message: impl Into<String>, help: &str) {
        let field = format!("{}{below}", self.field);
        self.problems.add(reason, &self.invoker.reference, field, message, help);
    }

    fn policy(&mut self, field: &'static str, policy: ExecutionPolicy) -> HookPolicy {
        field.clone_into(&mut self.field);
        match policy {
            ExecutionPolicy::Always => HookPolicy::Always,
            ExecutionPolicy::OnFailure => HookPolicy::OnFailure,
            ExecutionPolicy::OnSuccess => HookPolicy::OnSuccess,
            ExecutionPolicy::OnFinalRetryFailure => {
                if self.invoker.flow == Flow::Restore {
                    self.problem(
                        Reason::Invalid,
                        ".executionPolicy",
                        "OnFinalRetryFailure is for backups: a restore is never repeated",
                        "write Always, OnFailure or OnSuccess",
                    );
                }
                HookPolicy::OnFinalRetryFailure
            }
        }
    }

    fn action(&mut self, field: &'static str, handler: &Handler) -> Option<HookAction> {
        field.clone_into(&mut self.field);
        let set = [
            ("exec", handler.exec.is_some()),
            ("httpGet", handler.http_get.is_some()),
            ("httpPost", handler.http_post.is_some()),
            ("tcpSocket", handler.tcp_socket.is_some()),
        ];
        let set: Vec<_> = set.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
        if set.len() != 1 {
            let found = if set.is_empty() {
                "names no action".to_owned()
            } else {
                set.join(", ") + " are set"
            };
            let help = "set exactly one of exec, httpGet, httpPost and tcpSocket";
            self.problem(Reason::Invalid, "", found, help);
            return None;
        }
        if let Some(exec) = &handler.exec {
            return self.exec(exec, handler.container_name.as_deref());
        }
        if let Some(get) = &handler.http_get {
            let place = Place {
                below: ".httpGet",
                scheme: get.scheme.as_deref(),
                host: get.host.as_deref(),
                port: &get.port,
            };
            let request = self.request(&place, get.path.as_deref(), &get.http_headers)?;
            return Some(HookAction::HttpGet { request });
        }
        if let Some(post) = &handler.http_post {
            return self.post(post);
        }
        handler.tcp_socket.as_ref().and_then(|socket| self.socket(socket))
    }

    fn exec(&mut self, exec: &ExecAction, container: Option<&str>) -> Option<HookAction> {
        if self.input.options.environment == Environment::Local {
            self.problem(
                Reason::NotSupported,
                ".exec",
                "a command in a pod needs a cluster",
                "leave the hook out for a run on this machine, or run it in the cluster",
            );
            return None;
        }
        if exec.command.is_empty() {
            self.problem(
                Reason::Invalid,
                ".exec.command",
                "is empty",
                "write a program and its arguments",
            );
            return None;
        }
        for (index, part) in exec.command.iter().enumerate() {
            self.template(&format!(".exec.command[{index}]"), part)?;
        }
        let config = &self.target.app_binding.spec.client_config;
        let url = config.url.as_deref().unwrap_or_default();
        let Some(service) = config.service.as_ref().filter(|_| url.is_empty()) else {
            self.problem(
                Reason::Invalid,
                ".exec",
                "the AppBinding names a URL, and pods are found through a Service",
                "name the Service in spec.clientConfig.service of the AppBinding, or use httpPost",
            );
            return None;
        };
        let namespace = service.namespace.clone().filter(|namespace| !namespace.is_empty());
        let container = container.filter(|name| !name.is_empty());
        if let Some(Err(error)) = container.map(names::check_namespace) {
            // A container's name follows the rule of a namespace's: a DNS label.
            self.problem(
                Reason::Invalid,
                ".containerName",
                error.to_string(),
                "name a container of the pod",
            );
            return None;
        }
        Some(HookAction::Exec {
            command: exec.command.clone(),
            namespace: namespace.unwrap_or_else(|| self.target.reference.namespace.clone()),
            service: service.name.clone(),
            container: container.map(str::to_owned),
        })
    }

    fn post(&mut self, post: &HttpPostAction) -> Option<HookAction> {
        let place = Place {
            below: ".httpPost",
            scheme: post.scheme.as_deref(),
            host: post.host.as_deref(),
            port: &post.port,
        };
        let request = self.request(&place, post.path.as_deref(), &post.http_headers);
        let body = match (post.body.as_deref().filter(|body| !body.is_empty()), &*post.form) {
            (Some(_), [_, ..]) => {
                let help = "keep one of body and form";
                self.problem(Reason::Invalid, ".httpPost", "body and form are both set", help);
                return None;
            }
            (None, fields @ [_, ..]) => HookBody::Form(
                fields
                    .iter()
                    .map(|FormField { key, values }| (key.clone(), values.clone()))
                    .collect(),
            ),
            (body, []) => {
                let body = body.unwrap_or_default();
                self.template(".httpPost.body", body)?;
                HookBody::Text(body.to_owned())
            }
        };
        Some(HookAction::HttpPost { request: request?, body })
    }

    fn socket(&mut self, socket: &TcpSocketAction) -> Option<HookAction> {
        let place = Place {
            below: ".tcpSocket",
            scheme: None,
            host: socket.host.as_deref(),
            port: &socket.port,
        };
        let url = self.base(&place)?;
        let host = url.host_str()?.to_owned();
        Some(HookAction::TcpSocket { host, port: url.port_or_known_default()? })
    }

    fn request(
        &mut self,
        place: &Place<'_>,
        path: Option<&str>,
        headers: &[HttpHeader],
    ) -> Option<HookRequest> {
        let base = self.base(place)?;
        let path = path.unwrap_or_default().trim_start_matches('/');
        let Ok(url) = base.join(&format!("/{path}")) else {
            let below = format!("{}.path", place.below);
            self.problem(
                Reason::Invalid,
                &below,
                "is no path of a URL",
                "write it such as /hooks/done",
            );
            return None;
        };
        for (index, header) in headers.iter().enumerate() {
            let name = |character: char| {
                character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
            };
            let value = |character: char| character == '\t' || !character.is_control();
            if header.name.is_empty()
                || !header.name.chars().all(name)
                || !header.value.chars().all(value)
            {
                let below = format!("{}.httpHeaders[{index}]", place.below);
                let help = "a name has letters, digits and dashes, a value no control characters";
                self.problem(Reason::Invalid, &below, "is no header of HTTP", help);
                return None;
            }
        }
        let target = self.target_url();
        let ca_pem = match target {
            Some(target) if target.host_str() == url.host_str() => self.certificates(),
            _ => None,
        };
        let headers =
            headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect();
        Some(HookRequest { url, headers, ca_pem })
    }

    /// Scheme, host and port.
    fn base(&mut self, place: &Place<'_>) -> Option<Url> {
        let scheme = match place.scheme.unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "http" => "http",
            "https" => "https",
            other => {
                let message = format!("{other:?} is no scheme of a hook");
                let below = format!("{}.scheme", place.below);
                self.problem(Reason::Invalid, &below, message, "write HTTP or HTTPS");
                return None;
            }
        };
        let port = self.port(place)?;
        let host = match place.host.filter(|host| !host.is_empty()) {
            Some(host) => host.to_owned(),
            None => self.target_url()?.host_str()?.to_owned(),
        };
        // An IPv6 address needs brackets in a URL.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let host = match bare.parse::<std::net::Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => host,
        };
        let plain = !host.contains(['/', '?', '#', '@', '\\']);
        let url = Url::parse(&format!("{scheme}://{host}:{port}")).ok();
        let url = url.filter(|url| plain && url.path() == "/" && url.has_host());
        if url.is_none() {
            let below = format!("{}.host", place.below);
            let help = "write a name or an address, without scheme, port or path";
            self.problem(Reason::Invalid, &below, "is no host", help);
        }
        url
    }

    fn port(&mut self, place: &Place<'_>) -> Option<u16> {
        let port = match place.port {
            IntOrString::Int(number) => u16::try_from(*number).ok(),
            IntOrString::String(text) => text.parse::<u16>().ok(),
        };
        let port = port.filter(|port| *port != 0);
        if port.is_none() {
            let below = format!("{}.port", place.below);
            let help =
                "write the number of the port, from 1 to 65535; names of ports are not looked up";
            self.problem(Reason::Invalid, &below, "is no port", help);
        }
        port
    }

    fn template(&mut self, below: &str, text: &str) -> Option<()> {
        let checked = Template::parse(text).and_then(|template| template.check(self.sample));
        if let Err(error) = checked {
            let help = "correct the template, such as {{ .Status.Phase }}";
            self.problem(Reason::Invalid, below, error.to_string(), help);
            return None;
        }
        Some(())
    }

    /// The address of the target; what is wrong with it is said once, by `origin`.
    fn target_url(&mut self) -> Option<Url> {
        let config = &self.target.app_binding.spec.client_config;
        origin::address(self.input, self.target, config, self.problems)
    }

    fn certificates(&mut self) -> Option<String> {
        let config = &self.target.app_binding.spec.client_config;
        origin::certificates(self.target, config, self.problems)
    }
}

/// Where a hook goes, as it is written.
struct Place<'a> {
    below: &'static str,
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    port: &'a IntOrString,
}
