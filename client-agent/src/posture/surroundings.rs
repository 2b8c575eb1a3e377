//! What the agent runs in: bare metal, a virtual machine, a container, WSL.
//!
//! Owns the detection, which the other collectors consult: inside a container or WSL most of what
//! they would read describes somebody else's machine.
//!
//! Source: the marks container engines and hypervisors leave; none of them is a contract, so a
//! machine without any mark is reported as `none` with low evidence.

use std::path::Path;

use super::field::{Finding, ROOT, SYSTEM, State};
use super::mounts::Mounts;
use super::sysroot::Sysroot;
use crate::ancestry::procfs::MACHINE_PID_NAMESPACE;

/// Files that container engines put into every container, and what they are called here.
const CONTAINER_MARKS: [(&str, &str); 3] = [
    ("/.dockerenv", "dockerenv"),
    ("/run/.containerenv", "containerenv"),
    ("/run/systemd/container", "systemd-container"),
];

/// Parts of a control group path that container engines use.
const CONTAINER_GROUPS: [&str; 6] = [
    "/docker/",
    "/docker-",
    "/kubepods",
    "/libpod-",
    "/lxc/",
    "cri-containerd-",
];

/// Product names that hypervisors put into the firmware tables, in lower case.
const VIRTUAL_PRODUCTS: [&str; 11] = [
    "amazon ec2",
    "bochs",
    "google compute engine",
    "kvm",
    "openstack",
    "parallels",
    "qemu",
    "standard pc",
    "virtual machine",
    "virtualbox",
    "vmware",
];

/// How much of the processor description is read: the first processor's flags are in it.
const CPUINFO_BYTES_MAX: u64 = 8 * 1024;

/// What kind of machine the files describe.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// The mark of a container, if there is one.
    pub container: Option<&'static str>,
    /// Whether the kernel is one of Windows' Subsystem for Linux.
    pub wsl: bool,
    /// The mark of a hypervisor, if there is one.
    pub hypervisor: Option<&'static str>,
}

impl Surroundings {
    /// Looks for the marks.
    #[must_use]
    pub fn of(sysroot: &Sysroot) -> Self {
        Self {
            container: container(sysroot),
            wsl: wsl(sysroot),
            hypervisor: hypervisor(sysroot),
        }
    }
}

/// Reports `container`, `wsl`, `vm` or `none`, the closest one when several hold.
pub(super) fn collect(sysroot: &Sysroot) -> Finding {
    let found = Surroundings::of(sysroot);
    let known = |text: &str, evidence, source: &str| {
        Finding::known(State::Text(text.to_owned()), evidence, source, "")
    };
    if let Some(mark) = found.container {
        known("container", ROOT, mark)
    } else if found.wsl {
        known("wsl", SYSTEM, "procfs:osrelease")
    } else if let Some(mark) = found.hypervisor {
        known("vm", SYSTEM, mark)
    } else {
        known("none", ROOT, "no-mark")
    }
}

fn container(sysroot: &Sysroot) -> Option<&'static str> {
    // The first process of this namespace: on a host it is never inside an engine's group.
    let groups = sysroot.text("/proc/1/cgroup").unwrap_or_default();
    if groups
        .lines()
        .any(|line| CONTAINER_GROUPS.iter().any(|part| line.contains(part)))
    {
        return Some("cgroup");
    }
    let (_, mark) = CONTAINER_MARKS
        .iter()
        .find(|(path, _)| sysroot.exists(path))?;
    (!is_machine(sysroot)).then_some(mark)
}

/// Reports whether the files show a whole machine in spite of a container engine's mark.
///
/// A virtual machine whose disk was made from a container image keeps the mark file. It has the
/// machine's own process numbers and its root on a device; a container lacks at least one of them.
fn is_machine(sysroot: &Sysroot) -> bool {
    let namespace = std::fs::read_link(sysroot.at("/proc/self/ns/pid"));
    let own_numbers = namespace.is_ok_and(|link| link == Path::new(MACHINE_PID_NAMESPACE));
    let on_device = Mounts::read(sysroot)
        .and_then(|mounts| {
            mounts
                .holding(Path::new("/"))
                .map(|root| !root.device.starts_with("0:"))
        })
        .unwrap_or(false);
    own_numbers && on_device
}

fn wsl(sysroot: &Sysroot) -> bool {
    let release = sysroot
        .text("/proc/sys/kernel/osrelease")
        .unwrap_or_default();
    release.to_ascii_lowercase().contains("microsoft")
}

fn hypervisor(sysroot: &Sysroot) -> Option<&'static str> {
    let product = sysroot
        .text("/sys/class/dmi/id/product_name")
        .unwrap_or_default();
    let product = product.to_ascii_lowercase();
    if VIRTUAL_PRODUCTS.iter().any(|name| product.contains(name)) {
        return Some("dmi");
    }
    if sysroot.exists("/sys/hypervisor/type") {
        return Some("sysfs:hypervisor");
    }
    let cpus = sysroot
        .beginning("/proc/cpuinfo", CPUINFO_BYTES_MAX)
        .unwrap_or_default();
    let flags = cpus.lines().find(|line| line.starts_with("flags"))?;
    flags
        .split_whitespace()
        .any(|flag| flag == "hypervisor")
        .then_some("cpuid")
}
