//! The kind of link, by what the kernel shows of interfaces.

use super::Device;
use crate::posture::network::collect;
use crate::posture::{Finding, State};

/// An interface that is up.
fn interface(device: &Device, name: &str, kind: &str, uevent: &str, is_hardware: bool) {
    let folder = format!("sys/class/net/{name}");
    device
        .file(&format!("{folder}/type"), format!("{kind}\n"))
        .file(&format!("{folder}/flags"), "0x1003\n")
        .file(&format!("{folder}/operstate"), "up\n")
        .file(
            &format!("{folder}/uevent"),
            format!("INTERFACE={name}\n{uevent}"),
        );
    if is_hardware {
        device.folder(&format!("{folder}/device"));
    }
}

fn value(device: &Device) -> String {
    collect(&device.sysroot()).state.value().to_owned()
}

fn unknown(finding: &Finding) -> Option<&str> {
    (finding.state == State::Unknown).then_some(finding.reason.as_str())
}

#[test]
fn the_least_trustworthy_link_counts_and_a_tunnel_stands_for_it() {
    let device = Device::new();
    device.folder("sys/class/net");
    assert_eq!(value(&device), "none");
    interface(&device, "lo", "772", "", false);
    interface(&device, "docker0", "1", "DEVTYPE=bridge\n", false);
    interface(&device, "veth1", "1", "", false);
    interface(&device, "ppp0", "512", "", false);
    assert_eq!(value(&device), "none");
    interface(&device, "eth0", "1", "", true);
    assert_eq!(value(&device), "wired");
    interface(&device, "wwan0", "65534", "DEVTYPE=wwan\n", true);
    assert_eq!(value(&device), "mobile");
    interface(&device, "wlan0", "1", "DEVTYPE=wlan\n", true);
    assert_eq!(value(&device), "wireless");
    interface(&device, "wg0", "65534", "DEVTYPE=wireguard\n", false);
    device.file("sys/class/net/wg0/operstate", "unknown\n");
    assert_eq!(value(&device), "tunnel");
    assert_eq!(collect(&device.sysroot()).evidence, 2);
}

#[test]
fn an_interface_that_is_off_or_has_no_carrier_does_not_count() {
    let device = Device::new();
    interface(&device, "eth0", "1", "", true);
    interface(&device, "wlan0", "1", "DEVTYPE=wlan\n", true);
    device.file("sys/class/net/wlan0/operstate", "down\n");
    assert_eq!(value(&device), "wired");
    device.file("sys/class/net/eth0/flags", "0x1002\n");
    assert_eq!(value(&device), "none");
}

#[test]
fn without_interfaces_or_in_a_container_it_is_unknown() {
    let device = Device::new();
    assert_eq!(unknown(&collect(&device.sysroot())), Some("no-interfaces"));
    interface(&device, "eth0", "1", "", true);
    device.file(".dockerenv", "");
    assert_eq!(unknown(&collect(&device.sysroot())), Some("container"));
}
