//! Tests of the services on a real server on loopback: real sockets, a real SMTP receiver, the
//! real log under them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and helpers of tests are not recognised as tests"
)]

mod access;
mod behind;
mod console;
mod distribution;
mod enrolment;
mod erasure;
mod explanation;
mod limits;
mod mail_sink;
mod person;
mod readings;
mod refusals;
mod sign_in;
mod site;
mod surface;
mod world;
