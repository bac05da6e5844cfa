//! How large new compartments are, as a technician says it: one size for all, or `1-12 small, 13-20 medium, 21-24 large`.

use std::ops::RangeInclusive;

use office_protocol::CompartmentId;
use office_protocol::event::Size;

use crate::settings::wiring::Sizes;

/// What is said of some doors, or of all; the last word on a door counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said(Vec<(Option<RangeInclusive<u16>>, Size)>);

/// Reads what was typed.
pub(super) fn parse(text: &str) -> Result<Said, String> {
    text.split([',', '，', ';'])
        .map(one)
        .collect::<Result<_, _>>()
        .map(Said)
}

fn one(text: &str) -> Result<(Option<RangeInclusive<u16>>, Size), String> {
    let not =
        || format!("{text:?} is no size: write small, medium or large, or as in 1-12 small, 13-24 large");
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c == '=')
        .filter(|word| !word.is_empty())
        .collect();
    let (size, words) = words.split_last().ok_or_else(not)?;
    let size = match *size {
        "small" | "小" => Size::Small,
        "medium" | "中" => Size::Medium,
        "large" | "大" => Size::Large,
        _ => return Err(not()),
    };
    match words {
        [] => Ok((None, size)),
        [words] => Ok((Some(doors(words).ok_or_else(not)?), size)),
        _ => Err(not()),
    }
}

/// Doors, as in `5` or `6-9`.
pub(super) fn doors(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let doors = first.parse().ok()?..=last.parse().ok()?;
    (!doors.is_empty()).then_some(doors)
}

/// Whether nothing is said of other doors than those that are new.
pub(super) fn only_new<'a>(
    named: impl Iterator<Item = &'a RangeInclusive<u16>>,
    new: &RangeInclusive<u16>,
) -> Result<(), String> {
    let mut ends = named.flat_map(|named| [named.start(), named.end()]);
    match ends.find(|door| !new.contains(door)) {
        Some(beyond) => Err(format!(
            "door {beyond} is not new: those are {} to {}",
            new.start(),
            new.end()
        )),
        None => Ok(()),
    }
}

impl Said {
    /// The size of each of these doors, if all of them and no others are named.
    pub(super) fn of(&self, doors: &RangeInclusive<u16>) -> Result<Sizes, String> {
        only_new(self.0.iter().filter_map(|(named, _)| named.as_ref()), doors)?;
        let size = |door: u16| {
            let said = self.0.iter().rev();
            let mut about =
                said.filter(|(named, _)| named.as_ref().is_none_or(|named| named.contains(&door)));
            let size = about.next().map(|(_, size)| *size);
            size.map(|size| (CompartmentId(door), size))
                .ok_or_else(|| format!("nobody has said how large door {door} is"))
        };
        doors.clone().map(size).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn one_size_for_all_or_for_ranges_and_the_last_word_counts() {
        let of = |text: &str| parse(text).unwrap().of(&(3..=6)).unwrap();
        let letters = |sizes: Sizes| {
            let letter = |size: &Size| ['s', 'm', 'l'][*size as usize];
            sizes.values().map(letter).collect::<String>()
        };
        assert_eq!(letters(of("medium")), "mmmm");
        assert_eq!(letters(of("3-4 small, 5 medium, 6=large")), "ssml");
        assert_eq!(letters(of("小，5-6 大")), "ssll");
    }

    #[test]
    fn what_is_no_size_names_no_new_door_or_leaves_one_out_is_said() {
        for text in ["", "tiny", "3-x small", "6-3 small", "3 4 small", "small,"] {
            assert!(
                parse(text).unwrap_err().contains("write small, medium or large"),
                "{text}"
            );
        }
        let refused = |text: &str| parse(text).unwrap().of(&(3..=6)).unwrap_err();
        assert_eq!(refused("2-6 small"), "door 2 is not new: those are 3 to 6");
        assert_eq!(refused("3-5 small"), "nobody has said how large door 6 is");
    }
}
