//! Commands of the office: genuine, for this start, in time, within the cap; carried out at most once, answered as often as asked.

use office_protocol::event::{Alarm, Authority, VisitPurpose};
use office_protocol::{Action, Command, CommandOutcome, CompartmentId, EventBody, Purpose, Refusal, Signed};

use super::Cabinet;
use super::ledger::{Direction, Visit};
use super::limits::{HOUR_MS, OFFICE_AHEAD_MAX_MS};
use super::visit::Grant;
use super::vocabulary::Effect;

impl Cabinet {
    pub(super) fn command_received(&mut self, signed: &Signed) {
        let keys = self.authority.keys.clone();
        let genuine = keys
            .as_ref()
            .and_then(|keys| keys.check(signed, Purpose::Command, &self.config.id).ok());
        let Some(command) = genuine.and_then(|bytes| serde_json::from_slice::<Command>(bytes).ok()) else {
            self.raise(Alarm::Forgery, None);
            return;
        };
        if command.number <= self.ledger.command_number {
            self.answer_again(command.number);
            return;
        }
        if command.start != self.ledger.start {
            return; // meant for an earlier run: neither carried out nor counted
        }
        match self.refusal(&command) {
            Some(refusal) => {
                self.record(EventBody::CommandRefused {
                    number: command.number,
                    refusal,
                });
                self.answer_again(command.number);
            }
            None => self.carry_out(command),
        }
    }

    fn answer_again(&mut self, number: u64) {
        if let Some(reply) = self
            .ledger
            .replies
            .iter()
            .find(|reply| reply.number == number)
            .cloned()
        {
            self.effect(Effect::Reply(reply));
        }
    }

    fn refusal(&self, command: &Command) -> Option<Refusal> {
        let now = self.today();
        let opens = command.action.opens_door();
        let lives_too_long = opens && command.issued.plus_millis(Command::DOOR_LIFETIME_MS) < command.expires;
        if opens && !now.trusted {
            return Some(Refusal::ClockUntrusted);
        }
        let corrects = matches!(command.action, Action::CorrectClock { .. });
        if !corrects && (lives_too_long || command.expires <= now.time) {
            return Some(Refusal::Expired);
        }
        // One that was held back would live longer by as much as the office's clock is ahead.
        let ahead = command.issued > now.time.plus_millis(OFFICE_AHEAD_MAX_MS);
        if !corrects && now.trusted && ahead {
            return Some(Refusal::TooEarly);
        }
        let place = |id: &CompartmentId| self.ledger.compartments.get(id);
        match &command.action {
            Action::Open { compartment } => {
                let recent = self
                    .ledger
                    .remote_openings
                    .iter()
                    .filter(|at| at.plus_millis(HOUR_MS) > now.time)
                    .count();
                match place(compartment) {
                    None => Some(Refusal::Unknown),
                    Some(place) if place.visit.is_some() => Some(Refusal::Busy),
                    Some(_) => (recent >= self.authority.policy.remote_openings_per_hour as usize)
                        .then_some(Refusal::TooMany),
                }
            }
            Action::Withdraw { compartment, .. } | Action::Return { compartment } => {
                place(compartment).is_none().then_some(Refusal::Unknown)
            }
            Action::ReissueCode { consignment } => match self.ledger.consignments.get(consignment) {
                Some(inside) if inside.direction == Direction::Outbound => {
                    self.sealing_key().is_none().then_some(Refusal::NoSealingKey)
                }
                Some(_) | None => Some(Refusal::Unknown),
            },
            Action::CorrectClock { .. } | Action::RestartWhenIdle => None,
        }
    }

    fn carry_out(&mut self, command: Command) {
        let number = command.number;
        self.record(EventBody::CommandAccepted {
            number,
            action: command.action.clone(),
        });
        match command.action {
            Action::Open { compartment } => {
                let consignment = self
                    .ledger
                    .compartments
                    .get(&compartment)
                    .and_then(|place| place.consignment.clone());
                let authority = Authority::Command { number };
                let grant = Grant {
                    purpose: VisitPurpose::Inspection,
                    authority,
                    compartment,
                    consignment,
                };
                let visit = self.grant(grant.body(), Vec::new());
                self.pulse(visit);
                return; // done when the door shows it
            }
            Action::Withdraw { compartment, reason } => self.withdraw(compartment, reason),
            Action::Return { compartment } => self.return_to_service(compartment),
            Action::ReissueCode { consignment } => self.reissue_code(&consignment),
            Action::CorrectClock { floor } => {
                self.record(EventBody::ClockCorrected { floor });
            }
            Action::RestartWhenIdle => self.restart_wanted = true,
        }
        self.command_done(number, CommandOutcome::Done);
    }

    fn command_done(&mut self, number: u64, outcome: CommandOutcome) {
        self.record(EventBody::CommandDone { number, outcome });
        self.answer_again(number);
    }

    /// A visit that a command began has shown its outcome.
    pub(super) fn command_ended(&mut self, visit: &Visit, opened: bool) {
        if let Authority::Command { number } = visit.authority
            && self.ledger.commands_open.contains(number)
        {
            self.command_done(
                number,
                if opened {
                    CommandOutcome::Done
                } else {
                    CommandOutcome::NotOpened
                },
            );
        }
    }

    pub(super) fn return_to_service(&mut self, compartment: CompartmentId) {
        if self
            .ledger
            .compartments
            .get(&compartment)
            .is_some_and(|place| place.withdrawn.is_some())
        {
            self.record(EventBody::CompartmentReturned { compartment });
            self.clear(Alarm::DoorJammed, Some(compartment));
            self.clear(Alarm::SensorBroken, Some(compartment));
            self.clear(Alarm::DoorForced, Some(compartment));
        }
    }

    pub(super) fn restart_when_idle(&mut self) {
        if self.restart_wanted && self.ledger.visits.is_empty() && self.session.is_fresh() {
            self.restart_wanted = false;
            self.effect(Effect::Restart);
        }
    }
}
