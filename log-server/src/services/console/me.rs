//! `GET /v1/me`: who the token stands for.

use crate::problem::Problem;
use crate::services::Services;
use crate::services::access::Caller;
use axum::Json;
use axum::extract::State;
use cairn_api::access::Me;

/// `GET /v1/me`.
pub(in crate::services) async fn me(
    State(services): State<Services>,
    caller: Caller,
) -> Result<Json<Me>, Problem> {
    let person = caller.claims.sub;
    let teams = {
        let ledger = services.log().ledger();
        let known = ledger.roster().people.get(&person);
        known
            .and_then(|one| one.membership())
            .map(|one| one.teams.clone())
            .unwrap_or_default()
    };
    let email = services
        .people()
        .directory()
        .email(&person)
        .map(str::to_owned);
    let origin = services.log().origin().to_owned();
    let organisation = services.organisation();
    Ok(Json(Me {
        person,
        email,
        roles: caller.roles,
        teams,
        organisation,
        origin,
    }))
}
