//! The sink of a backup: stores every artifact as a file of this session's snapshot.
//!
//! The host moves the bytes; none of them enters this component. It does not commit: it hands
//! the tree to the commit gate, and the snapshot appears only if the whole chain succeeds.
//! Where the repository lies, and its password, it never learns.

use sealift_function::{Context, Error, Result, Sink, Upstream, export, progress, repository};

/// Stores artifacts in the repository.
#[derive(Debug)]
pub struct ResticUpload;

impl Sink for ResticUpload {
    type Parameters = sealift_function::NoParameters;

    fn run(_: Self::Parameters, upstream: Upstream) -> Result<()> {
        let mut snapshot = repository::begin()?;
        let mut files = 0_u32;
        for artifact in upstream {
            let artifact = artifact?;
            let name = artifact.header.name;
            progress::phase(&format!("storing {name}"));
            let mut file = snapshot.create(&name, artifact.header.size).context(&name)?;
            let bytes = file.forward(artifact.body).context(&name)?;
            file.finish().context(&name)?;
            progress::advance(bytes);
            files = files.saturating_add(1);
        }
        if files == 0 {
            return Err(Error::DataLossRisk(
                "the stages before sent nothing, so there is nothing to store".to_owned(),
            ));
        }
        snapshot.stage()
    }
}

export!(sink, ResticUpload);
