//! The settings file: TOML, unknown keys are errors with line and column.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::http::HeaderName;
use serde::Deserialize;
use thiserror::Error;

use crate::database::Location;
use crate::hub::Patience;
use crate::mqtt;

/// What the hub runs with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the database, the keys and the made secrets are.
    pub directory: PathBuf,
    /// Where API and page are served; a proxy with TLS stands before anything but loopback.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Host names under which a proxy serves it, besides the address itself.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The header in which that proxy says who asks, when nobody else can reach `listen`; left out: whoever is connected.
    #[serde(default)]
    client_header: Option<String>,
    /// Where the database is, when it is not a file in `directory`: see [`Location::server`].
    #[serde(default)]
    database: Option<Location>,
    /// After so many minutes without anything new from it, a cabinet is silent.
    #[serde(default = "default_silent_minutes")]
    pub silent_minutes: u32,
    /// So many days after a consignment was taken out, what is personal about it is erased.
    #[serde(default = "default_personal_days")]
    pub personal_days: u32,
    /// Where the list of revoked certificates is written for the broker, which must read it again then.
    #[serde(default)]
    pub revoked: Option<PathBuf>,
    /// The broker.
    pub broker: mqtt::Settings,
    /// Whom hand-overs are told to.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8090))
}

fn default_silent_minutes() -> u32 {
    30
}

fn default_personal_days() -> u32 {
    30
}

/// One receiver of hand-overs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// What it is called in the database; never change it while deliveries wait.
    pub name: String,
    /// Where to.
    pub url: String,
    /// The file that holds the secret for the signature.
    pub secret_file: PathBuf,
    /// Whether phone numbers and plain pickup codes are included (for the SMS gateway).
    #[serde(default)]
    pub personal: bool,
}

/// A settings file that cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file.
    #[error("{path}: {error}; give the settings file with --config")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What it says.
    #[error("{path}: {error}")]
    Text {
        /// Which.
        path: PathBuf,
        /// What, with line and column.
        error: Box<toml::de::Error>,
    },
    /// A value that does not fit.
    #[error("{path}: {what}")]
    Value {
        /// Which.
        path: PathBuf,
        /// What is wrong and what to write instead.
        what: String,
    },
}

impl Settings {
    /// Reads the file; a relative directory is beside it.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|error| SettingsError::File {
            path: path.to_owned(),
            error,
        })?;
        let mut settings: Self = toml::from_str(&text).map_err(|error| SettingsError::Text {
            path: path.to_owned(),
            error: Box::new(error),
        })?;
        settings.check().map_err(|what| SettingsError::Value {
            path: path.to_owned(),
            what,
        })?;
        let beside = path.parent().unwrap_or(Path::new("."));
        settings.directory = beside.join(&settings.directory);
        settings.revoked = settings.revoked.map(|path| beside.join(path));
        for webhook in &mut settings.webhooks {
            webhook.secret_file = beside.join(&webhook.secret_file);
        }
        if let Some(tls) = &mut settings.broker.tls {
            for file in [&mut tls.ca, &mut tls.certificate, &mut tls.key] {
                *file = beside.join(&*file);
            }
        }
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        if self.broker.share.is_some() && self.database.is_none() {
            return Err(
                "broker.share is for several hubs on one database: set database as well, or leave it out"
                    .into(),
            );
        }
        if self.client_header.is_some() && self.client_header().is_none() {
            return Err("client_header: the name of an HTTP header, as \"x-forwarded-for\"".into());
        }
        if self.silent_minutes == 0 || self.personal_days == 0 {
            return Err("silent_minutes and personal_days: at least 1".into());
        }
        for (index, webhook) in self.webhooks.iter().enumerate() {
            if self.webhooks[..index]
                .iter()
                .any(|other| other.name == webhook.name)
            {
                return Err(format!(
                    "two webhooks are called {:?}; give each its own name",
                    webhook.name
                ));
            }
            let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
            let safe = webhook.url.starts_with("https://")
                || local.iter().any(|start| webhook.url.starts_with(start));
            if !safe {
                return Err(format!(
                    "webhook {:?}: the url must begin with https://, or http:// on this machine",
                    webhook.name
                ));
            }
        }
        Ok(())
    }

    /// The header in which a proxy says who asks.
    pub fn client_header(&self) -> Option<HeaderName> {
        self.client_header.as_ref()?.parse().ok()
    }

    /// Where the database is.
    pub fn database(&self) -> Location {
        let file = || Location::File(self.directory.join("office.db"));
        self.database.clone().unwrap_or_else(file)
    }

    /// How long is long enough.
    pub fn patience(&self) -> Patience {
        Patience {
            silent_minutes: self.silent_minutes,
            personal_days: self.personal_days,
        }
    }

    /// The key directory.
    pub fn keys(&self) -> PathBuf {
        self.directory.join("keys")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Settings, SettingsError> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("office.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path)
    }

    #[test]
    fn the_example_can_be_used() {
        let settings = read(include_str!("../../config/office.toml")).unwrap();
        assert_eq!(settings.silent_minutes, default_silent_minutes());
        assert_eq!(settings.listen, default_listen());
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let error = read("directory = \"d\"\ncolour = 3\n[broker]\nhost = \"localhost\"\nport = 1883\n");
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("line 2, column 1") && text.contains("colour"),
            "{text}"
        );
    }

    #[test]
    fn a_server_far_away_must_prove_itself_and_no_error_shows_a_password() {
        let text = |database: &str, share: &str| {
            format!("directory = \"d\"\n{database}\n[broker]\nhost = \"localhost\"\nport = 1883\n{share}\n")
        };
        let socket = "database = \"postgres:///office?host=/run/postgresql\"";
        assert!(read(&text(socket, "share = \"office\"")).is_ok());
        assert!(read(&text("database = \"postgres://office@127.0.0.1/office\"", "")).is_ok());
        let far = "database = \"postgres://office:hunter2@db.example/office\"";
        let error = read(&text(far, "")).unwrap_err().to_string();
        assert!(
            error.contains("verify-full") && error.contains("line 2"),
            "{error}"
        );
        let far = "database = \"postgres://office@db.example/office?sslmode=verify-full\"";
        assert!(read(&text(far, "")).is_ok());
        assert!(read(&text("database = \"mysql://x\"", "")).is_err());
        assert!(
            read(&text("", "share = \"office\"")).is_err(),
            "several hubs need a server"
        );
    }

    #[test]
    fn the_header_of_a_proxy_is_a_header() {
        let text = |header: &str| {
            format!(
                "directory = \"d\"\nclient_header = \"{header}\"\n[broker]\nhost = \"localhost\"\nport = 1883\n"
            )
        };
        let named = read(&text("X-Forwarded-For")).unwrap().client_header().unwrap();
        assert_eq!(named.as_str(), "x-forwarded-for");
        let error = read(&text("a proxy")).unwrap_err().to_string();
        assert!(error.contains("client_header"), "{error}");
    }

    #[test]
    fn a_webhook_in_the_clear_is_only_for_this_machine() {
        let text = |url: &str| {
            format!(
                "directory = \"d\"\n[broker]\nhost = \"localhost\"\nport = 1883\n\
                 [[webhooks]]\nname = \"a\"\nurl = \"{url}\"\nsecret_file = \"s\"\n"
            )
        };
        assert!(read(&text("http://127.0.0.1:9/x")).is_ok());
        assert!(read(&text("http://approval.example/x")).is_err());
    }
}
