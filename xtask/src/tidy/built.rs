//! What is built is not kept: a program in the repository is one that nobody can read.

use super::{Fault, Tree};

pub fn check(tree: &Tree) -> Vec<Fault> {
    let fault = |path: &String| Fault::new(path, 0, "is a built program: remove it");
    tree.programs.iter().map(fault).collect()
}
