//! The description of the surface is the surface: no route without a description, and no
//! description without a route.

use super::world::{World, expect};
use cairn_server::services::surface::ROUTES;
use reqwest::StatusCode;
use serde_json::Value;
use std::collections::BTreeSet;

const PATHS: &str = include_str!("../../../crates/api/src/paths.rs");

fn described(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase(), path.clone()))
    });
    operations.collect()
}

#[tokio::test]
async fn every_description_has_its_route_and_every_route_its_description() {
    let world = World::new().await;
    let answer = world.call("GET", "/openapi.json").send().await.unwrap();
    let document = expect(answer, StatusCode::OK).await;
    assert_eq!(document["openapi"], "3.1.0");
    let described = described(&document);

    for route in ROUTES {
        let key = (route.method.to_owned(), route.path.to_owned());
        assert!(
            described.contains(&key),
            "{} {} is not described",
            route.method,
            route.path
        );
    }
    let constants = PATHS.lines().filter_map(|line| {
        let (_, value) = line.strip_prefix("pub const ")?.split_once(": &str = \"")?;
        Some(value.trim_end_matches("\";").replace("{*path}", "{path}"))
    });
    let paths: BTreeSet<String> = described.iter().map(|(_, path)| path.clone()).collect();
    for path in constants {
        assert!(paths.contains(&path), "{path} is not described");
    }

    for (method, path) in &described {
        let filled = path
            .replace("{path}", "0/000")
            .replace("{sha256}", &"0".repeat(64))
            .replace("{leaf}", &"0".repeat(64))
            .replace("{index}", "0")
            .replace("{bundle}", "0")
            .replace("{size}", "0");
        let filled = filled
            .replace("{id}", "none")
            .replace("{session}", "none")
            .replace("{name}", "none");
        let answer = world.call(method, &filled).send().await.unwrap();
        let status = answer.status();
        assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        // Streams never end; they have answered with their head already.
        if status == StatusCode::NOT_FOUND {
            let text = answer.text().await.unwrap();
            assert!(
                !text.contains("there is no such route"),
                "{method} {path}: {text}"
            );
            assert!(
                !text.contains("there is no such file"),
                "{method} {path}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_is_told_all_that_are() {
    let world = World::new().await;
    let document: Value = serde_json::from_str(cairn_server::services::openapi::DOCUMENT).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        let mut wanted: BTreeSet<String> = item
            .as_object()
            .unwrap()
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        if wanted.contains("GET") {
            wanted.insert("HEAD".to_owned());
        }
        let filled = path.replace("{path}", "0/000");
        let filled = filled.replace(['{', '}'], "");
        let answer = world.call("DELETE", &filled).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allow = answer.headers()["allow"].to_str().unwrap();
        let allowed: BTreeSet<String> = allow.split(',').map(|one| one.trim().to_owned()).collect();
        assert_eq!(allowed, wanted, "{path}");
    }
}

#[tokio::test]
async fn what_needs_a_token_says_so() {
    use cairn_server::services::access::Access;
    let document: Value = serde_json::from_str(cairn_server::services::openapi::DOCUMENT).unwrap();
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        let secured = operation["security"].to_string().contains("accessToken");
        let asks = matches!(route.access, Access::AnyToken | Access::Roles(_));
        assert_eq!(secured, asks, "{} {}", route.method, route.path);
        if let Access::Roles(roles) = route.access {
            let words = operation["description"].as_str().unwrap();
            for role in roles {
                assert!(
                    words.contains(role.as_str()),
                    "{} {}",
                    route.method,
                    route.path
                );
            }
        }
    }
}
