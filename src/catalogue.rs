//! The catalogue: what people can apply for, as the life-cycle tree kind > stage > theme > event > item. Pure data and lookups.

use std::collections::BTreeMap;

use office_protocol::ItemCode;
use office_protocol::event::Size;
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use crate::cabinet::screen::Language;

/// The catalogue that comes with the program: a selection over the official stages.
const BUILT_IN: &str = include_str!("../config/catalogue.toml");

/// A catalogue that cannot be used; counts lines and columns from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("catalogue, line {line}, column {column}: {problem}")]
pub struct CatalogueError {
    /// Where.
    pub line: usize,
    /// Where in that line.
    pub column: usize,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

/// The same words in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Words {
    /// In one language.
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Zh => &self.zh,
            Language::En => &self.en,
        }
    }
}

/// Whose life it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A person, from birth to after death.
    Person,
    /// A business, from entry to closing.
    Business,
}

/// A stage of a life.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Whose.
    pub kind: Kind,
    /// Names it in the file.
    pub code: ItemCode,
    /// What it is called.
    pub name: Words,
    /// Its themes.
    #[serde(rename = "theme", default)]
    pub themes: Vec<Theme>,
}

impl Stage {
    /// Every item of the stage; packages, which answer a whole life event, first.
    pub fn items(&self) -> Vec<&Item> {
        let events = self.themes.iter().flat_map(|theme| &theme.events);
        let mut items: Vec<&Item> = events.flat_map(|event| &event.items).collect();
        items.sort_by_key(|item| item.bundles.is_empty());
        items
    }
}

/// A group of life events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theme {
    /// Names it in the file.
    pub code: ItemCode,
    /// What it is called.
    pub name: Words,
    /// Its life events.
    #[serde(rename = "event", default)]
    pub events: Vec<LifeEvent>,
}

/// Something that happens in a life and needs the office.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifeEvent {
    /// Names it in the file.
    pub code: ItemCode,
    /// What it is called.
    pub name: Words,
    /// What can be applied for.
    #[serde(rename = "item", default)]
    pub items: Vec<Item>,
}

/// One service item, or a package of several that is applied for as one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Unique in the catalogue.
    code: Spanned<ItemCode>,
    /// What it is called.
    pub name: Words,
    /// The address of its guide, for a QR code; `https://…`.
    guide: Spanned<String>,
    /// Who decides.
    pub department: Words,
    /// What belongs into the envelope.
    pub documents: Vec<Words>,
    /// Promised working days; 0 is at once.
    pub days: u16,
    /// In yuan; 0 is free of charge.
    pub fee_yuan: u32,
    /// Whether a cabinet may take it: originals that must be shown in person may not.
    pub cabinet: bool,
    /// The smallest compartment that takes its envelope.
    pub size: Size,
    /// Who helps, by phone.
    pub help: String,
    /// For a package: the items that it answers at once.
    #[serde(default)]
    bundles: Vec<Spanned<ItemCode>>,
}

impl Item {
    /// Its code.
    pub fn code(&self) -> &ItemCode {
        self.code.get_ref()
    }

    /// The address of its guide.
    pub fn guide(&self) -> &str {
        self.guide.get_ref()
    }

    /// The items that a package answers at once; none for a single item.
    pub fn bundles(&self) -> impl Iterator<Item = &ItemCode> {
        self.bundles.iter().map(Spanned::get_ref)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "stage", default)]
    stages: Vec<Stage>,
}

/// The tree, and every item by its code.
#[derive(Debug, Clone)]
pub struct Catalogue {
    stages: Vec<Stage>,
    /// Stage, theme, event and item by their places.
    places: BTreeMap<ItemCode, [usize; 4]>,
}

