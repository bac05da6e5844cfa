//! Which new compartments cannot be reached from a wheelchair, as a technician says it: `5, 6-9`, none of them, or all.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use office_protocol::CompartmentId;

use super::sizes;

/// Doors that are out of reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unreachable {
    /// Every one.
    All,
    /// These, or none.
    Doors(Vec<RangeInclusive<u16>>),
}

/// Reads what was typed.
pub(super) fn parse(text: &str) -> Result<Unreachable, String> {
    let not = |part: &str| format!("{part:?} is no door: write numbers as in 5, 6-9, or none, or all");
    match text.trim() {
        "all" | "全部" => Ok(Unreachable::All),
        "none" | "无" | "没有" => Ok(Unreachable::Doors(Vec::new())),
        text => text
            .split([',', '，', '、', ';'])
            .map(|part| sizes::doors(part.trim()).ok_or_else(|| not(part)))
            .collect::<Result<_, _>>()
            .map(Unreachable::Doors),
    }
}

impl Unreachable {
    /// Those of these doors that can be reached, if no others are named.
    pub(super) fn leaves(&self, doors: &RangeInclusive<u16>) -> Result<BTreeSet<CompartmentId>, String> {
        let named = match self {
            Self::All => return Ok(BTreeSet::new()),
            Self::Doors(named) => named,
        };
        sizes::only_new(named.iter(), doors)?;
        let within = doors
            .clone()
            .filter(|door| !named.iter().any(|named| named.contains(door)));
        Ok(within.map(CompartmentId).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn who_is_not_named_can_be_reached() {
        let left = |text: &str| {
            let left = parse(text).unwrap().leaves(&(3..=8)).unwrap();
            left.iter().map(|door| door.0).collect::<Vec<_>>()
        };
        assert_eq!(left("4, 6-7"), [3, 5, 8]);
        assert_eq!(left("8、3"), [4, 5, 6, 7]);
        assert_eq!((left("none"), left("all")), (vec![3, 4, 5, 6, 7, 8], vec![]));
        assert_eq!((left("没有"), left("全部")), (left("none"), left("all")));
    }

    #[test]
    fn what_is_no_door_or_not_new_is_said() {
        for text in ["", "five", "6-4", "3-", "3 small"] {
            assert!(
                parse(text).unwrap_err().contains("write numbers as in 5, 6-9"),
                "{text}"
            );
        }
        let beyond = parse("8-9").unwrap().leaves(&(3..=8)).unwrap_err();
        assert_eq!(beyond, "door 9 is not new: those are 3 to 8");
    }
}
