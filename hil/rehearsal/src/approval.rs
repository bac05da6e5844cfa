//! The approval system as the office sees it: it registers, names and authorises over the API, and hears of hand-overs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use office_protocol::{CabinetId, PickupCode};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long the office may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Why the office did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// It cannot be reached.
    #[error("the office at {address} does not answer: {cause}")]
    NoAnswer {
        /// Where.
        address: SocketAddr,
        /// Why.
        cause: Box<ureq::Error>,
    },
    /// It said no.
    #[error("the office refused {path} with {status}: {said}")]
    Refused {
        /// What was asked.
        path: String,
        /// As HTTP has it.
        status: u16,
        /// Why.
        said: String,
    },
    /// It answered something else than its description says.
    #[error("the office answered {0} without {1}")]
    Strange(String, &'static str),
}

/// A client of the office's API.
#[derive(Clone)]
pub struct Approval {
    address: SocketAddr,
    token: String,
    agent: ureq::Agent,
}

impl Approval {
    /// With the API's token.
    pub fn new(address: SocketAddr, token: String) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_WITHIN))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        Self {
            address,
            token,
            agent,
        }
    }

    /// One request below `/api/v1`; the answer's JSON, null where it has none.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, ApprovalError> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}/api/v1{path}", self.address))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(body.map(|body| body.to_string()).unwrap_or_default())
            .expect("the parts are plain");
        let agent = self.agent.clone();
        let sent = tokio::task::spawn_blocking(move || {
            let mut response = agent.run(request)?;
            Ok::<_, ureq::Error>((response.status(), response.body_mut().read_to_string()?))
        });
        let (status, text) = sent
            .await
            .unwrap_or_else(|_| Err(ureq::Error::ConnectionFailed))
            .map_err(|cause| ApprovalError::NoAnswer {
                address: self.address,
                cause: Box::new(cause),
            })?;
        if status.is_success() {
            Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
        } else {
            Err(ApprovalError::Refused {
                path: path.to_owned(),
                status: status.as_u16(),
                said: text,
            })
        }
    }

    /// What the office knows of a cabinet.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub async fn cabinet(&self, cabinet: &CabinetId) -> Result<Value, ApprovalError> {
        self.ask("GET", &format!("/cabinets/{cabinet}"), None).await
    }

    /// Registers an application; gives the text of its drop-off pass.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub async fn register(&self, application: &str, person: &str) -> Result<String, ApprovalError> {
        let wanted = json!({ "person": person, "items": ["P-BIRTH-00"], "size": "small" });
        let path = format!("/applications/{application}");
        let answer = self.ask("PUT", &path, Some(wanted)).await?;
        let text = answer["pass"]["text"].as_str().map(str::to_owned);
        text.ok_or(ApprovalError::Strange(path, "a pass"))
    }

    /// Names somebody courier or technician, with the text of a plastic badge where they have one; gives the text of their pass.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub async fn name_staff(
        &self,
        staff: &str,
        roles: &[&str],
        pin: &str,
        badge: Option<&str>,
    ) -> Result<String, ApprovalError> {
        let wanted = json!({ "roles": roles, "pin": pin, "badge": badge });
        let path = format!("/staff/{staff}");
        let answer = self.ask("PUT", &path, Some(wanted)).await?;
        let text = answer["text"].as_str().map(str::to_owned);
        text.ok_or(ApprovalError::Strange(path, "a pass"))
    }

    /// Lets somebody else collect a consignment; gives the text of their pass.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub async fn authorise(&self, consignment: &str) -> Result<String, ApprovalError> {
        let path = format!("/consignments/{consignment}/passes");
        let answer = self.ask("POST", &path, Some(json!({}))).await?;
        let text = answer["text"].as_str().map(str::to_owned);
        text.ok_or(ApprovalError::Strange(path, "a pass"))
    }

    /// Announces a consignment that a courier will place.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub async fn expect(
        &self,
        cabinet: &CabinetId,
        consignment: &str,
        application: &str,
        person: &str,
    ) -> Result<(), ApprovalError> {
        let wanted = json!({ "application": application, "person": person });
        let path = format!("/cabinets/{cabinet}/expected/{consignment}");
        self.ask("PUT", &path, Some(wanted)).await.map(drop)
    }

    /// Changes one rule of a cabinet's policy.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub async fn rule(
        &self,
        cabinet: &CabinetId,
        name: &str,
        value: impl Serialize,
    ) -> Result<(), ApprovalError> {
        let path = format!("/cabinets/{cabinet}/policy");
        let mut policy = self.ask("GET", &path, None).await?;
        policy[name] = json!(value);
        self.ask("PUT", &path, Some(policy)).await.map(drop)
    }
}

/// A hand-over as the office told it. No `Debug`: the code is in it.
#[derive(Clone)]
pub struct HandOver {
    /// `dropped-off`, `placed`, …
    pub kind: String,
    /// Which consignment.
    pub consignment: String,
    /// Which door.
    pub compartment: u16,
    /// What goes to the citizen's phone.
    pub code: Option<PickupCode>,
}

/// The receiver of the office's deliveries.
#[derive(Clone)]
pub struct Deliveries {
    heard: watch::Sender<Vec<HandOver>>,
    secret: Arc<str>,
}

impl Deliveries {
    /// Listens at `address`, in a task of the current runtime.
    ///
    /// # Errors
    /// The port cannot be had.
    pub async fn listen(address: SocketAddr, secret: &str) -> std::io::Result<Self> {
        let deliveries = Self {
            heard: watch::Sender::new(Vec::new()),
            secret: secret.into(),
        };
        let listener = TcpListener::bind(address).await?;
        let routes = axum::Router::new()
            .route("/hand-overs", post(delivered))
            .with_state(deliveries.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(deliveries)
    }

    /// All that was heard so far, and a sign at each more.
    #[must_use]
    pub fn heard(&self) -> watch::Receiver<Vec<HandOver>> {
        self.heard.subscribe()
    }
}

async fn delivered(State(deliveries): State<Deliveries>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get("x-locker-signature").map(|value| value.as_bytes());
    if signature != Some(office::webhooks::signature(&deliveries.secret, &body).as_bytes()) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(told) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let hand_over = HandOver {
        kind: text(&told["type"]),
        consignment: text(&told["data"]["consignment"]),
        compartment: told["data"]["compartment"]
            .as_u64()
            .and_then(|number| u16::try_from(number).ok())
            .unwrap_or_default(),
        code: serde_json::from_value(told["personal"]["code"].clone()).ok(),
    };
    deliveries.heard.send_modify(|heard| heard.push(hand_over));
    StatusCode::NO_CONTENT
}
