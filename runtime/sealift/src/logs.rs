//! The log: for people on a terminal, as JSON lines in a pod.
//!
//! A line of a pod names its session, whichever thread or task wrote it. What is logged is
//! decided where it happens; Secrets' values are logged nowhere.

use std::fmt;
use std::io::IsTerminal;
use std::sync::OnceLock;

use jiff::Timestamp;
use sealift_core::plan::ObjectRef;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::exit::{Exit, Failure};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The session of this process, once it is known.
static SESSION: OnceLock<ObjectRef> = OnceLock::new();

/// Begins to log to standard error.
pub(crate) fn init(filter: &str, style: Style) -> Result<(), Failure> {
    let layers = EnvFilter::try_new(filter)
        .map_err(|error| Failure::new(Exit::Invalid, format!("--log {filter:?}: {error}")))?;
    let logs = tracing_subscriber::fmt().with_env_filter(layers).with_writer(std::io::stderr);
    match style {
        Style::Text => logs.with_ansi(std::io::stderr().is_terminal()).init(),
        Style::Json => logs.with_ansi(false).event_format(Json).init(),
    }
    Ok(())
}

/// Names the session in every line from here on; of several calls the first counts.
pub(crate) fn name_session(session: &ObjectRef) {
    let _ = SESSION.set(session.clone());
}

/// One JSON object a line.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        let mut text = |name: &str, value: &str| {
            line.insert(name.to_owned(), Value::String(value.to_owned()));
        };
        text("time", &Timestamp::now().to_string());
        text("level", event.metadata().level().as_str());
        text("target", event.metadata().target());
        if let Some(session) = SESSION.get() {
            text("kind", &session.kind);
            text("namespace", &session.namespace);
            text("session", &session.name);
        }
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Takes the fields of a line.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn add(&mut self, field: &Field, value: Value) {
        // What the session is called stays, whatever a line says.
        self.0.entry(field.name()).or_insert(value);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::String(value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_json_and_names_the_session() {
        let written = Written::default();
        let to = written.clone();
        let logs =
            tracing_subscriber::fmt().event_format(Json).with_writer(move || to.clone()).finish();
        name_session(&ObjectRef {
            group: String::new(),
            kind: "BackupSession".into(),
            namespace: "demo".into(),
            name: "demo-backup-1".into(),
        });
        tracing::subscriber::with_default(logs, || {
            tracing::warn!(
                stage = "vault-0",
                session = "other",
                bytes = 3,
                "said \"no\"\nand left"
            );
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["session"], "demo-backup-1");
        assert_eq!(line["message"], "said \"no\"\nand left");
        assert_eq!((&line["stage"], &line["bytes"]), (&"vault-0".into(), &3.into()));
        assert_eq!(line["level"], "WARN");
    }
}
