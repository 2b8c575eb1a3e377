//! The list beside the agent's own, and how a name is looked up in it.

use super::*;
use std::collections::HashSet;

/// What Claude Code 2.1.330 takes for a variable that says what runs, whole names.
const OF_THE_AGENT: &str = "PATH PYTHONPATH NODE_PATH RUBYLIB PERL5LIB PERLLIB GEM_PATH CLASSPATH DYLD_LIBRARY_PATH \
    DYLD_FRAMEWORK_PATH LD_LIBRARY_PATH LIBRARY_PATH CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH R_LIBS R_LIBS_USER \
    R_LIBS_SITE GOFLAGS RUSTFLAGS GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_EXTERNAL_DIFF GIT_PROXY_COMMAND SUDO_ASKPASS \
    ZDOTDIR NULLCMD READNULLCMD CDPATH GCONV_PATH NLSPATH DOTNET_STARTUP_HOOKS npm_config_node_options \
    NPM_CONFIG_NODE_OPTIONS LESSOPEN LESSCLOSE MANPAGER MAVEN_OPTS MAVEN_ARGS MAVEN_CONFIG ANT_OPTS ANT_ARGS \
    GRADLE_OPTS JAVA_OPTS JVM_OPTS LEIN_JVM_OPTS ES_JAVA_OPTS SBT_OPTS SONAR_SCANNER_OPTS SONAR_SCANNER_JAVA_OPTS \
    MAKEFLAGS GNUMAKEFLAGS MFLAGS MAKEFILES AWKPATH AWKLIBPATH DEVELOPER_DIR CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LDLIBS \
    CC CXX CPP MAKE AR AS LD LEX YACC RANLIB ARFLAGS RANLIBFLAGS NM STRIP OBJCOPY OBJDUMP PKG_CONFIG FC F77 FFLAGS \
    FCFLAGS CGO_CFLAGS CGO_CPPFLAGS CGO_CXXFLAGS CGO_FFLAGS CGO_LDFLAGS HOST_CC HOST_CXX HOST_AR HOST_RANLIB \
    HOST_ARFLAGS HOST_CFLAGS HOST_CXXFLAGS TARGET_RANLIB TARGET_ARFLAGS TARGET_CC TARGET_CXX TARGET_AR TARGET_CFLAGS \
    TARGET_CXXFLAGS GCC_EXEC_PREFIX COMPILER_PATH DEPENDENCIES_OUTPUT SUNPRO_DEPENDENCIES GOAUTH GOTOOLCHAIN \
    OPENSSL_ENGINES SHELLOPTS BASHOPTS PS4 PROMPT_COMMAND GIT_SSH_COMMAND GIT_SSH GIT_EXEC_PATH GIT_ASKPASS SSH_ASKPASS \
    GIT_PAGER PAGER EDITOR VISUAL BROWSER PYTHONWARNINGS PYTHONBREAKPOINT PERL5DB NODE_REPL_EXTERNAL_MODULE \
    JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS IBM_JAVA_OPTIONS OPENJ9_JAVA_OPTIONS NODE_OPTIONS \
    NODE_COMPILE_CACHE PYTHONSTARTUP PYTHONHOME PYTHONUSERBASE BASH_ENV ENV PERL5OPT RUBYOPT GEM_HOME RUBYGEMS_GEMDEPS \
    BUNDLE_GEMFILE OPENSSL_CONF OPENSSL_CONF_INCLUDE OPENSSL_MODULES DYLD_INSERT_LIBRARIES LD_PRELOAD LD_AUDIT \
    BUN_OPTIONS npm_config_script_shell NPM_CONFIG_SCRIPT_SHELL RUSTC RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTDOC \
    CARGO_BUILD_RUSTC CARGO_BUILD_RUSTC_WRAPPER CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_RUSTDOC \
    CARGO_BUILD_RUSTFLAGS RUSTDOCFLAGS CARGO_BUILD_RUSTDOCFLAGS CARGO_ENCODED_RUSTDOCFLAGS CARGO_ENCODED_RUSTFLAGS \
    GOROOT PSModulePath PSMODULEPATH JAVA_HOME JAVACMD JDK_HOME DOTNET_ROOT COREPACK_HOME VIRTUAL_ENV CONDA_PREFIX \
    PYENV_ROOT PYENV_VERSION VOLTA_HOME ASDF_DIR ASDF_DATA_DIR RBENV_ROOT RBENV_VERSION NODENV_ROOT NODENV_VERSION \
    GOENV_ROOT GOENV_VERSION JENV_ROOT JENV_VERSION PLENV_ROOT PLENV_VERSION PERL5SHELL RUBYSHELL NODE_V8_COVERAGE \
    NODE_REDIRECT_WARNINGS AWS_PAGER GH_PAGER CLOUDSDK_PYTHON CLOUDSDK_PYTHON_ARGS CLOUDSDK_GSUTIL_PYTHON \
    CLOUDSDK_BQ_PYTHON UV_PYTHON GH_BROWSER SOPS_GPG_EXEC RSYNC_RSH CVS_RSH TAR_OPTIONS DOCKER_CLI_PLUGIN_EXTRA_DIRS \
    R_PROFILE R_PROFILE_USER R_ENVIRON R_ENVIRON_USER";

