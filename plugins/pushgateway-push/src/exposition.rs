//! Prometheus' text format, version 0.0.4.

use std::fmt::Write;

use crate::metrics::Gauge;

/// Writes every gauge with its type and all its labels.
pub(crate) fn write<'a>(
    gauges: impl IntoIterator<Item = &'a Gauge>,
    user_labels: &[(String, String)],
) -> String {
    let mut text = String::new();
    for Gauge { name, labels, value, .. } in gauges {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(user_labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# TYPE {name} gauge\n{name}{{{}}} {value}", labels.join(","));
    }
    text
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::tests::facts;
    use crate::metrics;

    #[test]
    fn a_failed_restore_reads_like_this() {
        let gauges = metrics::of(&facts("restore"), false, |_| None);
        let labels = vec![("team".to_owned(), "a\\b\"c\nd".to_owned())];
        let session = r#"invoker_kind="RestoreSession",invoker_name="demo-backup",namespace="demo",driver="Restic",repository="gcp-demo-repo""#;
        let target = r#"kind="appbindings",group="appcatalog.appscode.com",name="vault""#;
        let host = r#"hostname="host-0""#;
        let user = r#"team="a\\b\"c\nd""#;
        assert_eq!(
            write(&gauges, &labels),
            format!(
                "# TYPE stash_restore_session_success gauge\n\
                 stash_restore_session_success{{{session},{user}}} 0\n\
                 # TYPE stash_appscode_com_restoresession_success gauge\n\
                 stash_appscode_com_restoresession_success{{{session},{user}}} 0\n\
                 # TYPE stash_restore_target_success gauge\n\
                 stash_restore_target_success{{{session},{target},{user}}} 0\n\
                 # TYPE stash_appscode_com_restoresession_target_success gauge\n\
                 stash_appscode_com_restoresession_target_success{{{session},{target},{user}}} 0\n\
                 # TYPE stash_restore_host_restore_success gauge\n\
                 stash_restore_host_restore_success{{{session},{target},{host},{user}}} 0\n\
                 # TYPE stash_appscode_com_restoresession_host_restore_success gauge\n\
                 stash_appscode_com_restoresession_host_restore_success{{{session},{target},{host},{user}}} 0\n"
            )
        );
    }

    #[test]
    fn large_and_broken_numbers_are_written_in_full() {
        let gauge =
            |value| Gauge { name: "a".to_owned(), labels: Vec::new(), value, of_target: false };
        assert_eq!(
            write(&[gauge(1_795_362_147.0), gauge(0.25)], &[]),
            "# TYPE a gauge\na{} 1795362147\n# TYPE a gauge\na{} 0.25\n"
        );
    }

    #[test]
    fn a_repository_s_line_has_its_place() {
        let gauges = metrics::of(&facts("backup"), true, |name| {
            (name == "repository-size-bytes").then_some(77_688_000.0)
        });
        let text = write(&gauges, &[]);
        let line = text
            .lines()
            .find(|line| line.starts_with("stash_repository_size_bytes"))
            .unwrap_or_default();
        assert_eq!(
            line,
            r#"stash_repository_size_bytes{invoker_kind="BackupConfiguration",invoker_name="demo-backup",namespace="backups",driver="Restic",repository="gcp-demo-repo",name="gcp-demo-repo",backend="gcs",bucket="stash-testing",prefix="demo-vault"} 77688000"#
        );
    }
}
