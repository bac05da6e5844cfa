//! Staff at the screen: admitted by badge or pass and PIN.

use std::collections::BTreeSet;

use office_protocol::event::{Alarm, StaffRole};
use office_protocol::{EventBody, StaffId};

use super::Cabinet;
use super::authority::pin_fits;
use super::session::{AtWork, Stage};

pub(super) const TECHNICIAN: StaffRole = StaffRole::Technician;

impl Cabinet {
    pub(super) fn staff_at_work(&self) -> Option<StaffId> {
        self.session.at_work.as_ref().map(|work| work.staff.clone())
    }

    pub(super) fn pin_typed(&mut self, pin: &str) {
        let Stage::Pin {
            staff,
            role,
            verifier,
            ..
        } = &self.session.stage
        else {
            return;
        };
        if self.wait_until().is_some() {
            return;
        }
        let (staff, role) = (staff.clone(), *role);
        if pin_fits(pin, verifier) {
            self.diagnose(EventBody::StaffAdmitted {
                staff: staff.clone(),
                role,
            });
            if role == StaffRole::Technician {
                self.clear(Alarm::Tampered, None); // who could see what was done is there
            }
            self.begin_work(staff, role);
        } else {
            self.count_try();
            if let Stage::Pin { wrong, .. } = &mut self.session.stage {
                *wrong = true;
            }
        }
    }

    fn begin_work(&mut self, staff: StaffId, role: StaffRole) {
        self.session.at_work = Some(AtWork {
            staff,
            role,
            done: 0,
            skipped: BTreeSet::new(),
            pending: None,
            undoing: false,
        });
        self.session.stage = Stage::StaffHome;
    }

    /// A new cabinet, which the office has not told who its technicians are: whoever has the controller's keys has every other way
    /// in as well, and begins here so that the journal knows.
    pub(super) fn admit_at_machine(&mut self, staff: StaffId) {
        let mut members = self.authority.staff.members.iter();
        if members.any(|member| member.roles.contains(&TECHNICIAN)) {
            return;
        }
        self.renew_session();
        self.record(EventBody::StaffAdmitted {
            staff: staff.clone(),
            role: TECHNICIAN,
        });
        self.begin_work(staff, TECHNICIAN);
    }

    pub(super) fn may(&self, role: StaffRole) -> bool {
        self.session
            .at_work
            .as_ref()
            .is_some_and(|work| work.role == role)
    }
}
