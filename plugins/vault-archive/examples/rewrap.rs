//! Verifies a snapshot as Vault serves it and writes the form that is stored:
//! `cargo run -p vault-archive --example rewrap -- served.snap stored.snap`.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};

use vault_archive::{LazyRewrap, Trailer, verify};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(served), Some(stored)) = (arguments.next(), arguments.next()) else {
        return Err("usage: rewrap <served.snap> <stored.snap>".into());
    };
    let served = BufReader::with_capacity(128 * 1024, File::open(served)?);
    let mut sink = LazyRewrap::new(|_| File::create(&stored).map(BufWriter::new));
    let summary = verify(served, Trailer::Nothing, &mut sink)?;
    sink.finish()?;
    writeln!(io::stdout(), "{summary:#?}")?;
    Ok(())
}
