//! Which files a command reads and writes, as far as its arguments say.
//!
//! Owns the tables of programs whose arguments are files. Programs that are not listed are not
//! looked at, and a program can always open files its arguments do not name: a path rule restrains
//! honest use of the shell, not a hostile program.
//! Source: Claude Code findings 2.5.

use super::command::{Access, Command, basename};
use super::guard::Unreadable;
use super::scan::Word;
use crate::glob::{Sym, known_text};
use crate::work::Work;

/// Programs that show or copy the files they are given.
const READERS: &[&str] = &[
    "cat",
    "head",
    "tail",
    "sed",
    "grep",
    "egrep",
    "fgrep",
    "rg",
    "ag",
    "cp",
    "mv",
    "ls",
    "awk",
    "gawk",
    "mawk",
    "nawk",
    "base64",
    "base32",
    "nl",
    "sort",
    "wc",
    "diff",
    "strings",
    "jq",
    "less",
    "more",
    "most",
    "bat",
    "vim",
    "vi",
    "nvim",
    "view",
    "nano",
    "emacs",
    "ed",
    "ex",
    "xxd",
    "od",
    "hexdump",
    "hd",
    "source",
    ".",
    "tar",
    "zip",
    "gzip",
    "bzip2",
    "xz",
    "zstd",
    "dd",
    "scp",
    "sftp",
    "rsync",
    "curl",
    "wget",
    "http",
    "ssh",
    "ssh-add",
    "openssl",
    "gpg",
    "age",
    "tac",
    "rev",
    "cut",
    "paste",
    "join",
    "comm",
    "uniq",
    "column",
    "fold",
    "expand",
    "cmp",
    "md5sum",
    "sha1sum",
    "sha256sum",
    "shasum",
    "file",
    "stat",
    "yq",
    "xmllint",
    "sqlite3",
    "ln",
    "install",
    "bash",
    "sh",
    "zsh",
    "dash",
    "python",
    "python3",
    "node",
    "perl",
    "ruby",
    "php",
    "tee",
    "split",
    "csplit",
    "iconv",
    "envsubst",
    "pbcopy",
    "xclip",
    "cpio",
    "7z",
    "unzip",
    "zcat",
    "gunzip",
    "readlink",
    "tree",
    "nc",
    "socat",
    "mail",
    "mutt",
];

/// Programs that create, change or remove the files they are given.
const WRITERS: &[&str] = &[
    "rm", "mv", "cp", "touch", "mkdir", "rmdir", "tee", "truncate", "install", "ln", "link",
    "unlink", "shred", "chmod", "chown", "chgrp", "chattr", "setfacl", "dd", "patch", "rsync",
    "scp", "curl", "wget", "ed", "ex", "vim", "vi", "nvim", "nano", "emacs", "split", "csplit",
    "mkfifo", "mknod", "unzip", "gzip", "gunzip", "tar", "cpio", "sponge",
];

/// Subcommands of git that show the files they are given.
const GIT_READS: &[&str] = &[
    "diff", "show", "blame", "annotate", "grep", "cat-file", "archive",
];

/// Subcommands of git that change the files they are given.
const GIT_WRITES: &[&str] = &[
    "checkout", "restore", "rm", "mv", "apply", "reset", "clean", "stash",
];

/// Listed programs whose arguments are mostly addresses.
const NETWORK: &[&str] = &[
    "curl", "wget", "http", "ssh", "scp", "sftp", "rsync", "nc", "socat", "mail", "mutt",
];

/// A file a command touches.
#[derive(Clone, Debug)]
pub(crate) struct FileAccess {
    /// How.
    pub access: Access,
    /// The path as the command names it.
    pub path: Vec<Sym>,
}

/// The files the command's arguments name, over everything it may run as.
///
/// Errors: [`Unreadable::TooMuch`].
pub(crate) fn accesses(command: &Command, work: &Work) -> Result<Vec<FileAccess>, Unreadable> {
    let mut found = Vec::new();
    for view in &command.views {
        of_view(view, &mut found, work)?;
    }
    Ok(found)
}

/// Programs whose files Claude Code checks even where a pattern allows the command.
const CHECKED_READERS: &[&str] = &[
    "cd", "ls", "cat", "head", "tail", "wc", "sort", "grep", "rg", "diff", "file", "stat", "du",
    "tree", "jq", "sed", "find", "nl", "base64", "strings", "awk", "uniq", "cut",
];

