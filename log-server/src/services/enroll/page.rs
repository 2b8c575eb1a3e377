//! The person's side: the page with the e-mail form, the code form and the end.
//!
//! No script runs here. A code goes into a form, never into an address, because mail scanners open
//! links before people do. A POST answers with a redirect, so that reloading sends nothing twice.

use super::admission::{admit, may_enrol};
use super::template::{self, html};
use super::{Delivery, Open, digest, secret};
use crate::problem::Problem;
use crate::services::mail::Mail;
use crate::services::request::{Name, internal};
use crate::services::sign_in::ask_limits;
use crate::services::source::Source;
use crate::services::standing::NotStanding;
use crate::services::surface::Needs;
use crate::services::{Services, random};
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use cairn_api::paths;
use cairn_identity::enrolment::{
    Address, Answer, Applicant, Challenge, ChallengeTerms, EnrolmentError, LimitError,
    State as Standing, fingerprint_words,
};
use serde::Deserialize;

/// Name of the cookie that ties the code form to the browser that asked for the code.
const COOKIE: &str = "cairn_enroll";

/// The e-mail form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::services) struct EmailForm {
    email: String,
}

/// The code form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::services) struct CodeForm {
    code: String,
}

/// `GET /enroll/{id}`.
pub(in crate::services) async fn show(
    State(services): State<Services>,
    Name(id): Name,
    headers: HeaderMap,
) -> Response {
    page(&services, &id, &headers, StatusCode::OK, "")
}

/// `POST /enroll/{id}/email`.
pub(in crate::services) async fn email(
    State(services): State<Services>,
    Extension(source): Extension<Source>,
    Name(id): Name,
    headers: HeaderMap,
    form: Result<Form<EmailForm>, FormRejection>,
) -> Response {
    let again = |status, message: &str| page(&services, &id, &headers, status, message);
    if is_cross_site(&headers) {
        return again(
            StatusCode::FORBIDDEN,
            "The form was sent from another site.",
        );
    }
    let form = match form {
        Ok(Form(form)) => form,
        Err(rejection) => return again(rejection.status(), "The form could not be read."),
    };
    let Ok(address) = Address::parse(&form.email) else {
        let message = "That is not an e-mail address of the form name@company.example.";
        return again(StatusCode::BAD_REQUEST, message);
    };
    let now_ms = services.log().now_ms();
    if services.enrolments().get(&id, now_ms).is_none() {
        return again(StatusCode::NOT_FOUND, "");
    }
    if let Err(reason) = services.stands(Needs::People) {
        return later(reason, again);
    }
    if let Err(problem) = ask_limits(&services, &address, &source, now_ms) {
        let minutes = problem.retry_after_s.unwrap_or(60).div_ceil(60);
        let message = format!("Too many codes were asked for. Try again in {minutes} minutes.");
        return again(StatusCode::TOO_MANY_REQUESTS, &message);
    }
    match send_code(&services, &id, address) {
        Ok(cookie) => (cookie, Redirect::to(&path(paths::ENROLL_PAGE, &id))).into_response(),
        Err(SendError::Enrolment(EnrolmentError::TooManyCodes)) => {
            let message = "This enrolment asked for too many codes. Start again on the device.";
            again(StatusCode::TOO_MANY_REQUESTS, message)
        }
        Err(SendError::Enrolment(_)) => again(StatusCode::CONFLICT, ""),
        Err(SendError::Server(problem)) => problem.into_response(),
    }
}

enum SendError {
    Enrolment(EnrolmentError),
    Server(Problem),
}

type CookieHeader = [(header::HeaderName, HeaderValue); 1];

