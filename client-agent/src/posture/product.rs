//! The table of endpoint protection products.
//!
//! Owns its form and its checks. The table is data beside the code, so that a product's new name
//! needs no release.
//!
//! Source: `products.toml`, the vendors' installation documents.

use std::path::PathBuf;

use cairn_event::Sha256;
use serde::Deserialize;

/// The most bytes of a process name the kernel keeps (`TASK_COMM_LEN` without the final zero).
pub(super) const PROCESS_NAME_BYTES: usize = 15;

/// The most products in a table: the built-in one has sixteen.
const PRODUCTS_MAX: usize = 256;

/// Reports why a product table was refused.
#[derive(Debug, thiserror::Error)]
pub enum ProductTableError {
    /// The text is not TOML of this form.
    #[error("the product table cannot be read")]
    Form(#[source] toml::de::Error),
    /// The table is longer than a table may be.
    #[error("{count} products are more than {PRODUCTS_MAX}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A product could never be found, or anything would be taken for it.
    #[error("product `{id}` has an empty name, unit or folder, or no process")]
    Incomplete {
        /// The product's identifier.
        id: String,
    },
    /// A folder is not an absolute path.
    #[error("product `{id}` has the relative folder `{dir}`", dir = dir.display())]
    RelativeDir {
        /// The product's identifier.
        id: String,
        /// The folder.
        dir: PathBuf,
    },
}

/// Whether finding a product counts as protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProductClass {
    /// It prevents or detects.
    Protection,
    /// It only records; it is named and does not count.
    Telemetry,
}

/// One product as it looks on Linux.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Stable identifier, shown as the source of the finding.
    pub id: String,
    /// Whether it counts.
    pub class: ProductClass,
    /// Process names; only the first 15 bytes of each can be compared.
    pub process: Vec<String>,
    /// Service units that run it.
    pub unit: Vec<String>,
    /// Folders that hold its executables.
    pub dir: Vec<PathBuf>,
    /// Digests of executables the organisation expects; empty where none is pinned.
    #[serde(default)]
    pub exe_sha256: Vec<Sha256>,
}

/// All products looked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductTable {
    #[serde(rename = "product")]
    products: Vec<Product>,
}

impl ProductTable {
    /// Reads a table.
    ///
    /// # Errors
    /// [`ProductTableError`] names the first product that is not usable; correct the table.
    pub fn parse(text: &str) -> Result<Self, ProductTableError> {
        let table: Self = toml::from_str(text).map_err(ProductTableError::Form)?;
        let count = table.products.len();
        if count > PRODUCTS_MAX {
            return Err(ProductTableError::TooMany { count });
        }
        table.products.iter().try_for_each(check)?;
        Ok(table)
    }

    /// Reads the table that ships with this program.
    ///
    /// # Errors
    /// As [`ProductTable::parse`]; a test holds that it does not happen.
    pub fn built_in() -> Result<Self, ProductTableError> {
        Self::parse(include_str!("products.toml"))
    }

    /// Returns the products in table order.
    #[must_use]
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// Returns the product a process name belongs to, by the bytes of it that the kernel keeps.
    #[must_use]
    pub fn by_process_name(&self, name: &str) -> Option<&Product> {
        self.products
            .iter()
            .find(|product| product.process.iter().any(|p| kept(p) == name))
    }
}

/// Returns the part of a process name that the kernel keeps.
fn kept(name: &str) -> &str {
    name.get(..PROCESS_NAME_BYTES).unwrap_or(name)
}

fn check(product: &Product) -> Result<(), ProductTableError> {
    let names = product.process.iter().chain(&product.unit);
    let empty = names.clone().any(String::is_empty)
        || product.id.is_empty()
        || product.process.is_empty()
        || product.dir.iter().any(|dir| dir.parent().is_none());
    if let Some(dir) = product
        .dir
        .iter()
        .find(|dir| !dir.as_os_str().is_empty() && dir.is_relative())
    {
        return Err(ProductTableError::RelativeDir {
            id: product.id.clone(),
            dir: dir.clone(),
        });
    }
    if empty {
        return Err(ProductTableError::Incomplete {
            id: product.id.clone(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_usable() {
        let table = ProductTable::built_in().unwrap();
        assert!(table.products().len() >= 12);
        let falcon = table.by_process_name("falcon-sensor-b").unwrap();
        assert_eq!(falcon.id, "crowdstrike-falcon");
        assert!(table.by_process_name("falcon").is_none());
        assert!(table.by_process_name("").is_none());
    }

    #[test]
    fn unusable_products_are_refused() {
        let product = |process: &str, dir: &str| {
            format!(
                "[[product]]\nid = \"x\"\nclass = \"protection\"\nprocess = {process}\n\
                 unit = []\ndir = {dir}\n"
            )
        };
        let parse = |process, dir| ProductTable::parse(&product(process, dir));
        assert!(parse("[\"p\"]", "[\"/opt/p\"]").is_ok());
        assert!(matches!(
            parse("[]", "[]"),
            Err(ProductTableError::Incomplete { .. })
        ));
        assert!(matches!(
            parse("[\"\"]", "[]"),
            Err(ProductTableError::Incomplete { .. })
        ));
        assert!(matches!(
            parse("[\"p\"]", "[\"/\"]"),
            Err(ProductTableError::Incomplete { .. })
        ));
        assert!(matches!(
            parse("[\"p\"]", "[\"opt\"]"),
            Err(ProductTableError::RelativeDir { .. })
        ));
        assert!(matches!(
            ProductTable::parse("x = 1"),
            Err(ProductTableError::Form(_))
        ));
    }
}
