//! The API and the operators' page over real loopback HTTP, as the approval system and a browser use them.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use office::hub::Outgoing;
use office::secrets::Secrets;
use office::server::{self, App};
use office_protocol::document::DocumentName;
use office_protocol::{
    Command, CommandOutcome, CompartmentId, EventBody, KeySet, Pass, PassKind, Presence, Purpose, Reply, Seq,
    Topic,
};
use serde_json::{Value, json};
use support::{TestCabinet, hub_with};
use tokio::sync::{mpsc, watch};

struct Office {
    app: Arc<App>,
    keys: KeySet,
    address: String,
    token: String,
    outgoing: mpsc::Receiver<Outgoing>,
    _place: tempfile::TempDir,
}

async fn open(cabinet: &TestCabinet) -> Office {
    let place = tempfile::tempdir().unwrap();
    let hub = Arc::new(hub_with(place.path(), cabinet).await);
    let keys = hub.keys.key_set(1);
    let secrets = Secrets::find(place.path()).unwrap();
    let token = std::fs::read_to_string(place.path().join("token")).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (outbound, outgoing) = mpsc::channel(100);
    let online = watch::Sender::new(true);
    let app = Arc::new(App::new(hub, secrets, outbound, online.subscribe(), address, &[]));
    tokio::spawn(server::serve(listener, app.clone()));
    Office {
        app,
        keys,
        address: format!("http://{address}"),
        token,
        outgoing,
        _place: place,
    }
}

type Answer = (u16, String);

impl Office {
    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> (Answer, String) {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.unwrap_or_default()).unwrap();
        let run = move || {
            let config = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0);
            let agent: ureq::Agent = config.allow_non_standard_methods(true).build().into();
            let mut response = agent.run(request).unwrap();
            let cookie = response
                .headers()
                .get("set-cookie")
                .map(|value| value.to_str().unwrap().to_owned());
            let text = response.body_mut().read_to_string().unwrap();
            ((response.status().as_u16(), text), cookie.unwrap_or_default())
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = body.map(|json| json.to_string().into_bytes());
        let ((status, text), _) = self.ask(method, &format!("/api/v1{path}"), &headers, body).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

#[tokio::test]
async fn everything_but_the_health_check_wants_a_token() {
    let office = open(&TestCabinet::new("PORT-7")).await;
    assert_eq!(office.ask("GET", "/api/v1/health", &[], None).await.0.0, 200);
    let description: Value = serde_json::from_str(office::api::OPENAPI).unwrap();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let path = path
            .replace("{number}", "1")
            .replace("{alarm}", "1")
            .replace("{cabinet}", "PORT-7");
        let path = path
            .replace("{application}", "A")
            .replace("{staff}", "S")
            .replace("{consignment}", "C")
            .replace("{pass}", "P");
        for method in methods.as_object().unwrap().keys() {
            let (status, _) = office.call(&method.to_uppercase(), &path, None).await;
            assert_ne!(status, 405, "{method} {path} is described and not served");
            assert_ne!(status, 401, "{method} {path} takes the token");
            if path != "/health" {
                let bare = office
                    .ask(&method.to_uppercase(), &format!("/api/v1{path}"), &[], None)
                    .await
                    .0
                    .0;
                assert_eq!(bare, 401, "{method} {path} without a token");
                let wrong = [("authorization", "Bearer nonsense")];
                let wrong = office
                    .ask(&method.to_uppercase(), &format!("/api/v1{path}"), &wrong, None)
                    .await
                    .0
                    .0;
                assert_eq!(wrong, 401);
            }
        }
    }
}

