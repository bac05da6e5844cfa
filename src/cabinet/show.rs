//! What is shown: the screen that follows from session and ledger, the notices above it, and the state that operators see.

use std::collections::BTreeSet;

use office_protocol::event::{Alarm, SecondFactorKind, Size, VisitPurpose};
use office_protocol::state::{BoardState, CabinetState, CompartmentState, Occupancy, StandingAlarm};
use office_protocol::{BoardId, CompartmentId, Seq};

use super::Cabinet;
use super::allocation::free;
use super::door::Phase;
use super::ledger::{Compartment, Direction};
use super::limits::{LEFT_OPEN_MS, REMINDER_LOUD_MS, REMINDER_MS};
use super::screen::{BoardRow, CompartmentRow, DoorWork, DropOffs, Notice, Screen, View};
use super::session::Stage;
use super::vocabulary::{Monotonic, Space};

impl Cabinet {
    /// Everything that the kiosk may draw.
    pub fn view(&self) -> View {
        View {
            cabinet: self.config.id.clone(),
            session: self.session.id,
            revision: self.session.revision,
            appearance: self.session.appearance,
            screen: self.screen(),
            notices: self.notices(),
            help_phone: self.authority.policy.help_phone.clone(),
            reference: self.reference(),
            until: self.shown_until(),
        }
    }

    /// A new screen is a new revision: taps on the old one are stale.
    pub(super) fn note_screen(&mut self) {
        let screen = self.screen();
        if self.shown.as_ref() != Some(&screen) {
            self.shown = Some(screen);
            self.session.revision = self.session.revision.wrapping_add(1);
        }
    }

    /// Names this conversation to a person on the phone.
    pub(super) fn reference(&self) -> Option<String> {
        let visit = self.session.visit();
        let consignment = visit
            .and_then(|visit| self.visit(visit))
            .and_then(|running| running.consignment.clone());
        consignment
            .map(|id| id.to_string())
            .or_else(|| visit.map(|visit| format!("{}.{visit}", self.config.id)))
    }

    fn shown_until(&self) -> Option<Monotonic> {
        if let Some(visit) = self.session.visit()
            && let Some(work) = self.work.get(&visit)
        {
            match work.phase {
                Phase::Open { .. } => return Some(work.since.plus_millis(LEFT_OPEN_MS)),
                Phase::Resting { until } => return Some(until),
                Phase::Granted | Phase::Opening | Phase::Asking | Phase::Closed { .. } => {}
            }
        }
        self.session_deadline()
    }

