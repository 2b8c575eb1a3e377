//! Sign-in of people to the console: an address, a code by mail, a token for ten minutes.
//!
//! Owns the sign-ins under way. An unknown address gets the same answer and no mail, so nobody
//! learns here who has an account.

use super::access::unauthorised;
use super::mail::Mail;
use super::request::{Body, internal};
use super::source::Source;
use super::tokens::issue;
use super::{Services, random};
use crate::problem::{Family, Problem};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use cairn_api::access::{LoginCode, LoginEmail, LoginStarted, TokenAnswer};
use cairn_event::encoding::to_base64url;
use cairn_identity::enrolment::challenge::CODE_MS;
use cairn_identity::enrolment::{Address, Answer, Challenge, ChallengeTerms, LimitError};
use cairn_identity::token::Subject;
use std::collections::HashMap;

/// Sign-ins under way; at 20 codes an hour from one source this is 500 sources.
pub const MAX_SIGN_INS: usize = 10_000;

/// The sign-ins under way.
#[derive(Debug, Default)]
pub struct SignIns {
    open: HashMap<String, SignIn>,
}

#[derive(Debug)]
struct SignIn {
    challenge: Challenge,
    person: Option<String>,
    started_ms: u64,
    mail_failed: bool,
}

impl SignIns {
    fn insert(&mut self, id: String, sign_in: SignIn, now_ms: u64) -> bool {
        if self.open.len() >= MAX_SIGN_INS {
            self.open
                .retain(|_, one| one.started_ms.saturating_add(CODE_MS) > now_ms);
        }
        let room = self.open.len() < MAX_SIGN_INS;
        if room {
            self.open.insert(id, sign_in);
        }
        room
    }
}

/// `POST /v1/login/email`.
pub(super) async fn email(
    State(services): State<Services>,
    Extension(source): Extension<Source>,
    Body(request): Body<LoginEmail>,
) -> Result<Json<LoginStarted>, Problem> {
    let address = Address::parse(&request.email)
        .map_err(|error| Problem::bad_request("address", error.to_string()))?;
    let now_ms = services.log().now_ms();
    ask_limits(&services, &address, &source, now_ms)?;
    let failed = |error| internal(&error, "starting a sign-in");
    let login = format!("l_{}", to_base64url(&random::<16>().map_err(failed)?));
    let terms = ChallengeTerms {
        pepper: &services.0.pepper,
        transaction: &login,
    };
    let random = random::<16>().map_err(failed)?;
    let (challenge, code) = Challenge::issue(&terms, address.clone(), random, now_ms);
    let person = services.person_of(&address);
    let known = person.is_some();
    let sign_in = SignIn {
        challenge,
        person,
        started_ms: now_ms,
        mail_failed: false,
    };
    if !services.sign_ins().insert(login.clone(), sign_in, now_ms) {
        return Err(Problem::retry(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-sign-ins",
            CODE_MS / 1_000,
            "too many sign-ins are under way",
        ));
    }
    if known {
        // In the background: the answer must take the same time whether the address is known.
        tokio::spawn(deliver(services, login.clone(), address, code));
    }
    Ok(Json(LoginStarted { login }))
}

async fn deliver(services: Services, login: String, address: Address, code: String) {
    let mail = Mail::sign_in(&code, services.public_url());
    if let Err(error) = services.0.mailer.send(&address, mail).await {
        tracing::warn!(%error, "a sign-in code was not sent");
        if let Some(sign_in) = services.sign_ins().open.get_mut(&login) {
            sign_in.mail_failed = true;
        }
    }
}

/// `POST /v1/login/code`.
pub(super) async fn code(
    State(services): State<Services>,
    Body(request): Body<LoginCode>,
) -> Result<Json<TokenAnswer>, Problem> {
    let now_ms = services.log().now_ms();
    let terms = ChallengeTerms {
        pepper: &services.0.pepper,
        transaction: &request.login,
    };
    let wrong = |detail: &str| unauthorised("wrong-code", detail);
    let mut limits = services.limits();
    limits.try_code(now_ms).map_err(|error| too_many(&error))?;
    let subject = {
        let mut sign_ins = services.sign_ins();
        let Some(sign_in) = sign_ins.open.get_mut(&request.login) else {
            return Err(wrong("the sign-in is not known or is over"));
        };
        if sign_in.mail_failed {
            let detail = "the code could not be sent by mail; start again";
            return Err(Problem::retry(
                StatusCode::BAD_GATEWAY,
                "mail-not-sent",
                10,
                detail,
            ));
        }
        let person = sign_in.person.clone();
        let subject = person.and_then(|person| subject_of(&services, person));
        let challenge = &mut sign_in.challenge;
        let tries = challenge.tries_left();
        let answer = challenge.answer(&terms, &request.code, subject.is_some(), now_ms);
        if answer != Answer::Right && challenge.tries_left() < tries {
            limits.note_wrong(now_ms);
        }
        match (answer, subject) {
            (Answer::Right, Some(subject)) => {
                sign_ins.open.remove(&request.login);
                subject
            }
            (Answer::Right, None) | (Answer::Wrong { .. }, _) => {
                return Err(wrong("the code is wrong"));
            }
            (Answer::Burnt, _) => return Err(wrong("too many wrong codes; start again")),
            (Answer::Expired, _) => return Err(wrong("the code has expired; start again")),
        }
    };
    drop(limits);
    issue(&services, subject).map(Json)
}

fn subject_of(services: &Services, person: String) -> Option<Subject> {
    let ledger = services.log().ledger();
    let roles = ledger
        .roster()
        .people
        .get(&person)?
        .membership()?
        .roles
        .clone();
    Some(Subject {
        person,
        roles,
        device: None,
    })
}

/// Counts a request for a code, whoever the address belongs to.
pub(super) fn ask_limits(
    services: &Services,
    address: &Address,
    source: &Source,
    now_ms: u64,
) -> Result<(), Problem> {
    // A listener that does not name its peers has one limit for each address and none a source.
    let from = source
        .0
        .clone()
        .unwrap_or_else(|| format!("address:{address}"));
    services
        .limits()
        .ask(address.as_str(), &from, now_ms)
        .map_err(|error| too_many(&error))
}

pub(super) fn too_many(error: &LimitError) -> Problem {
    let after_s = error.retry_after_s();
    let code = match error {
        LimitError::Starts { .. } => "too-many-enrolments",
        LimitError::WrongCodes { .. } => "too-many-wrong-codes",
        _ => "too-many-codes",
    };
    let problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        code,
        Family::Retry,
        error.to_string(),
    );
    Problem {
        retry_after_s: Some(after_s),
        ..problem
    }
}
