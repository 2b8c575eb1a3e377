//! What `cairn` says to people: one line at a time, with nothing in it that a terminal obeys.
//!
//! Owns that names, reasons and commands of others are printed by these two macros and by nothing else. Machine forms
//! (`--json`) are printed as they are.

/// Prints one line to standard output, made fit for a terminal.
macro_rules! say {
    ($($words:tt)*) => {
        println!("{}", cairn_event::terminal::line(&format!($($words)*)))
    };
}

/// Prints a message to standard error, made fit for a terminal; lines after the first are indented.
macro_rules! tell {
    ($($words:tt)*) => {
        eprintln!("{}", cairn_event::terminal::lines(&format!($($words)*)))
    };
}
