//! One compartment's mechanics: bolt, door, sensor, what lies inside, and a person's hand (pure).

use std::time::Duration;

use firmware_protocol::{DoorReading, Polarity};

/// How long after the beginning of a pulse the door springs open.
const SPRINGS_OPEN_AFTER: Duration = Duration::from_millis(60);
/// How long a released bolt waits for a door that does not move.
const RELEASED_FOR: Duration = Duration::from_secs(3);

/// What a person does at one compartment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Pulls the door: opens it if the bolt is released.
    Open,
    /// Pushes the door shut.
    Close,
    /// Breaks it open.
    Force,
    /// Puts something in; needs an open door.
    PutIn,
    /// Takes out what is inside; needs an open door.
    TakeOut,
}

/// What can be wrong with one compartment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The bolt retracts but the door does not move, neither by its spring nor by a hand.
    StuckDoor,
    /// A pulse does nothing.
    WeldedLock,
    /// The door sensor says what boards say without one: the contact is closed.
    DeadSensor,
    /// The board drives it when its power comes.
    OpensAtStart,
}

/// One compartment's lock, door and sensors.
#[derive(Clone, Debug)]
pub struct Lock {
    wiring: Polarity,
    door_open: bool,
    item: bool,
    springs_open_at: Option<Duration>,
    released_until: Option<Duration>,
    driven_until: Option<Duration>,
    pulsed_at: Option<Duration>,
    pulses: u32,
    stuck: bool,
    welded: bool,
    dead_sensor: bool,
    opens_at_start: bool,
}

impl Lock {
    /// A closed, empty compartment whose switch is wired this way.
    #[must_use]
    pub const fn new(wiring: Polarity) -> Self {
        Self {
            wiring,
            door_open: false,
            item: false,
            springs_open_at: None,
            released_until: None,
            driven_until: None,
            pulsed_at: None,
            pulses: 0,
            stuck: false,
            welded: false,
            dead_sensor: false,
            opens_at_start: false,
        }
    }

    /// The board drives the solenoid for so long, by its own timer.
    pub fn pulse(&mut self, length: Duration, now: Duration) {
        self.pulses += 1;
        self.driven_until = Some(now + length);
        self.pulsed_at = Some(now);
        if self.welded {
            return;
        }
        self.released_until = Some(now + RELEASED_FOR);
        if !self.stuck && !self.door_open {
            self.springs_open_at = Some(now + SPRINGS_OPEN_AFTER);
        }
    }

    /// The board stops driving the solenoid.
    pub const fn release(&mut self) {
        self.driven_until = None;
    }

    /// Whether so much time has passed since its last pulse began.
    #[must_use]
    pub fn rested(&self, cool_down: Duration, now: Duration) -> bool {
        self.pulsed_at.is_none_or(|at| at + cool_down <= now)
    }

    /// When something moves by itself next.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Duration> {
        self.springs_open_at
    }

    /// Lets time pass.
    pub fn advance(&mut self, now: Duration) {
        if self.springs_open_at.is_some_and(|at| at <= now) {
            self.springs_open_at = None;
            self.door_open |= !self.stuck;
        }
    }

    /// A person does something; says whether it worked.
    pub fn hand(&mut self, hand: Hand, now: Duration) -> bool {
        self.advance(now);
        match hand {
            Hand::Open if self.door_open => true,
            Hand::Open => {
                let opens = !self.stuck && self.released_until.is_some_and(|until| now < until);
                self.door_open = opens;
                opens
            }
            Hand::Close => {
                self.door_open = false;
                self.springs_open_at = None;
                self.released_until = None;
                true
            }
            Hand::Force => {
                self.door_open = true;
                true
            }
            Hand::PutIn | Hand::TakeOut => {
                if self.door_open {
                    self.item = hand == Hand::PutIn;
                }
                self.door_open
            }
        }
    }

    /// Breaks or repairs it.
    pub const fn set(&mut self, defect: Defect, present: bool) {
        match defect {
            Defect::StuckDoor => self.stuck = present,
            Defect::WeldedLock => self.welded = present,
            Defect::DeadSensor => self.dead_sensor = present,
            Defect::OpensAtStart => self.opens_at_start = present,
        }
    }

    /// Whether the board drives it when its power comes.
    #[must_use]
    pub const fn opens_at_start(&self) -> bool {
        self.opens_at_start
    }

    /// What the board reads from the door sensor, in the family's documented polarity.
    #[must_use]
    pub const fn sensed(&self) -> DoorReading {
        if self.dead_sensor {
            DoorReading::Closed
        } else if self.door_open {
            DoorReading::Open.with(self.wiring)
        } else {
            DoorReading::Closed.with(self.wiring)
        }
    }

    /// Whether the door really is open.
    #[must_use]
    pub const fn door_open(&self) -> bool {
        self.door_open
    }

    /// Whether something is inside.
    #[must_use]
    pub const fn item(&self) -> bool {
        self.item
    }

    /// Whether the solenoid draws current.
    #[must_use]
    pub fn driven(&self, now: Duration) -> bool {
        self.driven_until.is_some_and(|until| now < until)
    }

    /// How many pulses it was given, ever.
    #[must_use]
    pub const fn pulses(&self) -> u32 {
        self.pulses
    }
}
