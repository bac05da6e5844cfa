//! Golden files: one for each wire format, byte for byte as the first version wrote it.
//!
//! Do not change these files: cabinets in the field have written such bytes, and the office has stored them. A format that has to
//! change gets a new version beside the old one, with a new file. A new type is one new line here; its file is written by
//! `GOLDEN=write-missing cargo test -p office-protocol --test golden`, which never touches a file that is there.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use office_protocol::document::{Expected, Policy, Reported, Revocations, Staff};
use office_protocol::enrolment::{Bundle, Identity};
use office_protocol::event::Clock;
use office_protocol::sealed::OpeningKey;
use office_protocol::*;
use rand_core::SeedableRng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const KEYED: &str = "hmac-sha256-128:AQIDBAUGBwgJCgsMDQ4PEA";
const TIME: &str = "2026-01-31T09:05:07.042Z";
const START: &str = "00000000000004d2";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn cabinet() -> CabinetId {
    "PORT-7".parse().unwrap()
}

fn office_key() -> SigningKey {
    SigningKey::from_secret(&[2; 32])
}

fn opening_key() -> OpeningKey {
    OpeningKey::from_secret(&[9; 32]).unwrap()
}

/// What the code writes for a value; the value must read back as it was given.
fn written<T: Serialize + DeserializeOwned>(value: Value) -> Vec<u8> {
    let typed: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"));
    let bytes = serde_json::to_vec(&typed).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&bytes).unwrap(),
        value,
        "nothing lost"
    );
    bytes
}

fn event(kind: &str, data: &Value) -> Event {
    let body = json!({ "type": format!("locker.{kind}"), "data": data });
    Event {
        start: Start(1234),
        source: cabinet(),
        time: TIME.parse().unwrap(),
        clock: Clock::Trusted,
        seq: Seq(12),
        previous: DIGEST.parse().unwrap(),
        visit: Some(Seq(11)),
        body: serde_json::from_value(body.clone()).unwrap_or_else(|error| panic!("{body}: {error}")),
    }
}

fn codes() -> Value {
    json!({ "token": KEYED, "digits": KEYED, "spare": KEYED })
}

