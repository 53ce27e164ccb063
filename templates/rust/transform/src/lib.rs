//! Puts every artifact into a folder; the bytes never enter the Function.

use sealift_function::{Context, Downstream, Result, Transform, Upstream};
use serde::Deserialize;

/// The Function.
#[derive(Debug)]
pub struct Function;

/// What stands in `descriptor.json` under `parameters`.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    folder: String,
}

impl Transform for Function {
    type Parameters = Parameters;

    fn run(parameters: Parameters, upstream: Upstream, mut downstream: Downstream) -> Result<()> {
        for artifact in upstream {
            let artifact = artifact?;
            let mut header = artifact.header;
            header.name = placed(&parameters.folder, &header.name);
            let name = header.name.clone();
            let mut outgoing = downstream.send(header).context(&name)?;
            outgoing.forward(artifact.body).context(&name)?;
            outgoing.finish().context(&name)?;
        }
        Ok(())
    }
}

sealift_function::export!(transform, Function);

/// The name of an artifact in a folder.
fn placed(folder: &str, name: &str) -> String {
    let parts = folder.split('/').filter(|part| !part.is_empty());
    parts.chain([name]).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_comes_before_the_name_once() {
        assert_eq!(placed("", "a/b"), "a/b");
        assert_eq!(placed("2026/", "a"), "2026/a");
        assert_eq!(placed("/x//y", "a"), "x/y/a");
    }
}