/// One name of each family that the agent knows by its beginning or its end.
const OF_ITS_FAMILIES: &str = "DYLD_X LD_X BASH_FUNC_ls%% GIT_CONFIG_KEY_3 LUA_PATH_5_4 TF_CLI_ARGS_apply \
    CARGO_ALIAS_X CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER CC_x86_64-unknown-linux-gnu AR_AARCH64_X RANLIBFLAGS_I686_X \
    CFLAGS_wasm32_unknown_unknown DELFTE_PAGER SVN_EDITOR GIT_EXTERNAL_DIFF KUBECTL_EXTERNAL_DIFF";

#[test]
fn whatever_the_agent_knows_is_listed() {
    for name in OF_THE_AGENT.split(' ').chain(OF_ITS_FAMILIES.split(' ')) {
        let name = name.trim();
        if name.is_empty() {
            continue;
        }
        let found = steering_in_any_letters(name);
        let known =
            found.is_some_and(|one| one.holds != Holds::Nothing && one.family != Family::Guessed);
        assert!(known, "{name}: {found:?}");
    }
}

#[test]
fn no_name_is_listed_twice() {
    let mut seen = HashSet::new();
    for (name, _) in rows() {
        assert!(seen.insert(name), "{name}");
        assert!(
            name.trim_matches('*')
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_'),
            "{name}"
        );
    }
    assert!(seen.len() > 400);
}

/// Where a guess would find a command, a name that is known must not be taken for less.
#[test]
fn whatever_ends_as_a_command_does_is_one() {
    let guessed = || rows().filter(|(_, one)| one.family == Family::Guessed);
    for (name, one) in rows().filter(|(name, _)| !name.contains('*')) {
        let ends = |(end, _): (&str, Steering)| has_end(name, end.trim_start_matches('*'));
        let runs = matches!(one.holds, Holds::Command | Holds::Prompt);
        assert!(runs || !guessed().any(ends), "{name}");
    }
}

#[test]
fn names_of_programs_that_run_nothing_are_not_listed() {
    for name in [
        "GOOGLE_API_KEY",
        "GITHUB_TOKEN",
        "GITLAB_HOST",
        "NODE_ENV",
        "PYTHONUNBUFFERED",
        "RUST_LOG",
        "RUST_BACKTRACE",
        "GOOS",
        "GOPRIVATE",
        "LANG",
        "TZ",
        "CI",
        "DATABASE_URL",
        "PIPELINE",
        "CCACHE_DIR",
        "LDAP_URL",
        "UVICORN_PORT",
        "ENVIRONMENT",
        "PATHS",
        "SWAPPAGER",
        "AWS_PROFILE",
        "PHP_MEMORY_LIMIT",
        "TF_VAR_region",
        "DOCKERFILE",
        "CC_TEST_REPORTER_ID",
        "COMPOSE_PROJECT_NAME",
        "KUBE_NAMESPACE",
        "ANTHROPIC_MODEL",
    ] {
        assert_eq!(steering_in_any_letters(name), None, "{name}");
    }
    for name in [
        "GIT_AUTHOR_NAME",
        "CARGO_TERM_COLOR",
        "npm_config_loglevel",
        "CGO_ENABLED",
        "UV_CONCURRENT_BUILDS",
    ] {
        assert_eq!(steering(name).unwrap().holds, Holds::Nothing, "{name}");
    }
}

#[test]
fn the_more_exact_name_counts_and_an_end_makes_a_command() {
    let holds = |name: &str| steering(name).map(|one| one.holds);
    assert_eq!(holds("GIT_CONFIG_COUNT"), Some(Holds::Code));
    assert_eq!(holds("GIT_CONFIG_X_COMMAND"), Some(Holds::Code));
    assert_eq!(holds("GIT_X_COMMAND"), Some(Holds::Command));
    assert_eq!(holds("GIT_INDEX_FILE"), Some(Holds::Place));
    assert_eq!(holds("MY_PAGER"), Some(Holds::Command));
    assert_eq!(holds("MY_SHELL"), Some(Holds::Command));
    assert_eq!(holds("pager"), None);
    assert_eq!(steering("MY_SHELL").unwrap().family, Family::Guessed);
    assert_eq!(steering("PS4").unwrap().unset, Some("+ "));
    assert_eq!(steering("GIT_SSH_COMMAND").unwrap().unset, None);
    assert_eq!(
        steering_in_any_letters("NPM_CONFIG-registry")
            .unwrap()
            .family,
        Family::Packages
    );
}
