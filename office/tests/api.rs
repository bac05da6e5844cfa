//! The API and the operators' page over real loopback HTTP, as the approval system and a browser use them.
#![allow(clippy::unwrap_used)]

#[macro_use]
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
use support::{Place, TestCabinet, hub_with};
use tokio::sync::{mpsc, watch};

struct Office {
    app: Arc<App>,
    keys: KeySet,
    address: String,
    token: String,
    outgoing: mpsc::Receiver<Outgoing>,
}

async fn open(place: &Place, cabinet: &TestCabinet) -> Office {
    let hub = Arc::new(hub_with(place, cabinet).await);
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

async fn everything_but_the_health_check_wants_a_token(place: &Place) {
    let office = open(place, &TestCabinet::new("PORT-7")).await;
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

async fn what_is_served_is_described_and_nothing_else(place: &Place) {
    let cabinet = TestCabinet::new("PORT-7");
    let office = open(place, &cabinet).await;
    let description: Value = serde_json::from_str(office::api::OPENAPI).unwrap();
    let described = description["paths"].as_object().unwrap();
    let source = include_str!("../src/api.rs")
        .split_whitespace()
        .collect::<String>();
    let served: Vec<&str> = source
        .split(".route(\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let mut names: Vec<&str> = described.keys().map(String::as_str).collect();
    assert_eq!(served.len(), names.len());
    names.retain(|name| !served.contains(name));
    assert!(names.is_empty(), "described and not served: {names:?}");
    for (path, methods) in described {
        let path = path.replace(['{', '}'], "");
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
            let (status, _) = office.call(method, &path, None).await;
            let is_described = methods.get(method.to_lowercase()).is_some();
            assert_eq!(status != 405, is_described, "{method} {path}: {status}");
        }
    }
    let (_, shown) = office.call("GET", "/cabinets/PORT-7", None).await;
    let schema = &description["components"]["schemas"]["Cabinet"]["properties"];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (mut shown, mut schema) = (keys(&shown), keys(schema));
    shown.sort();
    schema.sort();
    assert_eq!(shown, schema);
}

async fn a_cabinet_is_revoked_and_personal_data_erased(place: &Place) {
    let cabinet = TestCabinet::new("PORT-7");
    let office = open(place, &cabinet).await;
    assert_eq!(office.call("POST", "/cabinets/PORT-8/revoke", None).await.0, 404);
    assert_eq!(office.call("POST", "/cabinets/PORT-7/revoke", None).await.0, 204);
    let (_, shown) = office.call("GET", "/cabinets/PORT-7", None).await;
    assert!(
        shown["revoked"].as_str().unwrap().ends_with('Z'),
        "times are RFC 3339"
    );
    for wrong in [
        json!({}),
        json!({"person": "P-1", "application": "A-1"}),
        json!({"phone": "1"}),
    ] {
        assert_eq!(office.call("POST", "/erasures", Some(wrong)).await.0, 400);
    }
    for right in [
        json!({"person": "P-1"}),
        json!({"application": "A-1"}),
        json!({"consignment": "C-1"}),
    ] {
        let (status, answer) = office.call("POST", "/erasures", Some(right)).await;
        assert_eq!((status, answer["erased"].as_u64()), (200, Some(0)));
    }
}

async fn requests_have_a_largest_size_and_a_highest_rate(place: &Place) {
    let office = open(place, &TestCabinet::new("PORT-7")).await;
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let form = format!("password={}", "x".repeat(10_000)).into_bytes();
    assert_eq!(office.ask("POST", "/login", &[kind], Some(form)).await.0.0, 413);
    let (status, refusal) = office
        .call(
            "PUT",
            "/applications/A-1",
            Some(json!({"items": ["x".repeat(100_000)]})),
        )
        .await;
    assert_eq!(
        (status, refusal["error"]["code"].as_str()),
        (413, Some("too-large"))
    );
    let begun = std::time::Instant::now();
    loop {
        while office.app.api_requests.take() {}
        if office.call("GET", "/cabinets", None).await.0 == 429 {
            break;
        }
        assert!(begun.elapsed().as_secs() < 20, "however many there are");
    }
}

async fn every_refusal_says_what_to_do(place: &Place) {
    let office = open(place, &TestCabinet::new("PORT-7")).await;
    for (method, path, expected, word) in [
        ("GET", "/cabinet", 404, "openapi.json"),
        ("DELETE", "/cabinets", 405, "Allow"),
        ("GET", "/consignments?state=lost", 400, "dropped-off"),
    ] {
        let (status, refusal) = office.call(method, path, None).await;
        let message = refusal["error"]["message"].as_str().unwrap();
        assert!(status == expected && message.contains(word), "{status} {message}");
    }
    let nowhere = json!({"items": ["permit"], "cabinets": ["PORT-7", "PROT-7"]});
    let (status, refusal) = office.call("PUT", "/applications/A-1", Some(nowhere)).await;
    let message = refusal["error"]["message"].as_str().unwrap();
    assert!(
        status == 400 && message.contains("PROT-7 is not enrolled"),
        "{message}"
    );
}

async fn who_says_nothing_is_sent_away(place: &Place) {
    let office = open(place, &TestCabinet::new("PORT-7")).await;
    let wait = |text: &'static [u8]| {
        use std::io::{Read, Write};
        let address = office.address.strip_prefix("http://").unwrap().to_owned();
        tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream
                .set_read_timeout(Some(std::time::Duration::from_secs(60)))
                .unwrap();
            stream.write_all(text).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
    };
    let head = wait(b"GET / HTTP/1.1\r\nhost: ");
    let host = office.address.strip_prefix("http://").unwrap();
    let body = format!(
        "POST /login HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: 20\r\nconnection: close\r\n\r\npassword="
    );
    let body = wait(body.leak().as_bytes());
    head.await.unwrap();
    let answer = body.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

async fn an_application_gets_a_drop_off_pass_that_verifies(place: &Place) {
    let office = open(place, &TestCabinet::new("PORT-7")).await;
    let body = json!({"items": ["birth-certificate"], "size": "medium", "compartments": 2, "person": "P-1"});
    let (status, answer) = office.call("PUT", "/applications/A-1", Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    let text = answer["pass"]["text"].as_str().unwrap();
    let pass = Pass::verify(text, &office.keys).unwrap();
    assert!(matches!(pass.kind, PassKind::DropOff { compartments: 2, .. }));
    let (_, shown) = office.call("GET", "/applications/A-1", None).await;
    assert_eq!(shown["pass"]["text"], text);
    let again = json!({"items": ["birth-certificate"], "size": "small"});
    let (_, again) = office.call("PUT", "/applications/A-1", Some(again)).await;
    assert_ne!(again["pass"]["text"], text);
    let first = format!("/passes/{}", answer["pass"]["id"].as_str().unwrap());
    let (_, first) = office.call("GET", &first, None).await;
    assert!(
        first["revoked"].is_string(),
        "one pass for an application: {first}"
    );
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

async fn staff_and_revocations_reach_the_cabinets_as_documents(place: &Place) {
    let mut office = open(place, &TestCabinet::new("PORT-7")).await;
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

async fn a_member_of_staff_goes_with_pass_badge_and_pin(place: &Place) {
    let mut office = open(place, &TestCabinet::new("PORT-7")).await;
    let body = json!({"roles": ["courier"], "pin": "4711", "badge": "plastic"});
    let (_, pass) = office.call("PUT", "/staff/wang", Some(body.clone())).await;
    office.call("PUT", "/staff/li", Some(body)).await;
    let pass = format!("/passes/{}", pass["id"].as_str().unwrap());
    assert_eq!(office.call("DELETE", &pass, None).await.0, 204);
    assert_eq!(office.call("DELETE", "/staff/li", None).await.0, 204);
    assert_eq!(office.call("DELETE", "/staff/li", None).await.0, 404);
    let mut documents = Vec::new();
    while let Ok(sent) = office.outgoing.try_recv() {
        let document: Value = serde_json::from_slice(&sent.signed.bytes).unwrap();
        documents.push((sent.topic, document));
    }
    let newest = |name: DocumentName| {
        let mut all = documents.iter().rev();
        all.find(|(topic, _)| *topic == Topic::Desired(name))
            .unwrap()
            .1
            .clone()
    };
    let members = newest(DocumentName::Staff)["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 1, "{members}");
    assert_eq!(members[0]["id"], "wang");
    assert!(members[0].get("badge").is_none(), "the badge went with the pass");
    let revoked = newest(DocumentName::Revocations)["passes"].clone();
    assert_eq!(revoked.as_array().unwrap().len(), 2);
}

async fn a_command_is_numbered_bound_to_the_start_and_answered(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let mut office = open(place, &cabinet).await;
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
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let (status, answer) = office
            .call("POST", "/cabinets/PORT-7/commands", Some(body.clone()))
            .await;
        assert_eq!(status, 202);
        numbers.push(answer["number"].as_u64().unwrap());
    }
    assert!(numbers[0] < numbers[1]);
    let sent = office.outgoing.recv().await.unwrap();
    assert_eq!(sent.expiry_s, Some(30));
    let bytes = office
        .keys
        .check(&sent.signed, Purpose::Command, &cabinet.id)
        .unwrap();
    let command: Command = serde_json::from_slice(bytes).unwrap();
    assert_eq!((command.number, command.start), (numbers[0], cabinet.start));
    assert_eq!(
        command.expires,
        command.issued.plus_millis(Command::DOOR_LIFETIME_MS)
    );
    let reply = Reply {
        number: numbers[0],
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
    let path = format!("/cabinets/PORT-7/commands/{}", numbers[0]);
    let (_, shown) = office.call("GET", &path, None).await;
    assert_eq!(shown["reply"]["outcome"], "done");
}

async fn a_collection_pass_takes_the_next_generation(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let office = open(place, &cabinet).await;
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

async fn the_page_wants_a_password_and_refuses_foreign_hosts_and_origins(place: &Place) {
    let office = open(place, &TestCabinet::new("PORT-7")).await;
    let password = std::fs::read_to_string(place.path().join("password")).unwrap();
    let form = |password: &str| Some(format!("password={password}").into_bytes());
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let ((_, page), _) = office.ask("GET", "/", &[], None).await;
    assert!(page.contains("password") && !page.contains("PORT-7"));
    for (method, path) in [
        ("GET", "/events"),
        ("GET", "/script.js"),
        ("POST", "/revoke"),
        ("POST", "/alarms/clear"),
        ("POST", "/erase"),
    ] {
        let body = Some(b"cabinet=PORT-7&of=person&id=P-1&alarm=1".to_vec());
        let (status, _) = office.ask(method, path, &[kind], body).await.0;
        assert_eq!(status, 401, "{path} wants a login");
    }
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
    assert!(page.contains("PORT-7") && page.contains("not heard yet"));
    let body = |text: &str| Some(text.as_bytes().to_vec());
    let erase = body("language=en&of=person&id=P-1");
    assert_eq!(
        office.ask("POST", "/erase", &[session, kind], erase).await.0.0,
        303
    );
    let clear = body("language=en&alarm=1");
    assert_eq!(
        office
            .ask("POST", "/alarms/clear", &[session, kind], clear)
            .await
            .0
            .0,
        303
    );
    let foreign = ("origin", "https://evil.example");
    let revoke = body("language=en&cabinet=PORT-7");
    let refused = office
        .ask("POST", "/revoke", &[session, kind, foreign], revoke.clone())
        .await;
    assert_eq!(refused.0.0, 421);
    assert_eq!(
        office.ask("POST", "/revoke", &[session, kind], revoke).await.0.0,
        303
    );
    let ((_, page), _) = office
        .ask("GET", "/?language=en&done=revoked", &[session], None)
        .await;
    assert!(page.contains("The cabinet is revoked.") && page.contains("✕ revoked"));
    assert_eq!(
        office
            .ask("GET", "/", &[session, ("host", "evil.example")], None)
            .await
            .0
            .0,
        421
    );
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

async fn passwords_cannot_be_tried_without_end(place: &Place) {
    let office = open(place, &TestCabinet::new("PORT-7")).await;
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

/// The answer's first line to a request of somebody at this address.
async fn from_address(address: [u8; 4], office: &Office, method: &str, path: &str, rest: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = office.address.strip_prefix("http://").unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    let mut stream = socket.connect(host.parse().unwrap()).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{rest}");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

async fn who_tries_too_much_locks_nobody_else_out(place: &Place) {
    let office = open(place, &TestCabinet::new("PORT-7")).await;
    let password = std::fs::read_to_string(place.path().join("password")).unwrap();
    let (attacker, honest) = ([127, 0, 0, 66], [127, 0, 0, 7]);
    let form = |password: &str, header: &str| {
        let body = format!("password={password}");
        let length = body.len();
        format!(
            "{header}content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let login = async |address, form: String| from_address(address, &office, "POST", "/login", &form).await;
    let mut last = String::new();
    for number in 0..8 {
        // Nobody believes a client what only a proxy may say.
        let header = format!("x-forwarded-for: 192.0.2.{number}\r\n");
        last = login(attacker, form("x", &header)).await;
    }
    assert!(last.contains("429"), "{last}");
    let right = form(password.trim(), "");
    let answer = login(honest, right.clone()).await;
    assert!(answer.contains("303"), "{answer}");
    assert!(login(attacker, right).await.contains("429"));

    let mut last = String::new();
    for _ in 0..300 {
        last = from_address(attacker, &office, "GET", "/api/v1/cabinets", "\r\n").await;
    }
    assert!(last.contains("429"), "{last}");
    let bearer = format!("authorization: Bearer {}\r\n\r\n", office.token.trim());
    for address in [honest, attacker] {
        let answer = from_address(address, &office, "GET", "/api/v1/cabinets", &bearer).await;
        assert!(answer.contains("200"), "who has the token is let in: {answer}");
    }
}

on_both_databases! {
    everything_but_the_health_check_wants_a_token,
    an_application_gets_a_drop_off_pass_that_verifies,
    staff_and_revocations_reach_the_cabinets_as_documents,
    a_member_of_staff_goes_with_pass_badge_and_pin,
    what_is_served_is_described_and_nothing_else,
    a_cabinet_is_revoked_and_personal_data_erased,
    requests_have_a_largest_size_and_a_highest_rate,
    every_refusal_says_what_to_do,
    who_says_nothing_is_sent_away,
    a_command_is_numbered_bound_to_the_start_and_answered,
    a_collection_pass_takes_the_next_generation,
    the_page_wants_a_password_and_refuses_foreign_hosts_and_origins,
    passwords_cannot_be_tried_without_end,
    who_tries_too_much_locks_nobody_else_out,
}
