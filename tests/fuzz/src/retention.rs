//! What a log says of its pruning, and what it gives of a bundle that was thinned.

use cairn_identity::retention::{Retention, read_thinned, thinned};

/// What is left of a bundle is written back as it was read: nothing is left over, nothing is there twice.
pub fn kept(data: &[u8]) {
    let Ok(kept) = read_thinned(data) else {
        return;
    };
    let bytes: usize = kept.values().map(|entry| entry.len() + 3).sum();
    assert_eq!(bytes, data.len());
    let again = thinned(kept.iter().map(|(position, entry)| (*position, *entry)));
    assert_eq!(again.as_deref(), Ok(data));
    // The same entries in another order, or one of them twice, are no second spelling.
    if kept.len() > 1 {
        let back = kept.iter().rev();
        let back = back.map(|(position, entry)| (*position, *entry));
        assert!(thinned(back).is_err());
        assert!(read_thinned(&[data, data].concat()).is_err());
    }
}

/// Pruned ranges that are believed make up the entries below the minimum index, each of them once.
pub fn retention(data: &[u8]) {
    let Ok(read) = serde_json::from_slice::<Retention>(data) else {
        return;
    };
    let Ok(text) = serde_json::to_vec(&read) else {
        return;
    };
    let again = serde_json::from_slice::<Retention>(&text);
    assert!(again.is_ok_and(|again| again == read));
    if read.check_form().is_err() {
        return;
    }
    let below: u64 = read.pruned.iter().map(|range| range.to - range.from).sum();
    assert_eq!(below, read.minimum_index);
    assert!(read.minimum_index.is_multiple_of(256));
    assert!(read.pruned.is_sorted_by(|one, next| one.to == next.from));
}
