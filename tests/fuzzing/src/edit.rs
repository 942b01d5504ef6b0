//! Changes to genuine bytes, at places that the input chooses.

/// How many bytes one change takes: which part, where (two bytes), what is done, and with which byte.
pub(crate) const EDIT: usize = 5;

/// Applies as many changes as `edits` holds to `parts`.
pub(crate) fn edit(parts: &mut [Vec<u8>], edits: &[u8]) {
    for change in edits.chunks_exact(EDIT) {
        let [part, high, low, kind, byte] = *change else { continue };
        let count = parts.len().max(1);
        let Some(part) = parts.get_mut(usize::from(part) % count) else { return };
        let at = usize::from(u16::from_be_bytes([high, low])) % part.len().max(1);
        match kind % 5 {
            0 if at < part.len() => part[at] = byte,
            1 if at < part.len() => part[at] ^= 1 << (byte % 8),
            2 => part.insert(at, byte),
            3 if at < part.len() => drop(part.remove(at)),
            4 => part.truncate(at),
            _ => {}
        }
    }
}

/// Splits `data` behind its first byte, which says how many changes follow, and behind those.
pub(crate) fn edits(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((count, rest)) = data.split_first() else { return (&[], &[]) };
    rest.split_at((usize::from(count % 8) * EDIT).min(rest.len()))
}
