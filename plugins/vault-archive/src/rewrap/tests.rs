#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Read;

use super::*;
use crate::sample::{self, noise};
use crate::{Trailer, verify};

/// Wraps a tar, announced as if it could have this many bytes.
fn wrap(tar: &[u8], at_most: u64) -> Vec<u8> {
    let mut rewrap = Rewrap::new(Vec::new(), announced_size(at_most)).unwrap();
    for piece in tar.chunks(7777) {
        rewrap.write_all(piece).unwrap();
    }
    rewrap.finish().unwrap()
}

#[test]
fn any_reader_of_gzip_finds_the_tar_byte_for_byte() {
    for (length, slack) in [(0, 0), (1, 0), (5_000, 20_000), (300_000, 0), (300_000, 200_000)] {
        let tar = noise(5, length);
        let wrapped = wrap(&tar, length as u64 + slack);
        assert_eq!(wrapped.len() as u64, announced_size(length as u64 + slack));
        let mut read = Vec::new();
        flate2::bufread::MultiGzDecoder::new(wrapped.as_slice()).read_to_end(&mut read).unwrap();
        assert!(read == tar, "{length}");
    }
}

#[test]
fn the_wrapped_snapshot_verifies_like_the_served_one() {
    let tar = sample::tar(&sample::members(&noise(6, 200_000)));
    let served = verify(sample::gzip(&tar).as_slice(), Trailer::Nothing, &mut io::sink()).unwrap();
    let wrapped = wrap(&tar, tar.len() as u64 + 9_000);
    let stored = verify(wrapped.as_slice(), Trailer::EmptyMembers, &mut io::sink()).unwrap();
    assert_eq!(stored, served);
}

#[test]
fn equal_tars_give_equal_files() {
    let tar = noise(7, 400_000);
    assert!(wrap(&tar, 500_000) == wrap(&tar, 500_000));
}

#[test]
fn a_tar_longer_than_announced_is_an_error_and_never_cut_off() {
    let tar = noise(8, 100_000);
    let mut rewrap = Rewrap::new(Vec::new(), announced_size(50_000)).unwrap();
    assert!(rewrap.write_all(&tar).is_err());

    // All that is written fits, and the smallest filler behind it does not.
    let tar = noise(9, 50_000);
    let mut bare = Rewrap::new(Vec::new(), announced_size(50_000)).unwrap();
    bare.write_all(&tar).unwrap();
    let rest = bare.cutter.take();
    bare.block(&rest).unwrap();
    let bare = bare.written + LAST_BLOCK.len() as u64 + TRAILER;
    for gap in 0..filler::LEAST + 3 {
        let mut rewrap = Rewrap::new(Vec::new(), bare + gap).unwrap();
        rewrap.write_all(&tar).unwrap();
        match rewrap.finish() {
            Ok(file) => assert_eq!((file.len() as u64, gap >= filler::LEAST), (bare + gap, true)),
            Err(error) => {
                let told = FunctionError::from(error);
                assert!(matches!(told, FunctionError::DataLossRisk(_)), "{gap}: {told:?}");
                assert!(gap < filler::LEAST, "{gap}: {told:?}");
            }
        }
    }
}
