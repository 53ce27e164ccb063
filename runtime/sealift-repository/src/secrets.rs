//! The secrets of a repository: its password, the storage's credentials, the CA certificate.
//!
//! They come from the storage Secret and from nowhere else, never from the environment. They are
//! wiped from memory when dropped and never shown: not in `Debug`, not in errors. rustic_core
//! keeps copies of its own while it works, which this module cannot wipe.

use std::fmt;

use zeroize::Zeroizing;

/// What is wrong with the data of a storage Secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsError {
    /// A key that is always needed.
    #[error("key {key} is missing in the storage Secret or empty; add it")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// Half of a pair.
    #[error("key {present} is set in the storage Secret but {missing} is not; set both or none")]
    Half {
        /// The key that is set.
        present: &'static str,
        /// The key that is not.
        missing: &'static str,
    },
    /// Not text.
    #[error("key {key} of the storage Secret is not UTF-8 text")]
    NotText {
        /// The key.
        key: &'static str,
    },
    /// Not a certificate.
    #[error(
        "key CA_CERT_DATA of the storage Secret holds no PEM certificate (-----BEGIN CERTIFICATE-----)"
    )]
    NoCertificate,
}

/// A name and its password: an access key and its secret key, or a user of a REST server.
#[derive(Clone)]
pub struct Login {
    /// User or access key.
    pub user: Zeroizing<String>,
    /// Password or secret key.
    pub password: Zeroizing<String>,
}

/// Everything about a repository that must stay secret.
#[derive(Clone)]
pub struct Secrets {
    /// restic's password, `RESTIC_PASSWORD`.
    pub password: Zeroizing<String>,
    /// Keys for S3; none = the storage is asked without a signature.
    pub s3: Option<Login>,
    /// User and password of a REST server.
    pub rest: Option<Login>,
    /// PEM certificates that sign the storage's; none = the public roots.
    pub ca_pem: Option<String>,
}

impl Secrets {
    /// Only a password.
    #[must_use]
    pub fn new(password: impl Into<String>) -> Self {
        Self { password: Zeroizing::new(password.into()), s3: None, rest: None, ca_pem: None }
    }

    /// From the data of the storage Secret: `RESTIC_PASSWORD`, `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY`, `REST_SERVER_USERNAME` and `REST_SERVER_PASSWORD`,
    /// `CA_CERT_DATA`; the names are the original's. Other keys are left alone.
    ///
    /// # Errors
    /// A needed key is missing, half of a pair is, or a value is no text.
    pub fn from_data<'a>(
        data: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, SecretsError> {
        let data: std::collections::BTreeMap<&str, &[u8]> = data.into_iter().collect();
        let text = |key: &'static str| -> Result<Option<Zeroizing<String>>, SecretsError> {
            match data.get(key) {
                None | Some([]) => Ok(None),
                Some(bytes) => std::str::from_utf8(bytes)
                    .map(|text| Some(Zeroizing::new(text.to_owned())))
                    .map_err(|_| SecretsError::NotText { key }),
            }
        };
        let login = |user_key: &'static str, password_key: &'static str| match (
            text(user_key)?,
            text(password_key)?,
        ) {
            (Some(user), Some(password)) => Ok(Some(Login { user, password })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(SecretsError::Half { present: user_key, missing: password_key }),
            (None, Some(_)) => Err(SecretsError::Half { present: password_key, missing: user_key }),
        };
        let ca_pem = text("CA_CERT_DATA")?.map(|pem| pem.to_string());
        if ca_pem.as_ref().is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----")) {
            return Err(SecretsError::NoCertificate);
        }
        Ok(Self {
            password: text("RESTIC_PASSWORD")?
                .ok_or(SecretsError::Missing { key: "RESTIC_PASSWORD" })?,
            s3: login("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")?,
            rest: login("REST_SERVER_USERNAME", "REST_SERVER_PASSWORD")?,
            ca_pem,
        })
    }

    /// The text with every secret value in it replaced: passwords, secret keys, and the users and
    /// access keys that belong to them, as they are and as they stand in a URL.
    ///
    /// A last line of defence for texts that come from libraries; values of fewer than four
    /// characters are left, because they would blot out ordinary words.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut values = vec![self.password.clone()];
        for login in [&self.s3, &self.rest].into_iter().flatten() {
            values.extend([login.password.clone(), login.user.clone()]);
        }
        let mut shapes: Vec<Zeroizing<String>> = values.into_iter().flat_map(shapes).collect();
        // The longest first: a value that is part of another must not leave the rest of it.
        shapes.sort_by_key(|shape| std::cmp::Reverse(shape.len()));
        let mut redacted = text.to_owned();
        for shape in shapes.iter().filter(|shape| shape.len() >= 4) {
            redacted = redacted.replace(shape.as_str(), "[redacted]");
        }
        redacted
    }
}

