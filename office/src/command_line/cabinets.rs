//! What is done about one cabinet: enrolled, renewed, revoked, its history written for a new disk.

use std::io::Write;
use std::path::Path;

use office_protocol::CabinetId;
use office_protocol::enrolment::Identity;

use super::{Failure, open};
use crate::clock;
use crate::database::Database;
use crate::documents;
use crate::history::History;
use crate::keys::Keys;
use crate::revoked;
use crate::settings::Settings;

fn read_identity(identity: &Path) -> Result<Identity, Failure> {
    let text = if identity == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(identity)
    };
    let text = text.map_err(|error| Failure::File {
        path: identity.to_owned(),
        error,
    })?;
    serde_json::from_str(&text).map_err(|error| Failure::Identity(identity.to_owned(), error))
}

pub(super) async fn enrol(settings: &Settings, cabinet: &CabinetId, identity: &Path) -> Result<(), Failure> {
    let known = read_identity(identity)?;
    std::fs::create_dir_all(&settings.directory)?;
    let keys = Keys::open_or_create(&settings.keys())?;
    let database = Database::open(&settings.database()).await?;
    database.enrol(cabinet, &known.key, clock::now()).await?;
    print_bundle(&database, &keys, cabinet, &known).await
}

pub(super) async fn renew(settings: &Settings, cabinet: &CabinetId, identity: &Path) -> Result<(), Failure> {
    let known = read_identity(identity)?;
    let keys = Keys::open(&settings.keys())?;
    let database = open(settings).await?;
    if !database.renew(cabinet, &known.key).await? {
        return Err(Failure::NotEnrolled(cabinet.clone()));
    }
    print_bundle(&database, &keys, cabinet, &known).await
}

async fn print_bundle(
    database: &Database,
    keys: &Keys,
    cabinet: &CabinetId,
    known: &Identity,
) -> Result<(), Failure> {
    let version = documents::key_set_version(database, keys, cabinet).await?;
    let bundle = keys.bundle(cabinet, known, version)?;
    if let Some(ends) = bundle.certificate_ends {
        database.certified(cabinet, ends, clock::now()).await?;
    }
    println!(
        "{}",
        serde_json::to_string_pretty(&bundle).expect("a bundle is texts")
    );
    Ok(())
}

pub(super) async fn export(
    settings: &Settings,
    cabinet: &CabinetId,
    branch: Option<u32>,
    anyway: bool,
) -> Result<(), Failure> {
    let keys = Keys::open(&settings.keys())?;
    let database = open(settings).await?;
    let mut history = History::begin(&database, &keys, cabinet, branch, anyway).await?;
    if history.others() > 0 {
        eprintln!(
            "office: {cabinet} has {} histories: a disk was cloned or restored. This is history {}; --branch takes another",
            history.others() + 1,
            history.end().branch
        );
    }
    let mut out = std::io::stdout().lock();
    while let Some(lines) = history.next(&database).await? {
        out.write_all(lines.as_bytes())?;
    }
    out.flush()?;
    eprintln!("office: {cabinet}, {} events", history.end().seq);
    Ok(())
}

pub(super) async fn revoke(settings: &Settings, cabinet: &CabinetId) -> Result<(), Failure> {
    let database = open(settings).await?;
    if !database.revoke_cabinet(cabinet, clock::now()).await? {
        return Err(Failure::Unknown(cabinet.clone()));
    }
    eprintln!("office: {cabinet} is revoked");
    if let Some(path) = &settings.revoked {
        let list = Keys::open(&settings.keys())?
            .authority
            .revoked(&database.revoked_keys().await?)?;
        revoked::write(path, &list)?;
        eprintln!(
            "office: {} is written; let the broker read it again",
            path.display()
        );
    }
    Ok(())
}