impl Catalogue {
    /// From the text of a catalogue file.
    ///
    /// # Errors
    /// Where and what is wrong: not TOML, an unknown key, a code that is there twice, an empty name, a guide without
    /// `https://`, a package of items that do not exist.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            problem_at(text, start, error.message().to_owned())
        })?;
        let mut places = BTreeMap::new();
        for (s, stage) in file.stages.iter().enumerate() {
            for (t, theme) in stage.themes.iter().enumerate() {
                for (e, event) in theme.events.iter().enumerate() {
                    for (i, item) in event.items.iter().enumerate() {
                        check_item(text, item)?;
                        if places.insert(item.code().clone(), [s, t, e, i]).is_some() {
                            let problem =
                                format!("item {} is there twice: give each its own code", item.code());
                            return Err(problem_at(text, item.code.span().start, problem));
                        }
                    }
                }
            }
        }
        let catalogue = Self {
            stages: file.stages,
            places,
        };
        for bundled in catalogue.items().flat_map(|item| &item.bundles) {
            if catalogue.item(bundled.get_ref()).is_none() {
                let problem = format!(
                    "there is no item {}: bundle items of this file",
                    bundled.get_ref()
                );
                return Err(problem_at(text, bundled.span().start, problem));
            }
        }
        Ok(catalogue)
    }

    /// The one that comes with the program.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("the catalogue in config/ is part of the program and tested")
    }

    /// The stages of one kind that have something a cabinet may take, in the file's order.
    pub fn offered(&self, kind: Kind) -> impl Iterator<Item = &Stage> {
        let of_kind = self.stages.iter().filter(move |stage| stage.kind == kind);
        of_kind.filter(|stage| stage.items().iter().any(|item| item.cabinet))
    }

    /// Every item, in the file's order.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        let themes = self.stages.iter().flat_map(|stage| &stage.themes);
        themes
            .flat_map(|theme| &theme.events)
            .flat_map(|event| &event.items)
    }

    /// One item.
    pub fn item(&self, code: &ItemCode) -> Option<&Item> {
        let [s, t, e, i] = *self.places.get(code)?;
        self.stages.get(s)?.themes.get(t)?.events.get(e)?.items.get(i)
    }

    /// The smallest compartment that takes this item's envelope.
    pub fn size_of(&self, code: &ItemCode) -> Option<Size> {
        self.item(code).map(|item| item.size)
    }

    /// Whether a cabinet may take it; false for an item that is not in the catalogue.
    pub fn accepts(&self, code: &ItemCode) -> bool {
        self.item(code).is_some_and(|item| item.cabinet)
    }
}

fn check_item(text: &str, item: &Item) -> Result<(), CatalogueError> {
    let words = [&item.name, &item.department].into_iter().chain(&item.documents);
    if words
        .into_iter()
        .any(|words| words.zh.trim().is_empty() || words.en.trim().is_empty())
    {
        let problem = format!(
            "item {} has an empty text: write it in both languages",
            item.code()
        );
        return Err(problem_at(text, item.code.span().start, problem));
    }
    if !item.guide().starts_with("https://") {
        let problem = "a guide's address begins with https://".to_owned();
        return Err(problem_at(text, item.guide.span().start, problem));
    }
    Ok(())
}

fn problem_at(text: &str, offset: usize, problem: String) -> CatalogueError {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    CatalogueError {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        problem,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ONE: &str = r#"[[stage]]
kind = "person"
code = "birth"
name = { zh = "出生", en = "Birth" }
[[stage.theme]]
code = "newborn"
name = { zh = "新生儿", en = "Newborn" }
[[stage.theme.event]]
code = "born"
name = { zh = "出生", en = "Birth" }
[[stage.theme.event.item]]
code = "P-1"
name = { zh = "甲", en = "A" }
guide = "https://example.gov/1"
department = { zh = "乙", en = "B" }
documents = [{ zh = "丙", en = "C" }]
days = 5
fee_yuan = 0
cabinet = true
size = "small"
help = "12345"
"#;

    #[test]
    fn the_built_in_catalogue_covers_every_official_stage() {
        let catalogue = Catalogue::built_in();
        assert_eq!(catalogue.offered(Kind::Person).count(), 10);
        assert_eq!(catalogue.offered(Kind::Business).count(), 6);
        assert!(catalogue.items().count() >= 25);
        let newborn: ItemCode = "P-BIRTH-00".parse().unwrap();
        assert_eq!(catalogue.item(&newborn).unwrap().bundles().count(), 8);
        assert!(
            catalogue.items().any(|item| !item.cabinet),
            "some items must be shown in person"
        );
    }

    #[test]
    fn what_a_cabinet_needs_to_know_of_an_item() {
        let catalogue = Catalogue::parse(ONE).unwrap();
        let known: ItemCode = "P-1".parse().unwrap();
        let unknown: ItemCode = "P-2".parse().unwrap();
        assert_eq!(catalogue.size_of(&known), Some(Size::Small));
        assert!(catalogue.accepts(&known));
        assert!(!catalogue.accepts(&unknown));
        assert_eq!(catalogue.size_of(&unknown), None);
    }

    #[test]
    fn mistakes_are_named_with_line_and_column() {
        let place = |text: &str| {
            let error = Catalogue::parse(text).unwrap_err();
            (error.line, error.column)
        };
        assert_eq!(place(&ONE.replace("days = 5", "dais = 5")), (17, 1));
        assert_eq!(
            place(&ONE.replace("size = \"small\"", "size = \"tiny\"")),
            (20, 8)
        );
        assert_eq!(place(&ONE.replace("https://", "http://")), (14, 9));
        assert_eq!(place(&ONE.replace("\"甲\"", "\"\"")), (12, 8));
        let second = ONE.split_once("[[stage.theme.event.item]]").unwrap().1;
        assert_eq!(
            place(&format!("{ONE}[[stage.theme.event.item]]{second}")),
            (23, 8)
        );
        assert_eq!(place(&format!("{ONE}bundles = [\"P-9\"]\n")), (22, 12));
    }
}
