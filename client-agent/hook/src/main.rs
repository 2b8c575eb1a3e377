//! The hook shim: hands a hook's input to Cairn's daemon and its answer back to the agent.
//!
//! Owns the last line of defence: whatever goes wrong on an event that gates an action is a denial.
//! Does not own any decision. Standard library only, so that it can be linked statically: a shared
//! library chosen by the agent's environment must never run inside it.
//!
//! Use: `cairn-hook EVENT --socket PATH`, or `--state PATTERN` in settings for every user of a machine
//! (`{uid}` and `{home}` are the calling user); with `--agent NAME` behind it for another agent than Claude
//! Code. The socket comes from the arguments and not from the environment, which a repository's settings
//! can change.
//!
//! Source: architecture of record, section 2, steps 1 and 4; `docs/formats/hook-socket.md`.

mod arguments;
mod exchange;
mod header;
mod refusal;
mod user;

use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

/// How long the whole run may take: 5 s.
///
/// The agent's own time-out for the hook is 10 s, and a hook that it kills has no answer at all.
const DEADLINE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let event = words.first().cloned().unwrap_or_default();
    let (sender, receiver) = mpsc::channel();
    let arguments = arguments::Arguments::read(&words);
    let for_worker = arguments.clone();
    // A thread of its own, because neither reading standard input nor connecting can be timed out.
    let started = std::thread::Builder::new().spawn(move || {
        let answer = for_worker.and_then(|arguments| exchange::run(&arguments));
        // Nobody listens any more after the deadline.
        let _late = sender.send(answer);
    });
    let answer = match started {
        Ok(_) => receiver
            .recv_timeout(DEADLINE)
            .unwrap_or(Err("it did not answer in time")),
        Err(_) => Err("no thread could be started"),
    };
    match answer {
        Ok(answer) => print(&answer),
        Err(cause) => {
            let socket = arguments
                .map(|arguments| arguments.socket)
                .unwrap_or_default();
            print(&refusal::answer(&event, cause, &socket))
        }
    }
}

fn print(answer: &exchange::Answer) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(&answer.stdout)
        .and_then(|()| stdout.flush());
    // The exit code alone still denies when nobody reads standard error.
    let _unread = std::io::stderr().write_all(&answer.stderr);
    match written {
        Ok(()) => ExitCode::from(answer.code),
        // An answer cut short would be read as no answer, which lets the action run.
        Err(_) => ExitCode::from(refusal::BLOCK),
    }
}