/// As [`CHECKED_READERS`], for programs that change files.
const CHECKED_WRITERS: &[&str] = &["rm", "rmdir", "mv", "cp", "touch", "mkdir"];

/// The files that an allow pattern on the command does not cover by itself.
///
/// An argument that only looks like a path (a pattern of `grep`) counts where it begins like one.
pub(crate) fn checked(command: &Command) -> Vec<FileAccess> {
    let Some((program, arguments)) = super::strip::innermost(command).split_first() else {
        return Vec::new();
    };
    let Some(name) = program.literal() else {
        return Vec::new();
    };
    let edits = name == "sed" && arguments.iter().any(edits_in_place);
    let access = if CHECKED_WRITERS.contains(&name) || edits {
        Access::Write
    } else if CHECKED_READERS.contains(&name) {
        Access::Read
    } else {
        return Vec::new();
    };
    arguments
        .iter()
        .filter(|word| !matches!(word.value.first(), Some(Sym::Char('-'))))
        .map(|word| FileAccess {
            access,
            path: word.path.clone(),
        })
        .filter(|file| known_text(&file.path).is_some())
        .collect()
}

/// The files `tee` writes, which count like redirections.
pub(crate) fn tee_files(command: &Command) -> Vec<FileAccess> {
    let words = super::strip::innermost(command);
    match words.split_first() {
        Some((program, rest)) if program.is("tee") => rest
            .iter()
            .filter(|word| !matches!(word.value.first(), Some(Sym::Char('-'))))
            .map(|word| FileAccess {
                access: Access::Write,
                path: word.path.clone(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn of_view(view: &[Word], found: &mut Vec<FileAccess>, work: &Work) -> Result<(), Unreadable> {
    let Some((program, arguments)) = view.split_first() else {
        return Ok(());
    };
    let Some(name) = known_text(&basename(&program.value)) else {
        return Ok(());
    };
    let name = name.as_str();
    let (mut reads, mut writes) = (READERS.contains(&name), WRITERS.contains(&name));
    if name == "sed" || name == "perl" || name == "ruby" {
        writes = arguments.iter().any(edits_in_place);
    }
    if name == "git" {
        let is = |list: &[&str]| {
            arguments
                .iter()
                .any(|word| list.iter().any(|sub| word.is(sub)))
        };
        (reads, writes) = (is(GIT_READS), is(GIT_WRITES));
    }
    if !reads && !writes {
        return Ok(());
    }
    for word in arguments {
        for path in candidates(word, work)? {
            // An address made at run time is no file; a file made at run time may be any.
            if path.first() == Some(&Sym::Any) && NETWORK.contains(&name) {
                continue;
            }
            if reads {
                found.push(FileAccess {
                    access: Access::Read,
                    path: path.clone(),
                });
            }
            if writes {
                found.push(FileAccess {
                    access: Access::Write,
                    path,
                });
            }
        }
    }
    Ok(())
}

fn edits_in_place(word: &Word) -> bool {
    word.literal().is_some_and(|text| {
        text.starts_with("--in-place")
            || (text.starts_with('-') && !text.starts_with("--") && text.contains('i'))
    })
}

/// A word may be a path, or hold one after `=`, `@` or `:` (`if=x`, `-d@x`, `HEAD:x`).
fn candidates(word: &Word, work: &Work) -> Result<Vec<Vec<Sym>>, Unreadable> {
    let is_option = matches!(word.value.first(), Some(Sym::Char('-')));
    let mut paths = Vec::new();
    if !is_option {
        paths.push(word.path.clone());
    }
    for (at, sym) in word.path.iter().enumerate() {
        if matches!(sym, Sym::Char('=' | '@' | ':'))
            && let Some(tail) = word.path.get(at + 1..).filter(|tail| !tail.is_empty())
        {
            if !work.spend(tail.len()) {
                return Err(Unreadable::TooMuch);
            }
            paths.push(tail.to_vec());
        }
    }
    // `-ofile`: an option with its value attached.
    if is_option && let Some(tail) = word.path.get(2..).filter(|tail| !tail.is_empty()) {
        paths.push(tail.to_vec());
    }
    Ok(paths)
}
