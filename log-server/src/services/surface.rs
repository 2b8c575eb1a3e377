//! Every route of the services in one table: method, path, who may call it.
//!
//! Owns the table and the router made of it. [`handler`] must know each route of the table, and the
//! gate lets nothing through that the table does not have; tests walk the table against every role.

use super::access::{self, ADMINS, Access, CONFIDENTIAL_READERS, EVERY_ROLE, POLICY_WRITERS};
use super::enroll::{device, page};
use super::reading::range;
use super::request::MAX_BODY_BYTES;
use super::source::Source;
use super::tokens::JWKS;
use super::{Services, console, erasure, install, openapi, policy, sign_in, site, tokens};
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post, put};
use cairn_api::paths;
use std::net::SocketAddr;

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET`, `POST` or `PUT`; `HEAD` goes with `GET`.
    pub method: &'static str,
    /// As in `cairn_api::paths`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What its answer hangs on: until that stands, it is 503.
    pub needs: Needs,
}

/// What an answer hangs on beyond the log and its ledger; the last needs what those before it need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing.
    Log,
    /// The names of the roster: read in a moment after a start.
    People,
    /// Every entry: read in minutes after a start of a large log.
    Index,
}

/// A route that asks only the log and its ledger. The enrolment pages ask the people too, and say in HTML
/// that they do not stand.
const fn route(method: &'static str, path: &'static str, access: Access) -> Route {
    Route {
        method,
        path,
        access,
        needs: Needs::Log,
    }
}

/// A route whose answer hangs on the people.
const fn of_people(method: &'static str, path: &'static str, access: Access) -> Route {
    Route {
        needs: Needs::People,
        ..route(method, path, access)
    }
}

/// A route whose answer hangs on the index.
const fn indexed(method: &'static str, path: &'static str, access: Access) -> Route {
    Route {
        needs: Needs::Index,
        ..route(method, path, access)
    }
}

/// Every route of the services.
pub const ROUTES: &[Route] = &[
    route("PUT", paths::BLOB, POLICY_WRITERS),
    of_people("GET", paths::ROSTER, Access::AnyToken),
    of_people("GET", paths::POLICY, Access::AnyToken),
    of_people("GET", paths::POLICY_STREAM, Access::AnyToken),
    route("POST", paths::TOKEN, Access::OwnSecret),
    route("GET", JWKS, Access::Public),
    of_people("POST", paths::LOGIN_EMAIL, Access::Public),
    of_people("POST", paths::LOGIN_CODE, Access::OwnSecret),
    of_people("POST", paths::ENROLL, Access::OwnSecret),
    route("GET", paths::ENROLLMENT, Access::OwnSecret),
    route("GET", paths::ENROLL_PAGE, Access::Public),
    route("POST", paths::ENROLL_PAGE_EMAIL, Access::Public),
    route("POST", paths::ENROLL_PAGE_CODE, Access::OwnSecret),
    of_people("GET", paths::ME, EVERY_ROLE),
    indexed("GET", paths::OVERVIEW, EVERY_ROLE),
    indexed("GET", paths::SESSIONS, EVERY_ROLE),
    indexed("GET", paths::SESSION, EVERY_ROLE),
    indexed("GET", paths::EVENTS, EVERY_ROLE),
    indexed("GET", paths::EVENT, EVERY_ROLE),
    indexed("GET", paths::EVENT_EXPLANATION, EVERY_ROLE),
    route("POST", paths::EVENT_ERASURE, ADMINS),
    route("POST", paths::READINGS, CONFIDENTIAL_READERS),
    route("GET", paths::READING_DISCLOSURES, CONFIDENTIAL_READERS),
    indexed("GET", paths::DEVICES, EVERY_ROLE),
    indexed("GET", paths::PEOPLE, EVERY_ROLE),
    indexed("GET", paths::TEAMS, EVERY_ROLE),
    indexed("GET", paths::MCP, EVERY_ROLE),
    indexed("GET", paths::POLICIES, EVERY_ROLE),
    route("GET", paths::INSTALL, Access::Public),
    route("GET", paths::DIST, Access::Public),
    route("GET", paths::OPENAPI, Access::Public),
];

/// The handler of a route of the table; `None` is a mistake in this file that a test finds.
fn handler(route: &Route) -> Option<MethodRouter<Services>> {
    Some(match (route.method, route.path) {
        ("PUT", paths::BLOB) => {
            put(console::blob::put).layer(DefaultBodyLimit::max(crate::blobs::MAX_BLOB_BYTES))
        }
        ("GET", paths::ROSTER) => get(policy::roster),
        ("GET", paths::POLICY) => get(policy::policy),
        ("GET", paths::POLICY_STREAM) => get(policy::stream),
        ("POST", paths::TOKEN) => post(tokens::token),
        ("GET", JWKS) => get(tokens::jwks),
        ("POST", paths::LOGIN_EMAIL) => post(sign_in::email),
        ("POST", paths::LOGIN_CODE) => post(sign_in::code),
        ("POST", paths::ENROLL) => post(device::start),
        ("GET", paths::ENROLLMENT) => get(device::status),
        ("GET", paths::ENROLL_PAGE) => get(page::show),
        ("POST", paths::ENROLL_PAGE_EMAIL) => post(page::email),
        ("POST", paths::ENROLL_PAGE_CODE) => post(page::code),
        ("GET", paths::ME) => get(console::me::me),
        ("GET", paths::OVERVIEW) => get(console::overview::overview),
        ("GET", paths::SESSIONS) => get(console::sessions::list),
        ("GET", paths::SESSION) => get(console::sessions::one),
        ("GET", paths::EVENTS) => get(console::events::list),
        ("GET", paths::EVENT) => get(console::detail::one),
        ("GET", paths::EVENT_EXPLANATION) => get(console::explanation::one),
        ("POST", paths::EVENT_ERASURE) => post(erasure::erase),
        ("POST", paths::READINGS) => post(range::announce),
        ("GET", paths::READING_DISCLOSURES) => get(range::part),
        ("GET", paths::DEVICES) => get(console::fleet::devices),
        ("GET", paths::PEOPLE) => get(console::fleet::people),
        ("GET", paths::TEAMS) => get(console::fleet::teams),
        ("GET", paths::MCP) => get(console::fleet::mcp),
        ("GET", paths::POLICIES) => get(console::policies::list),
        ("GET", paths::INSTALL) => get(install::script),
        ("GET", paths::DIST) => get(install::program),
        ("GET", paths::OPENAPI) => get(openapi::document),
        _ => return None,
    })
}

/// The router of the services; everything no route takes goes to the console's files.
pub(super) fn router(services: Services) -> Router {
    let routed = ROUTES
        .iter()
        .filter_map(|route| Some((route, handler(route)?)));
    let router = routed.fold(Router::new(), |router, (route, handler)| {
        router.route(route.path, handler)
    });
    router
        // Layers run from the last to the first: the gate stands before everything else.
        .route_layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .route_layer(from_fn_with_state(services.clone(), name_source))
        .route_layer(from_fn(common_headers))
        .route_layer(from_fn_with_state(services.clone(), access::gate))
        .with_state(services)
        .fallback(site::fallback)
}

/// Notes where the request came from, where the listener says it.
async fn name_source(
    State(services): State<Services>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(address)| *address);
    let proxies = &services.log().config().proxies;
    let source = Source::of(peer, request.headers(), proxies);
    request.extensions_mut().insert(source);
    next.run(request).await
}

/// Answers of the services belong to one caller: nothing between may keep them.
async fn common_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let refuses = matches!(response.status().as_u16(), 429 | 503);
    let headers = response.headers_mut();
    if !refuses {
        let entry = headers.entry(header::CACHE_CONTROL);
        entry.or_insert(HeaderValue::from_static("no-store"));
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_table_has_a_handler() {
        for route in ROUTES {
            assert!(handler(route).is_some(), "{} {}", route.method, route.path);
        }
    }
}
