//! `AppBinding` (`appcatalog.appscode.com/v1alpha1`): how an application is reached.

use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::NamespaceResourceScope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::Kind;
use crate::manifest::{APP_CATALOG_GROUP, APP_CATALOG_V1ALPHA1, Manifest};
use crate::reference::LocalRef;

/// An AppBinding.
pub type AppBinding = Manifest<AppBindingSpec>;

/// What the user wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppBindingSpec {
    /// Kind of application, `group/resource`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The object that describes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_ref: Option<AppRef>,
    /// Its address.
    pub client_config: ClientConfig,
    /// Credentials; not used for Vault, see `parameters.backupTokenSecretRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<TypedLocalRef>,
    /// Client certificate; not used for Vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_secret: Option<TypedLocalRef>,
    /// Changes to the keys of the Secret, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret_transforms: Vec<SecretTransform>,
    /// What only this kind of application has; holds `apiVersion` and `kind`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::embedded_resource")]
    pub parameters: Option<Value>,
}

impl Kind for AppBindingSpec {
    const GROUP: &'static str = APP_CATALOG_GROUP;
    const VERSION: &'static str = "v1alpha1";
    const API_VERSION: &'static str = APP_CATALOG_V1ALPHA1;
    const KIND: &'static str = "AppBinding";
    const PLURAL: &'static str = "appbindings";
    type Scope = NamespaceResourceScope;
}

/// The object that describes an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppRef {
    /// Group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_group: Option<String>,
    /// Kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name.
    pub name: String,
    /// Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A Secret of the same namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypedLocalRef {
    /// Group; default: core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = ""))]
    pub api_group: Option<String>,
    /// Kind; default `Secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "Secret"))]
    pub kind: Option<String>,
    /// Name.
    pub name: String,
}

/// An address: a URL or a Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientConfig {
    /// URL; wins over `service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceReference>,
    /// Do not verify the certificate; default false.
    #[serde(default, rename = "insecureSkipTLSVerify", skip_serializing_if = "Option::is_none")]
    pub insecure_skip_tls_verify: Option<bool>,
    /// PEM certificates that sign the server's, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::bytes")]
    pub ca_bundle: Option<ByteString>,
    /// Name to verify in the certificate; default: the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

/// A Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceReference {
    /// `http` or `https`, in any case.
    pub scheme: String,
    /// Namespace; default: the AppBinding's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Port.
    pub port: i32,
    /// Path before every request's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// A change to the keys of a Secret; exactly one is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretTransform {
    /// `from` becomes `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename_key: Option<RenameKey>,
    /// Adds a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_key: Option<AddKey>,
    /// Adds the keys of another Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_keys_from: Option<AddKeysFrom>,
    /// Removes a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_key: Option<RemoveKey>,
}

/// `from` becomes `to`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenameKey {
    /// Old key.
    pub from: String,
    /// New key.
    pub to: String,
}

/// Adds a key. The value may be a secret: it is not shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddKey {
    /// The key.
    pub key: String,
    /// Value in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::bytes")]
    pub value: Option<ByteString>,
    /// Value as text; wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
}

impl AddKey {
    /// The value's bytes: `stringValue`, else `value`, else nothing.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match (&self.string_value, &self.value) {
            (Some(text), _) => text.as_bytes(),
            (None, Some(value)) => &value.0,
            (None, None) => &[],
        }
    }
}

impl fmt::Debug for AddKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddKey").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Adds the keys of another Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddKeysFrom {
    /// The Secret.
    #[serde(default)]
    pub secret_ref: LocalRef,
}

/// Removes a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoveKey {
    /// The key.
    pub key: String,
}