/// One line for each event type: its name, then its fields, optional ones as well.
fn events() -> Vec<(&'static str, Value)> {
    vec![
        (
            "started",
            json!({ "start": START, "version": "0.1.0", "damage": { "cut": 2, "unreadable": [["4", "5"]] } }),
        ),
        ("restored", json!({ "exported": TIME })),
        ("clock-corrected", json!({ "floor": TIME })),
        (
            "document-applied",
            json!({ "document": "staff", "version": 3, "digest": DIGEST }),
        ),
        (
            "layout-changed",
            json!({ "compartments": [{ "id": 1, "size": "small", "reachable": true }, { "id": 2, "size": "large", "reachable": false }] }),
        ),
        (
            "visit-granted",
            json!({ "purpose": "drop-off", "authority": { "by": "walk-in" }, "compartment": 3, "consignment": "PORT-7.12", "application": "A-1", "item": "birth-certificate", "slip": codes(), "second": { "kind": "phone", "hash": KEYED }, "person": "P-1", "sealed": DIGEST }),
        ),
        ("visit-moved", json!({ "from": 3, "to": 4, "reason": "occupied" })),
        ("visit-settled", json!({ "compartment": 3, "outcome": "done" })),
        ("unlock-begun", json!({ "compartment": 3, "pulse": 1 })),
        (
            "unlock-failed",
            json!({ "compartment": 3, "unlock": "11", "reason": "uncertain" }),
        ),
        ("unlock-interrupted", json!({ "compartment": 3, "unlock": "11" })),
        ("door-opened", json!({ "compartment": 3 })),
        ("door-closed", json!({ "compartment": 3 })),
        ("door-left-open", json!({ "compartment": 3 })),
        ("door-forced", json!({ "compartment": 3 })),
        ("door-found", json!({ "compartment": 3, "open": true })),
        (
            "dropped-off",
            json!({ "consignment": "PORT-7.12", "compartment": 3, "application": "A-1", "item": "birth-certificate", "envelope": "E-1", "unverified": false, "sealed": DIGEST }),
        ),
        (
            "taken-back",
            json!({ "consignment": "PORT-7.12", "compartment": 3 }),
        ),
        (
            "cleared",
            json!({ "consignment": "PORT-7.12", "compartment": 3, "staff": "c-1", "envelope": "E-1" }),
        ),
        (
            "placed",
            json!({ "consignment": "PERMIT-1", "compartment": 3, "application": "A-1", "person": "P-1", "expected": true, "staff": "c-1", "generation": 1, "code": codes(), "sealed": DIGEST, "hold_days": 7 }),
        ),
        (
            "code-reissued",
            json!({ "consignment": "PERMIT-1", "generation": 2, "code": codes(), "sealed": DIGEST }),
        ),
        (
            "hold-started",
            json!({ "consignment": "PERMIT-1", "until": TIME }),
        ),
        (
            "collected",
            json!({ "consignment": "PERMIT-1", "compartment": 3 }),
        ),
        (
            "recalled",
            json!({ "consignment": "PERMIT-1", "compartment": 3, "staff": "c-1" }),
        ),
        (
            "unconfirmed",
            json!({ "compartment": 3, "consignment": "PERMIT-1", "reason": "interrupted" }),
        ),
        (
            "confirmed",
            json!({ "compartment": 3, "consignment": "PERMIT-1", "inside": true, "staff": "c-1" }),
        ),
        (
            "disputed",
            json!({ "consignment": "PERMIT-1", "compartment": 3, "complaint": "empty" }),
        ),
        (
            "compartment-withdrawn",
            json!({ "compartment": 3, "reason": "dirty" }),
        ),
        ("compartment-returned", json!({ "compartment": 3 })),
        (
            "channel-proven",
            json!({ "compartment": 3, "wiring": { "board": 1, "channel": 5, "inverted": true }, "staff": "t-1" }),
        ),
        ("board-replaced", json!({ "board": 1, "staff": "t-1" })),
        ("tries-counted", json!({ "tries": 5, "day": 20_484 })),
        ("pass-used", json!({ "pass": "p-1", "expires": TIME })),
        ("pass-refused", json!({ "pass": "p-1", "reason": "expired" })),
        ("staff-admitted", json!({ "staff": "c-1", "role": "courier" })),
        (
            "command-accepted",
            json!({ "number": 9, "action": { "do": "open", "compartment": 3 } }),
        ),
        ("command-refused", json!({ "number": 9, "refusal": "expired" })),
        (
            "command-done",
            json!({ "number": 9, "outcome": { "outcome": "done" } }),
        ),
        ("board-lost", json!({ "board": 1 })),
        ("board-found", json!({ "board": 1 })),
        (
            "board-key-agreed",
            json!({ "board": 1, "key": "1e3bee94", "by": "label" }),
        ),
        ("board-key-installed", json!({ "board": 1, "key": "1e3bee94" })),
        (
            "address-shared",
            json!({ "board": 1, "port": "locks", "address": 3 }),
        ),
        ("port-lost", json!({ "port": "locks" })),
        ("port-found", json!({ "port": "locks" })),
        ("peripheral-lost", json!({ "port": "scanner" })),
        ("peripheral-found", json!({ "port": "scanner" })),
        ("tampered", json!({ "source": "shock" })),
        ("power-changed", json!({ "mains": false })),
        (
            "alarm-raised",
            json!({ "alarm": "door-jammed", "compartment": 3 }),
        ),
        (
            "alarm-cleared",
            json!({ "alarm": "door-jammed", "compartment": 3 }),
        ),
        ("help-requested", json!({ "reference": "12" })),
        ("rated", json!({ "stars": 5 })),
    ]
}

fn authorities() -> Vec<(&'static str, Value)> {
    vec![
        (
            "pass",
            json!({ "by": "pass", "pass": "p-1", "expires": TIME, "generation": 2 }),
        ),
        (
            "pickup-code",
            json!({ "by": "pickup-code", "generation": 1, "digits": true }),
        ),
        ("slip", json!({ "by": "slip", "digits": false })),
        ("staff", json!({ "by": "staff", "staff": "c-1" })),
        ("command", json!({ "by": "command", "number": 9 })),
        ("walk-in", json!({ "by": "walk-in" })),
    ]
}

fn actions() -> Vec<(&'static str, Value)> {
    vec![
        ("open", json!({ "do": "open", "compartment": 3 })),
        (
            "withdraw",
            json!({ "do": "withdraw", "compartment": 3, "reason": "ordered" }),
        ),
        ("return", json!({ "do": "return", "compartment": 3 })),
        (
            "reissue-code",
            json!({ "do": "reissue-code", "consignment": "PERMIT-1" }),
        ),
        ("correct-clock", json!({ "do": "correct-clock", "floor": TIME })),
        ("restart-when-idle", json!({ "do": "restart-when-idle" })),
    ]
}

