//! Parameters as a struct of the author's.
//!
//! The host has checked names, types and ranges against the descriptor's schema before; this
//! module only turns them into the Function's own type. Defaults come from the struct
//! (`#[serde(default)]`), so that they are written once in Rust and stated in the descriptor.

use serde::de::DeserializeOwned;

use crate::bindings::sealift::function::parameters as raw;
use crate::error::{Error, Result};

/// The parameters of a Function that has none.
///
/// The host has refused unknown ones already; flags of the original that mean nothing here may
/// still be among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
pub struct NoParameters {}

/// Reads all parameters.
///
/// # Errors
/// One has a value the struct does not take.
pub(crate) fn read<P: DeserializeOwned>() -> Result<P> {
    parse(&raw::json())
}

fn parse<P: DeserializeOwned>(json: &str) -> Result<P> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    let mut json = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut json).map_err(|error| Error::InvalidParameter {
        field: pointer(error.path()),
        message: error.into_inner().to_string(),
    })
}

/// The place of an error as a JSON pointer.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{key}"),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => "/?".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Parameters {
        wait_timeout: u64,
        key_prefix: String,
    }

    impl Default for Parameters {
        fn default() -> Self {
            Self { wait_timeout: 300, key_prefix: String::new() }
        }
    }

    #[test]
    fn what_is_not_given_is_the_default() {
        let parameters: Parameters = parse(r#"{"keyPrefix":"k8s"}"#).unwrap();
        assert_eq!(parameters, Parameters { wait_timeout: 300, key_prefix: "k8s".to_owned() });
        assert_eq!(parse::<Parameters>("").unwrap(), Parameters::default());
    }

    #[test]
    fn a_wrong_value_is_named_by_its_pointer() {
        let error = parse::<Parameters>(r#"{"waitTimeout":"soon"}"#).unwrap_err();
        let Error::InvalidParameter { field, message } = error else { unreachable!("{error:?}") };
        assert_eq!(field, "/waitTimeout");
        assert!(message.contains("invalid type: string \"soon\", expected u64"), "{message}");
    }
}
