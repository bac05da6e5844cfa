//! Authority documents: composed from the database, versioned by content, signed for one cabinet.

use office_protocol::document::{DocumentName, Expected, Revocations, Staff};
use office_protocol::{CabinetId, Purpose, Signed};
use serde::Serialize;

use crate::clock;
use crate::database::{Database, DatabaseError};
use crate::keys::Keys;

/// These documents of one cabinet, in this order.
///
/// # Errors
/// [`DatabaseError`].
pub async fn compose(
    database: &Database,
    keys: &Keys,
    cabinet: &CabinetId,
    names: &[DocumentName],
) -> Result<Vec<(DocumentName, Signed)>, DatabaseError> {
    let mut documents = Vec::new();
    for name in names.iter().copied() {
        documents.push((name, one(database, keys, cabinet, name).await?));
    }
    Ok(documents)
}

/// One document. The version is not part of what is compared: the same content keeps its version.
async fn one(
    database: &Database,
    keys: &Keys,
    cabinet: &CabinetId,
    name: DocumentName,
) -> Result<Signed, DatabaseError> {
    match name {
        DocumentName::Keys => {
            let content = json(&keys.key_set(0));
            let version = database.document_version(cabinet, name, &content).await?;
            Ok(keys.signed_key_set(cabinet, version))
        }
        DocumentName::Staff => {
            let members = database.staff_of(cabinet).await?;
            let content = json(&members);
            let version = database.document_version(cabinet, name, &content).await?;
            Ok(sign(keys, cabinet, &Staff { version, members }))
        }
        DocumentName::Revocations => {
            let passes = database.revoked_passes(clock::now()).await?;
            let passes: Vec<_> = passes.iter().filter_map(|id| id.parse().ok()).collect();
            let content = json(&passes);
            let version = database.document_version(cabinet, name, &content).await?;
            let keys_revoked = Vec::new();
            Ok(sign(
                keys,
                cabinet,
                &Revocations {
                    version,
                    passes,
                    keys: keys_revoked,
                },
            ))
        }
        DocumentName::Policy => {
            let mut policy = database.policy(cabinet).await?;
            policy.version = 0;
            let content = json(&policy);
            policy.version = database.document_version(cabinet, name, &content).await?;
            Ok(sign(keys, cabinet, &policy))
        }
        DocumentName::Expected => {
            let consignments = database.expected_at(cabinet).await?;
            let content = json(&consignments);
            let version = database.document_version(cabinet, name, &content).await?;
            Ok(sign(
                keys,
                cabinet,
                &Expected {
                    version,
                    consignments,
                },
            ))
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
