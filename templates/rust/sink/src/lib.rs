//! Sends every artifact to the target with a PUT request; the bytes never enter the Function.

use sealift_function::{Error, Result, Sink, Upstream, http};
use serde::Deserialize;

/// The Function.
#[derive(Debug)]
pub struct Function;

/// What stands in `descriptor.json` under `parameters`.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    folder: String,
}

impl Sink for Function {
    type Parameters = Parameters;

    fn run(parameters: Parameters, upstream: Upstream) -> Result<()> {
        for artifact in upstream {
            let artifact = artifact?;
            let path = path_of(&parameters.folder, &artifact.header.name);
            let answer = http::put(&format!("http://target{path}")).send_body(artifact.body)?;
            if !answer.is_success() {
                let status = answer.status();
                let said = answer.into_excerpt(500);
                return Err(Error::ExternalFailed(format!(
                    "PUT {path} was answered with {status}: {said}"
                )));
            }
            answer.into_body().discard()?;
        }
        Ok(())
    }
}

sealift_function::export!(sink, Function);

/// The path an artifact goes to.
fn path_of(folder: &str, name: &str) -> String {
    let parts = folder.split('/').filter(|part| !part.is_empty()).chain(name.split('/'));
    parts.map(|part| format!("/{}", encoded(part))).collect()
}

/// A part of a path, everything but letters, digits and `-._~` encoded.
fn encoded(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_path_below_the_folder() {
        assert_eq!(path_of("/", "a/b.json"), "/a/b.json");
        assert_eq!(path_of("/x/", "a b?"), "/x/a%20b%3F");
    }
}
