//! Every metric is documented, and every documented metric is there.

use crate::programs::{Running, serve};
use crate::world::World;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_and_the_program_name_the_same_metrics() {
    let world = World::new();
    let server = Running::start(&mut serve(&world));
    server.grow(&world, 3, 3).await;
    server.get("/no/such/route").await;
    let answer = server.get("/metrics").await;
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = answer.text().await.unwrap();
    let mut there = BTreeSet::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        match parts[..] {
            ["#", "TYPE", name, "counter" | "gauge" | "histogram"] => {
                assert!(there.insert(name), "{name} twice");
            }
            ["#", "HELP", ..] => {}
            // A sample: a name of the family before it, perhaps labels, and a number.
            [sample, value] => {
                let name = sample.split('{').next().unwrap();
                assert!(
                    there.iter().any(|family| name.starts_with(family)),
                    "{line}"
                );
                value.parse::<f64>().unwrap();
            }
            _ => panic!("not Prometheus text: {line}"),
        }
    }
    let documented: BTreeSet<&str> = include_str!("../../../docs/operating/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.starts_with("cairn_"))
        .collect();
    assert_eq!(there, documented);
    let route = "{route=\"/v1/entries\",method=\"POST\",status=\"200\"}";
    assert!(
        text.contains(&format!("cairn_http_requests_total{route} 3")),
        "{text}"
    );
    // A path that no route takes is no label.
    assert!(!text.contains("no/such"), "{text}");
}
