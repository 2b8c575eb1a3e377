//! The daemon as a process, with the real hook program, on a device enrolled in a log that the
//! tests sign themselves. No server runs: everything here must hold offline.

mod crash;
mod device;
mod hooks;
mod hostile;
mod space;
mod wrapper;
