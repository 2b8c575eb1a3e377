//! A process that is stopped and goes on later, and a second one that wants its folder meanwhile.

use super::office::Office;
use super::programs::{Launch, judge_running, log_alone};

#[tokio::test(flavor = "multi_thread")]
async fn i13_a_paused_server_goes_on_and_nobody_takes_its_folder_meanwhile() {
    let mut office = Office::new();
    let server = office.start(&Launch::default()).unwrap();
    assert!(office.work(&server, 2).await);
    let late = office.chain.many(4);
    server.signal("STOP");
    let refused = office.start(&Launch::default()).err().unwrap();
    assert!(
        refused.diagnostics.contains("held by process"),
        "{}",
        refused.diagnostics
    );
    // The request waits in the socket of the stopped process.
    let (answered, ()) = tokio::join!(server.submit(&late, &mut office.acknowledged), async {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        server.signal("CONT");
    });
    assert!(answered, "the request that waited was not answered");
    assert!(office.work(&server, 2).await);
    let trust = log_alone(&office.world);
    let verdict = judge_running(&server, &office.world, &trust, &office.acknowledged).await;
    assert_eq!(verdict, Ok(()));
}
