//! Secure boot on devices of many shapes.

use super::Device;
use crate::posture::{Finding, State, secure_boot};

const VARIABLES: &str = "sys/firmware/efi/efivars";
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const SHIM: &str = "605dab50-e046-4300-abb6-3dd810dd8b23";

fn device(secure_boot: u8, setup_mode: u8) -> Device {
    let device = Device::new();
    set(&device, "SecureBoot", GLOBAL, &[6, 0, 0, 0, secure_boot]);
    set(&device, "SetupMode", GLOBAL, &[6, 0, 0, 0, setup_mode]);
    device
}

fn set(device: &Device, name: &str, guid: &str, bytes: &[u8]) {
    device.file(&format!("{VARIABLES}/{name}-{guid}"), bytes);
}

fn judge(device: &Device) -> Finding {
    secure_boot::collect(&device.sysroot())
}

#[test]
fn an_enforcing_firmware_is_on_and_the_kernel_lockdown_is_noted() {
    let device = device(1, 0);
    device.file(
        "sys/kernel/security/lockdown",
        "none [integrity] confidentiality\n",
    );
    let finding = judge(&device);
    assert_eq!((finding.state, finding.evidence), (State::On, 2));
    assert_eq!(
        (finding.source.as_str(), finding.reason.as_str()),
        ("efivarfs", "lockdown=integrity")
    );
    set(&device, "MokSBStateRT", SHIM, &[6, 0, 0, 0, 0]);
    assert_eq!(judge(&device).state, State::On);
}

#[test]
fn disabled_setup_mode_and_an_unchecking_loader_are_off() {
    let finding = judge(&device(0, 0));
    assert_eq!(
        (finding.state, finding.source.as_str()),
        (State::Off, "efivarfs:disabled")
    );
    let finding = judge(&device(1, 1));
    assert_eq!(
        (finding.state, finding.source.as_str()),
        (State::Off, "efivarfs:setup-mode")
    );
    let device = device(1, 0);
    set(&device, "MokSBStateRT", SHIM, &[6, 0, 0, 0, 1]);
    let finding = judge(&device);
    assert_eq!(finding.state, State::Off);
    assert_eq!(finding.source, "efivarfs:shim-validation-disabled");
}

#[test]
fn a_bios_has_no_secure_boot_and_a_missing_efivarfs_is_unknown() {
    assert_eq!(judge(&Device::new()).state, State::NotApplicable);
    let device = Device::new();
    device.folder(VARIABLES);
    assert_eq!(judge(&device).reason, "efivarfs-absent");
    let device = Device::new();
    device.folder("sys/firmware/efi");
    assert_eq!(judge(&device).reason, "efivarfs-absent");
}

#[test]
fn a_firmware_without_the_variable_is_off() {
    let device = Device::new();
    set(&device, "BootOrder", GLOBAL, &[7, 0, 0, 0, 0, 0]);
    assert_eq!(judge(&device).source, "efivarfs:unsupported");
}

#[test]
fn variables_of_another_form_are_unknown() {
    for bytes in [
        &[6, 0, 0, 0][..],
        &[6, 0, 0, 0, 1, 0],
        &[6, 0, 0, 0, 2],
        &[],
    ] {
        let changed = device(1, 0);
        set(&changed, "SecureBoot", GLOBAL, bytes);
        assert_eq!(
            judge(&changed).reason,
            "secure-boot-unreadable",
            "{bytes:?}"
        );
        let changed = device(1, 0);
        set(&changed, "SetupMode", GLOBAL, bytes);
        assert_eq!(judge(&changed).reason, "setup-mode-unreadable", "{bytes:?}");
        let changed = device(1, 0);
        set(&changed, "MokSBStateRT", SHIM, bytes);
        assert_eq!(judge(&changed).reason, "mok-state-unreadable", "{bytes:?}");
    }
}

#[test]
fn a_missing_setup_mode_is_a_doubt() {
    let device = Device::new();
    set(&device, "SecureBoot", GLOBAL, &[6, 0, 0, 0, 1]);
    assert_eq!(judge(&device).reason, "setup-mode-unreadable");
}

#[test]
fn a_container_hides_the_firmware_and_is_not_a_bios() {
    let device = Device::new();
    device.file(".dockerenv", "");
    assert_eq!(judge(&device).reason, "container");
}
