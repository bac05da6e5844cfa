//! What the page shows, read from the database; no personal data.

use office_protocol::enrolment::CERTIFICATE_WARNING_DAYS;
use office_protocol::state::Occupancy;
use office_protocol::{CabinetState, EventHeader, Timestamp};

use crate::clock;
use crate::database::alarms::ListedAlarm;
use crate::database::cabinets::ListedCabinet;
use crate::database::{Database, DatabaseError, consignments, events};
use crate::page::{
    AlarmRow, CabinetRow, Completeness, ConsignmentRow, EventRow, Language, Overview, Presence,
};

const EVENTS: u32 = 30;
const CONSIGNMENTS: u32 = 200;
const ALARMS: u32 = 100;

/// The page's content.
///
/// # Errors
/// [`DatabaseError`].
pub async fn overview(database: &Database, language: Language) -> Result<Overview, DatabaseError> {
    let alarms = database.alarms(false, ALARMS).await?;
    let listed = database.cabinets(None).await?;
    let mut cabinets: Vec<CabinetRow> = listed
        .iter()
        .map(|cabinet| cabinet_row(cabinet, &alarms))
        .collect();
    cabinets.sort_by_key(|row| (row.alarms == 0, row.presence.clone(), row.cabinet.clone()));
    let filter = consignments::Filter {
        limit: CONSIGNMENTS,
        ..Default::default()
    };
    let consignments = database.consignments(&filter).await?;
    let inside = consignments.into_iter().filter(|row| row.left_at.is_none());
    let filter = events::Filter {
        limit: EVENTS,
        ..Default::default()
    };
    let events = database.events(&filter).await?;
    Ok(Overview {
        language,
        cabinets,
        alarms: alarms.iter().map(alarm_row).collect(),
        consignments: inside.map(consignment_row).collect(),
        events: events.iter().filter_map(event_row).collect(),
    })
}

fn cabinet_row(cabinet: &ListedCabinet, alarms: &[ListedAlarm]) -> CabinetRow {
    let state: Option<CabinetState> = cabinet
        .state
        .as_deref()
        .and_then(|json| serde_json::from_str(json).ok());
    let boards = |protected| {
        let all = state.iter().flat_map(|state| &state.boards);
        let some = all.filter(|board| {
            board
                .traffic
                .is_some_and(|traffic| traffic.protected == protected)
        });
        some.map(|board| board.id.0).collect()
    };
    let (protected, unprotected) = (boards(true), boards(false));
    let compartments = state.map(|state| state.compartments).unwrap_or_default();
    let holding = |occupancy| {
        compartments
            .iter()
            .filter(|one| one.occupancy == occupancy && !one.withdrawn)
            .count()
    };
    let unproven = compartments.iter().filter(|one| one.unproven);
    let (unproven, empty) = (
        unproven.clone().count(),
        unproven
            .filter(|one| one.occupancy == Occupancy::Free && !one.withdrawn)
            .count(),
    );
    let mine = alarms.iter().filter(|alarm| alarm.cabinet == cabinet.id);
    CabinetRow {
        cabinet: cabinet.id.clone(),
        presence: presence(cabinet),
        seen: cabinet.last_seen.map(Timestamp::from_millis),
        complete_to: u64::try_from(cabinet.complete_to).unwrap_or(0),
        completeness: if cabinet.branches > 1 {
            Completeness::Fork
        } else if cabinet.gap {
            Completeness::Gap
        } else if let (Some(from), Some(to)) = (cabinet.lost_from, cabinet.lost_to) {
            Completeness::Lost(from, to)
        } else {
            Completeness::Complete
        },
        compartments: compartments.len(),
        free: holding(Occupancy::Free) - empty,
        unconfirmed: holding(Occupancy::Unconfirmed),
        unproven,
        protected,
        unprotected,
        certificate_ends: cabinet
            .certificate_ends
            .map(Timestamp::from_millis)
            .filter(|ends| {
                let soon = clock::now().plus_days(CERTIFICATE_WARNING_DAYS);
                cabinet.revoked.is_none() && *ends < soon
            }),
        alarms: mine.count(),
    }
}

fn presence(cabinet: &ListedCabinet) -> Presence {
    match (cabinet.revoked, cabinet.silent_since, cabinet.presence.as_str()) {
        (Some(_), _, _) => Presence::Revoked,
        (None, Some(since), _) => Presence::Silent(Timestamp::from_millis(since)),
        (None, None, "online") => Presence::Online,
        (None, None, "unknown") => Presence::Unheard,
        (None, None, _) => Presence::Offline,
    }
}

fn alarm_row(alarm: &ListedAlarm) -> AlarmRow {
    AlarmRow {
        id: alarm.id,
        since: Timestamp::from_millis(alarm.raised),
        cabinet: alarm.cabinet.clone(),
        alarm: alarm.alarm.clone(),
        compartment: alarm.compartment.and_then(|id| u16::try_from(id).ok()),
    }
}

fn consignment_row(row: consignments::ListedConsignment) -> ConsignmentRow {
    ConsignmentRow {
        consignment: row.id,
        application: row.application,
        cabinet: row.cabinet,
        compartment: u16::try_from(row.compartment).ok(),
        state: row.state,
        since: Timestamp::from_millis(row.changed),
    }
}

fn event_row(listed: &events::ListedEvent) -> Option<EventRow> {
    let header = EventHeader::parse(listed.event.get().as_bytes()).ok()?;
    Some(EventRow {
        time: header.time,
        cabinet: listed.cabinet.clone(),
        seq: header.seq.0,
        kind: header
            .kind
            .strip_prefix("locker.")
            .unwrap_or(&header.kind)
            .to_owned(),
        subject: header.subject,
    })
}
