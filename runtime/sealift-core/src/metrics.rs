//! What more than one part of Sealift has to know of the original's metrics.
//!
//! The series themselves are made by the Function `pushgateway-push`, which is a component and
//! sees nothing of this crate.

/// The Pushgateway's grouping key `job`: `<invoker kind in lower case>-<namespace>-<name>`.
#[must_use]
pub fn job_name(invoker_kind: &str, namespace: &str, name: &str) -> String {
    format!("{}-{namespace}-{name}", invoker_kind.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_is_named_as_dashboards_expect() {
        assert_eq!(
            job_name("BackupConfiguration", "demo", "demo-backup"),
            "backupconfiguration-demo-demo-backup"
        );
    }
}
