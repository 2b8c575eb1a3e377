//! Variables by which the same command starts another program, or starts it with somebody else's code.
//!
//! Owns the names. A list of commands says what runs only where the definition does not say otherwise by
//! the way; credentials and options of the server itself are no matter.
//! Source: Claude Code findings 0.4; the start-up variables of the usual interpreters and installers.

/// Such variables.
const NAMES: &[&str] = &[
    "BASH_ENV",
    "BUN_OPTIONS",
    "CLASSPATH",
    "DOTNET_STARTUP_HOOKS",
    "ENV",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "HOME",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RUBYLIB",
    "RUBYOPT",
    "SHELL",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "_JAVA_OPTIONS",
];

/// Beginnings of families of them: the loader, and the installers that fetch what they start.
const FAMILIES: &[&str] = &[
    "CARGO_",
    "DENO_",
    "DYLD_",
    "GIT_",
    "LD_",
    "NPM_CONFIG_",
    "PIP_",
    "PNPM_",
    "UV_",
    "YARN_",
];

/// Whether a variable of this name may decide what runs; installers read theirs in small letters too.
pub(super) fn steers(name: &str) -> bool {
    let name = name.to_uppercase();
    NAMES.contains(&name.as_str()) || FAMILIES.iter().any(|family| name.starts_with(family))
}
