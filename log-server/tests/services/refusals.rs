//! Bad input: too long, of the wrong type, unknown, malformed.

use super::world::{World, problem};
use reqwest::StatusCode;

const JSON_ROUTES: [&str; 4] = [
    "/v1/token",
    "/v1/login/email",
    "/v1/login/code",
    "/v1/enroll",
];

#[tokio::test]
async fn bodies_that_are_no_such_json_are_refused() {
    let world = World::new().await;
    for path in JSON_ROUTES {
        let send = async |media: &str, body: String, status| {
            let call = world
                .call("POST", path)
                .header("content-type", media)
                .body(body);
            problem(call.send().await.unwrap(), status).await
        };
        let json = "application/json";
        let bad = StatusCode::BAD_REQUEST;
        let media = send(
            "text/plain",
            "{}".into(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        )
        .await;
        assert_eq!(media, "media-type", "{path}");
        for body in [
            "",
            "{",
            "{}",
            "[]",
            "null",
            r#"{"assertion":"a","assertion":"b"}"#,
        ] {
            assert_eq!(
                send(json, body.into(), bad).await,
                "malformed-body",
                "{path} {body}"
            );
        }
        let long = format!("{{\"email\":\"{}\"}}", "a".repeat(70_000));
        let long = send(json, long, StatusCode::PAYLOAD_TOO_LARGE).await;
        assert_eq!(long, "body-too-long", "{path}");
    }
    let form = world
        .call("POST", "/enroll/none/email")
        .header("content-type", "application/json");
    let answer = form.body("{}").send().await.unwrap();
    assert!(answer.status().is_client_error());
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
}

#[tokio::test]
async fn unknown_things_are_not_found() {
    let world = World::new().await;
    let token = world.admin_token().await;
    for path in [
        "/v1/events/77",
        "/v1/sessions/none",
        "/v1/nothing",
        "/v1/dist",
    ] {
        let answer = world.get(path, &token).send().await.unwrap();
        assert_eq!(
            problem(answer, StatusCode::NOT_FOUND).await,
            "not-found",
            "{path}"
        );
    }
    for path in [
        "/v1/events/01",
        "/v1/events/-1",
        "/v1/events/x",
        "/v1/events/18446744073709551616",
    ] {
        let answer = world.get(path, &token).send().await.unwrap();
        assert_eq!(
            problem(answer, StatusCode::BAD_REQUEST).await,
            "number",
            "{path}"
        );
    }
    let address = world
        .post_json("/v1/login/email", serde_json::json!({ "email": "a b" }))
        .await;
    assert_eq!(problem(address, StatusCode::BAD_REQUEST).await, "address");
    let method = world
        .call("DELETE", "/v1/me")
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert!(method.status().is_client_error());
}

#[tokio::test]
async fn answers_to_one_caller_are_kept_by_nobody() {
    let world = World::new().await;
    let token = world.admin_token().await;
    for path in [
        "/v1/me",
        "/v1/overview",
        "/v1/events",
        "/v1/policy",
        "/v1/events/77",
    ] {
        let answer = world.get(path, &token).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
        assert_eq!(
            answer.headers()["x-content-type-options"],
            "nosniff",
            "{path}"
        );
    }
}
