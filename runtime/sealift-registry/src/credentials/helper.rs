//! Helper programs that keep a person's credentials: `docker-credential-<name> get`.
//!
//! The registry goes in on standard input, JSON comes out. What a helper prints may be a secret,
//! so no error repeats it.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use zeroize::Zeroizing;

use super::{CredentialError, Login};

/// A helper may ask its person for a word.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most it may print.
const MOST_BYTES: u64 = 64 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

pub(super) async fn ask(name: &str, registry: &str) -> Result<Option<Login>, CredentialError> {
    let helper = format!("docker-credential-{name}");
    let refused = |why: String| CredentialError::Helper {
        helper: helper.clone(),
        registry: registry.to_owned(),
        why,
    };
    // A name with a slash would be a program of somebody else's choice.
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    {
        return Err(refused("its name is none".to_owned()));
    }
    let server = if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry };
    let run = async {
        let mut child = Command::new(&helper)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that does not read what it is asked says so by its exit code.
            let _ = input.write_all(server.as_bytes()).await;
        }
        let mut printed = Zeroizing::new(Vec::new());
        if let Some(output) = child.stdout.take() {
            output.take(MOST_BYTES + 1).read_to_end(&mut printed).await?;
        }
        Ok::<_, std::io::Error>((child.wait().await?, printed))
    };
    let (status, printed) = tokio::time::timeout(PATIENCE, run)
        .await
        .map_err(|_| refused("it did not end".to_owned()))?
        .map_err(|error| refused(error.to_string()))?;
    if !status.success() {
        // The one failure that is none, in the words all helpers share.
        let said = String::from_utf8_lossy(&printed);
        let unknown = said.contains("credentials not found");
        return if unknown { Ok(None) } else { Err(refused(status.to_string())) };
    }
    if printed.len() as u64 > MOST_BYTES {
        return Err(refused("it printed more than 64 KiB".to_owned()));
    }
    let answer: Answer = serde_json::from_slice(&printed)
        .map_err(|_| refused("it printed something else than credentials".to_owned()))?;
    let secret = Zeroizing::new(answer.secret);
    Ok(Some(match answer.username.as_str() {
        "<token>" => Login::Identity(secret),
        _ => Login::Basic { user: answer.username, password: secret },
    }))
}