/// Puts a new code out and mails it in the background, if the address may have one.
fn send_code(services: &Services, id: &str, address: Address) -> Result<CookieHeader, SendError> {
    let failed = |error| SendError::Server(internal(&error, "sending a code"));
    let now_ms = services.log().now_ms();
    let terms = ChallengeTerms {
        pepper: &services.0.pepper,
        transaction: id,
    };
    let (challenge, code) =
        Challenge::issue(&terms, address.clone(), random().map_err(failed)?, now_ms);
    let (cookie, cookie_digest) = secret().map_err(failed)?;
    let eligible = may_enrol(services, &address);
    let mail = {
        let mut enrolments = services.enrolments();
        let gone = SendError::Enrolment(EnrolmentError::Expired);
        let open = enrolments.get(id, now_ms).ok_or(gone)?;
        open.machine
            .send_code(challenge, now_ms)
            .map_err(SendError::Enrolment)?;
        open.cookie_digest = Some(cookie_digest);
        open.delivery = Delivery::Unremarkable;
        let applicant = open.machine.applicant();
        let words = fingerprint_words(&applicant.key);
        Mail::enrolment(&code, &applicant.host, &applicant.os_user, &words)
    };
    if eligible {
        // In the background: the page must take the same time whether the address may enrol.
        tokio::spawn(deliver(services.clone(), id.to_owned(), address, mail));
    }
    let secure = if services.public_url().starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    let scope = path(paths::ENROLL_PAGE, id);
    let text =
        format!("{COOKIE}={cookie}; Path={scope}; Max-Age=600; HttpOnly; SameSite=Strict{secure}");
    let value = HeaderValue::try_from(text);
    let value = value.map_err(|error| SendError::Server(internal(&error, "setting a cookie")))?;
    Ok([(header::SET_COOKIE, value)])
}

async fn deliver(services: Services, id: String, address: Address, mail: Mail) {
    if let Err(error) = services.0.mailer.send(&address, mail).await {
        tracing::warn!(%error, "an enrolment code was not sent");
        let now_ms = services.log().now_ms();
        if let Some(open) = services.enrolments().get(&id, now_ms) {
            open.delivery = Delivery::Failed;
        }
    }
}

/// `POST /enroll/{id}/code`.
pub(in crate::services) async fn code(
    State(services): State<Services>,
    Name(id): Name,
    headers: HeaderMap,
    form: Result<Form<CodeForm>, FormRejection>,
) -> Response {
    let again = |status, message: &str| page(&services, &id, &headers, status, message);
    if is_cross_site(&headers) {
        return again(
            StatusCode::FORBIDDEN,
            "The form was sent from another site.",
        );
    }
    let form = match form {
        Ok(Form(form)) => form,
        Err(rejection) => return again(rejection.status(), "The form could not be read."),
    };
    if let Err(reason) = services.stands(Needs::People) {
        return later(reason, again);
    }
    let answered = match judge_code(&services, &id, &headers, &form.code) {
        Judged::Limited(error) => {
            let minutes = error.retry_after_s().div_ceil(60);
            let message =
                format!("Too many wrong codes were given. Try again in {minutes} minutes.");
            return again(StatusCode::TOO_MANY_REQUESTS, &message);
        }
        Judged::OtherBrowser => {
            let message = "This browser did not ask for the code. Enter your address here first.";
            return again(StatusCode::FORBIDDEN, message);
        }
        Judged::Answered(answered) => answered,
    };
    match answered {
        Ok((Answer::Right, Some((applicant, email)))) => {
            tokio::spawn(admit(services.clone(), id.clone(), applicant, email));
            Redirect::to(&path(paths::ENROLL_PAGE, &id)).into_response()
        }
        Ok((Answer::Wrong { left }, _)) => {
            let message = format!("That is not the code. You have {left} more tries.");
            again(StatusCode::UNAUTHORIZED, &message)
        }
        Ok((Answer::Burnt, _)) => {
            let message = "Too many wrong codes. Ask for a new one.";
            again(StatusCode::UNAUTHORIZED, message)
        }
        Ok((Answer::Expired, _)) => again(
            StatusCode::UNAUTHORIZED,
            "The code has expired. Ask for a new one.",
        ),
        Ok((Answer::Right, None)) | Err(_) => again(StatusCode::CONFLICT, ""),
    }
}

/// What a typed code gave.
enum Judged {
    /// Too many were wrong; it was not looked at.
    Limited(LimitError),
    /// Another browser asked for the code.
    OtherBrowser,
    /// The machine's answer, and with a right code who is verified.
    Answered(Result<(Answer, Option<(Applicant, Address)>), EnrolmentError>),
}

