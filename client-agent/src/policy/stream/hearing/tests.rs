//! Streams that stop, and streams that never finish, in a time that nobody waits for.

use super::*;
use cairn_api::event_stream::EventReader;
use futures_util::stream;
use tokio::time::sleep;

type Items = Pin<Box<dyn Stream<Item = Result<StreamItem, ClientError>>>>;

/// What the client makes of these pieces, each after a pause.
fn pieces(pieces: Vec<(u64, Vec<u8>)>) -> Items {
    let mut reader = EventReader::default();
    let read = stream::iter(pieces).then(|(pause, bytes)| async move {
        sleep(Duration::from_secs(pause)).await;
        bytes
    });
    Box::pin(read.flat_map(move |bytes| {
        let events = reader.feed(&bytes).unwrap();
        let mut items: Vec<_> = events
            .into_iter()
            .map(|one| Ok(StreamItem::Event(one)))
            .collect();
        if reader.is_within() {
            items.push(Ok(StreamItem::Part));
        } else if items.is_empty() {
            items.push(Ok(StreamItem::Alive));
        }
        stream::iter(items)
    }))
}

/// The same and then nothing, for ever.
fn silent_after(begun: Vec<(u64, Vec<u8>)>) -> Items {
    Box::pin(pieces(begun).chain(stream::pending()))
}

async fn begun(items: Items) -> Hearing<Pin<Box<Items>>> {
    let opening = async { Ok(items) };
    begin(opening, Patience::default()).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_dies_without_a_word_is_noticed_after_two_heartbeats() {
    let mut hearing = begun(silent_after(vec![(0, b": here\n\n".to_vec())])).await;
    let began = Instant::now();
    assert!(matches!(hearing.next().await, Ok(Heard::Silent)));
    assert_eq!(began.elapsed(), SILENCE);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_a_stream_alive() {
    let heartbeat = || (STREAM_HEARTBEAT.as_secs(), b":\n\n".to_vec());
    let mut hearing = begun(pieces((0..1_000).map(|_| heartbeat()).collect())).await;
    assert!(matches!(hearing.next().await, Ok(Heard::Ended)));
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_is_no_event() {
    let text = format!(": here\n\nevent: policy\ndata: {}\n\n", "x".repeat(1_000));
    let slow = text.bytes().map(|byte| (1, vec![byte])).collect();
    let mut hearing = begun(pieces(slow)).await;
    let began = Instant::now();
    assert!(matches!(hearing.next().await, Ok(Heard::Trickles)));
    // The comment came whole; the event had begun a second later.
    assert_eq!(began.elapsed(), EVENT + Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn an_event_in_pieces_that_comes_in_time_is_told() {
    let halves = vec![
        (0, b"event: policy\nda".to_vec()),
        (EVENT.as_secs() - 1, b"ta: {}\n\nevent: ros".to_vec()),
        (EVENT.as_secs() - 1, b"ter\ndata: 1\n\n".to_vec()),
    ];
    let mut hearing = begun(silent_after(halves)).await;
    for name in ["policy", "roster"] {
        let heard = hearing.next().await.unwrap();
        assert!(
            matches!(&heard, Heard::Event(event) if event.event == name),
            "{heard:?}"
        );
    }
    assert!(matches!(hearing.next().await, Ok(Heard::Silent)));
}

/// Something else may have to be done in the middle of waiting.
#[tokio::test(start_paused = true)]
async fn waiting_that_is_broken_off_loses_nothing() {
    let late = vec![
        (0, b": here\n\n".to_vec()),
        (5, b"event: policy\ndata: 1\n\n".to_vec()),
    ];
    let mut hearing = begun(silent_after(late)).await;
    let began = Instant::now();
    for _ in 0..4 {
        let broken = timeout(Duration::from_secs(1), hearing.next()).await;
        assert!(broken.is_err());
    }
    assert!(matches!(hearing.next().await, Ok(Heard::Event(_))));
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    let left = timeout(SILENCE / 2, hearing.next()).await;
    assert!(left.is_err());
    assert!(matches!(hearing.next().await, Ok(Heard::Silent)));
    assert_eq!(began.elapsed(), Duration::from_secs(5) + SILENCE);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_begin_is_none() {
    let began = Instant::now();
    let never = || async { Ok(silent_after(Vec::new())) };
    assert!(begin(never(), Patience::default()).await.unwrap().is_none());
    assert_eq!(began.elapsed(), FIRST);
    let ended = async { Ok(pieces(Vec::new())) };
    assert!(begin(ended, Patience::default()).await.unwrap().is_none());
}
