//! The files of a pack that follow from its evidence and this version alone, and which files there may be.
//!
//! Owns their bytes: whoever writes a pack takes them from here, and verifying derives them again and
//! compares byte for byte, because a manifest's digest of them is only its writer's word.
//! Source: `docs/formats/pack.md`, "Layout" and "Controls".

use super::folder::Folder;
use super::manifest::Manifest;
use super::results::Results;
use super::{names, sheet, texts};
use crate::catalogue::Catalogue;
use crate::controls::Verdicts;
use crate::evidence::Tables;
use crate::report::{Check, Failure};
use cairn_event::Sha256;
use cairn_event::json::to_canonical;

/// Files that every pack has, besides its tables.
const ALWAYS: [&str; 9] = [
    names::CHECKPOINT,
    names::RANGE,
    names::GENESIS,
    names::CONTEXT,
    names::RESULTS,
    names::RESULTS_CSV,
    names::CATALOGUE,
    names::VERIFY_SQL,
    names::VERIFY_MD,
];

/// The tool whose version decides about texts and catalogue.
const WRITER: &str = "cairn-export";

/// This version; the programs of one release share it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The derived files by name, with their bytes.
///
/// Errors: only if serialisation fails, which these types do not.
pub fn files(results: &Results) -> Result<[(&'static str, Vec<u8>); 5], serde_json::Error> {
    Ok([
        (
            names::RESULTS,
            to_canonical(&serde_json::to_value(results)?),
        ),
        (names::RESULTS_CSV, sheet::csv(results).into_bytes()),
        (names::CATALOGUE, Catalogue::text().into()),
        (names::VERIFY_SQL, texts::VERIFY_SQL.into()),
        (names::VERIFY_MD, texts::VERIFY_MD.into()),
    ])
}

/// Derives the results of the control tests, and with them every derived file, and compares.
pub(super) fn check(folder: &Folder, tables: &Tables, verdicts: &Verdicts) -> Check {
    let mut check = Check::new("controls");
    if let Err(failure) = compare(folder, tables, verdicts, &mut check) {
        check.fail(failure);
    }
    check
}

fn compare(
    folder: &Folder,
    tables: &Tables,
    verdicts: &Verdicts,
    check: &mut Check,
) -> Result<(), Failure> {
    let of_results = |reason: String| Failure::of_file(names::RESULTS, reason);
    let manifest = &folder.manifest;
    let catalogue = Catalogue::embedded();
    let catalogue = catalogue.map_err(|error| Failure::of_file(names::CATALOGUE, error))?;
    let choice = catalogue.choice_of(&manifest.frameworks).ok_or_else(|| {
        let named = manifest.frameworks.join(", ");
        let reason = format!("the frameworks `{named}` are none of the choices there are");
        Failure::of_file(names::MANIFEST, reason)
    })?;
    let results = catalogue.run(choice, tables, verdicts);
    let read = folder.read(names::RESULTS);
    let read = read.map_err(|error| of_results(error.to_string()))?;
    match serde_json::from_slice::<Results>(&read) {
        Ok(listed) => listed.compare(&results, check),
        Err(error) => check.fail(of_results(error.to_string())),
    }
    let derived = files(&results).map_err(|error| of_results(error.to_string()))?;
    for (name, wanted) in derived {
        let verdict = match folder.read(name) {
            Ok(read) if read == wanted => Ok(()),
            Ok(_) => Err(otherwise(manifest)),
            Err(error) => Err(error.to_string()),
        };
        check.record(verdict, |reason| Failure::of_file(name, reason));
    }
    Ok(())
}

/// Why a derived file is not what this version derives.
fn otherwise(manifest: &Manifest) -> String {
    match manifest.tools.get(WRITER) {
        Some(version) if version != VERSION => format!(
            "these are not the bytes that version {VERSION} derives; the pack says that {WRITER} \
             {version} wrote it: verify it with the cairn-audit of that version"
        ),
        _ => "these are not the bytes that follow from the evidence".to_owned(),
    }
}

/// Compares the manifest's list with the files that a pack has: every one of them, and no other.
pub(super) fn check_listed(manifest: &Manifest) -> Check {
    let mut check = Check::new("file-names");
    let tables = Tables::NAMES.iter().map(|name| names::table(name));
    let mut wanted: Vec<String> = tables.collect();
    wanted.extend(ALWAYS.map(str::to_owned));
    wanted.push(names::EVENTS.to_owned());
    for name in &wanted {
        let there = manifest.files.iter().any(|file| file.path == *name);
        let verdict = there.then_some(()).ok_or("the file is not there");
        check.record(verdict, |reason| Failure::of_file(name, reason));
    }
    for file in &manifest.files {
        let is_bundle = names::bundle(&file.sha256) == file.path;
        if !is_bundle && !wanted.contains(&file.path) {
            let reason = match digest_in(&file.path) {
                Some(_) => "the bundle has another SHA-256 than its name",
                None => "a pack has no such file",
            };
            check.fail(Failure::of_file(&file.path, reason));
        }
    }
    check
}

/// The digest in the name of a policy bundle.
pub(super) fn digest_in(path: &str) -> Option<Sha256> {
    let name = path.strip_prefix("policy/")?.strip_suffix(".json")?;
    Sha256::from_hex(name)
}
