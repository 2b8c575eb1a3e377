//! Reading receipts by index, one after the other, beside the smallest exchange the server has.

use std::time::Instant;

use anyhow::{Result, bail};
use cairn_api::paths;

use cairn_tests::connection::{Address, Connection};
use cairn_tests::figures::print_times;

/// A large odd number: multiples of it, taken modulo the size, are spread over the log.
const STRIDE: u64 = 0x9E37_79B9_7F4A_7C15;

/// Receipts of `count` indices below `size`, spread over the log.
pub async fn receipts(address: &Address, count: u64, size: u64) -> Result<()> {
    if size == 0 {
        bail!("the log is empty");
    }
    let mut connection = Connection::open(address).await?;
    let health = address.get(paths::HEALTH);
    let (mut bare, mut times) = (Vec::new(), Vec::new());
    for number in 1..=count {
        let index = number.wrapping_mul(STRIDE) % size;
        let request = address.get(&paths::RECEIPT.replace("{index}", &index.to_string()));
        let begun = Instant::now();
        connection.exchange(&health).await?;
        bare.push(begun.elapsed());
        let begun = Instant::now();
        let receipt = connection.exchange(&request).await?;
        times.push(begun.elapsed());
        if !receipt.starts_with(b"c2sp.org/tlog-proof@v1\n") {
            bail!("the answer for index {index} is no receipt");
        }
    }
    print_times("primitive.http_exchange", &mut bare);
    print_times("log.receipt_by_index", &mut times);
    Ok(())
}
