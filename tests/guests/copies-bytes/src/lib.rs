//! A transform that changes nothing and yet takes every byte in and gives it out again: what a
//! Function pays that looks at its bytes. `cargo xtask bench chain` compares it with `forward`.

use std::io::Write;

use sealift_function::artifact::MAX_READ;
use sealift_function::{Context, Downstream, NoParameters, Result, Transform, Upstream, export};

/// Copies artifacts.
#[derive(Debug)]
pub struct CopiesBytes;

impl Transform for CopiesBytes {
    type Parameters = NoParameters;

    fn run(_: NoParameters, upstream: Upstream, mut downstream: Downstream) -> Result<()> {
        for artifact in upstream {
            let mut artifact = artifact?;
            let name = artifact.header.name.clone();
            let mut outgoing = downstream.send(artifact.header).context(&name)?;
            while let Some(bytes) = artifact.body.chunk(MAX_READ).context(&name)? {
                outgoing.write_all(&bytes)?;
            }
            outgoing.finish().context(&name)?;
        }
        Ok(())
    }
}

export!(transform, CopiesBytes);
