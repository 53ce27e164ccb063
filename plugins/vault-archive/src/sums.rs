//! `SHA256SUMS`: one line per member, `<hex digest>  <name>`.

use crate::error::{Error, Result};

/// A SHA-256 digest.
pub(crate) type Digest = [u8; 32];

/// Compares the list with what was read: every member once, and no other.
pub(crate) fn check(list: &[u8], members: &[(&'static str, Digest)]) -> Result<()> {
    let list = String::from_utf8_lossy(list);
    let mut named = Vec::new();
    for line in list.lines() {
        let wrong = || Error::Sums { line: line.chars().take(128).collect() };
        let (digest, name) = line.split_once("  ").ok_or_else(wrong)?;
        let mut stated: Digest = [0; 32];
        hex::decode_to_slice(digest, &mut stated).map_err(|_| wrong())?;
        let (name, actual) =
            members.iter().find(|(member, _)| *member == name).ok_or_else(wrong)?;
        if stated != *actual {
            return Err(Error::SumDiffers { name });
        }
        if named.contains(name) {
            return Err(wrong());
        }
        named.push(*name);
    }
    match members.iter().find(|(member, _)| !named.contains(member)) {
        Some((name, _)) => Err(Error::SumMissing { name }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Digest = [1; 32];
    const TWO: Digest = [2; 32];

    fn list(lines: &[(Digest, &str)]) -> Vec<u8> {
        let lines: Vec<String> = lines
            .iter()
            .map(|(digest, name)| format!("{}  {name}\n", hex::encode(digest)))
            .collect();
        lines.concat().into_bytes()
    }

    #[test]
    fn the_order_of_lines_does_not_matter() {
        for lines in
            [[(ONE, "meta.json"), (TWO, "state.bin")], [(TWO, "state.bin"), (ONE, "meta.json")]]
        {
            assert!(check(&list(&lines), &[("meta.json", ONE), ("state.bin", TWO)]).is_ok());
        }
    }

    #[test]
    fn a_member_that_is_missing_differs_or_is_unknown_is_an_error() {
        let members = [("meta.json", ONE), ("state.bin", TWO)];
        let missing = check(&list(&[(ONE, "meta.json")]), &members);
        assert!(matches!(missing, Err(Error::SumMissing { name: "state.bin" })), "{missing:?}");
        let differs = check(&list(&[(ONE, "meta.json"), (ONE, "state.bin")]), &members);
        assert!(matches!(differs, Err(Error::SumDiffers { name: "state.bin" })), "{differs:?}");
        let unknown = check(&list(&[(ONE, "other.bin")]), &members);
        assert!(matches!(unknown, Err(Error::Sums { .. })), "{unknown:?}");
        let twice = check(&list(&[(ONE, "meta.json"), (ONE, "meta.json")]), &members);
        assert!(matches!(twice, Err(Error::Sums { .. })), "{twice:?}");
        let text = check(b"not a list", &members);
        assert!(matches!(text, Err(Error::Sums { .. })), "{text:?}");
    }
}
