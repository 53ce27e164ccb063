//! `cargo xtask image`: the one image of Sealift, as a tar that every container tool can read.
//!
//! Flow: the Functions → `sealift`, static, for musl ([`program`]) → root certificates
//! ([`roots`]) → an OCI layout with one layer ([`layout`]). Nothing here pushes to a registry,
//! and no container tool is needed. The same source gives the same digest, on every machine.

mod layout;
mod program;
mod roots;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::functions;
use crate::talk::{self, Steps};
use crate::workspace::Workspace;
use layout::{Entry, Image};

/// What the image may weigh unpacked, in bytes: what every node keeps of it. To pull it is less.
const LIMIT: u64 = 45_000_000;

/// How the image is built.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to write it.
    #[arg(long, default_value = "target/sealift/image.tar")]
    output: PathBuf,
    /// The name it gets where it is imported; a registry gives it another.
    #[arg(long, default_value_t = format!("localhost/sealift:{}", env!("CARGO_PKG_VERSION")))]
    name: String,
    /// Optimise little and check no size: built sooner, for trying things out.
    #[arg(long)]
    quick: bool,
}

/// Builds the image.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let workspace = Workspace::load()?;
    let mut steps = Steps::new(3);
    steps.begin(
        "Functions: five WebAssembly components",
        Some("about 10 min with empty caches, seconds with warm ones"),
    );
    let built = functions::ensure(&workspace, functions::Extent::BuiltIn)?;
    steps.done(&format!("{built} components, compiled ahead of time"));

    let profile = if arguments.quick { program::Profile::Quick } else { program::Profile::Image };
    steps.begin(&format!("sealift, static, for {}", program::TARGET), Some(profile.duration()));
    let program = program::build(&workspace, profile)?;
    steps.done(&format!("{} MB", megabytes(program.len() as u64)));

    steps.begin("The image", None);
    let image = image(arguments.name.clone());
    let entries = entries(program);
    let output = workspace.root.join(&arguments.output);
    let written = image.write(&entries, &output)?;
    steps.done(&output.display().to_string());
    talk::line(&format!("name      {}", arguments.name));
    talk::line(&format!("digest    {}", written.digest));
    talk::line(&format!(
        "size      {} MB unpacked, {} MB to pull",
        megabytes(written.unpacked),
        megabytes(written.packed)
    ));
    if written.unpacked > LIMIT && !arguments.quick {
        bail!(
            "the image weighs {} MB unpacked, more than the {} MB that are promised; look for what a new dependency brings along",
            megabytes(written.unpacked),
            megabytes(LIMIT)
        );
    }
    Ok(())
}

fn image(name: String) -> Image {
    Image {
        name,
        architecture: program::ARCHITECTURE,
        entrypoint: "/sealift",
        // The user the original runs its Jobs as. There is no /etc/passwd: kubelet needs none.
        user: "65535:65535",
        labels: labels(),
    }
}

/// All there is in it: one program for the operator and for every Job, and what its clients trust.
fn entries(program: Vec<u8>) -> [Entry; 2] {
    [
        Entry { path: "sealift", mode: 0o755, content: program },
        Entry { path: roots::PATH, mode: 0o644, content: roots::bundle() },
    ]
}

/// `sealift` as the image has it, for those who want to know what it costs: where it lies.
pub(crate) fn built_program(workspace: &Workspace) -> Result<PathBuf> {
    program::build(workspace, program::Profile::Image)?;
    Ok(program::path(workspace, program::Profile::Image))
}

fn labels() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            "org.opencontainers.image.description",
            "Backup and restore of secrets through chains of WebAssembly Functions.",
        ),
        ("org.opencontainers.image.licenses", env!("CARGO_PKG_LICENSE")),
        ("org.opencontainers.image.source", env!("CARGO_PKG_REPOSITORY")),
        ("org.opencontainers.image.title", "sealift"),
        ("org.opencontainers.image.version", env!("CARGO_PKG_VERSION")),
    ]
}

/// `31.4`, of a million bytes each.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_holds_the_program_and_the_authorities_it_trusts_and_nothing_else() {
        let entries = entries(b"the program".to_vec());
        let shown = entries.each_ref().map(|it| (format!("/{}", it.path), it.mode));
        let image = image("localhost/sealift:1".to_owned());
        assert_eq!(
            shown,
            [
                (image.entrypoint.to_owned(), 0o755),
                ("/etc/ssl/certs/ca-certificates.crt".to_owned(), 0o644),
            ]
        );
        // Not root, and nobody who owns one of these files.
        assert_eq!(image.user, "65535:65535");
    }

    #[test]
    fn sizes_are_rounded_up() {
        assert_eq!(megabytes(45_000_000), "45.0");
        assert_eq!(megabytes(45_000_001), "45.1");
        assert_eq!(megabytes(1), "0.1");
    }
}
