//! By what kind of link the device is on a network.
//!
//! Owns the look at the kernel's network interfaces. It tells a tunnel (a VPN) from radio and cable; it
//! does not tell whose network it is, nor what goes through the tunnel: the far end decides that.
//!
//! Source: the kernel's `Documentation/ABI/testing/sysfs-class-net`, `include/uapi/linux/if_arp.h`.

use std::path::Path;

use super::field::{Finding, SYSTEM, State};
use super::surroundings::Surroundings;
use super::sysroot::{Sysroot, entries, text_at};

/// Where the kernel shows the interfaces of this network namespace.
const INTERFACES: &str = "/sys/class/net";

/// The most interfaces looked at; a host of thousands of containers has a pair for each, and an
/// answer from some of them would be a guess.
const INTERFACES_MAX: usize = 1_024;

/// Link type of interfaces without a link layer, such as `tun` and WireGuard. PPP is none of them: a bare line
/// to a provider has it too.
const TUNNEL_TYPE: &str = "65534";

/// The flag of an interface that an administrator has switched on.
const IS_UP: u32 = 0x1;

/// The source of every answer.
const SOURCE: &str = "sysfs";

/// What an interface is, the least trustworthy first; a tunnel stands for whatever is below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Link {
    Tunnel,
    Wireless,
    Mobile,
    Wired,
}

impl Link {
    fn name(self) -> &'static str {
        match self {
            Self::Tunnel => "tunnel",
            Self::Wireless => "wireless",
            Self::Mobile => "mobile",
            Self::Wired => "wired",
        }
    }
}

/// Reports `tunnel` while one is up; otherwise the least trustworthy link that is: `wireless`,
/// `mobile`, `wired`; `none` when there is none.
pub(super) fn collect(sysroot: &Sysroot) -> Finding {
    if Surroundings::of(sysroot).container.is_some() {
        // Its interface is one end of a pair whose other end is the host's.
        return Finding::unknown(SOURCE, "container");
    }
    let folder = sysroot.at(INTERFACES);
    if !folder.is_dir() {
        return Finding::unknown(SOURCE, "no-interfaces");
    }
    let interfaces = entries(&folder);
    if interfaces.len() > INTERFACES_MAX {
        return Finding::unknown(SOURCE, "too-many-interfaces");
    }
    let up = interfaces.iter().filter(|interface| is_up(interface));
    let first = up.filter_map(|interface| link(interface)).min();
    let name = first.map_or("none", Link::name);
    Finding::known(State::Text(name.to_owned()), SYSTEM, SOURCE, "")
}

/// Whether it is switched on and has a carrier, as far as its kind knows one: tunnels do not.
fn is_up(interface: &Path) -> bool {
    let flags = text_at(&interface.join("flags"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.strip_prefix("0x")?, 16).ok());
    let state = text_at(&interface.join("operstate"));
    flags.is_some_and(|flags| flags & IS_UP != 0)
        && state.is_some_and(|state| state == "up" || state == "unknown")
}

/// What an interface is; `None` for the loopback, bridges, pairs and others that lead nowhere by
/// themselves.
fn link(interface: &Path) -> Option<Link> {
    let kind = text_at(&interface.join("type"))?;
    let told = text_at(&interface.join("uevent")).unwrap_or_default();
    let device = told.lines().find_map(|line| line.strip_prefix("DEVTYPE="));
    if kind == TUNNEL_TYPE && device != Some("wwan") {
        return Some(Link::Tunnel);
    }
    // Only hardware has a device; a virtual interface has none.
    if !interface.join("device").exists() {
        return None;
    }
    Some(match device {
        Some("wlan") => Link::Wireless,
        Some("wwan") => Link::Mobile,
        _ => Link::Wired,
    })
}
