//! The file that tells the broker whose certificates count no more: written when that changes, whole or not at all.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::database::{Database, DatabaseError};
use crate::keys::{KeyStoreError, Keys};

/// See the module.
pub struct RevokedFile {
    path: PathBuf,
    /// The keys in it, as texts.
    written: Option<Vec<String>>,
}

impl RevokedFile {
    /// At this path; it is written at the first [`RevokedFile::keep`].
    pub fn at(path: PathBuf) -> Self {
        Self { path, written: None }
    }

    /// Writes the file if another list is due than the one that was written last.
    ///
    /// # Errors
    /// [`DatabaseError`]; a file that cannot be written is logged, and tried again next time.
    pub async fn keep(&mut self, database: &Database, keys: &Keys) -> Result<(), DatabaseError> {
        let revoked = database.revoked_keys().await?;
        let texts: Vec<String> = revoked.iter().map(|key| key.text()).collect();
        if self.written.as_ref() == Some(&texts) {
            return Ok(());
        }
        let written = keys
            .authority
            .revoked(&revoked)
            .and_then(|list| write(&self.path, &list));
        match written {
            Ok(()) => self.written = Some(texts),
            Err(error) => tracing::error!(%error, "the broker is not told whose certificates are revoked"),
        }
        Ok(())
    }
}

/// Puts a list in its place; everybody may read it.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, list: &str) -> Result<(), KeyStoreError> {
    let aside = path.with_extension("new");
    let put = || {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            .open(&aside)?;
        file.write_all(list.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&aside, path)
    };
    put().map_err(|source| KeyStoreError::File {
        path: path.into(),
        source,
    })
}
