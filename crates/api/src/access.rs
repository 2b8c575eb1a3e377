//! Enrolment, sign-in and tokens.

use cairn_event::{Isolation, KeyProtection, PersonRole, PublicKey};
use serde::{Deserialize, Serialize};

/// `POST /v1/enroll`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollRequest {
    /// The device key.
    pub key: PublicKey,
    /// base64url signature by that key over [`enroll_message`].
    pub pop: String,
    /// Host name, shown on the page.
    pub host: String,
    /// Operating-system user, shown on the page.
    pub os_user: String,
    /// What separates daemon and developer.
    pub isolation: Isolation,
    /// Where the key lives, as the device says; the server judges.
    pub protection: KeyProtection,
}

/// What the device key signs to start an enrolment.
pub fn enroll_message(origin: &str, key: &PublicKey) -> Vec<u8> {
    format!("cairn-enroll-v1\n{origin}\n{}\n", key.kid()).into_bytes()
}

/// Answer to `POST /v1/enroll`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollStarted {
    /// The enrolment.
    pub id: String,
    /// The page to open.
    pub url: String,
    /// Fingerprint words of the key; the page shows the same.
    pub words: String,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// Bearer secret for polling.
    pub poll_secret: String,
}

/// Where an enrolment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnrollState {
    /// The person has not finished the page.
    Pending,
    /// The device is in the roster.
    Admitted,
    /// The address may not enrol here, or too many wrong codes.
    Refused,
    /// Nobody finished it in time.
    Expired,
}

/// `GET /v1/enroll/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollStatus {
    /// Where it stands.
    pub state: EnrollState,
    /// Why it was refused, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Present when admitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admitted: Option<Admitted>,
}

/// What an enrolled device needs to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// The device identifier.
    pub device: String,
    /// The person identifier.
    pub person: String,
    /// The address that was verified.
    pub email: String,
    /// Index of the roster entry that admitted the device.
    pub roster_index: u64,
    /// The log's origin.
    pub origin: String,
    /// The log's signed-note verifier key.
    pub log_key: String,
    /// Entry 0.
    pub genesis_entry: String,
    /// The server's copy of the trust policy; pin another one where you were given it.
    pub trust_policy: String,
}

/// `POST /v1/token`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Compact JWS, `typ` `cairn-assertion+jwt`.
    pub assertion: String,
}

/// An access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenAnswer {
    /// JWT (RFC 9068).
    pub access_token: String,
    /// Seconds.
    pub expires_in: u64,
    /// Person identifier, or `administrator`.
    pub person: String,
    /// What the token may do.
    pub roles: Vec<PersonRole>,
}

/// `POST /v1/login/email`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginEmail {
    /// The address.
    pub email: String,
}

/// Answer to `POST /v1/login/email`, the same whether the address is known or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginStarted {
    /// The sign-in.
    pub login: String,
}

/// `POST /v1/login/code`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginCode {
    /// The sign-in.
    pub login: String,
    /// Six digits.
    pub code: String,
}

/// `GET /v1/me`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// Person identifier.
    pub person: String,
    /// Address, where it is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What the token may do.
    pub roles: Vec<PersonRole>,
    /// Teams.
    pub teams: Vec<String>,
    /// The organisation's name.
    pub organisation: String,
    /// The log's origin.
    pub origin: String,
}
