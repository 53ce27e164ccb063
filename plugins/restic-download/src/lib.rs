//! The source of a restore: sends every file of the selected snapshot.
//!
//! The host moves the bytes; none of them enters this component. Which snapshot it is, the plan
//! has decided. Snapshots that plain restic wrote of the original's folder work as well: the
//! host takes that folder away from the paths.

mod order;

use sealift_function::{Context, Downstream, Header, Result, Source, export, progress, repository};

/// Sends the files of a snapshot.
#[derive(Debug)]
pub struct ResticDownload;

impl Source for ResticDownload {
    type Parameters = sealift_function::NoParameters;

    fn run(_: Self::Parameters, mut downstream: Downstream) -> Result<()> {
        progress::phase("reading the snapshot");
        let snapshot = repository::selected()?;
        let files = order::files(&snapshot.id(), snapshot.entries("")?)?;
        progress::total(files.iter().map(|file| file.size).sum());
        for file in files {
            progress::phase(&format!("reading {}", file.path));
            let body = snapshot.open(&file.path).context(&file.path)?;
            let header = Header::new(&file.path).with_size(file.size);
            let mut artifact = downstream.send(header).context(&file.path)?;
            let bytes = artifact.forward(body).context(&file.path)?;
            artifact.finish().context(&file.path)?;
            progress::advance(bytes);
        }
        Ok(())
    }
}

export!(source, ResticDownload);