fn replies() -> Vec<(&'static str, Value)> {
    vec![
        ("done", json!({ "number": 9, "seq": "12", "outcome": "done" })),
        (
            "not-opened",
            json!({ "number": 9, "seq": "12", "outcome": "not-opened" }),
        ),
        (
            "interrupted",
            json!({ "number": 9, "seq": "12", "outcome": "interrupted" }),
        ),
        (
            "refused",
            json!({ "number": 9, "seq": "12", "outcome": "refused", "refusal": "other-start" }),
        ),
    ]
}

fn passes() -> Vec<(&'static str, Scope, PassKind)> {
    let drop_off = PassKind::DropOff {
        application: "A-1".parse().unwrap(),
        items: vec!["birth-certificate".parse().unwrap()],
        size: event::Size::Medium,
        compartments: 2,
    };
    let collection = PassKind::Collection {
        consignment: "PERMIT-1".parse().unwrap(),
        generation: 2,
    };
    let staff: StaffId = "c-1".parse().unwrap();
    vec![
        ("drop-off", Scope::Anywhere, drop_off),
        ("collection", Scope::Cabinets(vec![cabinet()]), collection),
        (
            "courier",
            Scope::District("port".into()),
            PassKind::Courier { staff: staff.clone() },
        ),
        (
            "technician",
            Scope::Cabinets(vec![cabinet()]),
            PassKind::Technician { staff },
        ),
    ]
}

fn key_set() -> Value {
    json!({
        "version": 1,
        "keys": [{ "key": office_key().verifying_key().text(), "purposes": ["position", "command", "document", "pass"] }],
        "sealing": [opening_key().sealing_key().text()],
    })
}

fn sealed() -> SealedPart {
    let personal = Personal {
        phone: Some("13800000000".into()),
        code: Some(PickupCode {
            qr: "LP1:PORT-7:ABCDEFGH".into(),
            digits: "12345678".into(),
            spare: "9012".into(),
        }),
    };
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
    SealedPart::seal(&personal, opening_key().sealing_key(), &cabinet(), &mut rng).unwrap()
}

fn status(presence: &str, locator: Value) -> Vec<u8> {
    written::<Status>(
        json!({ "presence": presence, "start": START, "nonce": 16_777_217, "version": "0.1.0", "locator": locator }),
    )
}

fn documents() -> Vec<(String, Vec<u8>)> {
    let keys = written::<KeySet>(key_set());
    let signed = Signed::new(
        &SigningKey::from_secret(&[1; 32]),
        Purpose::KeySet,
        &cabinet(),
        keys.clone(),
    );
    let bundle = json!({
        "cabinet": "PORT-7",
        "root": SigningKey::from_secret(&[1; 32]).verifying_key().text(),
        "keys": String::from_utf8(signed.to_file()).unwrap(),
        "ca": "-----BEGIN CERTIFICATE-----\n",
        "certificate": "-----BEGIN CERTIFICATE-----\n",
    });
    let identity = json!({ "key": office_key().verifying_key().text() });
    vec![
        ("document/keys.json".into(), keys),
        (
            "document/staff.json".into(),
            written::<Staff>(
                json!({ "version": 2, "members": [{ "id": "c-1", "roles": ["courier", "technician"], "badge": DIGEST, "pin": "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", "expires": TIME }] }),
            ),
        ),
        (
            "document/revocations.json".into(),
            written::<Revocations>(json!({ "version": 2, "passes": ["p-1"], "keys": ["k-1"] })),
        ),
        (
            "document/policy.json".into(),
            written::<Policy>(
                json!({ "version": 2, "district": "port", "hold_days": 7, "remote_openings_per_hour": 6, "unverified_drop_offs_max": 4, "help_phone": "12345", "nearby": [{ "cabinet": "PORT-8", "zh": "港口", "en": "Port" }] }),
            ),
        ),
        (
            "document/expected.json".into(),
            written::<Expected>(
                json!({ "version": 2, "consignments": [{ "consignment": "PERMIT-1", "application": "A-1", "person": "P-1", "size": "small" }] }),
            ),
        ),
        ("document/signed-file.txt".into(), signed.to_file()),
        (
            "reported/in-force.json".into(),
            written::<Reported>(json!({ "version": 2, "digest": DIGEST })),
        ),
        (
            "reported/refused.json".into(),
            written::<Reported>(json!({ "version": 2, "digest": DIGEST, "refused": "older" })),
        ),
        ("enrolment/bundle.json".into(), written::<Bundle>(bundle)),
        ("enrolment/identity.json".into(), written::<Identity>(identity)),
    ]
}

