//! A reader that went away, as in `cairn log | head`.
//!
//! Owns ending quietly then. Rust ignores SIGPIPE, so that `println!` panics instead.

use std::panic;
use std::process;

/// The exit code that a shell shows for a program ended by SIGPIPE: 128 + 13.
const BROKEN_PIPE: i32 = 141;

/// How the standard library begins the message of that panic.
const MESSAGE: &str = "failed printing to std";

/// From now on a closed standard output ends the program without a message; any other panic is
/// reported as before.
pub(super) fn end_quietly_when_closed() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>();
        if text.is_some_and(|text| text.starts_with(MESSAGE)) {
            process::exit(BROKEN_PIPE);
        }
        report(info);
    }));
}