fn judge_code(services: &Services, id: &str, headers: &HeaderMap, typed: &str) -> Judged {
    let now_ms = services.log().now_ms();
    let terms = ChallengeTerms {
        pepper: &services.0.pepper,
        transaction: id,
    };
    let mut limits = services.limits();
    if let Err(error) = limits.try_code(now_ms) {
        return Judged::Limited(error);
    }
    let mut enrolments = services.enrolments();
    let Some(open) = enrolments.get(id, now_ms) else {
        return Judged::Answered(Err(EnrolmentError::Expired));
    };
    if !has_cookie(open, headers) {
        return Judged::OtherBrowser;
    }
    let tries = tries_left(open);
    // Asked again: whoever may not enrol got no mail, and cannot guess their way in either.
    let address = open.machine.challenge().map(Challenge::address);
    let eligible = address.is_some_and(|address| may_enrol(services, address));
    let answer = open.machine.answer(&terms, typed, eligible, now_ms);
    if answer != Ok(Answer::Right) && tries_left(open) < tries {
        limits.note_wrong(now_ms);
    }
    Judged::Answered(answer.map(|answer| (answer, verified(open))))
}

/// The page again, because nobody can say now who may enrol.
fn later(reason: NotStanding, again: impl Fn(StatusCode, &str) -> Response) -> Response {
    let problem = Problem::from(reason);
    let message = match reason {
        NotStanding::Behind { .. } => "The server has just started. Try again in a few seconds.",
        NotStanding::Failed => "The server cannot enrol devices now. Tell your administrator.",
    };
    let mut response = again(StatusCode::SERVICE_UNAVAILABLE, message);
    if let Some(after_s) = problem.retry_after_s {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(after_s));
    }
    response
}

fn tries_left(open: &Open) -> Option<u32> {
    open.machine.challenge().map(Challenge::tries_left)
}

fn verified(open: &Open) -> Option<(Applicant, Address)> {
    match open.machine.state() {
        Standing::Verified(email) => Some((open.machine.applicant().clone(), email.clone())),
        _ => None,
    }
}

/// Whether a browser says that another site made it send the form.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers
        .get("sec-fetch-site")
        .and_then(|site| site.to_str().ok());
    !matches!(site, None | Some("same-origin" | "none"))
}

fn has_cookie(open: &Open, headers: &HeaderMap) -> bool {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|one| one.to_str().ok());
    let mut values = cookies.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| digest(value))
    });
    open.cookie_digest
        .is_some_and(|wanted| values.any(|offered| offered == wanted))
}

fn path(template: &str, id: &str) -> String {
    paths::fill(template, "id", id)
}

/// The page for where the enrolment stands, with a message above it.
fn page(
    services: &Services,
    id: &str,
    headers: &HeaderMap,
    status: StatusCode,
    message: &str,
) -> Response {
    let now_ms = services.log().now_ms();
    let mut enrolments = services.enrolments();
    let Some(open) = enrolments.get(id, now_ms) else {
        return html(StatusCode::NOT_FOUND, template::gone(message));
    };
    if open.machine.is_expired(now_ms) {
        return html(StatusCode::GONE, template::gone(message));
    }
    let facts = template::Facts::of(open.machine.applicant(), &services.organisation());
    let email_form = path(paths::ENROLL_PAGE_EMAIL, id);
    let body = match open.machine.state() {
        Standing::CodeSent(challenge) if has_cookie(open, headers) => {
            let failed = open.delivery == Delivery::Failed;
            let notice = if failed && message.is_empty() {
                "The mail could not be sent just now. Try again, or tell your administrator."
            } else {
                message
            };
            let code_form = path(paths::ENROLL_PAGE_CODE, id);
            let address = challenge.address().as_str();
            template::code(&facts, notice, address, &code_form, &email_form)
        }
        Standing::Created | Standing::CodeSent(_) => template::email(&facts, message, &email_form),
        Standing::Verified(_) => template::recording(&facts),
        Standing::Admitted(admission) => template::done(&facts, admission.email.as_str()),
        Standing::Refused(reason) => template::refused(&facts, reason),
    };
    html(status, body)
}
