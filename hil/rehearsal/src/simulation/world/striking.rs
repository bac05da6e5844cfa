//! Faults as they strike, and healing.

use hardware::{Hand, LineInput};
use lockerd::boards::layout::PortIndex;
use lockerd::boards::master::BusInput;
use lockerd::cabinet::vocabulary::Input;
use office_protocol::event::TamperSource;

use super::{SCANNER, World};
use crate::simulation::faults::{self, Fault};
use crate::simulation::laws::Lawful;

impl World {
    pub(super) fn strike(&mut self) -> Lawful {
        let Some((_, fault)) = self.next_fault.take() else {
            return Ok(());
        };
        let next = faults::next(&mut self.fault_dice, &self.swarm);
        self.next_fault = next.map(|(wait, fault)| (self.now + wait, fault));
        self.trace.note(self.now, format_args!("fault {fault:?}"));
        let (now, delivered) = (self.now, &mut self.delivered);
        match fault {
            Fault::Board(board, fault) => {
                self.bench.board_fault(board, fault, now, delivered);
            }
            Fault::Lock(which, defect) => {
                let all = self.bench.compartments();
                let index = usize::try_from(which % all.len().max(1) as u64).unwrap_or(0);
                if let Some(compartment) = all.get(index) {
                    self.bench.break_lock(*compartment, defect, now, delivered);
                }
            }
            Fault::Line(fault) => {
                self.bench.line_input(LineInput::LineFault(fault), now, delivered);
            }
            Fault::Unplugged(off_ms) => {
                self.bench.line_input(LineInput::Unplugged, now, delivered);
                self.plugged_at = Some(now + off_ms);
                self.bus(BusInput::Lost(PortIndex(0)))?;
            }
            Fault::PowerCut { operations } => self.disk.crash_at(self.disk.operations() + operations),
            Fault::Killed { off_ms } => {
                if self.daemon.is_some() {
                    self.fall("killed", Some(off_ms));
                }
            }
            Fault::SyncFails => self.disk.fail_sync_at(self.disk.operations() + 1),
            Fault::SlowDisk(ms) => self.slow_ms = ms,
            Fault::SlowSyncs { count, each_ms } => {
                self.disk.slow_syncs(self.disk.syncs() + 1, count, each_ms);
            }
            Fault::Filled { free_bytes } => self.disk.fill_up(free_bytes, self.swarm.disk_bytes),
            Fault::Repaired => {
                self.slow_ms = 0;
                self.disk.set_capacity(self.swarm.disk_bytes);
                self.bench.repair(now, delivered);
            }
            Fault::Clock { offset_ms, trusted } => (self.offset_ms, self.trusted) = (offset_ms, trusted),
            Fault::Tidied => self.shut_doors(),
            Fault::Scanner { there: true } => self.scanner_is_back(),
            Fault::Scanner { there: false } => {
                if let Ok(port) = SCANNER.parse() {
                    self.input(Input::PeripheralLost { port });
                }
            }
            Fault::Shaken => self.input(Input::Tampered {
                source: TamperSource::Shock,
            }),
            Fault::Mains { there } => self.input(Input::PowerChanged { mains: there }),
        }
        self.listen()
    }

    pub(super) fn scanner_is_back(&mut self) {
        if let Ok(port) = SCANNER.parse() {
            self.input(Input::PeripheralFound { port });
        }
    }

    /// Somebody walks past and shuts every door that nobody stands at.
    pub(super) fn shut_doors(&mut self) {
        for compartment in self.bench.compartments() {
            if self.bench.is_open(compartment) {
                self.bench
                    .hand(compartment, Hand::Close, None, self.now, &mut self.delivered);
            }
        }
    }

    /// From now on nothing breaks any more, and what is broken is repaired.
    pub(in crate::simulation) fn heal(&mut self) -> Lawful {
        self.trace.note(self.now, format_args!("everything heals"));
        self.next_fault = None;
        self.network.heal(self.now);
        self.slow_ms = 0;
        self.disk.slow_syncs(0, 0, 0);
        (self.offset_ms, self.trusted) = (0, true);
        self.disk.crash_at(u64::MAX);
        self.disk.fail_sync_at(u64::MAX);
        self.disk.set_capacity(self.swarm.disk_bytes);
        self.bench.repair(self.now, &mut self.delivered);
        self.scanner_is_back();
        self.shut_doors();
        self.listen()
    }
}