#[tokio::test]
async fn an_application_gets_a_drop_off_pass_that_verifies() {
    let office = open(&TestCabinet::new("PORT-7")).await;
    let body = json!({"items": ["birth-certificate"], "size": "medium", "compartments": 2, "person": "P-1"});
    let (status, answer) = office.call("PUT", "/applications/A-1", Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    let text = answer["pass"]["text"].as_str().unwrap();
    let pass = Pass::verify(text, &office.keys).unwrap();
    assert!(matches!(pass.kind, PassKind::DropOff { compartments: 2, .. }));
    let (_, shown) = office.call("GET", "/applications/A-1", None).await;
    assert_eq!(shown["pass"]["text"], text);
    let bearer = format!("Bearer {}", office.token);
    let qr = answer["pass"]["qr"].as_str().unwrap();
    let (qr, _) = office.ask("GET", qr, &[("authorization", &bearer)], None).await;
    assert!(qr.1.contains("<svg"));
    for wrong in [
        json!({"items": []}),
        json!({"items": ["a"], "colour": 1}),
        json!({"items": ["a"], "compartments": 9}),
    ] {
        assert_eq!(office.call("PUT", "/applications/A-2", Some(wrong)).await.0, 400);
    }
    let huge = json!({"items": ["a"], "person": "x".repeat(100_000)});
    assert!(matches!(
        office.call("PUT", "/applications/A-2", Some(huge)).await.0,
        400 | 413
    ));
}

#[tokio::test]
async fn staff_and_revocations_reach_the_cabinets_as_documents() {
    let mut office = open(&TestCabinet::new("PORT-7")).await;
    let body = json!({"roles": ["courier"], "pin": "4711"});
    let (status, badge) = office.call("PUT", "/staff/wang", Some(body)).await;
    assert_eq!(status, 200, "{badge}");
    let sent = office.outgoing.recv().await.unwrap();
    assert_eq!(sent.topic, Topic::Desired(DocumentName::Staff));
    let text = String::from_utf8(sent.signed.bytes.clone()).unwrap();
    assert!(text.contains("$argon2id$") && !text.contains("4711"));
    office.outgoing.recv().await.unwrap();
    let id = badge["id"].as_str().unwrap();
    assert_eq!(office.call("DELETE", &format!("/passes/{id}"), None).await.0, 204);
    let sent = office.outgoing.recv().await.unwrap();
    assert_eq!(sent.topic, Topic::Desired(DocumentName::Revocations));
    assert!(String::from_utf8(sent.signed.bytes).unwrap().contains(id));
}

#[tokio::test]
async fn a_command_is_numbered_bound_to_the_start_and_answered() {
    let mut cabinet = TestCabinet::new("PORT-7");
    let mut office = open(&cabinet).await;
    let body = json!({"operator": "li", "action": {"do": "open", "compartment": 3}});
    assert_eq!(
        office
            .call("POST", "/cabinets/PORT-7/commands", Some(body.clone()))
            .await
            .0,
        409
    );
    let status = cabinet.status(Presence::Online);
    office
        .app
        .hub
        .take(cabinet.sends(Topic::Status, status))
        .await
        .unwrap();
    for number in 1..=2 {
        let (status, answer) = office
            .call("POST", "/cabinets/PORT-7/commands", Some(body.clone()))
            .await;
        assert_eq!((status, answer["number"].as_u64()), (202, Some(number)));
    }
    let sent = office.outgoing.recv().await.unwrap();
    assert_eq!(sent.expiry_s, Some(30));
    let bytes = office
        .keys
        .check(&sent.signed, Purpose::Command, &cabinet.id)
        .unwrap();
    let command: Command = serde_json::from_slice(bytes).unwrap();
    assert_eq!((command.number, command.start), (1, cabinet.start));
    assert_eq!(
        command.expires,
        command.issued.plus_millis(Command::DOOR_LIFETIME_MS)
    );
    let reply = Reply {
        number: 1,
        seq: Seq(9),
        outcome: CommandOutcome::Done,
    };
    let reply = cabinet.sign(Purpose::Reply, &reply);
    office
        .app
        .hub
        .take(cabinet.sends(Topic::Reply, reply))
        .await
        .unwrap();
    let (_, shown) = office.call("GET", "/cabinets/PORT-7/commands/1", None).await;
    assert_eq!(shown["reply"]["outcome"], "done");
}

#[tokio::test]
async fn a_collection_pass_takes_the_next_generation() {
    let mut cabinet = TestCabinet::new("PORT-7");
    let office = open(&cabinet).await;
    let placed = EventBody::Placed {
        consignment: "PERMIT-1".parse().unwrap(),
        compartment: CompartmentId(4),
        application: None,
        person: None,
        expected: true,
        staff: "wang".parse().unwrap(),
        generation: 1,
        code: None,
        sealed: None,
        hold_days: 7,
    };
    cabinet.write(placed);
    cabinet.rate(3);
    office
        .app
        .hub
        .take(cabinet.sends(Topic::Event, cabinet.events(1, 4, vec![])))
        .await
        .unwrap();
    for generation in 2..=3 {
        let (status, pass) = office
            .call("POST", "/consignments/PERMIT-1/passes", Some(json!({})))
            .await;
        assert_eq!((status, pass["generation"].as_u64()), (200, Some(generation)));
    }
    assert_eq!(
        office
            .call("POST", "/consignments/OTHER/passes", Some(json!({})))
            .await
            .0,
        404
    );
    let (_, listed) = office.call("GET", "/consignments?state=placed", None).await;
    assert_eq!(listed[0]["id"], "PERMIT-1");
    let (_, page) = office.call("GET", "/events?after=0&limit=3", None).await;
    assert_eq!(
        (page["events"].as_array().unwrap().len(), page["next"].as_i64()),
        (3, Some(3))
    );
    let (_, page) = office.call("GET", "/events?after=3&limit=3", None).await;
    assert_eq!(
        (page["events"].as_array().unwrap().len(), page["next"].as_i64()),
        (1, None)
    );
}

#[tokio::test]
async fn the_page_wants_a_password_and_refuses_foreign_hosts_and_origins() {
    let office = open(&TestCabinet::new("PORT-7")).await;
    let password = std::fs::read_to_string(office._place.path().join("password")).unwrap();
    let form = |password: &str| Some(format!("password={password}").into_bytes());
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let ((_, page), _) = office.ask("GET", "/", &[], None).await;
    assert!(page.contains("password") && !page.contains("PORT-7"));
    assert_eq!(office.ask("GET", "/events", &[], None).await.0.0, 401);
    assert_eq!(
        office.ask("POST", "/login", &[kind], form("guess")).await.0.0,
        401
    );
    let ((status, _), cookie) = office.ask("POST", "/login", &[kind], form(&password)).await;
    assert_eq!(status, 303);
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let session = ("cookie", cookie.as_str());
    let ((_, page), _) = office.ask("GET", "/?language=en", &[session], None).await;
    assert!(page.contains("PORT-7"));
    assert_eq!(
        office
            .ask("GET", "/", &[session, ("host", "evil.example")], None)
            .await
            .0
            .0,
        421
    );
    let foreign = ("origin", "https://evil.example");
    assert_eq!(
        office
            .ask("POST", "/logout", &[session, foreign, kind], None)
            .await
            .0
            .0,
        421
    );
    assert_eq!(
        office.ask("POST", "/logout", &[session, kind], None).await.0.0,
        303
    );
    let ((_, page), _) = office.ask("GET", "/?language=en", &[session], None).await;
    assert!(
        !page.contains("PORT-7"),
        "a session ends when its operator logs out"
    );
}

#[tokio::test]
async fn passwords_cannot_be_tried_without_end() {
    let office = open(&TestCabinet::new("PORT-7")).await;
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(
            office
                .ask("POST", "/login", &[kind], Some(b"password=x".to_vec()))
                .await
                .0
                .0,
        );
    }
    assert_eq!(answers[0], 401);
    assert!(answers.contains(&429));
}
