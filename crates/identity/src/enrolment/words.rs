//! Fingerprint words: four pronounceable words that stand for a device key.
//!
//! The terminal and the page show the same words; a person who compares them sees whether the page
//! belongs to the device in front of them. Each word is a proquint: 16 bits as
//! consonant-vowel-consonant-vowel-consonant. Four of them are the first 64 bits of the thumbprint.
//!
//! Source: D. S. Wilkerson, "A Proposal for Proquints" (arXiv:0901.4016).

use cairn_event::PublicKey;
use cairn_event::encoding::from_base64url;

/// How many words; 64 bits cannot be searched for while somebody reads a page.
pub const WORDS: usize = 4;

const CONSONANTS: [char; 16] = [
    'b', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z',
];
const VOWELS: [char; 4] = ['a', 'i', 'o', 'u'];

/// The words of a key, separated by spaces, for example `lusab babad gutih tugad`.
pub fn fingerprint_words(key: &PublicKey) -> String {
    let thumbprint = from_base64url(&key.kid().0).unwrap_or_default();
    let words: Vec<String> = thumbprint
        .chunks_exact(2)
        .take(WORDS)
        .map(|pair| {
            pair.iter()
                .fold(0_u16, |word, byte| word << 8 | u16::from(*byte))
        })
        .map(proquint)
        .collect();
    words.join(" ")
}

fn proquint(word: u16) -> String {
    let consonant = |shift: u16| CONSONANTS.get(usize::from(word >> shift & 15)).copied();
    let vowel = |shift: u16| VOWELS.get(usize::from(word >> shift & 3)).copied();
    [
        consonant(12),
        vowel(10),
        consonant(6),
        vowel(4),
        consonant(0),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proquints_are_those_of_the_proposal() {
        // The proposal gives 127.0.0.1 as lusab-babad and 63.84.220.193 as gutih-tugad.
        let words = [0x7f00, 0x0001, 0x3f54, 0xdcc1].map(proquint);
        assert_eq!(words, ["lusab", "babad", "gutih", "tugad"]);
    }
}
