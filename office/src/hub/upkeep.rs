//! What a hub does by the clock: it says who has been silent, and erases personal data that nobody needs any more.

use std::collections::BTreeSet;

use office_protocol::Timestamp;
use office_protocol::document::DocumentName;
use office_protocol::enrolment::CERTIFICATE_WARNING_DAYS;

use super::{Hub, Outgoing};
use crate::database::alarms::{AlarmKey, Source};
use crate::database::{DatabaseError, alarms};
use crate::documents;

const DAY_MS: i64 = 86_400_000;

/// How long is long enough.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// After so many minutes without anything new, a cabinet is silent.
    pub silent_minutes: u32,
    /// So many days after its consignment was taken out, a sealed part is erased.
    pub personal_days: u32,
}

impl Hub {
    /// The documents of cabinets that do not have the keys in force, or documents that an earlier key signed: for a hub that starts.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn catch_up(&self) -> Result<Vec<Outgoing>, DatabaseError> {
        let unsigned = self.database.unsign_passes().await?;
        if unsigned > 0 {
            tracing::info!(unsigned, "passes are kept without their signatures from now on");
        }
        let mut behind: BTreeSet<String> = BTreeSet::new();
        behind.extend(documents::without_key_set(&self.database, &self.keys).await?);
        behind.extend(documents::signed_before(&self.database, &self.keys).await?);
        let mut outgoing = Vec::new();
        for cabinet in behind.iter().filter_map(|id| id.parse().ok()) {
            outgoing.extend(self.documents(&cabinet, &DocumentName::ALL).await?);
        }
        Ok(outgoing)
    }

    /// Does what is due. Several hubs may do it at once.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn upkeep(&self, patience: Patience, now: Timestamp) -> Result<(), DatabaseError> {
        let since = now.plus_millis(-i64::from(patience.silent_minutes) * 60_000);
        let silent = self.database.newly_silent(since).await?;
        if !silent.is_empty() {
            let mut tx = self.database.writing().await?;
            let raised = silent.iter().map(|cabinet| {
                tracing::warn!(cabinet, "nothing new from it");
                let key = AlarmKey {
                    cabinet,
                    alarm: "silent",
                    source: Source::Hub,
                    compartment: None,
                };
                (key, 1)
            });
            let raised: Vec<_> = raised.collect();
            alarms::raise(&mut tx, &raised, now).await?;
            tx.commit().await?;
            self.changed();
        }
        let soon = now.plus_days(CERTIFICATE_WARNING_DAYS);
        let ending = self.database.certificates_ending(soon).await?;
        if !ending.is_empty() {
            for cabinet in &ending {
                tracing::warn!(
                    cabinet,
                    "its certificate ends soon: enrol it again with the same identity"
                );
            }
            let raised: Vec<_> = ending
                .iter()
                .map(|cabinet| (alarms::certificate_ends(cabinet), 1))
                .collect();
            let mut tx = self.database.writing().await?;
            alarms::raise(&mut tx, &raised, now).await?;
            tx.commit().await?;
            self.changed();
        }
        let before = now.plus_millis(-i64::from(patience.personal_days) * DAY_MS);
        let erased = self.database.erase_out_of_date(before, now).await?;
        if erased > 0 {
            tracing::info!(erased, "personal data erased by schedule");
        }
        Ok(())
    }
}
