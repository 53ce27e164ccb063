//! The descriptor of a component: who it is, what it takes, what it asks for.
//!
//! It stands in the custom section `sealift:function` at the end of the finished component, the
//! same for every language, so that nothing has to run to read it. It only asks: what a Function
//! may really do is its requests and the grants of `Function.spec.permissions` together.

use sealift_core::grants::Grants;
use sealift_core::plan::Kind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Name of the custom section.
pub const SECTION: &str = "sealift:function";
/// Longest descriptor; the largest of a built-in Function has 2 KiB.
pub(crate) const SECTION_BYTES: usize = 64 << 10;

/// What a component says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Name, kebab-case.
    pub name: String,
    /// Version of the component.
    pub version: String,
    /// One sentence.
    #[serde(default)]
    pub summary: String,
    /// What it is; must agree with what it exports.
    pub kind: Kind,
    /// Version of the contract it was built against.
    pub contract: String,
    /// JSON Schema object of its parameters.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
    /// The grants it asks for, in the form of `Function.spec.permissions`.
    #[serde(default)]
    pub requests: Grants,
    /// Whether it sends artifacts of more than 1 MiB whose size it does not know beforehand. A
    /// backup with such a component before its sink is refused without `interimVolumeTemplate`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown_size: bool,
}

fn no_parameters() -> Value {
    serde_json::json!({"type": "object", "properties": {}})
}

impl Descriptor {
    /// The component with this descriptor at its end. The component must not have one yet.
    ///
    /// # Errors
    /// The descriptor cannot be written as JSON.
    pub fn append_to(&self, component: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
        let json = serde_json::to_vec(self)?;
        let mut content = Vec::with_capacity(json.len() + SECTION.len() + 5);
        write_length(&mut content, SECTION.len());
        content.extend_from_slice(SECTION.as_bytes());
        content.extend_from_slice(&json);
        let mut whole = Vec::with_capacity(component.len() + content.len() + 6);
        whole.extend_from_slice(component);
        // Section 0 is the custom section in every version of the binary format.
        whole.push(0);
        write_length(&mut whole, content.len());
        whole.extend_from_slice(&content);
        Ok(whole)
    }
}

/// An unsigned LEB128.
fn write_length(into: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        if length == 0 {
            into.push(low);
            return;
        }
        into.push(low | 0x80);
    }
}
