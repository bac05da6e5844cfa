//! Who wants which topic: filters with `+` and `#` in a tree, alone or shared by a group.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::message::{Quality, Subscription};

/// Filters deeper than this are refused, so that the tree's depth is bounded.
const LEVELS_MAX: usize = 32;

/// A filter without its share group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filter<'a> {
    pub(super) group: Option<&'a str>,
    pub(super) path: &'a str,
}

impl<'a> Filter<'a> {
    /// `None` for a filter that is not valid or deeper than 32 levels.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (group, path) = match text.strip_prefix("$share/") {
            Some(rest) => rest.split_once('/').map(|(group, path)| (Some(group), path))?,
            None => (None, text),
        };
        let group_valid = group.is_none_or(|name| !name.is_empty() && !name.contains(['+', '#']));
        let levels = path.split('/').count();
        let levels_valid = path.split('/').enumerate().all(|(at, level)| match level {
            "+" => true,
            "#" => at + 1 == levels,
            _ => !level.contains(['+', '#', '\0']),
        });
        (group_valid && levels_valid && !path.is_empty() && levels <= LEVELS_MAX)
            .then_some(Self { group, path })
    }
}

/// Whether a valid filter takes a topic.
pub(super) fn takes(path: &str, topic: &str) -> bool {
    if topic.starts_with('$') && path.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in path.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            (_, Some(_) | None) => return false,
        }
    }
    levels.next().is_none()
}

/// How one client wants a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) quality: Quality,
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
}

impl From<&Subscription> for Wish {
    fn from(subscription: &Subscription) -> Self {
        Self {
            quality: subscription.quality,
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
        }
    }
}

/// All subscriptions of all clients.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    root: Level,
}

impl Subscribers {
    pub(super) fn add(&mut self, client: &str, filter: Filter, wish: Wish) {
        let level = filter.path.split('/').fold(&mut self.root, |level, name| {
            level.below.entry(name.to_owned()).or_default()
        });
        match filter.group {
            None => level.alone.insert(client.to_owned(), wish),
            Some(name) => level
                .groups
                .entry(name.to_owned())
                .or_default()
                .members
                .insert(client.to_owned(), wish),
        };
    }

    pub(super) fn remove(&mut self, client: &str, filter: Filter) {
        let path: Vec<&str> = filter.path.split('/').collect();
        self.root.remove(client, filter.group, &path);
    }

    /// The clients that want a topic: each once with its highest quality, and one member of each group, in
    /// turn, among those that are `present` if any is.
    pub(super) fn of(&mut self, topic: &str, present: &dyn Fn(&str) -> bool) -> Vec<(String, Wish)> {
        let path: Vec<&str> = topic.split('/').collect();
        let mut found = Found {
            present,
            alone: BTreeMap::new(),
            shared: Vec::new(),
        };
        self.root.find(&path, topic.starts_with('$'), &mut found);
        let mut all: Vec<_> = found.alone.into_iter().collect();
        all.append(&mut found.shared);
        all
    }
}

struct Found<'a> {
    present: &'a dyn Fn(&str) -> bool,
    alone: BTreeMap<String, Wish>,
    shared: Vec<(String, Wish)>,
}

#[derive(Debug, Default)]
struct Level {
    below: BTreeMap<String, Level>,
    alone: BTreeMap<String, Wish>,
    groups: BTreeMap<String, Group>,
}

impl Level {
    fn find(&mut self, path: &[&str], hidden: bool, found: &mut Found) {
        if !hidden && let Some(rest) = self.below.get_mut("#") {
            rest.collect(found);
        }
        let Some((name, path)) = path.split_first() else {
            return self.collect(found);
        };
        if let Some(level) = self.below.get_mut(*name) {
            level.find(path, false, found);
        }
        if !hidden && let Some(level) = self.below.get_mut("+") {
            level.find(path, false, found);
        }
    }

    fn collect(&mut self, found: &mut Found) {
        for (client, wish) in &self.alone {
            let kept = found.alone.entry(client.clone()).or_insert(*wish);
            kept.quality = kept.quality.max(wish.quality);
            kept.no_local &= wish.no_local;
            kept.retain_as_published |= wish.retain_as_published;
        }
        found.shared.extend(
            self.groups
                .values_mut()
                .filter_map(|group| group.next(found.present)),
        );
    }

    /// Answers whether nothing is left here.
    fn remove(&mut self, client: &str, group: Option<&str>, path: &[&str]) -> bool {
        match path.split_first() {
            Some((name, path)) => {
                if self
                    .below
                    .get_mut(*name)
                    .is_some_and(|level| level.remove(client, group, path))
                {
                    self.below.remove(*name);
                }
            }
            None => match group {
                None => drop(self.alone.remove(client)),
                Some(name) => {
                    if let Some(group) = self.groups.get_mut(name) {
                        group.members.remove(client);
                        if group.members.is_empty() {
                            self.groups.remove(name);
                        }
                    }
                }
            },
        }
        self.below.is_empty() && self.alone.is_empty() && self.groups.is_empty()
    }
}

#[derive(Debug, Default)]
struct Group {
    members: BTreeMap<String, Wish>,
    last: Option<String>,
}

impl Group {
    fn next(&mut self, present: &dyn Fn(&str) -> bool) -> Option<(String, Wish)> {
        let after = self.last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let in_turn = || {
            self.members
                .range::<str, _>((after, Bound::Unbounded))
                .chain(&self.members)
        };
        let (client, wish) = in_turn()
            .find(|(client, _)| present(client))
            .or_else(|| in_turn().next())?;
        let chosen = (client.clone(), *wish);
        self.last = Some(chosen.0.clone());
        Some(chosen)
    }
}
