//! Why a request was not carried out, as status and JSON.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::database::DatabaseError;

/// A request that was not carried out.
#[derive(Debug)]
pub enum Refusal {
    /// No token, or a wrong one.
    Unauthorised,
    /// Not there.
    NotFound(&'static str),
    /// What is wrong with it, and what to send instead.
    Invalid(String),
    /// There, but not with this method.
    Method,
    /// More than is read.
    TooLarge,
    /// Not in this state.
    Conflict(&'static str),
    /// Too many requests.
    TooMany,
    /// Not now.
    Unavailable(&'static str),
    /// The database.
    Database(DatabaseError),
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            _ => Self::Invalid(rejection.body_text()),
        }
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}

/// Reads an identifier from the path.
pub(super) fn id<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Refusal> {
    text.parse()
        .map_err(|error: T::Err| Refusal::Invalid(error.to_string()))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::Unauthorised => (
                StatusCode::UNAUTHORIZED,
                "unauthorised",
                "send the header Authorization: Bearer <token>".to_owned(),
            ),
            Self::NotFound(what) => (StatusCode::NOT_FOUND, "not-found", format!("no such {what}")),
            Self::Invalid(what) => (StatusCode::BAD_REQUEST, "invalid", what),
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "not with this method; the header Allow and /api/v1/openapi.json say which".to_owned(),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                format!("a body has at most {} bytes", super::BODY_BYTES_MAX),
            ),
            Self::Conflict(what) => (StatusCode::CONFLICT, "conflict", what.to_owned()),
            Self::TooMany => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many",
                "too many requests; wait a second".to_owned(),
            ),
            Self::Unavailable(what) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", what.to_owned()),
            Self::Database(error @ DatabaseError::OldKeys { .. }) => {
                tracing::error!(%error, "a request failed");
                let what =
                    "what was asked is kept, and this hub's keys are old: it signs nothing; see its log";
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", what.to_owned())
            }
            Self::Database(error) => {
                tracing::error!(%error, "a request failed");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "the database failed; see the hub's log".to_owned(),
                )
            }
        };
        let body = Json(json!({"error": {"code": code, "message": message}}));
        let mut response = (status, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
