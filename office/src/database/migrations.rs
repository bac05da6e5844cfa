//! The tables' versions, one file each in `office/migrations`, built in and brought up to date when a database is opened.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// `versions!(directory: number_name, …)`: the files of a directory, in order.
macro_rules! versions {
    ($directory:literal: $($file:literal),+ $(,)?) => {
        [$(($file, include_str!(concat!("../../migrations/", $directory, "/", $file)))),+]
    };
}

/// Of the hub's own file.
const SQLITE: &[(&str, &str)] = &versions!("sqlite": "0001_tables.sql", "0002_renewal.sql", "0003_generation.sql", "0004_lost.sql", "0005_unsigned.sql");
/// Of a server.
const POSTGRES: &[(&str, &str)] = &versions!("postgres": "0001_tables.sql", "0002_renewal.sql", "0003_generation.sql", "0004_lost.sql", "0005_unsigned.sql");

pub(super) fn sqlite() -> Migrator {
    migrator(SQLITE)
}

pub(super) fn postgres() -> Migrator {
    migrator(POSTGRES)
}

/// The number is the file's place in the list; a test holds the names to it.
fn migrator(files: &'static [(&str, &str)]) -> Migrator {
    let version = |(number, (name, text)): (i64, &(&'static str, &'static str))| {
        Migration::new(
            number,
            Cow::Borrowed(name),
            MigrationType::Simple,
            text.into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations((1..).zip(files).map(version).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{POSTGRES, SQLITE};

    #[test]
    fn every_file_is_built_in_under_its_number() {
        for (directory, files) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let place = format!("{}/migrations/{directory}", env!("CARGO_MANIFEST_DIR"));
            let mut found: Vec<String> = std::fs::read_dir(place)
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort();
            let built_in: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
            assert_eq!(built_in, found, "of {directory}");
            for (number, name) in (1..).zip(built_in) {
                assert!(name.starts_with(&format!("{number:04}_")), "{name}");
            }
        }
    }
}
