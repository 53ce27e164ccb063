//! A server as a child process: its log in a file, ended by its id.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::wait;

/// A running server. Dropping it kills it and waits for its end.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints goes to `<folder>/<name>.log`.
    pub fn start(name: &str, folder: &Path, command: &mut Command) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output =
            File::create(&log).with_context(|| format!("failed to create {}", log.display()))?;
        let errors = output.try_clone().context("failed to share the log file")?;
        let child =
            command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn().with_context(
                || format!("failed to start {name}: {}", command.get_program().display()),
            )?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Waits until `ready` says so; a server that ended instead is an error with the end of its log.
    pub fn wait_until_ready(&mut self, mut ready: impl FnMut() -> bool) -> Result<()> {
        let what = format!("{} answers", self.name);
        wait::until(&what, wait::START_LIMIT, || {
            if let Some(status) =
                self.child.try_wait().context("failed to ask for the state of a child")?
            {
                bail!(
                    "{} ended with {status} instead of answering; its log ends with:\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            Ok(ready().then_some(()))
        })
        .with_context(|| format!("the log of {} ends with:\n{}", self.name, self.log_tail()))
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last lines it printed.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }

    /// Asks it to end, and waits for that; its exit code.
    pub fn terminate(&mut self) -> Result<Option<i32>> {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status()?;
        if !asked.success() {
            bail!("{} has ended already", self.name);
        }
        let what = format!("{} ends", self.name);
        wait::until(&what, wait::START_LIMIT, || {
            Ok(self.child.try_wait()?.map(|status| status.code()))
        })
    }

    /// Ends it at once, as a power cut would, and waits for its end.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("failed to kill {}", self.name))?;
        self.child
            .wait()
            .with_context(|| format!("failed to wait for the end of {}", self.name))?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing is left to do with an error here, and a server that already ended is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of 127.0.0.1 that is free at this moment.
pub fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind(("127.0.0.1", 0)).context("failed to find a free port on loopback")?;
    Ok(listener.local_addr().context("failed to read the port that was found")?.port())
}

/// An HTTP client that answers with every status instead of failing on some.
#[must_use]
pub fn http_client() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(120)))
        .build()
        .new_agent()
}