/// How a value can stand in a text: as it is, as in a form or a query, as in front of the host of
/// a URL.
fn shapes(value: Zeroizing<String>) -> Vec<Zeroizing<String>> {
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let in_front = url::Url::parse("http://host/").ok().and_then(|mut url| {
        url.set_username(&value).ok()?;
        Some(Zeroizing::new(url.username().to_owned()))
    });
    [value, Zeroizing::new(form)].into_iter().chain(in_front).collect()
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets([redacted])")
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login([redacted])")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_storage_secret_is_read_by_the_names_of_the_original() {
        let secrets = Secrets::from_data([
            ("RESTIC_PASSWORD", b"pass word\n".as_slice()),
            ("AWS_ACCESS_KEY_ID", b"AKIA"),
            ("AWS_SECRET_ACCESS_KEY", b"secret/key"),
            ("OTHER", b"\xff"),
        ])
        .unwrap();
        assert_eq!(secrets.password.as_str(), "pass word\n");
        let s3 = secrets.s3.unwrap();
        assert_eq!((s3.user.as_str(), s3.password.as_str()), ("AKIA", "secret/key"));
        assert!(secrets.rest.is_none());
    }

    #[test]
    fn a_missing_or_half_credential_names_the_key() {
        let password = ("RESTIC_PASSWORD", b"x".as_slice());
        let error = Secrets::from_data([password, ("AWS_ACCESS_KEY_ID", b"A")]).unwrap_err();
        assert_eq!(
            error,
            SecretsError::Half { present: "AWS_ACCESS_KEY_ID", missing: "AWS_SECRET_ACCESS_KEY" }
        );
        let error = Secrets::from_data([password, ("REST_SERVER_PASSWORD", b"p")]).unwrap_err();
        assert_eq!(
            error,
            SecretsError::Half { present: "REST_SERVER_PASSWORD", missing: "REST_SERVER_USERNAME" }
        );
        let error = Secrets::from_data([("RESTIC_PASSWORD", b"".as_slice())]).unwrap_err();
        assert_eq!(error, SecretsError::Missing { key: "RESTIC_PASSWORD" });
        let error = Secrets::from_data([password, ("CA_CERT_DATA", b"junk")]).unwrap_err();
        assert_eq!(error, SecretsError::NoCertificate);
    }

    #[test]
    fn secrets_show_neither_in_debug_nor_in_redacted_text() {
        let mut secrets = Secrets::new("hunter2hunter2");
        secrets.rest = Some(Login {
            user: Zeroizing::new("bob".into()),
            password: Zeroizing::new("p@ss/word".into()),
        });
        assert_eq!(format!("{secrets:?}"), "Secrets([redacted])");
        assert_eq!(format!("{:?}", secrets.rest), "Some(Login([redacted]))");
        assert_eq!(
            secrets.redact("http://bob:p%40ss%2Fword@host/ and p@ss/word and hunter2hunter2"),
            "http://bob:[redacted]@host/ and [redacted] and [redacted]"
        );
    }

    #[test]
    fn users_and_access_keys_are_redacted_as_they_are_and_as_a_url_has_them() {
        let login = |user: &str, password: &str| Login {
            user: Zeroizing::new(user.into()),
            password: Zeroizing::new(password.into()),
        };
        let mut secrets = Secrets::new("hunter2hunter2");
        secrets.s3 = Some(login("AKIAEXAMPLE", "AKIAEXAMPLE-and-more"));
        secrets.rest = Some(login("anna lee", "it's 100%* ~true"));
        assert_eq!(
            secrets.redact("key AKIAEXAMPLE, secret AKIAEXAMPLE-and-more"),
            "key [redacted], secret [redacted]"
        );
        // The form's encoding differs from that of a user in a URL: blank, quote, star, tilde.
        let mut url = url::Url::parse("https://host/").unwrap();
        url.set_username("anna lee").unwrap();
        url.set_password(Some("it's 100%* ~true")).unwrap();
        assert_eq!(secrets.redact(url.as_str()), "https://[redacted]:[redacted]@host/");
        assert_eq!(secrets.redact("user=anna+lee"), "user=[redacted]");
    }

    #[test]
    fn a_secret_that_is_part_of_another_leaves_nothing_of_it() {
        let mut secrets = Secrets::new("hunter2");
        let (user, password) = ("AKIA".to_owned(), "hunter2-and-more".to_owned());
        secrets.s3 = Some(Login { user: Zeroizing::new(user), password: Zeroizing::new(password) });
        assert_eq!(secrets.redact("it is hunter2-and-more"), "it is [redacted]");
    }
}
