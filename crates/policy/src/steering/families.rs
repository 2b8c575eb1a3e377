//! The table of variables that steer a command, family by family.
//!
//! Owns the names. `NAME*` stands for every name that begins so, `*NAME` for every one that ends so. The third
//! column is the value that is as good as none; without one the variable can be removed, but not emptied: Git takes
//! an empty `GIT_SSH_COMMAND` for the command to run.
//!
//! Source: for each family the manuals of its programs. What an empty value means was tried with Git; where it is in doubt a
//! row has no such value, and the session is refused.

use super::Family::{
    Agent, Build, Cloud, Containers, Guessed, Interpreter, Loader, Other, Packages, Shell,
    VersionControl, Viewer,
};
use super::Holds::{Code, Command, Nothing, Options, Place, Prompt, StartFile};
use super::{Family, Holds};

/// Family, what the value is, what is as good as no value, and the names.
type Row = (Family, Holds, Option<&'static str>, &'static str);

/// An empty value is as good as none.
const EMPTY: Option<&str> = Some("");

/// Every row; of two that have a name the more exact one counts.
#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    // ld.so(8), dyld(1): an empty list names nothing.
    (Loader, Place, EMPTY, "LD_* DYLD_* LOCPATH NLSPATH GLIBC_TUNABLES HOSTALIASES"),
    (Loader, Code, EMPTY, "GCONV_PATH"),
    (Loader, Place, EMPTY, "OPENSSL_CONF OPENSSL_CONF_INCLUDE OPENSSL_ENGINES OPENSSL_MODULES GIO_EXTRA_MODULES \
        GIO_MODULE_DIR GTK_MODULES GTK_PATH QT_PLUGIN_PATH"),

    // bash(1), zsh(1), POSIX: what a shell does before its first command, and how it reads one.
    (Shell, StartFile, EMPTY, "BASH_ENV ENV"),
    (Shell, Place, None, "ZDOTDIR FPATH PATH HOME"),
    (Shell, Place, EMPTY, "BASHOPTS SHELLOPTS CDPATH EXECIGNORE GLOBIGNORE BASH_LOADABLES_PATH INPUTRC"),
    (Shell, Place, Some(" \t\n"), "IFS"),
    (Shell, Code, EMPTY, "BASH_FUNC*"),
    (Shell, Command, EMPTY, "PROMPT_COMMAND"),
    (Shell, Prompt, Some("+ "), "PS4"),
    (Shell, Prompt, EMPTY, "PS0 PS1 PS2"),
    (Shell, Command, Some("/bin/sh"), "SHELL"),
    (Shell, Command, Some("cat"), "NULLCMD"),
    (Shell, Command, Some("more"), "READNULLCMD"),
    (Shell, Place, EMPTY, "XDG_CONFIG_DIRS XDG_CONFIG_HOME XDG_DATA_DIRS XDG_DATA_HOME"),

    // Which shell runs the agent's commands, and what it runs before each.
    (Agent, StartFile, EMPTY, "CLAUDE_ENV_FILE"),
    (Agent, Command, EMPTY, "CLAUDE_CODE_SHELL CLAUDE_CODE_SHELL_PREFIX CLAUDE_CODE_PROCESS_WRAPPER"),

    // An interpreter takes options, start-up files and modules from these; an empty one says nothing.
    (Interpreter, Code, EMPTY, "NODE_OPTIONS BUN_OPTIONS PYTHONINSPECT PYTHONWARNINGS PYTHONBREAKPOINT PERL5OPT RUBYOPT \
        JAVA_TOOL_OPTIONS ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS"),
    (Interpreter, Code, None, "PERL5DB* LUA_INIT*"),
    (Interpreter, Command, None, "PERL5SHELL RUBYSHELL JAVACMD"),
    (Interpreter, Options, EMPTY, "_JAVA_OPTIONS JDK_JAVA_OPTIONS IBM_JAVA_OPTIONS OPENJ9_JAVA_OPTIONS JAVA_OPTS JVM_OPTS \
        ES_JAVA_OPTS LEIN_JVM_OPTS ELIXIR_ERL_OPTIONS"),
    (Interpreter, Place, EMPTY, "NODE_PATH NODE_REPL_EXTERNAL_MODULE NODE_COMPILE_CACHE NODE_V8_COVERAGE \
        NODE_REDIRECT_WARNINGS PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONEXECUTABLE PYTHONPLATLIBDIR \
        PYTHONCASEOK PYTHONPYCACHEPREFIX PYTHON_PRESITE PERL5LIB PERLLIB RUBYLIB CLASSPATH JAVA_HOME JDK_HOME PHPRC \
        PHP_INI_SCAN_DIR DOTNET_STARTUP_HOOKS DOTNET_ADDITIONAL_DEPS AWKPATH AWKLIBPATH VIRTUAL_ENV CONDA_PREFIX"),
    (Interpreter, Place, None, "LUA_* DOTNET_ROOT* CONDA_EXE GEM_HOME GEM_PATH DENO_* TS_NODE_COMPILER* \
        TS_NODE_PROJECT R_LIBS R_LIBS_USER R_LIBS_SITE R_PROFILE R_PROFILE_USER R_ENVIRON R_ENVIRON_USER JULIA_LOAD_PATH \
        JULIA_DEPOT_PATH CAML_LD_LIBRARY_PATH ERL_LIBS GUILE_LOAD_PATH EMACSLOADPATH TCLLIBPATH PSMODULEPATH PSModulePath"),
    (Interpreter, Nothing, None, "DENO_AUTH_TOKENS DENO_NO_UPDATE_CHECK DENO_NO_PROMPT"),
    // The shims of version managers start the version that is named here, from the folder that is.
    (Interpreter, Place, EMPTY, "PYENV_ROOT PYENV_VERSION RBENV_ROOT RBENV_VERSION NODENV_ROOT NODENV_VERSION GOENV_ROOT \
        GOENV_VERSION JENV_ROOT JENV_VERSION PLENV_ROOT PLENV_VERSION"),
    (Interpreter, Place, None, "VOLTA_HOME ASDF_DIR ASDF_DATA_DIR ASDF_CONFIG_FILE NVM_DIR FNM_DIR MISE_CONFIG_DIR \
        MISE_DATA_DIR MISE_GLOBAL_CONFIG_FILE"),

    // git(1): commands, options, and repositories or configuration that name commands.
    (VersionControl, Command, None, "GIT_SSH_COMMAND GIT_EXTERNAL_DIFF"),
    (VersionControl, Command, Some("ssh"), "GIT_SSH"),
    // What Claude Code gives every command that it runs.
    (VersionControl, Command, Some("true"), "GIT_EDITOR GIT_SEQUENCE_EDITOR"),
    (VersionControl, Command, EMPTY, "GIT_ASKPASS GIT_PAGER GIT_PROXY_COMMAND"),
    (VersionControl, Code, EMPTY, "GIT_CONFIG_COUNT GIT_CONFIG_KEY_* GIT_CONFIG_VALUE_* GIT_CONFIG_PARAMETERS"),
    (VersionControl, Code, None, "GIT_CONFIG_*"),
    (VersionControl, Place, EMPTY, "GIT_EXEC_PATH"),
    (VersionControl, Place, None, "GIT_*"),
    (VersionControl, Nothing, None, "GIT_AUTHOR_DATE GIT_AUTHOR_EMAIL GIT_AUTHOR_NAME GIT_COMMITTER_DATE GIT_COMMITTER_EMAIL \
        GIT_COMMITTER_NAME GIT_TERMINAL_PROMPT GIT_OPTIONAL_LOCKS GIT_MERGE_AUTOEDIT GIT_LFS_SKIP_SMUDGE GIT_ADVICE \
        GIT_TOKEN GIT_BRANCH GIT_COMMIT GIT_SHA"),
    (VersionControl, Command, None, "SSH_ASKPASS SUDO_ASKPASS SVN_SSH CVS_RSH HGMERGE HGEDITOR BZR_SSH"),
    (VersionControl, Place, None, "HGRCPATH JJ_CONFIG GNUPGHOME"),

    // What a program starts to show a text, or to have one written.
    (Viewer, Command, EMPTY, "PAGER MANPAGER BROWSER LESSOPEN LESSCLOSE MANOPT KUBE_EDITOR FCEDIT *_PAGER *_BROWSER"),
    (Viewer, Command, Some("vi"), "EDITOR VISUAL"),
    (Viewer, Command, None, "FZF_DEFAULT_COMMAND *_EDITOR *_EXTERNAL_DIFF *_ASKPASS"),
    (Viewer, Options, EMPTY, "LESS"),
    (Viewer, Place, EMPTY, "LESSKEY LESSKEYIN LESSKEY_SYSTEM LESSKEYIN_SYSTEM"),
    (Viewer, Code, None, "LESSKEY_CONTENT VIMINIT EXINIT GVIMINIT FZF_DEFAULT_OPTS"),
    (Viewer, Place, None, "VIM VIMRUNTIME MYVIMRC SCREENRC"),

    // make(1), compilers and their drivers: make's own default stands in for a tool, because an empty one is none.
    (Build, Code, EMPTY, "MAKEFLAGS GNUMAKEFLAGS MFLAGS"),
    (Build, Place, EMPTY, "MAKEFILES PKG_CONFIG_PATH PKG_CONFIG_LIBDIR CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH \
        OBJC_INCLUDE_PATH LIBRARY_PATH COMPILER_PATH GCC_EXEC_PREFIX DEPENDENCIES_OUTPUT SUNPRO_DEPENDENCIES DEVELOPER_DIR \
        ACLOCAL_PATH CONFIG_SITE M4PATH CMAKE_TOOLCHAIN_FILE CMAKE_PREFIX_PATH CMAKE_PROGRAM_PATH \
        CMAKE_C_COMPILER_LAUNCHER CMAKE_CXX_COMPILER_LAUNCHER CMAKE_C_LINKER_LAUNCHER CMAKE_CXX_LINKER_LAUNCHER"),
    (Build, Command, Some("cc"), "CC HOST_CC TARGET_CC"),
    (Build, Command, Some("c++"), "CXX HOST_CXX TARGET_CXX"),
    (Build, Command, Some("ar"), "AR HOST_AR TARGET_AR"),
    (Build, Command, Some("ranlib"), "RANLIB HOST_RANLIB TARGET_RANLIB"),
    (Build, Command, Some("ld"), "LD"),
    (Build, Command, Some("as"), "AS"),
    (Build, Command, Some("make"), "MAKE"),
    (Build, Command, Some("cc -E"), "CPP"),
    (Build, Command, None, "FC F77 LEX YACC NM STRIP OBJCOPY OBJDUMP PKG_CONFIG"),
    (Build, Options, EMPTY, "CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LDLIBS FFLAGS FCFLAGS ARFLAGS RANLIBFLAGS HOST_CFLAGS \
        HOST_CXXFLAGS HOST_ARFLAGS TARGET_CFLAGS TARGET_CXXFLAGS TARGET_ARFLAGS TARGET_RANLIBFLAGS"),
    // cargo, rustup: an empty wrapper is none, an empty compiler is not found.
    (Build, Command, EMPTY, "RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_RUSTC_WRAPPER \
        CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER"),
    (Build, Command, Some("rustc"), "RUSTC"),
    (Build, Command, Some("rustdoc"), "RUSTDOC"),
    (Build, Command, None, "CARGO_BUILD_RUSTC CARGO_BUILD_RUSTDOC CARGO_ALIAS_* CARGO_REGISTRY_CREDENTIAL_PROVIDER"),
    (Build, Options, EMPTY, "RUSTFLAGS RUSTDOCFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_ENCODED_RUSTDOCFLAGS CARGO_BUILD_RUSTFLAGS \
        CARGO_BUILD_RUSTDOCFLAGS"),
    (Build, Place, EMPTY, "CARGO_HOME RUSTUP_*"),
    (Build, Place, None, "CARGO_*"),
    (Build, Nothing, None, "CARGO_TERM_* CARGO_NET_OFFLINE CARGO_NET_RETRY CARGO_INCREMENTAL CARGO_BUILD_JOBS CARGO_TARGET_DIR \
        CARGO_BUILD_TARGET_DIR CARGO_BUILD_TARGET CARGO_HTTP_TIMEOUT CARGO_HTTP_MULTIPLEXING CARGO_PROFILE_DEV_DEBUG \
        CARGO_PROFILE_DEV_OPT_LEVEL CARGO_PROFILE_TEST_DEBUG CARGO_PROFILE_RELEASE_DEBUG CARGO_PROFILE_RELEASE_LTO \
        CARGO_REGISTRY_TOKEN RUSTUP_IO_THREADS RUSTUP_MAX_RETRIES"),
    // The go command takes every empty variable for an unset one.
    (Build, Options, EMPTY, "GOFLAGS"),
    (Build, Command, EMPTY, "GOCACHEPROG GOAUTH GCCGO"),
    (Build, Place, EMPTY, "GOROOT GOPATH GOBIN GOENV GOTOOLCHAIN GOPROXY GOSUMDB GONOSUMDB GOINSECURE GOVCS GOWORK GOMODCACHE \
        GOTOOLDIR GO_EXTLINK_ENABLED GO_LDSO CGO_*"),
    (Build, Nothing, None, "CGO_ENABLED"),
    (Build, Options, EMPTY, "MAVEN_OPTS MAVEN_ARGS MAVEN_CONFIG ANT_OPTS ANT_ARGS GRADLE_OPTS SBT_OPTS SONAR_SCANNER_OPTS \
        SONAR_SCANNER_JAVA_OPTS PYTEST_ADDOPTS"),
    (Build, Place, EMPTY, "PYTEST_PLUGINS"),
    (Build, Place, None, "GRADLE_USER_HOME GRADLE_HOME MAVEN_HOME M2_HOME ANT_HOME SBT_HOME BAZELISK_* TOX_OVERRIDE \
        TOX_CONFIG_FILE"),

    // Installers take an address, a script shell or a configuration file from these; npm and pip pass over empty ones.
    (Packages, Command, EMPTY, "npm_config_script_shell npm_config_git npm_config_editor npm_config_viewer \
        NPM_CONFIG_SCRIPT_SHELL NPM_CONFIG_GIT NPM_CONFIG_EDITOR NPM_CONFIG_VIEWER"),
    (Packages, Code, EMPTY, "npm_config_node_options NPM_CONFIG_NODE_OPTIONS"),
    (Packages, Place, EMPTY, "npm_config_* NPM_CONFIG_* PIP_* BUNDLE_GEMFILE"),
    (Packages, Place, None, "COREPACK_* PNPM_* pnpm_config_* YARN_* yarn_* BUNDLE_* UV_* PIPX_HOME PIPX_DEFAULT_PYTHON \
        PIPENV_PIPFILE PIPENV_PYTHON PIPENV_PYPI_MIRROR POETRY_HOME POETRY_CONFIG_DIR POETRY_REPOSITORIES_* \
        POETRY_VIRTUALENVS_PATH HATCH_CONFIG HATCH_PYTHON CONDARC MAMBARC COMPOSER_HOME COMPOSER_BIN_DIR RUBYGEMS_GEMDEPS \
        NIX_PATH NIX_CONFIG NIX_CONF_DIR NIX_USER_CONF_FILES NIX_REMOTE HOMEBREW_ARTIFACT_DOMAIN HOMEBREW_API_DOMAIN \
        HOMEBREW_BOTTLE_DOMAIN HOMEBREW_BREW_GIT_REMOTE HOMEBREW_CORE_GIT_REMOTE HOMEBREW_CURL_PATH HOMEBREW_GIT_PATH"),
    (Packages, Command, None, "UV_PYTHON PIPENV_SHELL"),
    (Packages, Nothing, None, "npm_config_loglevel npm_config_fund npm_config_audit npm_config_yes npm_config_progress \
        npm_config_update_notifier npm_config_color NPM_CONFIG_LOGLEVEL NPM_CONFIG_FUND NPM_CONFIG_AUDIT NPM_CONFIG_YES \
        NPM_CONFIG_PROGRESS NPM_CONFIG_UPDATE_NOTIFIER NPM_CONFIG_COLOR PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_INPUT \
        PIP_NO_CACHE_DIR PIP_PROGRESS_BAR PIP_NO_COLOR COREPACK_ENABLE_DOWNLOAD_PROMPT COREPACK_ENABLE_STRICT \
        COREPACK_ENABLE_NETWORK COREPACK_ENABLE_AUTO_PIN YARN_ENABLE_TELEMETRY YARN_ENABLE_COLORS YARN_ENABLE_PROGRESS_BARS \
        YARN_ENABLE_IMMUTABLE_INSTALLS UV_NO_PROGRESS UV_OFFLINE UV_LINK_MODE UV_CONCURRENT_* UV_FROZEN UV_LOCKED UV_NO_CACHE \
        BUNDLE_JOBS BUNDLE_RETRY BUNDLE_FROZEN"),

    // docker(1), podman(1): another daemon, another context, plug-ins; docker passes over empty ones.
    (Containers, Place, EMPTY, "DOCKER_*"),
    (Containers, Place, None, "CONTAINER_HOST CONTAINERS_CONF CONTAINERS_CONF_OVERRIDE CONTAINERS_STORAGE_CONF \
        PODMAN_CONNECTIONS_CONF BUILDX_CONFIG BUILDX_BUILDER"),
    (Containers, Nothing, None, "DOCKER_BUILDKIT DOCKER_CLI_HINTS DOCKER_DEFAULT_PLATFORM"),

    // Their configuration names programs that get credentials, and plug-ins.
    (Cloud, Place, EMPTY, "KUBECONFIG KUBECTL_* TF_CLI_*"),
    (Cloud, Command, EMPTY, "KUBECTL_EXTERNAL_DIFF"),
    (Cloud, Place, None, "HELM_BIN HELM_CONFIG_HOME HELM_DATA_HOME HELM_PLUGINS ANSIBLE_* AWS_CONFIG_FILE \
        AWS_SHARED_CREDENTIALS_FILE AZURE_CONFIG_DIR AZURE_EXTENSION_DIR CLOUDSDK_CONFIG CLOUDSDK_ROOT_DIR \
        CLOUDSDK_PYTHON_SITEPACKAGES BOTO_CONFIG VAGRANT_HOME VAGRANT_CWD VAGRANT_VAGRANTFILE PACKER_PLUGIN_PATH PULUMI_HOME"),
    (Cloud, Command, None, "CLOUDSDK_PYTHON CLOUDSDK_PYTHON_ARGS CLOUDSDK_GSUTIL_PYTHON CLOUDSDK_BQ_PYTHON SOPS_GPG_EXEC \
        TERRAGRUNT_TFPATH TG_TF_PATH"),
    (Cloud, Nothing, None, "ANSIBLE_FORCE_COLOR ANSIBLE_NOCOLOR"),

    // tar(1), rsync(1), curl(1), ripgrep and the like.
    (Other, Options, EMPTY, "TAR_OPTIONS"),
    (Other, Command, None, "RSYNC_RSH RSYNC_CONNECT_PROG BORG_RSH BORG_PASSCOMMAND RESTIC_PASSWORD_COMMAND"),
    (Other, Place, None, "CURL_HOME WGETRC RIPGREP_CONFIG_PATH BAT_CONFIG_PATH GH_CONFIG_DIR"),

    // Names that no family has, and that end as a command's do.
    (Guessed, Command, None, "*PAGER *EDITOR *VISUAL *BROWSER *_COMMAND *ASKPASS *_WRAPPER *PS4 *PS0 *PS1 *LESSOPEN \
        *LESSCLOSE *SHELL *_DIFF *MANOPT *FZF_DEFAULT_COMMAND *GIT_SSH *_RSH *CC *CXX *LD *RUSTC"),
];
