//! The schemas and the AsyncAPI document say what the code does: every golden file fits its schema, every field and every code is
//! described, every topic is there.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use office_protocol::document::{DocumentName, DocumentRefusal};
use office_protocol::event::{self, Clock, Size};
use office_protocol::state::Occupancy;
use office_protocol::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of JSON Schema that the schemas use; anything else in one is an error, so that nothing goes unchecked.
struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    fn load() -> Self {
        let files = std::fs::read_dir(package().join("schemas")).unwrap();
        let named = |path: PathBuf| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                json(&path),
            )
        };
        Self(files.map(|file| named(file.unwrap().path())).collect())
    }

    fn find(&self, reference: &str) -> &Value {
        let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        self.0[file]
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    fn check(&self, file: &str, value: &Value) -> Result<(), String> {
        self.fits(self.find(file), value, &Map::new())
    }

    /// `known` are properties that an outer schema describes. An undescribed property is an error, to keep the schemas whole;
    /// for readers it is none.
    fn fits(&self, schema: &Value, value: &Value, known: &Map<String, Value>) -> Result<(), String> {
        let schema = schema.as_object().ok_or("a schema is an object")?;
        let none = Map::new();
        let properties = schema
            .get("properties")
            .map_or(&none, |found| found.as_object().unwrap());
        let mut described = known.clone();
        described.extend(properties.clone());
        for (keyword, rule) in schema {
            self.keyword(keyword, rule, value, &described)
                .map_err(|fault| format!("{fault}\n  in {value}"))?;
        }
        let object = value.as_object().filter(|_| !properties.is_empty());
        match object.and_then(|object| object.keys().find(|name| !described.contains_key(*name))) {
            Some(name) => Err(format!("{name} is not described")),
            None => Ok(()),
        }
    }

    fn keyword(
        &self,
        keyword: &str,
        rule: &Value,
        value: &Value,
        described: &Map<String, Value>,
    ) -> Result<(), String> {
        let holds = match keyword {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => return self.fits(self.find(rule.as_str().unwrap()), value, &Map::new()),
            "type" => is_of(rule, value),
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_i64() >= rule.as_i64(),
            "maximum" => value.as_i64() <= rule.as_i64(),
            "minItems" => value.as_array().unwrap().len() as u64 >= rule.as_u64().unwrap(),
            "maxItems" => value.as_array().unwrap().len() as u64 <= rule.as_u64().unwrap(),
            "pattern" => regex::Regex::new(rule.as_str().unwrap())
                .unwrap()
                .is_match(value.as_str().unwrap()),
            "required" => {
                let has = |name: &Value| value.get(name.as_str().unwrap()).is_some();
                rule.as_array().unwrap().iter().all(has)
            }
            "items" => return self.every(rule, value.as_array().unwrap().iter()),
            "additionalProperties" => return self.every(rule, value.as_object().unwrap().values()),
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        self.fits(schema, value, &Map::new())
                            .map_err(|fault| format!("{name}: {fault}"))?;
                    }
                }
                true
            }
            "oneOf" => {
                let tried = rule.as_array().unwrap().iter();
                let results: Vec<_> = tried.map(|one| self.fits(one, value, described)).collect();
                let fitting = results.iter().filter(|result| result.is_ok()).count();
                if fitting != 1 {
                    return Err(format!("{fitting} of the alternatives fit: {results:?}"));
                }
                true
            }
            other => return Err(format!("this test does not know the keyword {other}")),
        };
        holds.then_some(()).ok_or_else(|| format!("{keyword}: {rule}"))
    }

    fn every<'a>(&self, schema: &Value, mut values: impl Iterator<Item = &'a Value>) -> Result<(), String> {
        values.try_for_each(|value| self.fits(schema, value, &Map::new()))
    }
}

fn is_of(rule: &Value, value: &Value) -> bool {
    if let Some(rules) = rule.as_array() {
        return rules.iter().any(|rule| is_of(rule, value));
    }
    match rule.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("this test does not know the type {other}"),
    }
}

/// Every golden JSON file with its schema's name.
fn goldens() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(package().join("golden")).unwrap() {
        let folder = folder.unwrap().path();
        for file in std::fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
            let schema = match stem(&folder).as_str() {
                "document" | "enrolment" => stem(&path),
                other => other.to_owned(),
            };
            found.push((path, format!("{schema}.json")));
        }
    }
    found
}

#[test]
fn every_golden_file_fits_its_schema() {
    let schemas = Schemas::load();
    let mut used = BTreeSet::from(["common.json".to_owned()]);
    for (path, schema) in goldens() {
        if let Err(fault) = schemas.check(&schema, &json(&path)) {
            panic!("{} does not fit {schema}: {fault}", path.display());
        }
        used.insert(schema);
    }
    let all: BTreeSet<String> = schemas.0.keys().cloned().collect();
    assert_eq!(used, all, "every schema has a golden file");
}

