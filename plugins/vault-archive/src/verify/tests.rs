#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::sample::{gzip, members, noise, tar};

type Parts = Vec<(&'static str, Vec<u8>)>;

fn good() -> Parts {
    members(&noise(1, 100_000))
}

fn check(snapshot: &[u8]) -> Result<Summary> {
    verify(snapshot, Trailer::Nothing, &mut io::sink())
}

fn check_parts(change: impl FnOnce(&mut Parts)) -> Error {
    let mut parts = good();
    change(&mut parts);
    check(&gzip(&tar(&parts))).unwrap_err()
}

/// Remembers the tar and what was announced.
#[derive(Default)]
struct Recorder {
    tar: Vec<u8>,
    announced: Option<(u64, u64, usize)>,
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tar.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TarSink for Recorder {
    fn announce(&mut self, _: &Meta, state_size: u64, tar_at_most: u64) -> io::Result<()> {
        self.announced = Some((state_size, tar_at_most, self.tar.len()));
        Ok(())
    }
}

#[test]
fn a_good_snapshot_is_summed_up() {
    let summary = check(&gzip(&tar(&good()))).unwrap();
    assert_eq!((summary.meta.index, summary.meta.term, summary.state_size), (54, 3, 100_000));
    assert_eq!(summary.state_sha256, hex::encode(Sha256::digest(noise(1, 100_000))));
    assert_eq!(summary.sealed_size, 200);
}

#[test]
fn the_sink_gets_the_tar_and_an_upper_bound_before_the_state() {
    let tar = tar(&good());
    let mut recorder = Recorder::default();
    verify(gzip(&tar).as_slice(), Trailer::Nothing, &mut recorder).unwrap();
    assert!(recorder.tar == tar);
    let (state_size, at_most, seen) = recorder.announced.unwrap();
    assert_eq!((state_size, seen), (100_000, 1536));
    assert!(at_most >= tar.len() as u64, "{at_most}");
}

#[test]
fn a_stream_that_ends_early_is_an_error_wherever_it_ends() {
    let snapshot = gzip(&tar(&good()));
    assert!(matches!(check(&[]), Err(Error::Empty)));
    for end in (1..snapshot.len()).step_by(997).chain(snapshot.len() - 12..snapshot.len()) {
        let error = check(&snapshot[..end]).unwrap_err();
        assert!(matches!(error, Error::Read(_)), "{end}: {error:?}");
    }
}

#[test]
fn a_changed_byte_is_an_error_wherever_it_is() {
    let snapshot = gzip(&tar(&good()));
    // Behind the gzip header, whose time and system say nothing.
    for at in (10..snapshot.len()).step_by(1009).chain(snapshot.len() - 8..snapshot.len()) {
        let mut changed = snapshot.clone();
        changed[at] ^= 0x10;
        assert!(check(&changed).is_err(), "{at}");
    }
}

#[test]
fn what_is_not_gzip_is_told_apart() {
    assert!(matches!(check(b"<html>not found</html>"), Err(Error::NotGzip)));
}

#[test]
fn bytes_behind_the_end_are_an_error() {
    let mut snapshot = gzip(&tar(&good()));
    snapshot.push(0);
    assert!(matches!(check(&snapshot), Err(Error::Trailing)));
}

#[test]
fn a_second_gzip_member_is_an_error_unless_it_is_empty_and_allowed() {
    let first = gzip(&tar(&good()));
    let empty = [first.clone(), gzip(&[])].concat();
    let full = [first, gzip(b"more")].concat();
    assert!(matches!(check(&empty), Err(Error::Trailing)));
    let stored = |bytes: &[u8]| verify(bytes, Trailer::EmptyMembers, &mut io::sink());
    assert!(stored(&empty).is_ok());
    assert!(matches!(stored(&full), Err(Error::Trailing)));
    assert!(matches!(stored(&empty[..empty.len() - 3]), Err(Error::Read(_))));
}

#[test]
fn members_must_be_complete_and_in_order() {
    let missing = check_parts(|parts| drop(parts.pop()));
    assert!(
        matches!(&missing, Error::UnexpectedMember { expected: "SHA256SUMS.sealed", found } if found == "the end"),
        "{missing:?}"
    );
    let swapped = check_parts(|parts| parts.swap(0, 1));
    assert!(
        matches!(&swapped, Error::UnexpectedMember { expected: "meta.json", .. }),
        "{swapped:?}"
    );
    let extra = check_parts(|parts| parts.push(("more", vec![1])));
    assert!(
        matches!(&extra, Error::UnexpectedMember { expected: "the end", found } if found == "more"),
        "{extra:?}"
    );
}

#[test]
fn members_must_have_sensible_sizes() {
    let empty = check_parts(|parts| parts[1].1.clear());
    assert!(matches!(empty, Error::EmptyMember { name: "state.bin" }), "{empty:?}");
    let unsealed = check_parts(|parts| parts[3].1.clear());
    assert!(matches!(unsealed, Error::EmptyMember { name: "SHA256SUMS.sealed" }), "{unsealed:?}");
    let large = check_parts(|parts| parts[2].1 = vec![b'a'; 9000]);
    assert!(matches!(large, Error::TooLarge { name: "SHA256SUMS", size: 9000, .. }), "{large:?}");
}

#[test]
fn a_state_that_is_not_the_one_in_the_sums_is_an_error() {
    let differs = check_parts(|parts| parts[1].1[50_000] ^= 1);
    assert!(matches!(differs, Error::SumDiffers { name: "state.bin" }), "{differs:?}");
    let meta = check_parts(|parts| parts[0].1 = br#"{"Version":1,"Index":1,"Term":1}"#.to_vec());
    assert!(matches!(meta, Error::SumDiffers { name: "meta.json" }), "{meta:?}");
    let short = check_parts(|parts| {
        parts[0].1 = br#"{"Version":1,"Index":1,"Term":1,"Size":99999}"#.to_vec();
    });
    assert!(matches!(short, Error::StateSize { stated: 99_999, size: 100_000 }), "{short:?}");
    let text = check_parts(|parts| parts[0].1 = b"not json".to_vec());
    assert!(matches!(text, Error::Meta(_)), "{text:?}");
}

#[test]
fn a_member_that_is_no_file_is_an_error() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "meta.json", "/etc/passwd").unwrap();
    let error = check(&gzip(&builder.into_inner().unwrap())).unwrap_err();
    assert!(matches!(&error, Error::NotAFile { name } if name == "meta.json"), "{error:?}");
}

#[test]
fn a_tar_that_does_not_end_properly_is_an_error() {
    let tar = tar(&good());
    let one_block_short = &tar[..tar.len() - 512];
    assert!(matches!(check(&gzip(one_block_short)), Err(Error::Read(_))));
    let mut garbage = tar.clone();
    garbage.extend_from_slice(&[7; 512]);
    assert!(matches!(check(&gzip(&garbage)), Err(Error::Padding)));
    let mut between = tar;
    // The padding behind meta.json.
    between[1000] = 1;
    assert!(matches!(check(&gzip(&between)), Err(Error::Padding)));
}

#[test]
fn a_size_in_an_extended_header_counts() {
    let parts = good();
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in &parts {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o600);
        header.set_size(content.len() as u64);
        if *name == "state.bin" {
            let size = content.len().to_string();
            builder.append_pax_extensions([("size", size.as_bytes())]).unwrap();
        }
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    let summary = check(&gzip(&builder.into_inner().unwrap())).unwrap();
    assert_eq!(summary.state_size, 100_000);
}

#[test]
fn an_error_of_the_sink_is_its_own() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("no space"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl TarSink for Broken {
        fn announce(&mut self, _: &Meta, _: u64, _: u64) -> io::Result<()> {
            Ok(())
        }
    }
    let error = verify(gzip(&tar(&good())).as_slice(), Trailer::Nothing, &mut Broken).unwrap_err();
    assert!(matches!(error, Error::Write(_)), "{error:?}");
}

/// A good tar whose state has these extended headers, and in its own header this size.
fn extended(records: &[&[(&str, &[u8])]], size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in &good() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o600);
        header.set_size(content.len() as u64);
        if *name == "state.bin" {
            for records in records {
                builder.append_pax_extensions(records.iter().copied()).unwrap();
            }
        }
        let before = builder.get_ref().len();
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
        let mut part = builder.into_inner().unwrap();
        part.truncate(part.len() - 1024);
        if *name == "state.bin" {
            header.set_size(size);
            header.set_cksum();
            part[before..before + 512].copy_from_slice(header.as_bytes());
        }
        bytes.extend_from_slice(&part);
    }
    bytes.extend_from_slice(&[0; 1024]);
    gzip(&bytes)
}

#[test]
fn an_extended_header_says_a_size_once_and_briefly() {
    let size: &[(&str, &[u8])] = &[("size", b"100000")];
    // What stands in the file's own header does not count then: it has no room for 8 GiB.
    assert_eq!(check(&extended(&[size], 0)).unwrap().state_size, 100_000);
    assert!(matches!(check(&extended(&[size, size], 0)), Err(Error::NotAFile { .. })));
    let long: &[(&str, &[u8])] = &[("comment", &[b'x'; 9000]), ("size", b"100000")];
    assert!(matches!(check(&extended(&[long], 0)), Err(Error::NotAFile { .. })));
    let none: &[(&str, &[u8])] = &[("comment", b"x")];
    assert!(matches!(check(&extended(&[none], 100_000)), Err(Error::TarHeader { .. })));
}

#[test]
fn a_header_that_was_changed_is_an_error_whatever_it_says() {
    let mut tar = tar(&good());
    // The mode of meta.json, which nothing else looks at.
    tar[103] ^= 1;
    let error = check(&gzip(&tar)).unwrap_err();
    assert!(matches!(error, Error::TarHeader { number: 1, .. }), "{error:?}");
}
