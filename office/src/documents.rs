//! Authority documents: composed from the database, versioned by content, signed for one cabinet.

use office_protocol::document::{DocumentName, Expected, Revocations, Staff};
use office_protocol::{CabinetId, Purpose, Signed};
use serde::Serialize;

use crate::clock;
use crate::database::{Database, DatabaseError, Writing, directory, versions};
use crate::keys::Keys;

/// These documents of one cabinet, in this order. One hub composes them at a time, so that what was read last has the highest version.
///
/// # Errors
/// [`DatabaseError`].
pub async fn compose(
    database: &Database,
    keys: &Keys,
    cabinet: &CabinetId,
    names: &[DocumentName],
) -> Result<Vec<(DocumentName, Signed)>, DatabaseError> {
    let mut tx = database.writing().await?;
    versions::hold(&mut tx, cabinet).await?;
    versions::sign_with(&mut tx, keys.generation).await?;
    let mut documents = Vec::new();
    for name in names.iter().copied() {
        documents.push((name, one(&mut tx, keys, cabinet, name).await?));
    }
    tx.commit().await?;
    Ok(documents)
}

/// The version of the key set that a cabinet has or gets.
///
/// # Errors
/// [`DatabaseError`].
pub async fn key_set_version(
    database: &Database,
    keys: &Keys,
    cabinet: &CabinetId,
) -> Result<u64, DatabaseError> {
    let mut tx = database.writing().await?;
    versions::hold(&mut tx, cabinet).await?;
    versions::sign_with(&mut tx, keys.generation).await?;
    let content = json(&keys.key_set(0));
    let version = versions::version(&mut tx, cabinet, DocumentName::Keys, &content, clock::now()).await?;
    tx.commit().await?;
    Ok(version)
}

/// The cabinets that may speak and do not yet have these keys in force.
///
/// # Errors
/// [`DatabaseError`].
pub async fn without_key_set(database: &Database, keys: &Keys) -> Result<Vec<String>, DatabaseError> {
    database.without_key_set(&json(&keys.key_set(0))).await
}

/// The cabinets that may speak and have documents in force that an earlier key signed.
///
/// # Errors
/// [`DatabaseError`].
pub async fn signed_before(database: &Database, keys: &Keys) -> Result<Vec<String>, DatabaseError> {
    database.signed_before(&stamp(keys, "%")).await
}

/// What is compared of a document: its content and who signs it. A new key makes a new version, so that cabinets say when they have it.
fn stamp(keys: &Keys, content: &str) -> String {
    format!("{} {content}", keys.documents.id())
}

/// One document. The version is not part of what is compared: the same content keeps its version.
async fn one(
    tx: &mut Writing,
    keys: &Keys,
    cabinet: &CabinetId,
    name: DocumentName,
) -> Result<Signed, DatabaseError> {
    let now = clock::now();
    match name {
        DocumentName::Keys => {
            let content = json(&keys.key_set(0));
            let version = versions::version(tx, cabinet, name, &content, now).await?;
            Ok(keys.signed_key_set(cabinet, version))
        }
        DocumentName::Staff => {
            let members = directory::staff_of(tx.on(), cabinet).await?;
            let version = versions::version(tx, cabinet, name, &stamp(keys, &json(&members)), now).await?;
            Ok(sign(keys, cabinet, &Staff { version, members }))
        }
        DocumentName::Revocations => {
            let passes = directory::revoked_passes(tx.on(), now).await?;
            let passes: Vec<_> = passes.iter().filter_map(|id| id.parse().ok()).collect();
            let mut document = Revocations {
                version: 0,
                passes,
                keys: keys.retired.clone(),
            };
            document.version =
                versions::version(tx, cabinet, name, &stamp(keys, &json(&document)), now).await?;
            Ok(sign(keys, cabinet, &document))
        }
        DocumentName::Policy => {
            let mut policy = directory::policy(tx.on(), cabinet).await?;
            policy.version = 0;
            policy.version = versions::version(tx, cabinet, name, &stamp(keys, &json(&policy)), now).await?;
            Ok(sign(keys, cabinet, &policy))
        }
        DocumentName::Expected => {
            let consignments = directory::expected_at(tx.on(), cabinet).await?;
            let version =
                versions::version(tx, cabinet, name, &stamp(keys, &json(&consignments)), now).await?;
            let document = Expected {
                version,
                consignments,
            };
            Ok(sign(keys, cabinet, &document))
        }
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("documents are texts and numbers")
}

fn sign<T: Serialize>(keys: &Keys, cabinet: &CabinetId, document: &T) -> Signed {
    Signed::new(
        &keys.documents,
        Purpose::Document,
        cabinet,
        json(document).into_bytes(),
    )
}
