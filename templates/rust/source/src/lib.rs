//! Asks the target for one path and stores the answer; the bytes never enter the Function.

use sealift_function::{Downstream, Error, Header, Result, Source, http};
use serde::Deserialize;

/// The Function.
#[derive(Debug)]
pub struct Function;

/// What stands in `descriptor.json` under `parameters`.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    path: String,
}

impl Source for Function {
    type Parameters = Parameters;

    fn run(parameters: Parameters, mut downstream: Downstream) -> Result<()> {
        let path = &parameters.path;
        let answer = http::get(&format!("http://target{path}")).send()?;
        let status = answer.status();
        if status != 200 {
            let said = answer.into_excerpt(500);
            return Err(Error::ExternalFailed(format!("GET {path} was answered with {status}: {said}")));
        }
        // Without a length, more than 1 MiB needs an interim volume.
        let mut header = Header::new(artifact_name(path));
        header.size = answer.content_length();
        let mut artifact = downstream.send(header)?;
        artifact.forward(answer.into_body())?;
        artifact.finish()?;
        Ok(())
    }
}

sealift_function::export!(source, Function);

/// The last part of a path, as the name of an artifact.
fn artifact_name(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or_default();
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("export")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_has_the_name_of_what_was_asked_for() {
        assert_eq!(artifact_name("/v1/export.json?pretty"), "export.json");
        assert_eq!(artifact_name("/a/b/"), "b");
        assert_eq!(artifact_name("/"), "export");
    }
}
