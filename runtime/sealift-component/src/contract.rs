//! The contract between Sealift and its Functions: its package, its versions, what is served.
//!
//! What stands in the contract is in `wit/`; what the host makes of it, in `sealift-bindings`,
//! which a test of the host compares with this.

use semver::Version;

/// The WIT package.
pub const PACKAGE: &str = "sealift:function";

/// The version new components are built against.
pub const CURRENT: &str = "0.1.0";

/// Every line of versions that is served, as major and minor number. Versions of one line differ
/// by what was added: a component runs on any of them that has what it imports.
pub const SERVED: &[&str] = &["0.1"];

/// Whether this version is served.
#[must_use]
pub fn is_served(version: &str) -> bool {
    Version::parse(version).is_ok_and(|version| {
        let line = format!("{}.{}", version.major, version.minor);
        version.pre.is_empty() && SERVED.contains(&line.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_of_a_served_line_is_served_and_no_other() {
        assert!(is_served(CURRENT));
        for version in ["0.1.0", "0.1.7", "0.1.12"] {
            assert!(is_served(version), "{version}");
        }
        for version in
            ["0.2.0", "1.1.0", "0.10.0", "0.1", "0.1.", "0.1.x", "0.1.0-rc.1", "", "0.1.0.0"]
        {
            assert!(!is_served(version), "{version}");
        }
    }
}
