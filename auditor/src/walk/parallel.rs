//! Mapping a slice on every core.

/// Maps a slice on every core, keeping its order.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], map: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let part = items.len().div_ceil(cores).max(1);
    if items.len() < 2 * cores {
        return items.iter().map(map).collect();
    }
    let map = &map;
    std::thread::scope(|scope| {
        let workers: Vec<_> = items
            .chunks(part)
            .map(|chunk| {
                (
                    chunk,
                    scope.spawn(move || chunk.iter().map(map).collect::<Vec<R>>()),
                )
            })
            .collect();
        let mut results = Vec::with_capacity(items.len());
        for (chunk, worker) in workers {
            // A worker that died is done again here, where its panic is the caller's.
            results.extend(
                worker
                    .join()
                    .unwrap_or_else(|_| chunk.iter().map(map).collect()),
            );
        }
        results
    })
}