#[test]
fn a_golden_file_without_one_of_its_required_fields_fits_no_more() {
    let schemas = Schemas::load();
    for (path, schema) in goldens() {
        let whole = json(&path);
        let required = schemas.find(&schema).get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten() {
            let mut value = whole.clone();
            value.as_object_mut().unwrap().remove(name.as_str().unwrap());
            assert!(schemas.check(&schema, &value).is_err(), "{schema} without {name}");
        }
    }
}

/// The names of an enum's variants, as serde says them when it meets none of them.
fn variants<T: DeserializeOwned>() -> BTreeSet<String> {
    let unknown = Value::String("?".into());
    let Err(error) = serde_json::from_value::<T>(unknown) else {
        panic!("nothing is called ?")
    };
    let message = error.to_string();
    let (_, expected) = message.split_once("expected").unwrap();
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_code_of_the_program_is_in_the_schemas_and_no_other() {
    let schemas = Schemas::load();
    let described = |reference: &str| -> BTreeSet<String> {
        let values = schemas.find(reference).as_array().unwrap().iter();
        values.map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    let word = |name: &str| described(&format!("common.json#/$defs/{name}/enum"));
    assert_eq!(word("visit_purpose"), variants::<event::VisitPurpose>());
    assert_eq!(word("visit_outcome"), variants::<event::VisitOutcome>());
    assert_eq!(word("move_reason"), variants::<event::MoveReason>());
    assert_eq!(word("unlock_failure"), variants::<event::UnlockFailure>());
    assert_eq!(word("doubt_reason"), variants::<event::DoubtReason>());
    assert_eq!(word("complaint"), variants::<event::Complaint>());
    assert_eq!(word("withdraw_reason"), variants::<event::WithdrawReason>());
    assert_eq!(word("pass_refusal"), variants::<event::PassRefusal>());
    assert_eq!(word("staff_role"), variants::<event::StaffRole>());
    assert_eq!(word("second_factor_kind"), variants::<event::SecondFactorKind>());
    assert_eq!(word("tamper_source"), variants::<event::TamperSource>());
    assert_eq!(word("alarm"), variants::<event::Alarm>());
    assert_eq!(word("size"), variants::<Size>());
    assert_eq!(word("clock"), variants::<Clock>());
    assert_eq!(word("document_name"), variants::<DocumentName>());
    assert_eq!(word("refusal"), variants::<Refusal>());
    assert_eq!(word("purpose"), variants::<Purpose>());
    assert_eq!(
        described("reported.json#/properties/refused/enum"),
        variants::<DocumentRefusal>()
    );
    assert_eq!(
        described("status.json#/properties/presence/enum"),
        variants::<Presence>()
    );
    assert_eq!(
        described("state.json#/properties/compartments/items/properties/occupancy/enum"),
        variants::<Occupancy>()
    );
}

#[test]
fn every_event_type_is_described() {
    let schemas = Schemas::load();
    let described = schemas.find("event.json#/oneOf").as_array().unwrap().iter();
    let described: Vec<&str> = described
        .map(|kind| kind.pointer("/properties/type/const").unwrap().as_str().unwrap())
        .collect();
    assert_eq!(described, EventBody::TYPES);
}

#[test]
fn the_asyncapi_document_has_every_topic_and_only_references_that_lead_somewhere() {
    let document = json(&package().join("asyncapi.json"));
    assert_eq!(document["asyncapi"], "3.0.0");
    let topics = [
        Topic::Status,
        Topic::State,
        Topic::Event,
        Topic::Position,
        Topic::Command,
        Topic::Reply,
        Topic::Desired(DocumentName::Staff),
        Topic::Reported(DocumentName::Staff),
    ];
    let cabinet: CabinetId = "PORT-7".parse().unwrap();
    let expected: BTreeSet<String> = topics
        .map(|topic| topic.of(&TopicRoot::default(), &cabinet))
        .into();
    let channels = document["channels"].as_object().unwrap();
    let described: BTreeSet<String> = channels
        .values()
        .map(|channel| {
            let address = channel["address"].as_str().unwrap();
            address
                .replace("{cabinet}", "PORT-7")
                .replace("{document}", "staff")
        })
        .collect();
    assert_eq!(described, expected);
    check_references(&document, &document);
}

fn check_references(document: &Value, part: &Value) {
    match part {
        Value::Object(object) => {
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                let found = match reference.strip_prefix('#') {
                    Some(pointer) => document.pointer(pointer).is_some(),
                    None => package().join(reference).exists(),
                };
                assert!(found, "{reference} leads nowhere");
            }
            object.values().for_each(|part| check_references(document, part));
        }
        Value::Array(parts) => parts.iter().for_each(|part| check_references(document, part)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
