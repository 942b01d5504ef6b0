//! The writing of PEM (RFC 7468).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `der` as one PEM section.
pub(crate) fn armored(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    // 48 bytes make a line of 64 characters.
    for line in der.chunks(48) {
        text.extend(line.chunks(3).flat_map(quantum));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

/// Up to three bytes as four characters (RFC 4648 section 4).
fn quantum(bytes: &[u8]) -> [char; 4] {
    let mut all = [0; 3];
    for (slot, byte) in all.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    let [first, second, third] = all.map(u32::from);
    let bits = first << 16 | second << 8 | third;
    let character = |place: u32| {
        let index = usize::try_from(bits >> (18 - 6 * place) & 0x3f).unwrap_or_default();
        char::from(ALPHABET.get(index).copied().unwrap_or(b'='))
    };
    [
        character(0),
        character(1),
        if bytes.len() > 1 { character(2) } else { '=' },
        if bytes.len() > 2 { character(3) } else { '=' },
    ]
}