fn messages() -> Vec<(String, Vec<u8>)> {
    let tips = json!([{ "seq": "12", "hash": DIGEST }, { "seq": "11", "hash": DIGEST }]);
    let state = json!({
        "start": START, "seq": "12", "time": TIME,
        "compartments": [
            { "id": 1, "size": "small", "occupancy": "outbound", "open": false, "withdrawn": false },
            { "id": 2, "size": "large", "occupancy": "unconfirmed", "withdrawn": true },
        ],
        "boards": [{ "id": 1, "answering": true }],
        "ports_lost": ["scanner"],
        "alarms": [{ "alarm": "door-open", "compartment": 1 }, { "alarm": "clock-untrusted" }],
    });
    let hardware = json!({
        "start": START, "seq": "12", "time": TIME,
        "compartments": [
            { "id": 1, "size": "small", "occupancy": "free", "open": false, "item": true, "withdrawn": false },
        ],
        "boards": [
            { "id": 1, "answering": true, "shared": true, "traffic": {
                "protected": false, "asked": 9, "answered": 5, "unanswered": 1, "garbled": 3, "stray": 2, "unasked": 1, "pulses": 4,
                "reply_ms": 21,
            } },
        ],
        "ports_lost": [],
        "mains": false,
        "alarms": [{ "alarm": "address-shared" }, { "alarm": "tampered" }, { "alarm": "on-battery" }],
    });
    let wires = json!({
        "start": START, "seq": "12", "time": TIME,
        "compartments": [],
        "boards": [
            { "id": 1, "answering": false, "refusal": "unknown-key" },
            { "id": 2, "answering": false, "refusal": "no-common-version" },
        ],
        "ports_lost": [],
        "wires": [{ "port": "locks", "noise": 7, "echo_wrong": true }, { "port": "more", "noise": 0 }],
        "alarms": [{ "alarm": "echo-wrong" }, { "alarm": "item-unexpected", "compartment": 3 }],
    });
    let unproven = json!({
        "start": START, "seq": "12", "time": TIME,
        "compartments": [
            { "id": 1, "size": "small", "occupancy": "free", "open": false, "withdrawn": false, "unproven": true },
        ],
        "boards": [{ "id": 1, "answering": true }],
        "ports_lost": [],
        "alarms": [{ "alarm": "unproven" }],
    });
    let position = |answers: Value| {
        let mut position = json!({ "start": START, "branch": 0, "seq": "12", "hash": DIGEST });
        if !answers.is_null() {
            position["answers"] = answers;
        }
        written::<Position>(position)
    };
    let placed = event("rated", &json!({ "stars": 5 })).to_bytes();
    let message = EventMessage {
        events: vec![placed.clone(), placed],
        sealed: vec![sealed()],
        after: None,
    };
    let behind = EventMessage {
        after: Some(serde_json::from_value(json!({ "seq": "9", "hash": DIGEST })).unwrap()),
        ..message.clone()
    };
    let end =
        json!({ "branch": 0, "seq": "12", "hash": DIGEST, "identity": "0123456789abcdef", "issued": TIME });
    let history = Signed::new(
        &office_key(),
        Purpose::History,
        &cabinet(),
        written::<HistoryEnd>(end),
    );
    let holed = json!({ "branch": 0, "seq": "12", "hash": DIGEST, "identity": "0123456789abcdef", "issued": TIME,
        "lost": [["4", "6"]] });
    let mut keys = key_set();
    keys["keys"][0]["purposes"] = json!(["position", "history"]);
    let keys = Signed::new(
        &office_key(),
        Purpose::KeySet,
        &cabinet(),
        written::<KeySet>(keys),
    );
    let line = HistoryLine::write(&message.events[0], &[sealed().bytes]).unwrap();
    let file = format!("{}\n{line}\n", HistoryHead::write(&history, &keys));
    vec![
        ("status/online.json".into(), status("online", tips)),
        ("status/offline.json".into(), status("offline", json!([]))),
        ("status/draining.json".into(), status("draining", json!([]))),
        ("state/state.json".into(), written::<CabinetState>(state)),
        ("state/hardware.json".into(), written::<CabinetState>(hardware)),
        ("history/history.json".into(), history.bytes.clone()),
        ("history/file.jsonl".into(), file.into_bytes()),
        ("history/behind-a-hole.json".into(), written::<HistoryEnd>(holed)),
        ("state/wires.json".into(), written::<CabinetState>(wires)),
        ("state/unproven.json".into(), written::<CabinetState>(unproven)),
        ("position/position.json".into(), position(Value::Null)),
        ("position/answer.json".into(), position(json!(16_777_217))),
        ("message/message.json".into(), message.to_bytes().unwrap()),
        ("message/behind-a-hole.json".into(), behind.to_bytes().unwrap()),
        ("sealed/sealed.json".into(), sealed().bytes),
    ]
}

