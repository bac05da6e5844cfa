//! Twelve attacks and one more at the lock bus's cable: none opens a door of the secure family, most of them one of a vendor's.

use firmware_protocol::Family;
use rehearsal::attack::{Attack, run};

#[test]
fn no_attack_opens_a_secure_door_and_service_goes_on_after_it() {
    for attack in Attack::ALL {
        let outcome = run(attack, Family::LockerdSecure);
        assert_eq!(outcome.opened, 0, "{}: {outcome:?}", attack.name());
        assert_eq!(outcome.installed, 0, "{}: {outcome:?}", attack.name());
        assert!(outcome.serves, "{}: {outcome:?}", attack.name());
        assert!(
            outcome.sent > 0 || attack == Attack::ManInTheMiddle,
            "{}",
            attack.name()
        );
    }
}

#[test]
fn every_attack_opens_a_door_of_a_family_without_keys() {
    for attack in Attack::ALL {
        let outcome = run(attack, Family::Shuoming);
        assert!(outcome.opened > 0, "{}: {outcome:?}", attack.name());
    }
}
