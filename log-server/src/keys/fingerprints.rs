//! The file `keys/FINGERPRINTS`: which keys this folder was made with.
//!
//! Owns its form and the comparison. A key file with one changed digit is another key of good form, and
//! nothing but this tells: with another authority every enrolment is refused, with another master key no
//! disclosure opens, and new ones are sealed under a key that nobody meant. A fingerprint of 32 random bytes
//! gives nobody the key. The token key is not among them: it may be replaced at any time.
//!
//! Source: `docs/formats/store.md`.

use super::{AUTHORITY_FILE, FOLDER, KeysError, LOG_FILE, OBSERVER_FILE, SEALING_FILE, read_line};
use cairn_durable::file::ReadFileError;
use cairn_durable::{read_limited, write_atomic};
use cairn_event::Sha256;
use std::path::Path;
use zeroize::Zeroizing;

/// Name of the file in the folder of the keys.
pub const NAME: &str = "FINGERPRINTS";

/// First line: format and version.
const HEADER: &str = "cairn-key-fingerprints-v1";

/// The keys that stay for as long as the log does.
const LASTING: [&str; 4] = [LOG_FILE, AUTHORITY_FILE, OBSERVER_FILE, SEALING_FILE];

/// The longest file: a header and five lines of a digest and a name.
const MAX_BYTES: u64 = 1_024;

/// Holds the keys of a data folder against what was recorded of them; true where nothing was.
///
/// # Errors
/// `Read`, `Form`; `Changed` names the key that is another one now.
pub(super) fn check(data: &Path) -> Result<bool, KeysError> {
    let folder = data.join(FOLDER);
    let bytes = match read_limited(&folder.join(NAME), MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(ReadFileError::NotFound { .. }) => return Ok(true),
        Err(source) => return Err(KeysError::Read { name: NAME, source }),
    };
    let recorded = std::str::from_utf8(&bytes).ok().and_then(parse);
    let recorded = recorded.ok_or(KeysError::Form { name: NAME })?;
    for (name, known) in LASTING.into_iter().zip(recorded) {
        if of(name, &read_line(&folder, name)?) != known {
            return Err(KeysError::Changed { name });
        }
    }
    Ok(false)
}

/// Records the keys of a data folder, durably.
///
/// # Errors
/// `Read`, `Form`, `Write`.
pub(super) fn record(data: &Path) -> Result<(), KeysError> {
    let folder = data.join(FOLDER);
    let mut text = format!("{HEADER}\n");
    for name in LASTING {
        text += &format!("{} {name}\n", of(name, &read_line(&folder, name)?));
    }
    let sum = Sha256::of(text.as_bytes());
    text += &format!("{sum}\n");
    write_atomic(&folder.join(NAME), text.as_bytes(), 0o600)
        .map_err(|source| KeysError::Write { name: NAME, source })
}

fn of(name: &str, line: &str) -> Sha256 {
    let text = Zeroizing::new(format!("{HEADER}\n{name}\n{line}\n"));
    Sha256::of(text.as_bytes())
}

/// The fingerprints in the order of [`LASTING`]. The last line, a digest of those before it, tells a damaged
/// file from a changed key.
fn parse(text: &str) -> Option<Vec<Sha256>> {
    let (lines, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let body = text.get(..=lines.len())?;
    if Sha256::from_hex(sum)? != Sha256::of(body.as_bytes()) {
        return None;
    }
    let mut lines = lines.split('\n');
    if lines.next()? != HEADER {
        return None;
    }
    let named = lines.map(|line| line.split_once(' '));
    let named: Vec<(&str, &str)> = named.collect::<Option<_>>()?;
    let in_order = named.iter().map(|(_, name)| *name).eq(LASTING);
    let digests = named.iter().map(|(digest, _)| Sha256::from_hex(digest));
    digests.collect::<Option<_>>().filter(|_| in_order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{FILES, Keys};

    #[test]
    fn another_key_is_named_and_a_damaged_record_is_told_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        std::fs::create_dir(data.join(FOLDER)).unwrap();
        Keys::generate("log.example.com")
            .unwrap()
            .save(data)
            .unwrap();
        assert!(!check(data).unwrap());
        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir(other.path().join(FOLDER)).unwrap();
        Keys::generate("log.example.com")
            .unwrap()
            .save(other.path())
            .unwrap();
        for name in FILES {
            let path = data.join(FOLDER).join(name);
            let own = std::fs::read(&path).unwrap();
            std::fs::copy(other.path().join(FOLDER).join(name), &path).unwrap();
            match (Keys::load(data), LASTING.contains(&name)) {
                (Err(KeysError::Changed { name: told }), true) => assert_eq!(told, name),
                (Ok(_), false) => {}
                (Ok(_), true) => panic!("another {name} is taken"),
                (Err(error), _) => panic!("{name}: {error}"),
            }
            std::fs::write(&path, own).unwrap();
        }
        let path = data.join(FOLDER).join(NAME);
        let sound = std::fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            let told = Keys::load(data).err().unwrap();
            assert!(
                matches!(told, KeysError::Form { name: NAME }),
                "{at}: {told}"
            );
        }
        // A folder from before there was a record is recorded once.
        std::fs::remove_file(&path).unwrap();
        assert!(check(data).unwrap());
        record(data).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), sound);
    }
}
