//! Whether the firmware, and the loader after it, verified what they started.
//!
//! Owns the reading of three firmware variables. It is the running system's own statement: only a
//! TPM quote over the boot log proves it, and this collector makes none.
//!
//! Source: UEFI specification 2.10, sections 3.3 and 32 (SecureBoot, SetupMode); shim
//! (`MokSBStateRT`); the kernel's efivarfs layout, four attribute bytes and then the value.

use super::field::{Finding, SYSTEM, State};
use super::surroundings::Surroundings;
use super::sysroot::Sysroot;
use cairn_durable::file::ReadFileError;

/// Where the kernel shows the firmware's variables.
const VARIABLES: &str = "/sys/firmware/efi/efivars";

/// 1: the firmware checks signatures.
const SECURE_BOOT: &str = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// 1: the platform key is not set, so nothing is enforced whatever `SecureBoot` says.
const SETUP_MODE: &str = "SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// 1: the loader was told to start anything, although the firmware checked the loader itself.
const LOADER_UNCHECKED: &str = "MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23";

/// Four attribute bytes and one byte of value.
const VARIABLE_BYTES: usize = 5;

/// The most bytes read of a variable; more than [`VARIABLE_BYTES`] so that a longer one is seen.
const VARIABLE_BYTES_MAX: u64 = 64;

/// The source of every known answer.
const SOURCE: &str = "efivarfs";

/// What a firmware variable of one byte says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable {
    Zero,
    One,
    Absent,
    Unreadable,
}

/// Reports `on` only if the firmware enforces, is not in setup mode, and the loader checks too.
pub(super) fn collect(sysroot: &Sysroot) -> Finding {
    let around = Surroundings::of(sysroot);
    // Container engines hide the firmware's folder, which would look like an old BIOS.
    if around.container.is_some() {
        return Finding::unknown(SOURCE, "container");
    }
    if around.wsl {
        return Finding::unknown(SOURCE, "wsl-host");
    }
    if !sysroot.exists("/sys/firmware/efi") {
        return Finding::known(
            State::NotApplicable,
            SYSTEM,
            "sysfs:no-efi",
            "started without uefi",
        );
    }
    if super::sysroot::entries(&sysroot.at(VARIABLES)).is_empty() {
        return Finding::unknown(SOURCE, "efivarfs-absent");
    }
    let off =
        |by: &str, why: &str| Finding::known(State::Off, SYSTEM, &format!("{SOURCE}:{by}"), why);
    match read(sysroot, SECURE_BOOT) {
        Variable::One => {}
        Variable::Zero => return off("disabled", "SecureBoot is 0"),
        Variable::Absent => return off("unsupported", "the firmware has no SecureBoot variable"),
        Variable::Unreadable => return Finding::unknown(SOURCE, "secure-boot-unreadable"),
    }
    match read(sysroot, SETUP_MODE) {
        Variable::Zero => {}
        Variable::One => return off("setup-mode", "SetupMode is 1"),
        // The specification requires it wherever SecureBoot is, so its absence is a doubt.
        Variable::Absent | Variable::Unreadable => {
            return Finding::unknown(SOURCE, "setup-mode-unreadable");
        }
    }
    match read(sysroot, LOADER_UNCHECKED) {
        Variable::Zero | Variable::Absent => {}
        Variable::One => return off("shim-validation-disabled", "MokSBStateRT is 1"),
        Variable::Unreadable => return Finding::unknown(SOURCE, "mok-state-unreadable"),
    }
    Finding::known(State::On, SYSTEM, SOURCE, &notes(sysroot))
}

fn read(sysroot: &Sysroot, name: &str) -> Variable {
    let path = sysroot.at(VARIABLES).join(name);
    match cairn_durable::read_limited(&path, VARIABLE_BYTES_MAX) {
        Ok(bytes) if bytes.len() == VARIABLE_BYTES => match bytes.last() {
            Some(0) => Variable::Zero,
            Some(1) => Variable::One,
            _ => Variable::Unreadable,
        },
        Ok(_) => Variable::Unreadable,
        Err(ReadFileError::NotFound { .. }) => Variable::Absent,
        Err(_) => Variable::Unreadable,
    }
}

/// Notes what the kernel adds to the firmware's check.
fn notes(sysroot: &Sysroot) -> String {
    let lockdown = sysroot
        .text("/sys/kernel/security/lockdown")
        .unwrap_or_default();
    let chosen = lockdown
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    format!("lockdown={}", chosen.map_or("unreadable", |(word, _)| word))
}
