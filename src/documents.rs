//! The office's authority documents as files: one signed file each, replaced as a whole or not at all.

use std::io;

use office_protocol::Signed;
use office_protocol::document::DocumentName;
use office_protocol::signature::Forged;
use thiserror::Error;

use crate::journal::Disk;
use crate::journal::disk::{read_whole, replace};

/// A document that could not be kept or read.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// The disk failed.
    #[error(
        "{doing} the document {name} in {place} failed: {source}; check the disk, the office will send it again"
    )]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Which.
        name: DocumentName,
        /// The directory.
        place: String,
        /// The cause.
        source: io::Error,
    },
    /// The file is no signed file.
    #[error("the document {name} in {place} is {source}; remove the file, the office will send it again")]
    NotSigned {
        /// Which.
        name: DocumentName,
        /// The directory.
        place: String,
        /// What is wrong with it.
        source: Forged,
    },
}

fn file_name(name: DocumentName) -> String {
    format!("{name}.document")
}

/// Keeps a document: written aside, synced, renamed.
///
/// # Errors
/// [`DocumentError::Io`]; what was kept before is still whole.
pub fn store(disk: &dyn Disk, name: DocumentName, signed: &Signed) -> Result<(), DocumentError> {
    replace(disk, &file_name(name), &signed.to_file()).map_err(|source| DocumentError::Io {
        doing: "writing",
        name,
        place: disk.place(),
        source,
    })
}

/// Reads one document, not verified.
///
/// # Errors
/// [`DocumentError`].
pub fn load(disk: &dyn Disk, name: DocumentName) -> Result<Option<Signed>, DocumentError> {
    let read = read_whole(disk, &file_name(name)).map_err(|source| DocumentError::Io {
        doing: "reading",
        name,
        place: disk.place(),
        source,
    })?;
    let parse = |file: Vec<u8>| {
        Signed::from_file(&file).map_err(|source| DocumentError::NotSigned {
            name,
            place: disk.place(),
            source,
        })
    };
    read.map(parse).transpose()
}

/// All documents that can be read, keys first. One that cannot is said in the log and left out: the office sends it again.
pub fn load_all(disk: &dyn Disk) -> Vec<(DocumentName, Signed)> {
    let read = |name| match load(disk, name) {
        Ok(signed) => signed.map(|signed| (name, signed)),
        Err(error) => {
            tracing::warn!(%error, "authority document");
            None
        }
    };
    DocumentName::ALL.into_iter().filter_map(read).collect()
}