/// Every wire format: the file's name and what the code writes.
fn formats() -> Vec<(String, Vec<u8>)> {
    let mut all = documents();
    all.extend(messages());
    for (kind, data) in events() {
        all.push((format!("event/{kind}.json"), event(kind, &data).to_bytes()));
    }
    for (kind, authority) in authorities() {
        let data = json!({ "purpose": "inspection", "authority": authority, "compartment": 3 });
        all.push((
            format!("event/visit-granted.{kind}.json"),
            event("visit-granted", &data).to_bytes(),
        ));
    }
    let identified = json!({ "start": START, "version": "0.1.0", "identity": "0123456789abcdef" });
    all.push((
        "event/started.identity.json".into(),
        event("started", &identified).to_bytes(),
    ));
    let resting = json!({ "compartment": 3, "unlock": "11", "reason": "resting" });
    all.push((
        "event/unlock-failed.resting.json".into(),
        event("unlock-failed", &resting).to_bytes(),
    ));
    let wired = json!({ "compartments": [{ "id": 1, "size": "small", "reachable": true, "wiring": { "board": 1, "channel": 5, "inverted": false } }] });
    all.push((
        "event/layout-changed.wired.json".into(),
        event("layout-changed", &wired).to_bytes(),
    ));
    let wiring = json!({ "board": 1, "channel": 5, "inverted": false, "at": 3_735_928_559_u32 });
    let proven = json!({ "compartment": 3, "wiring": wiring, "staff": "t-1" });
    all.push((
        "event/channel-proven.at.json".into(),
        event("channel-proven", &proven).to_bytes(),
    ));
    for (name, action) in actions() {
        let command = json!({ "number": 9, "start": START, "issued": TIME, "expires": TIME, "operator": "o-1", "action": action });
        all.push((format!("command/{name}.json"), written::<Command>(command)));
    }
    for (name, reply) in replies() {
        all.push((format!("reply/{name}.json"), written::<Reply>(reply)));
    }
    for (name, scope, kind) in passes() {
        let pass = Pass {
            id: "p-1".parse().unwrap(),
            not_before: Timestamp::from_millis(1_769_850_307_000),
            expires: Timestamp::from_millis(1_769_936_707_000),
            scope,
            kind,
        };
        all.push((format!("pass/{name}.txt"), pass.sign(&office_key()).into_bytes()));
    }
    all
}

#[test]
fn the_code_writes_every_format_as_its_golden_file_has_it() {
    let write_missing = std::env::var_os("GOLDEN").is_some_and(|mode| mode == "write-missing");
    for (name, bytes) in formats() {
        let path = directory().join(&name);
        if write_missing && !path.exists() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let golden =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}; write it once, see above"));
        assert!(
            golden == bytes,
            "{name} would now be written as\n{}\nDo not change the file: a new version is a new file.",
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[test]
fn every_event_type_has_a_golden_file_that_reads_back() {
    let named: BTreeSet<String> = events()
        .iter()
        .map(|(kind, _)| format!("locker.{kind}"))
        .collect();
    let known: BTreeSet<String> = EventBody::TYPES.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(named, known, "a new event type needs a line in this file");
    for entry in std::fs::read_dir(directory().join("event")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let event = Event::parse(&bytes).unwrap();
        assert_eq!(event.to_bytes(), bytes);
    }
}

#[test]
fn golden_passes_and_sealed_parts_still_open() {
    let keys: KeySet = serde_json::from_value(key_set()).unwrap();
    for entry in std::fs::read_dir(directory().join("pass")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(Pass::verify(&text, &keys).is_ok(), "{text}");
    }
    let part = SealedPart {
        bytes: std::fs::read(directory().join("sealed/sealed.json")).unwrap(),
    };
    let personal = part.open(&opening_key(), &cabinet()).unwrap();
    assert_eq!(personal.phone.as_deref(), Some("13800000000"));
}
