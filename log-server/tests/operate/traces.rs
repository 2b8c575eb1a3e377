//! Traces arrive at a collector (OTLP over HTTP, JSON) with the caller's trace identifier.

use crate::programs::{Running, Witness, configure, serve, submission};
use crate::world::{PATIENCE, World};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;
use tokio::sync::mpsc;

async fn collector() -> (String, mpsc::UnboundedReceiver<Value>) {
    async fn take(
        State(sender): State<mpsc::UnboundedSender<Value>>,
        body: String,
    ) -> &'static str {
        sender.send(serde_json::from_str(&body).unwrap()).unwrap();
        "{}"
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new()
        .route("/v1/traces", post(take))
        .with_state(sender);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (format!("http://{address}"), receiver)
}

fn spans(export: &Value) -> Vec<Value> {
    let resources = export["resourceSpans"].as_array().unwrap();
    let scopes = resources
        .iter()
        .flat_map(|one| one["scopeSpans"].as_array().unwrap());
    scopes
        .flat_map(|one| one["spans"].as_array().unwrap().clone())
        .collect()
}

fn attribute<'a>(span: &'a Value, name: &str) -> &'a Value {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|one| one["key"] == name);
    found.map_or(&Value::Null, |one| &one["value"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_a_trace_of_its_caller() {
    let (url, mut exports) = collector().await;
    let world = World::new();
    configure(&world.data(), &format!("[trace]\notlp = \"{url}\"\n"));
    let server = Running::start(&mut serve(&world));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let sent = submission(
        &reqwest::Client::new(),
        &server.url,
        &[world.roster()],
        "published",
    )
    .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
    .send()
    .await
    .unwrap();
    assert_eq!(sent.status(), 200);
    // What waits to be sent goes out at the end.
    let ending = tokio::task::spawn_blocking(move || server.end());
    let mut ours: Vec<Value> = Vec::new();
    while ours.len() < 2 {
        let export = tokio::time::timeout(PATIENCE, exports.recv())
            .await
            .unwrap()
            .unwrap();
        let service = export["resourceSpans"][0]["resource"].to_string();
        assert!(service.contains("cairn-server"), "{service}");
        ours.extend(
            spans(&export)
                .into_iter()
                .filter(|span| span["traceId"] == trace),
        );
    }
    ending.await.unwrap();
    let request = ours
        .iter()
        .find(|span| span["name"] == "POST /v1/entries")
        .unwrap();
    assert_eq!(request["parentSpanId"], "b7ad6b7169203331");
    assert_eq!(
        attribute(request, "http.route")["stringValue"],
        "/v1/entries"
    );
    assert_eq!(
        attribute(request, "http.response.status_code")["intValue"],
        "200"
    );
    let submit = ours.iter().find(|span| span["name"] == "submit").unwrap();
    assert_eq!(submit["parentSpanId"], request["spanId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_of_publication_and_calls_of_witnesses_are_traced() {
    let (url, mut exports) = collector().await;
    let world = World::new();
    let witness = Witness::of(&world);
    configure(&world.data(), &format!("[trace]\notlp = \"{url}\"\n"));
    let server = Running::start(&mut serve(&world));
    server.accept(&[world.roster()], "witnessed").await;
    drop(witness);
    // Another head, which nobody cosigns.
    let (_, start) = world.chain(3);
    server.submit(&[start], "sequenced").await;
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let metrics = server.get("/metrics").await.text().await.unwrap();
        let missed = metrics
            .lines()
            .find(|line| line.starts_with("cairn_quorum_missed"));
        if missed.is_some_and(|line| !line.ends_with(" 0")) {
            break;
        }
        assert!(std::time::Instant::now() < until, "{metrics}");
    }
    let ending = tokio::task::spawn_blocking(move || server.end());
    let mut all: Vec<Value> = Vec::new();
    let outcome =
        |span: &Value, outcome: &str| attribute(span, "outcome")["stringValue"] == outcome;
    let complete = |all: &[Value]| {
        let rounds = || all.iter().filter(|span| span["name"] == "publish");
        let calls = || all.iter().filter(|span| span["name"] == "cosign");
        let of = |span: &Value| rounds().any(|round| round["spanId"] == span["parentSpanId"]);
        rounds()
            .any(|span| outcome(span, "published") && attribute(span, "size")["intValue"] == "2")
            && rounds().any(|span| outcome(span, "no quorum"))
            && calls().any(|span| attribute(span, "failure").is_null() && of(span))
            && calls().any(|span| !attribute(span, "failure").is_null() && of(span))
            && calls().all(|span| attribute(span, "witness")["stringValue"] == "w1")
    };
    while !complete(&all) {
        let export = tokio::time::timeout(PATIENCE, exports.recv()).await;
        all.extend(spans(&export.unwrap().unwrap()));
    }
    ending.await.unwrap();
}
