//! The rules of the house, as a test: the same checks as `cargo xtask tidy`.

#[test]
fn the_repository_is_tidy() {
    let found = xtask::tidy::faults(&xtask::context::checkout()).unwrap();
    let lines: Vec<String> = found
        .iter()
        .flat_map(|(check, faults)| faults.iter().map(move |fault| format!("{check}: {fault}")))
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}
