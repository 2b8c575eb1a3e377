//! The end of a pack: small tables, results of the control tests, and the manifest over all of it.
//!
//! Source: `docs/formats/pack.md`, "Manifest" and "Controls".

use super::parquet::{WriteError, write_table};
use super::{Export, ExportError, Summary, Written};
use crate::catalogue::Catalogue;
use cairn_audit::controls::Verdicts;
use cairn_audit::evidence::tables::ParamRow;
use cairn_audit::pack::derived;
use cairn_audit::pack::manifest::{FORMAT, Manifest, RangeOf, SCHEMA, Totals, TreeOf};
use cairn_audit::pack::names;
use cairn_event::Sha256;

impl Export<'_> {
    pub(super) fn params(&self) -> Vec<ParamRow> {
        let given = self.options.params.iter();
        let mut rows: Vec<ParamRow> = given
            .map(|(name, value)| ParamRow {
                name: name.clone(),
                value: value.clone(),
            })
            .collect();
        rows.sort_by(|left, right| left.name.cmp(&right.name));
        rows
    }

    pub(super) fn finish(mut self, written: Written) -> Result<Summary, ExportError> {
        let tables = written.walked.tables;
        for (name, batch) in tables
            .small()
            .map_err(|error| ExportError::Table("data".to_owned(), WriteError::Arrow(error)))?
        {
            let file = names::table(name);
            write_table(&self.folder.path(&file), &batch)
                .map_err(|error| ExportError::Table(file.clone(), error))?;
            self.folder.list(&file)?;
        }
        let verdicts = Verdicts {
            range_proven: true,
            totals_agree: true,
            begins_at_checkpoint: self.range.start == 0 || self.log.at(self.range.start).is_some(),
            ends_at_checkpoint: self.log.at(self.range.end).is_some(),
            ..written.walked.verdicts
        };
        let catalogue = Catalogue::embedded()?;
        let results = catalogue.run(self.options.framework, &tables, &verdicts);
        for (name, bytes) in derived::files(&results)? {
            self.folder.write(name, &bytes)?;
        }
        let manifest = self.manifest(catalogue.frameworks(self.options.framework), written.totals);
        let bytes = manifest.to_bytes()?;
        let pack_root = Sha256::of(&bytes);
        self.folder.finish(&bytes)?;
        Ok(Summary {
            pack_root,
            manifest,
        })
    }

    fn manifest(&self, frameworks: Vec<String>, totals: Totals) -> Manifest {
        let tools = [
            ("cairn-export", env!("CARGO_PKG_VERSION")),
            ("parquet-pages", "1.0"),
            ("parquet-compression", "zstd-3"),
        ];
        let named = |(name, version): (&str, &str)| (name.to_owned(), version.to_owned());
        Manifest {
            files: self.folder.files(),
            format: FORMAT.to_owned(),
            frameworks,
            genesis: Sha256(self.options.genesis.0),
            origin: self.log.origin.clone(),
            range: RangeOf {
                start: self.range.start,
                end: self.range.end,
            },
            schema: SCHEMA,
            tools: tools.into_iter().map(named).collect(),
            totals,
            tree: TreeOf {
                root: Sha256(self.tree.root.0),
                size: self.tree.size,
            },
        }
    }
}
