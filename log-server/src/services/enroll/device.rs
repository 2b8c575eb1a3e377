//! The device's side: start an enrolment, ask how it stands.

use super::{Delivery, Open, digest, secret};
use crate::problem::{Family, Problem};
use crate::services::access::{bearer, unauthorised};
use crate::services::request::{Body, Name, internal};
use crate::services::sign_in::too_many;
use crate::services::source::Source;
use crate::services::{Services, random};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use cairn_api::access::{
    Admitted, EnrollRequest, EnrollStarted, EnrollState, EnrollStatus, enroll_message,
};
use cairn_api::paths;
use cairn_event::KeyProtection;
use cairn_event::encoding::{from_base64url, to_base64url};
use cairn_identity::enrolment::{
    Admission, Applicant, ENROLMENT_MS, Enrolment, State as Standing, fingerprint_words,
    is_plain_name,
};

/// `POST /v1/enroll`.
pub(in crate::services) async fn start(
    State(services): State<Services>,
    Extension(source): Extension<Source>,
    Body(request): Body<EnrollRequest>,
) -> Result<Json<EnrollStarted>, Problem> {
    let log = services.log();
    // Counted before anything is computed for it. Behind a listener that does not name its peers
    // everybody is one source.
    let from = source.0.as_deref().unwrap_or_default();
    services
        .limits()
        .start(from, log.now_ms())
        .map_err(|error| too_many(&error))?;
    check(&services, &request)?;
    let failed = |error| internal(&error, "starting an enrolment");
    let id = to_base64url(&random::<16>().map_err(failed)?);
    let (poll_secret, poll_digest) = secret().map_err(failed)?;
    let words = fingerprint_words(&request.key);
    let applicant = Applicant {
        key: request.key,
        host: request.host,
        os_user: request.os_user,
        isolation: request.isolation,
        protection: request.protection,
    };
    let now_ms = log.now_ms();
    let machine = Enrolment::new(id.clone(), applicant, now_ms);
    let open = Open {
        machine,
        poll_digest,
        cookie_digest: None,
        delivery: Delivery::Unremarkable,
    };
    if !services.enrolments().insert(open, now_ms) {
        return Err(Problem::retry(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-enrolments",
            ENROLMENT_MS / 1_000,
            "too many enrolments are under way",
        ));
    }
    let page = paths::fill(paths::ENROLL_PAGE, "id", &id);
    let url = format!("{}{page}", services.public_url());
    let expires_in = ENROLMENT_MS / 1_000;
    Ok(Json(EnrollStarted {
        id,
        url,
        words,
        expires_in,
        poll_secret,
    }))
}

fn check(services: &Services, request: &EnrollRequest) -> Result<(), Problem> {
    let refuse = |code: &str, detail: String| {
        Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            code,
            Family::Refused,
            detail,
        ))
    };
    for (member, name) in [("host", &request.host), ("os_user", &request.os_user)] {
        if !is_plain_name(name) {
            return refuse(
                "name",
                format!("`{member}` is empty, too long or holds control characters"),
            );
        }
    }
    let message = enroll_message(services.log().origin(), &request.key);
    let possessed =
        from_base64url(&request.pop).is_some_and(|pop| request.key.verifies(&message, &pop));
    if !possessed {
        return refuse(
            "bad-signature",
            "the proof of possession is not valid".to_owned(),
        );
    }
    if request.protection != KeyProtection::Software {
        let detail = "this server cannot attest a hardware key; ask with `software`".to_owned();
        return refuse("unproven-protection", detail);
    }
    if request.isolation != cairn_event::Isolation::SelfAsserted {
        let detail = "this server cannot verify isolation; ask with `self-asserted`".to_owned();
        return refuse("unproven-isolation", detail);
    }
    if services
        .log()
        .ledger()
        .roster()
        .device_by_key(&request.key.kid())
        .is_some()
    {
        let detail = "a device with this key is enrolled already";
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "key-enrolled",
            Family::Refused,
            detail,
        ));
    }
    Ok(())
}

/// `GET /v1/enroll/{id}` with the poll secret.
pub(in crate::services) async fn status(
    State(services): State<Services>,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Json<EnrollStatus>, Problem> {
    let offered = bearer(&headers).map(digest);
    let now_ms = services.log().now_ms();
    let (standing, expired) = {
        let mut enrolments = services.enrolments();
        // One answer for a wrong secret and an unknown enrolment.
        let open = enrolments
            .get(&id, now_ms)
            .filter(|open| Some(open.poll_digest) == offered);
        let open = open.ok_or_else(|| {
            unauthorised("poll-secret", "no enrolment has this identifier and secret")
        })?;
        (
            open.machine.state().clone(),
            open.machine.is_expired(now_ms),
        )
    };
    let bare = |state| EnrollStatus {
        state,
        reason: None,
        admitted: None,
    };
    let status = match standing {
        Standing::Admitted(admission) => EnrollStatus {
            admitted: Some(admitted(&services, admission)?),
            ..bare(EnrollState::Admitted)
        },
        Standing::Refused(reason) => EnrollStatus {
            reason: Some(reason),
            ..bare(EnrollState::Refused)
        },
        _ if expired => bare(EnrollState::Expired),
        _ => bare(EnrollState::Pending),
    };
    Ok(Json(status))
}

fn admitted(services: &Services, admission: Admission) -> Result<Admitted, Problem> {
    let log = services.log();
    let genesis = log
        .entry(0)
        .map_err(|error| internal(&error, "reading genesis"))?;
    let genesis = genesis.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(Admitted {
        device: admission.device,
        person: admission.person,
        email: admission.email.as_str().to_owned(),
        roster_index: admission.roster_index,
        origin: log.origin().to_owned(),
        log_key: log.keys().log.verifier().to_string(),
        genesis_entry: genesis.ok_or_else(|| Problem::internal("there is no genesis entry"))?,
        trust_policy: services.trust_policy(),
    })
}
