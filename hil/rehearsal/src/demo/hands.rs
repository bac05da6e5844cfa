//! The hands' page: doors to open and close, things to hold before the scanner, the citizen's text messages.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::PIN;
use crate::approval::{Approval, ApprovalError, Deliveries};
use crate::site::{Site, SiteError};

const PAGE: &str = include_str!("hands/hands.html");
const STYLE: &str = include_str!("hands/hands.css");
const SCRIPT: &str = include_str!("hands/hands.js");
/// Passes and permits that can be had in one demo; enough for an afternoon.
const THINGS_MAX: usize = 200;
const PERSON: &str = "P-2048";

/// Something to hold before the scanner.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    DropOffPass,
    Badge { pin: &'static str },
    Permit,
}

#[derive(Debug, Clone, Serialize)]
struct Thing {
    kind: Kind,
    name: String,
    text: String,
}

struct Hands {
    /// Doors that a hand has jammed.
    jammed: Mutex<std::collections::BTreeSet<u8>>,
    site: Arc<Mutex<Site>>,
    approval: Approval,
    deliveries: Deliveries,
    things: Mutex<Vec<Thing>>,
    address: SocketAddr,
}

/// Serves the page until it fails.
pub(super) async fn serve(
    address: SocketAddr,
    site: Arc<Mutex<Site>>,
    approval: Approval,
    deliveries: Deliveries,
    badge: String,
) -> std::io::Result<()> {
    let badge = Thing {
        kind: Kind::Badge { pin: PIN },
        name: "wang".into(),
        text: badge,
    };
    let hands = Arc::new(Hands {
        jammed: Mutex::default(),
        site,
        approval,
        deliveries,
        things: Mutex::new(vec![badge]),
        address,
    });
    for kind in [Wanted::Pass, Wanted::Permit] {
        if let Err(Trouble(error)) = hands.get(kind).await {
            tracing::warn!(error, "nothing to begin with");
        }
    }
    let routes = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route(
            "/hands.css",
            get(async || ([(header::CONTENT_TYPE, "text/css")], STYLE)),
        )
        .route(
            "/hands.js",
            get(async || ([(header::CONTENT_TYPE, "text/javascript")], SCRIPT)),
        )
        .route("/state", get(state))
        .route("/scan", post(scan))
        .route("/doors/{door}/{deed}", post(deed))
        .route("/things/{kind}", post(another))
        .with_state(hands);
    axum::serve(TcpListener::bind(address).await?, routes).await
}

/// What went wrong, as text.
struct Trouble(String);

/// The request did not come from this page.
const STRANGER: &str = "only this page may touch the doors";

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let status = if self.0 == STRANGER {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::BAD_GATEWAY
        };
        (status, self.0).into_response()
    }
}

impl From<SiteError> for Trouble {
    fn from(error: SiteError) -> Self {
        Self(error.to_string())
    }
}

impl From<ApprovalError> for Trouble {
    fn from(error: ApprovalError) -> Self {
        Self(error.to_string())
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Wanted {
    Pass,
    Permit,
}

impl Hands {
    /// Pages of other sites shall not open this cabinet either.
    fn ours(&self, headers: &HeaderMap) -> Result<(), Trouble> {
        let ours = format!("http://{}", self.address);
        let local = format!("http://localhost:{}", self.address.port());
        let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
        match origin {
            Some(origin) if origin == ours || origin == local => Ok(()),
            Some(_) | None => Err(Trouble(STRANGER.into())),
        }
    }

    async fn get(&self, wanted: Wanted) -> Result<(), Trouble> {
        let mut things = self.things.lock().await;
        if things.len() >= THINGS_MAX {
            return Err(Trouble("enough for one demo: start it again".into()));
        }
        let number = 1_000 + things.len();
        let thing = match wanted {
            Wanted::Pass => Thing {
                kind: Kind::DropOffPass,
                name: format!("A-{number}"),
                text: self.approval.register(&format!("A-{number}"), PERSON).await?,
            },
            Wanted::Permit => {
                let label = format!("PERMIT-{number}");
                let cabinet = self.site.lock().await.cabinet().clone();
                let application = format!("A-{number}");
                self.approval
                    .expect(&cabinet, &label, &application, PERSON)
                    .await?;
                Thing {
                    kind: Kind::Permit,
                    name: label.clone(),
                    text: label,
                }
            }
        };
        things.push(thing);
        Ok(())
    }
}

async fn state(State(hands): State<Arc<Hands>>) -> Result<Json<Value>, Trouble> {
    let (seen, kiosk, office) = {
        let mut site = hands.site.lock().await;
        let seen = site.hardware("look locks 1").await?;
        (seen, site.plan().kiosk, site.plan().office)
    };
    let jammed = hands.jammed.lock().await.clone();
    let doors: Vec<Value> = seen.split(", ").filter_map(|seen| door(seen, &jammed)).collect();
    let heard = hands.deliveries.heard();
    let messages: Vec<Value> = heard
        .borrow()
        .iter()
        .filter_map(|told| {
            let code = told.code.as_ref()?;
            Some(json!({
                "consignment": told.consignment, "door": told.compartment,
                "qr": code.qr, "digits": code.digits, "spare": code.spare,
            }))
        })
        .collect();
    let things = hands.things.lock().await.clone();
    Ok(Json(json!({
        "doors": doors, "things": things, "messages": messages,
        "kiosk": format!("http://{kiosk}"), "office": format!("http://{office}"),
    })))
}

/// `3 open empty pulses 1` as the page wants it.
fn door(seen: &str, jammed: &std::collections::BTreeSet<u8>) -> Option<Value> {
    let mut words = seen.split(' ');
    let number: u8 = words.next()?.parse().ok()?;
    let (door, inside) = (words.next()?, words.next()?);
    let size = match number {
        1..=12 => "small",
        13..=20 => "medium",
        _ => "large",
    };
    Some(json!({
        "number": number, "size": size, "open": door == "open", "occupied": inside == "occupied",
        "jammed": jammed.contains(&number),
    }))
}

#[derive(Deserialize)]
struct Scan {
    text: String,
}

async fn scan(
    State(hands): State<Arc<Hands>>,
    headers: HeaderMap,
    Json(scan): Json<Scan>,
) -> Result<StatusCode, Trouble> {
    hands.ours(&headers)?;
    let text: String = scan
        .text
        .chars()
        .filter(|c| !c.is_control())
        .take(2_000)
        .collect();
    if !text.trim().is_empty() {
        hands
            .site
            .lock()
            .await
            .hardware(&format!("scan scanner {}", text.trim()))
            .await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn deed(
    State(hands): State<Arc<Hands>>,
    Path((door, deed)): Path<(u8, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Trouble> {
    hands.ours(&headers)?;
    let line = match deed.as_str() {
        "put" | "take" | "close" | "force" => format!("hand locks 1 {door} {deed}"),
        "jam" => format!("break locks 1 {door} stuck"),
        "repair" => format!("repair locks 1 {door} stuck"),
        _ => return Err(Trouble(format!("a hand cannot {deed}"))),
    };
    let answer = hands.site.lock().await.hardware(&line).await?;
    if answer != "done" {
        return Err(Trouble(format!("door {door}: {answer}")));
    }
    let mut jammed = hands.jammed.lock().await;
    match deed.as_str() {
        "jam" => drop(jammed.insert(door)),
        "repair" => drop(jammed.remove(&door)),
        _ => {}
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn another(
    State(hands): State<Arc<Hands>>,
    Path(wanted): Path<Wanted>,
    headers: HeaderMap,
) -> Result<StatusCode, Trouble> {
    hands.ours(&headers)?;
    hands.get(wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}
