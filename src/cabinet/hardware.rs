//! What boards, ports and devices say of themselves: what is gone, what was tampered with, what feeds the cabinet.

use office_protocol::event::Alarm;
use office_protocol::state::BoardRefusal;
use office_protocol::{BoardId, CompartmentId, EventBody, PortName};

use super::Cabinet;

impl Cabinet {
    pub(super) fn board_lost(&mut self, board: BoardId) {
        if self.boards_lost.insert(board) {
            let ledger = &self.ledger;
            let elsewhere = |compartment: &CompartmentId| ledger.board_of(*compartment) != Some(board);
            self.seen_closed.retain(|compartment, _| elsewhere(compartment));
            self.items_seen.retain(|compartment, _| elsewhere(compartment));
            self.diagnose(EventBody::BoardLost { board });
            self.raise(Alarm::BoardLost, None);
        }
    }

    pub(super) fn board_found(&mut self, board: BoardId) {
        self.boards_refusing.remove(&board);
        if self.boards_lost.remove(&board) {
            self.diagnose(EventBody::BoardFound { board });
            self.clear_if(self.boards_lost.is_empty(), Alarm::BoardLost, None);
        }
    }

    pub(super) fn board_refused(&mut self, board: BoardId, why: BoardRefusal) {
        if self.boards_lost.contains(&board) {
            self.boards_refusing.insert(board, why);
        }
    }

    pub(super) fn echo_wrong(&mut self, port: PortName) {
        if self.echoes_wrong.insert(port) {
            self.raise(Alarm::EchoWrong, None);
        }
    }

    pub(super) fn echo_right(&mut self, port: &PortName) {
        if self.echoes_wrong.remove(port) {
            self.clear_if(self.echoes_wrong.is_empty(), Alarm::EchoWrong, None);
        }
    }

    pub(super) fn address_shared(&mut self, board: BoardId, port: PortName, address: u8) {
        if self.addresses_shared.insert(board) {
            self.diagnose(EventBody::AddressShared { board, port, address });
            self.raise(Alarm::AddressShared, None);
        }
    }

    pub(super) fn address_alone(&mut self, board: BoardId) {
        if self.addresses_shared.remove(&board) {
            self.clear_if(self.addresses_shared.is_empty(), Alarm::AddressShared, None);
        }
    }

    pub(super) fn port_lost(&mut self, port: PortName) {
        if self.ports_lost.insert(port.clone()) {
            self.diagnose(EventBody::PortLost { port });
            self.raise(Alarm::PortLost, None);
        }
    }

    pub(super) fn port_found(&mut self, port: PortName) {
        if self.ports_lost.remove(&port) {
            self.diagnose(EventBody::PortFound { port });
            self.clear_if(self.ports_lost.is_empty(), Alarm::PortLost, None);
        }
    }

    pub(super) fn peripheral_lost(&mut self, port: PortName) {
        if self.peripherals_lost.insert(port.clone()) {
            self.diagnose(EventBody::PeripheralLost { port });
            self.raise(Alarm::PeripheralLost, None);
        }
    }

    pub(super) fn peripheral_found(&mut self, port: PortName) {
        if self.peripherals_lost.remove(&port) {
            self.diagnose(EventBody::PeripheralFound { port });
            self.clear_if(self.peripherals_lost.is_empty(), Alarm::PeripheralLost, None);
        }
    }

    /// The first word after a start is news only if it is bad, or if an alarm stands from before.
    pub(super) fn power_changed(&mut self, mains: bool) {
        let before = self.mains.replace(mains).unwrap_or(true);
        if before != mains {
            self.diagnose(EventBody::PowerChanged { mains });
        }
        if mains {
            self.clear(Alarm::OnBattery, None);
        } else {
            self.raise(Alarm::OnBattery, None);
        }
    }
}
