//! Who may call a route: the one gate before every handler of the services.
//!
//! Owns reading the token, judging it against the roster as it is now, and the roles of each
//! route. A route that is not in the table is refused. Does not own which rows a caller sees: the
//! handlers ask [`Caller::sees_person`].

use super::Services;
use super::surface::{self, Route};
use crate::log::Log;
use crate::problem::{Family, Problem};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cairn_event::PersonRole;
use cairn_identity::token::{ADMINISTRATOR, Claims};
use std::collections::{HashMap, HashSet};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Public,
    /// A secret of its own that the handler checks: a code, a poll secret, an assertion.
    OwnSecret,
    /// Any good token: of a device or of a person.
    AnyToken,
    /// A good token with one of these roles.
    Roles(&'static [PersonRole]),
}

/// Everybody with a role.
pub const EVERY_ROLE: Access = Access::Roles(&[
    PersonRole::Admin,
    PersonRole::Security,
    PersonRole::Auditor,
    PersonRole::Developer,
]);

/// Those who administer, and nobody else.
pub const ADMINS: Access = Access::Roles(&[PersonRole::Admin]);

/// Those who write policy.
pub const POLICY_WRITERS: Access = Access::Roles(&[PersonRole::Admin, PersonRole::Security]);

/// Roles that see every person's rows and confidential parts.
const READERS: &[PersonRole] = &[PersonRole::Admin, PersonRole::Security, PersonRole::Auditor];

/// Those who read everybody's confidential parts.
pub const CONFIDENTIAL_READERS: Access = Access::Roles(READERS);

/// Which confidential readings are in the log already: (token, what was read).
pub(crate) type ReadingRecord = HashMap<String, HashSet<String>>;

/// Who calls, as the roster knows them at this moment.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token.
    pub claims: Claims,
    /// Roles of the token that the roster still grants.
    pub roles: Vec<PersonRole>,
}

impl Caller {
    /// Whether the caller holds one of these roles now.
    #[must_use]
    pub fn has_any(&self, roles: &[PersonRole]) -> bool {
        roles.iter().any(|role| self.roles.contains(role))
    }

    /// Whether the caller sees everybody's rows.
    #[must_use]
    pub fn reads_all(&self) -> bool {
        self.has_any(READERS)
    }

    /// Whether the caller sees this person's rows.
    #[must_use]
    pub fn sees_person(&self, person: Option<&str>) -> bool {
        self.reads_all() || person == Some(self.claims.sub.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Absent only where the table calls a route public whose handler asks who calls.
        parts.extensions.get::<Self>().cloned().ok_or_else(no_token)
    }
}

/// Lets a request through to its handler, with a [`Caller`] where the route asks for one.
pub async fn gate(State(services): State<Services>, mut request: Request, next: Next) -> Response {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str);
    let route = path.and_then(|path| route_of(request.method(), path));
    let Some(route) = route else {
        let methods = path.map(methods_of).unwrap_or_default();
        return if methods.is_empty() {
            forbidden("the route has no entry in the table of access").into_response()
        } else {
            not_a_method(&methods)
        };
    };
    match judge(&services, route.access, request.headers()) {
        Ok(caller) => {
            if let Err(reason) = services.stands(route.needs) {
                return Problem::from(reason).into_response();
            }
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            next.run(request).await
        }
        Err(problem) => refuse(problem),
    }
}

fn route_of(method: &Method, path: &str) -> Option<&'static Route> {
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut routes = surface::ROUTES.iter();
    routes.find(|route| route.path == path && route.method == method.as_str())
}

/// The methods that a path takes, those of the log's own reads included. `HEAD` goes with `GET`.
fn methods_of(path: &str) -> Vec<&'static str> {
    let routes = surface::ROUTES.iter().filter(|route| route.path == path);
    let mut methods: Vec<_> = routes.map(|route| route.method).collect();
    if !methods.is_empty() && crate::reads::SHARED_PATHS.contains(&path) {
        methods.push("GET");
    }
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods
}

/// 405 with the methods there are (RFC 9110 section 15.5.6).
fn not_a_method(methods: &[&str]) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let detail = "the route has no such method";
    let mut response = Problem::new(status, "method", Family::Refused, detail).into_response();
    if let Ok(allow) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn judge(
    services: &Services,
    access: Access,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Problem> {
    let roles = match access {
        Access::Public | Access::OwnSecret => return Ok(None),
        Access::AnyToken => None,
        Access::Roles(roles) => Some(roles),
    };
    let token = bearer(headers).ok_or_else(no_token)?;
    let log = services.log();
    let claims = services
        .0
        .verifier
        .verify(token, log.now_ms() / 1_000)
        .map_err(|error| unauthorised("invalid-token", error.to_string()))?;
    let caller = current(log, claims)?;
    match roles {
        Some(roles) if !caller.has_any(roles) => {
            Err(forbidden("none of your roles may call this route"))
        }
        _ => Ok(Some(caller)),
    }
}

/// The caller's roles now: a token outlives a removal by minutes, the roster does not.
fn current(log: &Log, claims: Claims) -> Result<Caller, Problem> {
    if claims.sub == ADMINISTRATOR {
        return Ok(Caller {
            roles: claims.roles.clone(),
            claims,
        });
    }
    let ledger = log.ledger();
    let roster = ledger.roster();
    let membership = roster
        .people
        .get(&claims.sub)
        .and_then(|person| person.membership());
    let Some(membership) = membership else {
        return Err(unauthorised(
            "person-removed",
            "the person is not in the roster any more",
        ));
    };
    if let Some(device) = &claims.did {
        let good = roster
            .devices
            .get(device)
            .is_some_and(|device| device.revoked_at.is_none() && device.person == claims.sub);
        if !good {
            return Err(unauthorised(
                "device-revoked",
                "the device is not good any more",
            ));
        }
    }
    let roles = claims
        .roles
        .iter()
        .filter(|role| membership.roles.contains(role));
    Ok(Caller {
        roles: roles.copied().collect(),
        claims,
    })
}

/// The bearer token of a request; the scheme's case does not matter (RFC 9110 section 11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn no_token() -> Problem {
    unauthorised("no-token", "the route needs an access token")
}

pub(crate) fn unauthorised(code: &str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, Family::Refused, detail)
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", Family::Refused, detail)
}

fn refuse(problem: Problem) -> Response {
    let unauthorised = problem.body.status == StatusCode::UNAUTHORIZED.as_u16();
    let mut response = problem.into_response();
    if unauthorised {
        // RFC 6750 section 3: every 401 names the scheme.
        let challenge = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
