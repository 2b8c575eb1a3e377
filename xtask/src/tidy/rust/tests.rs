//! What counts as code, and where functions and tests begin and end.

use super::*;

fn code(text: &str) -> String {
    Source::new(text).code.iter().collect()
}

#[test]
fn comments_and_literals_are_blanked_in_place() {
    for literal in [
        "// fn x() {",
        "/* a /* nested */ { */",
        "\"{ \\\" {\"",
        "r#\"{ \" {\"#",
        "b\"{\"",
        "br##\"{ \"# \"##",
        "'{'",
        "'\\''",
        "b'{'",
    ] {
        let text = format!("let a = {literal}\n;");
        let blank = code(&text);
        assert!(!blank.contains('{'), "{literal}: {blank}");
        assert_eq!(blank.chars().count(), text.chars().count());
        assert!(blank.ends_with("\n;"), "{literal}");
    }
}

#[test]
fn lifetimes_and_names_that_end_in_a_prefix_are_code() {
    let text = "fn f<'a>(x: &'a str) -> &'a str { bar }";
    assert_eq!(code(text), text);
    assert_eq!(code("r#type"), "r#type");
}

#[test]
fn functions_are_measured_from_fn_to_brace() {
    let text = "trait T {\n    fn no_body(&self);\n}\nfn long(a: [u8; 3]) -> u8\nwhere\n    u8: Copy,\n{\n    if a { 1 } else { 2 }\n}\n";
    let found = Source::new(text).functions_outside_tests();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].name.as_str(), found[0].line, found[0].lines),
        ("long", 4, 6)
    );
}

#[test]
fn code_under_cfg_test_is_set_apart() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n#[cfg(not(test))]\nfn e() {}\n";
    let source = Source::new(text);
    let names: Vec<_> = source
        .functions_outside_tests()
        .into_iter()
        .map(|f| f.name)
        .collect();
    assert_eq!(names, ["a", "c", "d", "e"]);
    let outside: String = source
        .lines_outside_tests()
        .into_iter()
        .map(|(_, line)| line)
        .collect();
    assert!(!outside.contains("fn b") && outside.contains("fn c"));
}
