//! Published checkpoints are read in pages beside the walk: what a report says of them does not hang on the pages, and
//! a list that breaks off costs no entry that was audited.

use super::resume::{Asked, Memory};
use super::world::{self, World};
use super::{assert_named, written};
use cairn_audit::log::resume::Resume;
use cairn_audit::log::{audit, audit_on};
use cairn_audit::source::folder::Folder;
use cairn_audit::source::reading::{Leave, Part};
use cairn_audit::source::{LogSource, SourceError};
use cairn_event::Sha256;
use cairn_identity::retention::Retention;
use cairn_tlog::{BundleId, TileId};
use std::ops::Range;
use std::path::Path;

/// A folder whose list of checkpoints comes in short pages, and breaks off after a size.
struct Paged {
    folder: Folder,
    page: usize,
    breaks_after: Option<u64>,
}

impl Paged {
    fn of(dir: &Path, page: usize) -> Self {
        Self {
            folder: Folder::open(dir).unwrap(),
            page,
            breaks_after: None,
        }
    }
}

impl LogSource for Paged {
    fn checkpoint_sizes(&self, after: u64) -> Result<Vec<u64>, SourceError> {
        if self.breaks_after.is_some_and(|last| after >= last) {
            return Err(SourceError::Setup("the list breaks off".to_owned()));
        }
        let mut sizes = self.folder.checkpoint_sizes(after)?;
        sizes.truncate(self.page);
        Ok(sizes)
    }

    fn checkpoint(&self) -> Result<String, SourceError> {
        self.folder.checkpoint()
    }

    fn checkpoint_at(&self, size: u64) -> Result<String, SourceError> {
        self.folder.checkpoint_at(size)
    }

    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        self.folder.tile(id)
    }

    fn bundle(&self, id: BundleId) -> Result<Vec<u8>, SourceError> {
        self.folder.bundle(id)
    }

    fn retention(&self) -> Result<Retention, SourceError> {
        self.folder.retention()
    }

    fn kept(&self, bundle: u64) -> Result<Vec<u8>, SourceError> {
        self.folder.kept(bundle)
    }

    fn blob(&self, digest: &Sha256) -> Result<Vec<u8>, SourceError> {
        self.folder.blob(digest)
    }

    fn announce(&self, range: &Range<u64>, purpose: &str) -> Result<Option<Leave>, SourceError> {
        self.folder.announce(range, purpose)
    }

    fn disclosures_of(&self, leave: &Leave, part: Range<u64>) -> Result<Part, SourceError> {
        self.folder.disclosures_of(leave, part)
    }
}

/// Several bundles, and a checkpoint every few entries.
fn busy() -> World {
    let mut world = world::busy(200);
    let tail: Vec<_> = world.items.drain(300..).collect();
    for item in tail {
        world.items.push(item);
        if world.size().is_multiple_of(3) {
            world.publish();
        }
    }
    world.publish();
    world
}

#[test]
fn the_report_does_not_hang_on_the_pages() {
    let world = busy();
    let (asked, dir) = (Asked::of(&world), written(&world));
    let whole = asked.whole(dir.path());
    assert!(whole.is_good(), "{whole}");
    let published = world.checkpoints.len() as u64;
    assert_eq!(whole.counts["published checkpoints"], published);
    assert_eq!(whole.check("checkpoints").unwrap().examined, 2 * published);
    let compared = whole.check("checkpoint-consistency").unwrap();
    assert_eq!(compared.examined, published);
    for page in [1, 2, 7] {
        let paged = audit(&Paged::of(dir.path(), page), &asked.options());
        assert_eq!(paged, whole, "pages of {page}");
    }
}

#[test]
fn each_checkpoint_that_is_missing_altered_or_of_another_tree_is_named() {
    let world = busy();
    let (asked, dir) = (Asked::of(&world), written(&world));
    let sizes: Vec<u64> = world.checkpoints.keys().copied().collect();
    let path = |at: usize| dir.path().join(format!("checkpoints/{}", sizes[at]));
    let [early, middle, late] = [1, sizes.len() / 2, sizes.len() - 2];
    // The note of another size, a note that nobody signed, and one that is a folder.
    std::fs::copy(path(late + 1), path(early)).unwrap();
    let note = std::fs::read_to_string(path(middle)).unwrap();
    std::fs::write(path(middle), note.replacen('\u{2014}', "-", 9)).unwrap();
    std::fs::remove_file(path(late)).unwrap();
    std::fs::create_dir(path(late)).unwrap();
    // And one of another history under the same keys.
    let other = sizes[middle + 1];
    let mut rewritten = world::busy(200);
    rewritten.items.remove(20);
    rewritten.items.truncate(other as usize);
    rewritten.publish();
    std::fs::write(path(middle + 1), &rewritten.checkpoints[&other]).unwrap();
    for page in [1, 1_000] {
        let report = audit(&Paged::of(dir.path(), page), &asked.options());
        for at in [early, middle, late] {
            assert_named(
                &report,
                "checkpoints",
                &format!("checkpoints/{}: ", sizes[at]),
            );
        }
        let named = format!("checkpoints/{other}: signed root");
        assert_named(&report, "checkpoint-consistency", &named);
        let failed = |name: &str| report.check(name).unwrap().failed;
        assert_eq!(
            (failed("checkpoints"), failed("checkpoint-consistency")),
            (3, 1)
        );
    }
}

#[test]
fn a_log_that_cannot_be_read_to_its_end_still_has_its_checkpoints_judged() {
    let world = busy();
    let (asked, dir) = (Asked::of(&world), written(&world));
    let whole = asked.whole(dir.path());
    let last = *world.checkpoints.keys().nth_back(1).unwrap();
    let bad = dir.path().join(format!("checkpoints/{last}"));
    std::fs::write(bad, "nothing signed").unwrap();
    let bundle = dir.path().join("tile/entries/000");
    let bytes = std::fs::read(&bundle).unwrap();
    std::fs::write(&bundle, &bytes[..bytes.len() - 9]).unwrap();
    let report = asked.whole(dir.path());
    assert_named(&report, "readable", "tile/entries/000");
    assert_named(&report, "checkpoints", &format!("checkpoints/{last}"));
    let examined = |report: &cairn_audit::Report| report.check("checkpoints").unwrap().examined;
    assert_eq!(examined(&report), examined(&whole));
}

#[test]
fn a_list_that_breaks_off_costs_no_entry_that_was_audited() {
    let world = busy();
    let (asked, dir) = (Asked::of(&world), written(&world));
    let whole = asked.whole(dir.path());
    let mut paged = Paged::of(dir.path(), 2);
    paged.breaks_after = world.checkpoints.keys().copied().find(|size| *size > 260);
    let (keeper, options) = (Memory::default(), asked.options());
    let resume = Some(Resume {
        from: None,
        keeper: &keeper,
    });
    let cut = audit_on(&paged, None, &options, resume).unwrap();
    assert_named(&cut, "readable", "the list breaks off");
    let state = keeper.last().unwrap();
    let resumed = asked.on(dir.path(), Some(&state), &keeper).unwrap();
    assert_eq!(resumed, whole);
}
