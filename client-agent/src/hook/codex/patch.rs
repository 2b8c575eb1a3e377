//! The files that a patch of Codex changes.
//!
//! Owns finding them: in the input of `apply_patch`, and in shell commands, in which Codex looks for the
//! same. Does not apply anything. Whatever looks like the header of a file counts as one, wherever it
//! stands: a file too many only makes a verdict stricter.
//!
//! Source: Codex 0.169.0, observed by `tests/codex`.

/// Most files one patch may change: each costs a decision and a record.
const FILES_MAX: usize = 64;

/// The line a patch begins with.
const BEGIN: &str = "*** Begin Patch";

/// Lines of a patch that begin with three stars and name no file.
const PLAIN: [&str; 3] = [BEGIN, "*** End Patch", "*** End of File"];

/// What happens to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is written whole, or moved here.
    Write(String),
    /// It is changed, moved away or deleted.
    Edit(String),
}

/// Why a patch cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// It names no file.
    #[error("the patch names no file")]
    NoFile,
    /// It has a line that is not known.
    #[error("the patch has a line that begins with three stars and is not known")]
    Directive,
    /// It changes too many files.
    #[error("the patch changes more than {FILES_MAX} files; make it smaller")]
    TooMany,
    /// It stands in a shell command among other things.
    #[error("the patch stands in a longer shell command; call apply_patch by itself")]
    InCommand,
}

/// The files of a patch, in its order.
///
/// Errors: [`PatchError`]; the call is denied.
pub fn changes(patch: &str) -> Result<Vec<Change>, PatchError> {
    let mut found = Vec::new();
    for line in patch.lines() {
        let header = line.trim();
        let after = |prefix: &str| {
            header
                .strip_prefix(prefix)
                .map(|rest| rest.trim().to_owned())
        };
        if let Some(path) = after("*** Add File:").or_else(|| after("*** Move to:")) {
            found.push(Change::Write(path));
        } else if let Some(path) = after("*** Update File:").or_else(|| after("*** Delete File:")) {
            found.push(Change::Edit(path));
        } else if line.starts_with("***") && !PLAIN.contains(&header) {
            return Err(PatchError::Directive);
        }
    }
    if found.len() > FILES_MAX {
        return Err(PatchError::TooMany);
    }
    if found.is_empty() {
        return Err(PatchError::NoFile);
    }
    Ok(found)
}

/// The files of the patch that a shell command is; none for a command without one.
///
/// Errors: [`PatchError::InCommand`] for a patch with anything else around it: the paths in it may then
/// mean others than they say.
pub fn in_command(command: &str) -> Result<Vec<Change>, PatchError> {
    if !command.contains(BEGIN) {
        return Ok(Vec::new());
    }
    let lines: Vec<&str> = command.trim().lines().collect();
    let [first, patch @ .., last] = lines.as_slice() else {
        return Err(PatchError::InCommand);
    };
    let word = heredoc(first).ok_or(PatchError::InCommand)?;
    if *last != word || patch.contains(&word) {
        return Err(PatchError::InCommand);
    }
    changes(&patch.join("\n"))
}

/// The closing word of `apply_patch <<'WORD'`; only quoted, so that the shell puts nothing in.
fn heredoc(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("apply_patch")?.trim_start();
    let rest = rest.strip_prefix("<<")?.trim();
    let quoted = rest
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
        .or_else(|| {
            rest.strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
        })?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    (!quoted.is_empty() && quoted.chars().all(plain)).then_some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &str) -> Change {
        Change::Write(path.to_owned())
    }

    fn edit(path: &str) -> Change {
        Change::Edit(path.to_owned())
    }

    const PATCH: &str = "*** Begin Patch\n*** Add File: a.txt\n+*** Add File: content\n\
        *** Update File: b.txt\n*** Move to: c.txt\n@@\n-x\n+y\n*** End of File\n\
        *** Delete File: d.txt\n*** End Patch";

    #[test]
    fn every_file_of_a_patch_is_found() {
        let expected = [write("a.txt"), edit("b.txt"), write("c.txt"), edit("d.txt")];
        assert_eq!(changes(PATCH).unwrap(), expected);
        let indented = "  *** Begin Patch\n   *** Add File:  /etc/x  \n+y\n *** End Patch";
        assert_eq!(changes(indented).unwrap(), [write("/etc/x")]);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert_eq!(changes("nothing"), Err(PatchError::NoFile));
        let other =
            "*** Begin Patch\n*** Environment ID: other\n*** Add File: a\n+x\n*** End Patch";
        assert_eq!(changes(other), Err(PatchError::Directive));
        let many = "*** Add File: a\n".repeat(FILES_MAX + 1);
        assert_eq!(changes(&many), Err(PatchError::TooMany));
    }

    #[test]
    fn a_patch_in_a_command_is_judged_only_where_it_is_the_whole_command() {
        assert_eq!(in_command("git status"), Ok(Vec::new()));
        let alone = format!("apply_patch <<'EOF'\n{PATCH}\nEOF\n");
        assert_eq!(in_command(&alone).unwrap().len(), 4);
        for command in [
            format!("cd .. && apply_patch <<'EOF'\n{PATCH}\nEOF"),
            format!("apply_patch <<EOF\n{PATCH}\nEOF"),
            format!("apply_patch <<'EOF'\n{PATCH}\nEOF\nrm -rf x"),
            format!("apply_patch <<'EOF'\n{PATCH}\nEOF\nrm -rf x\nEOF"),
            format!("apply_patch '{PATCH}'"),
            PATCH.to_owned(),
        ] {
            assert_eq!(
                in_command(&command),
                Err(PatchError::InCommand),
                "{command}"
            );
        }
    }
}