    fn notices(&self) -> Vec<Notice> {
        let full = free(&self.ledger, &self.seen_closed).next().is_none();
        let unproven = full && self.ledger.unproven().next().is_some();
        let all = [
            (!self.online, Notice::Offline),
            (!self.peripherals_lost.is_empty(), Notice::ScannerLost),
            (
                !self.boards_lost.is_empty() || !self.ports_lost.is_empty(),
                Notice::DoorsUnreachable,
            ),
            (full && !unproven, Notice::Full),
            (unproven, Notice::Unproven),
            (self.space > Space::Plenty, Notice::DropOffsRefused),
            (!self.moment.trusted, Notice::ClockUntrusted),
        ];
        let notices = all
            .into_iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, notice)| notice);
        notices
            .chain(self.stands_open().map(Notice::StandsOpen))
            .collect()
    }

    /// The first door that is open although nobody works at it, as after a move to another one. Staff see to doors themselves, and a
    /// broken sensor is no door.
    fn stands_open(&self) -> Option<CompartmentId> {
        let open = |(id, place): &(&CompartmentId, &Compartment)| {
            let broken = StandingAlarm {
                alarm: Alarm::SensorBroken,
                compartment: Some(**id),
            };
            place.built
                && place.open == Some(true)
                && place.visit.is_none()
                && !self.ledger.alarms.contains(&broken)
        };
        let mut places = self.ledger.compartments.iter();
        let found = places.find(open).map(|(id, _)| *id);
        found.filter(|_| self.session.at_work.is_none())
    }

    pub(super) fn door_work(&self, visit: Seq) -> Option<DoorWork> {
        self.visit(visit).map(|running| DoorWork {
            purpose: running.purpose,
            compartment: running.compartment,
            consignment: running.consignment.clone(),
            pulses: running.pulses,
        })
    }

    /// How urgently the person is reminded of an open door.
    pub(super) fn reminder(&self, visit: Seq) -> u8 {
        let Some(work) = self.work.get(&visit) else {
            return 0;
        };
        let passed = |wait| work.since.plus_millis(wait) <= self.moment.now;
        let by_time = u8::from(passed(REMINDER_MS)) + u8::from(passed(REMINDER_LOUD_MS));
        match work.phase {
            Phase::Open { by_word } => by_time.max(u8::from(by_word)), // no sensor will tell: the person must
            Phase::Granted
            | Phase::Opening
            | Phase::Resting { .. }
            | Phase::Asking
            | Phase::Closed { .. } => 0,
        }
    }

    fn screen(&self) -> Screen {
        if self.session.help {
            return Screen::Help;
        }
        if self.session.asked_more_time.is_some() {
            return Screen::MoreTime;
        }
        match &self.session.stage {
            Stage::Home => Screen::Home {
                drop_offs: self.drop_offs(),
            },
            Stage::Digits { wrong } => Screen::EnterDigits {
                length: u8::try_from(self.digits_wanted()).unwrap_or(u8::MAX),
                wrong: *wrong,
                wait_until: self.wait_until(),
            },
            Stage::SecondFactor {
                consignment, wrong, ..
            } => {
                let second = self
                    .ledger
                    .consignments
                    .get(consignment)
                    .and_then(|inside| inside.second);
                let kind = second.map_or(SecondFactorKind::Receipt, |second| second.kind);
                Screen::EnterSecondFactor {
                    kind,
                    wrong: *wrong,
                    wait_until: self.wait_until(),
                }
            }
            Stage::ScanProblem(problem) => Screen::ScanProblem(problem.clone()),
            Stage::ChooseItem => Screen::ChooseItem,
            Stage::Phone { first, mismatch } => Screen::EnterPhone {
                again: first.is_some(),
                mismatch: *mismatch,
            },
            Stage::Checklist => Screen::Checklist {
                items: self.session.drop_off.items.clone(),
                application: self.session.drop_off.application.clone(),
                size: self.session.drop_off.size.unwrap_or(Size::Small),
                choose_size: self.session.drop_off.pass.is_none(),
            },
            Stage::Door { visit } => self.door_screen(*visit),
            Stage::PlacingScan { refused } => {
                let work = self.session.at_work.as_ref();
                let last = work
                    .and_then(|work| work.pending)
                    .and_then(|visit| self.visit(visit));
                let done = work.map_or(0, |work| work.done) + u16::from(last.is_some());
                let last =
                    last.and_then(|running| running.consignment.clone().map(|id| (id, running.compartment)));
                Screen::PlacingScan {
                    last,
                    done,
                    refused: *refused,
                }
            }
            Stage::PlacingSize { label } => Screen::PlacingSize {
                consignment: label.clone(),
            },
            Stage::Receipt(receipt) => Screen::Receipt {
                reference: receipt.reference.clone(),
                compartment: receipt.compartment,
                received: receipt.received,
                unverified: self.session.drop_off.pass.is_none(),
                second: self
                    .session
                    .drop_off
                    .second_digits
                    .as_ref()
                    .map(|digits| digits.to_string()),
                proof: receipt.proof.clone(),
                more: u16::from(self.session.drop_off.left),
            },
            Stage::Done(done) => Screen::Done {
                done: *done,
                more: self.more(),
            },
            Stage::Sorry(trouble, work) => Screen::Sorry {
                trouble: *trouble,
                work: work.clone(),
            },
            Stage::Pin { staff, wrong, .. } => Screen::EnterPin {
                staff: staff.clone(),
                wrong: *wrong,
                wait_until: self.wait_until(),
            },
            Stage::StaffHome => self.staff_home(),
            Stage::Round(purpose) => Screen::Round {
                purpose: *purpose,
                rows: self.rows(*purpose),
                done: self.session.at_work.as_ref().map_or(0, |work| work.done),
            },
            Stage::Compartments => Screen::Compartments {
                rows: self.compartment_rows(),
                boards: self.board_rows(),
            },
            Stage::Commissioning => self.commissioning_screen(),
            Stage::History(None) => Screen::LookUp {
                compartments: self.ledger.compartments.keys().copied().collect(),
            },
            Stage::History(Some(about)) => Screen::History { about: about.clone() },
        }
    }

    fn more(&self) -> u16 {
        u16::try_from(self.session.more.len()).unwrap_or(u16::MAX)
    }

    fn drop_offs(&self) -> DropOffs {
        if self.takes_drop_offs() {
            DropOffs::Open
        } else {
            DropOffs::Closed {
                nearby: self.authority.policy.nearby.clone(),
            }
        }
    }

    fn door_screen(&self, visit: Seq) -> Screen {
        let (Some(work), Some(at)) = (self.door_work(visit), self.work.get(&visit)) else {
            return Screen::Home {
                drop_offs: self.drop_offs(),
            };
        };
        match at.phase {
            Phase::Open { .. } | Phase::Closed { .. } if self.is_proving(visit) => {
                self.proving_screen(visit, work)
            }
            Phase::Granted => match &self.session.drop_off.slip {
                Some(slip) => Screen::Slip {
                    reference: work
                        .consignment
                        .clone()
                        .unwrap_or_else(|| "-".parse().expect("a dash is plain")),
                    qr: slip.qr.clone(),
                    digits: slip.digits.clone(),
                    spare: slip.spare.clone(),
                    second: self.second_kind(visit),
                },
                None => Screen::Opening(work),
            },
            Phase::Opening => Screen::Opening(work),
            Phase::Resting { .. } => Screen::LockResting(work),
            Phase::Asking => Screen::IsDoorOpen(work),
            Phase::Open { .. } => Screen::DoorOpen {
                reminder: self.reminder(visit),
                envelope: self.session.drop_off.envelope.is_some(),
                item_seen: self.items_seen.get(&work.compartment).copied(),
                work,
            },
            Phase::Closed { .. } => match work.purpose {
                VisitPurpose::DropOff | VisitPurpose::Placing => Screen::IsItInside(work),
                VisitPurpose::Inspection | VisitPurpose::Proving => Screen::WhatIsInside { work },
                VisitPurpose::TakeBack
                | VisitPurpose::Clearing
                | VisitPurpose::Collection
                | VisitPurpose::Recall => Screen::TookEverything {
                    work,
                    more: self.more(),
                },
            },
        }
    }

    fn second_kind(&self, visit: Seq) -> SecondFactorKind {
        let second = self.visit(visit).and_then(|running| running.second);
        second.map_or(SecondFactorKind::Receipt, |second| second.kind)
    }

    fn staff_home(&self) -> Screen {
        let count = |purpose| u16::try_from(self.rows(purpose).len()).unwrap_or(u16::MAX);
        let mut sizes = [0_u16; 3];
        for (_, place) in free(&self.ledger, &self.seen_closed) {
            sizes[place.size as usize] += 1;
        }
        let Some(work) = &self.session.at_work else {
            return Screen::Home {
                drop_offs: self.drop_offs(),
            };
        };
        Screen::StaffHome {
            staff: work.staff.clone(),
            role: work.role,
            to_clear: count(VisitPurpose::Clearing),
            to_recall: count(VisitPurpose::Recall),
            unconfirmed: count(VisitPurpose::Inspection),
            to_prove: count(VisitPurpose::Proving),
            rewired: u16::try_from(self.ledger.rewired().count()).unwrap_or(u16::MAX),
            free: sizes,
        }
    }

    fn compartment_rows(&self) -> Vec<CompartmentRow> {
        let row = |(id, place): (&office_protocol::CompartmentId, &Compartment)| CompartmentRow {
            compartment: *id,
            size: place.size,
            open: self.seen_closed.get(id).map(|closed| !closed),
            occupied: place.consignment.is_some() || place.doubt.is_some(),
            withdrawn: place.withdrawn,
            proven: self.ledger.is_proven(*id),
            unexpected: self.is_unexpected(*id, place),
            unreachable: self
                .ledger
                .board_of(*id)
                .is_some_and(|board| self.boards_lost.contains(&board)),
        };
        self.ledger.compartments.iter().map(row).collect()
    }

    /// The boards that compartments hang on.
    fn boards(&self) -> BTreeSet<BoardId> {
        let places = self.ledger.compartments.keys();
        places.filter_map(|id| self.ledger.board_of(*id)).collect()
    }

    pub(super) fn board_rows(&self) -> Vec<BoardRow> {
        let row = |board| BoardRow {
            board,
            protected: self.config.protected.contains(&board),
            lost: self.boards_lost.contains(&board),
            refusal: self.boards_refusing.get(&board).copied(),
        };
        self.boards().into_iter().map(row).collect()
    }

    /// The snapshot for the office.
    pub fn state(&self) -> CabinetState {
        let compartment = |(id, place): (&office_protocol::CompartmentId, &Compartment)| CompartmentState {
            id: *id,
            size: place.size,
            occupancy: self.occupancy(place),
            open: self.seen_closed.get(id).map(|closed| !closed),
            item: self.items_seen.get(id).copied(),
            withdrawn: place.withdrawn.is_some(),
            unproven: place.built && !self.ledger.is_proven(*id),
        };
        let board = |id| BoardState {
            id,
            answering: !self.boards_lost.contains(&id),
            shared: self.addresses_shared.contains(&id),
            refusal: self.boards_refusing.get(&id).copied(),
            traffic: None, // the bus knows
        };
        CabinetState {
            start: self.ledger.start,
            seq: self.ledger.tip.seq,
            time: self.moment.wall.max(self.ledger.floor),
            compartments: self.ledger.compartments.iter().map(compartment).collect(),
            boards: self.boards().into_iter().map(board).collect(),
            ports_lost: self.ports_lost.iter().cloned().collect(),
            wires: Vec::new(), // the bus knows
            mains: self.mains,
            alarms: self.ledger.alarms.iter().cloned().collect(),
        }
    }

    fn occupancy(&self, place: &Compartment) -> Occupancy {
        let direction = place
            .consignment
            .as_ref()
            .and_then(|id| self.ledger.consignments.get(id));
        match direction.map(|inside| inside.direction) {
            _ if place.visit.is_some() => Occupancy::InUse,
            _ if place.doubt.is_some() => Occupancy::Unconfirmed,
            Some(Direction::Inbound) => Occupancy::Inbound,
            Some(Direction::Outbound) => Occupancy::Outbound,
            None => Occupancy::Free,
        }
    }
}
