//! Mail: an SMTP relay, or a folder that gets one file for each mail.
//!
//! Owns the text of the mails and the two ways out. Real relays are spoken to under TLS only; plain
//! SMTP goes to this machine and nowhere else. A failed delivery is the caller's to tell.

use super::random;
use crate::blocking;
use crate::config::MailConfig;
use cairn_durable::file::WriteFileError;
use cairn_durable::{create_dir_durable, write_atomic};
use cairn_identity::enrolment::Address;
use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::Error as SmtpError;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::{Host, Url};

/// Longest wait for a relay; people stand in front of the form.
const SMTP_TIMEOUT: Duration = Duration::from_secs(20);

/// Rights of a mail in the outbox: it holds a code that lets its reader in.
const OUTBOX_MODE: u32 = 0o600;

/// Why mail cannot be set up. Fatal at start.
#[derive(Debug, thiserror::Error)]
pub enum MailSetupError {
    /// The sender is no address.
    #[error("`mail.from` is not a mailbox: {0}")]
    From(#[source] AddressError),
    /// The SMTP setting is no URL.
    #[error("`mail.smtp` is not a URL")]
    Url(#[from] url::ParseError),
    /// Plain SMTP to another machine would send codes readable by everybody on the way.
    #[error("`mail.smtp` names `{0}` without TLS; use smtps:// or smtp://…?tls=required")]
    PlainRelay(String),
    /// The relay setting is refused by the mail library.
    #[error("`mail.smtp` is refused: {0}")]
    Smtp(#[source] SmtpError),
    /// The outbox cannot be made.
    #[error("the outbox cannot be made: {0}")]
    Outbox(#[source] cairn_durable::file::CreateDirError),
}

/// Why a mail was not handed over. Retry on demand.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The server has no way of sending mail.
    #[error("this server is not configured to send mail")]
    NotConfigured,
    /// The address is not one the mail library takes.
    #[error("the address cannot be mailed to")]
    Address(#[from] AddressError),
    /// The mail could not be put together.
    #[error("the mail could not be written")]
    Message(#[from] lettre::error::Error),
    /// The relay refused or was not reached.
    #[error("the mail relay did not take the mail: {0}")]
    Smtp(#[from] SmtpError),
    /// The file could not be written.
    #[error("the outbox did not take the mail: {0}")]
    File(#[from] WriteFileError),
    /// No name for the file could be drawn.
    #[error("the system gives no random bytes")]
    Randomness(#[from] getrandom::Error),
    /// The server is ending.
    #[error("the server is ending")]
    Ending(#[from] tokio::task::JoinError),
}

enum Way {
    None,
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    Outbox(PathBuf),
}

/// Sends the mails of the services.
pub struct Mailer {
    way: Way,
    from: Option<Mailbox>,
}

impl Mailer {
    /// As configured; `dir` is the data folder.
    ///
    /// # Errors
    /// [`MailSetupError`].
    pub fn new(config: &MailConfig, dir: &Path) -> Result<Self, MailSetupError> {
        let from = config.from.as_deref().map(str::parse).transpose();
        let from = from.map_err(MailSetupError::From)?;
        let way = match (&config.smtp, &config.outbox) {
            (Some(url), _) => Way::Smtp(Box::new(relay(url)?)),
            (None, Some(folder)) => {
                let folder = dir.join(folder);
                create_dir_durable(&folder, 0o700).map_err(MailSetupError::Outbox)?;
                Way::Outbox(folder)
            }
            (None, None) => Way::None,
        };
        Ok(Self { way, from })
    }

    /// Sends a plain text mail.
    ///
    /// # Errors
    /// [`MailError`]; the code in it is lost, the person asks for another.
    pub async fn send(&self, to: &Address, mail: Mail) -> Result<(), MailError> {
        let from = self.from.clone().ok_or(MailError::NotConfigured)?;
        let message = Message::builder()
            .from(from)
            .to(Mailbox::new(None, to.as_str().parse()?))
            .subject(mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text)?;
        match &self.way {
            Way::None => Err(MailError::NotConfigured),
            Way::Smtp(relay) => Ok(relay.send(message).await.map(drop)?),
            Way::Outbox(folder) => put(folder, message.formatted()).await,
        }
    }
}

/// Puts a mail into the outbox. Who reads the folder finds it whole or not at all.
async fn put(folder: &Path, mail: Vec<u8>) -> Result<(), MailError> {
    let name: [u8; 16] = random()?;
    let path = folder.join(format!("{:032x}.eml", u128::from_be_bytes(name)));
    Ok(blocking::run(move || write_atomic(&path, &mail, OUTBOX_MODE)).await??)
}

fn relay(setting: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailSetupError> {
    let url = Url::parse(setting)?;
    let encrypted = url.scheme() == "smtps"
        || url
            .query_pairs()
            .any(|(name, value)| name == "tls" && value == "required");
    let local = match url.host() {
        // A scheme that is not http keeps numeric addresses as names.
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse::<Ipv4Addr>().is_ok_and(|one| one.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if !encrypted && !local {
        return Err(MailSetupError::PlainRelay(
            url.host_str().unwrap_or_default().to_owned(),
        ));
    }
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(setting);
    let builder = builder.map_err(MailSetupError::Smtp)?;
    Ok(builder.timeout(Some(SMTP_TIMEOUT)).build())
}

/// Subject and text of a mail.
pub struct Mail {
    subject: String,
    text: String,
}

impl Mail {
    /// The code of an enrolment, with what the person compares.
    #[must_use]
    pub fn enrolment(code: &str, host: &str, os_user: &str, words: &str) -> Self {
        Self {
            subject: format!("{code} is your Cairn code"),
            text: format!(
                "Your code to enrol a device is {code}\r\n\r\n\
                 Device:      {host}\r\n\
                 User:        {os_user}\r\n\
                 Fingerprint: {words}\r\n\r\n\
                 The same four words are shown in the terminal of the device. If they differ, or\r\n\
                 if you did not start this, do not enter the code and tell your security team.\r\n\
                 The code is good for ten minutes.\r\n"
            ),
        }
    }

    /// The code of a sign-in.
    #[must_use]
    pub fn sign_in(code: &str, site: &str) -> Self {
        Self {
            subject: format!("{code} is your Cairn sign-in code"),
            text: format!(
                "Your code to sign in to {site} is {code}\r\n\r\n\
                 It is good for ten minutes. If you did not ask for it, somebody knows your\r\n\
                 address and nothing else; do not pass the code on.\r\n"
            ),
        }
    }

    /// Tells a person that a device of theirs came in.
    #[must_use]
    pub fn new_device(host: &str, words: &str, site: &str) -> Self {
        Self {
            subject: "A new device was enrolled in your name".to_owned(),
            text: format!(
                "The device {host} (fingerprint {words}) was enrolled in your name at {site}.\r\n\r\n\
                 If that was not you, tell your security team at once.\r\n"
            ),
        }
    }
}
