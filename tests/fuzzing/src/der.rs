//! A second reading of DER, for comparison: elements, one after the other, and as little more as will do.
//!
//! It is more lenient than any parser that it is held against: it is asked about what those accepted.

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier byte.
    pub tag: u8,
    /// What is inside.
    pub content: &'a [u8],
    /// Header and content.
    pub whole: &'a [u8],
}

/// The elements that `bytes` begin with; what cannot be read ends them.
pub fn elements(bytes: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (element, behind) = split(rest)?;
        rest = behind;
        Some(element)
    })
}

/// The first element of `bytes`.
pub fn first(bytes: &[u8]) -> Option<Element<'_>> {
    elements(bytes).next()
}

/// The part of a certificate or revocation list that is signed.
pub fn signed_part(der: &[u8]) -> Option<&[u8]> {
    Some(first(first(der)?.content)?.whole)
}

/// An element of this tag with `content`.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => der.push(short),
        _ => {
            let length = u32::try_from(content.len()).unwrap().to_be_bytes();
            der.push(0x84);
            der.extend(length);
            // The shortest form, as DER has it.
            while der[2] == 0 {
                der.remove(2);
                der[1] -= 1;
            }
        }
    }
    der.extend_from_slice(content);
    der
}

fn split(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, after_tag) = bytes.split_first()?;
    let (&short, mut content) = after_tag.split_first()?;
    let mut length = usize::from(short);
    if short >= 0x80 {
        let (long, behind) = content.split_at_checked(usize::from(short & 0x7f))?;
        if long.len() > 4 {
            return None;
        }
        length = long.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        content = behind;
    }
    let (content, behind) = content.split_at_checked(length)?;
    let whole = &bytes[..bytes.len() - behind.len()];
    Some((Element { tag, content, whole }, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_whatever_its_length() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let written = element(4, &vec![7; length]);
            let read = first(&written).unwrap();
            assert_eq!((read.tag, read.content.len(), read.whole), (4, length, written.as_slice()));
        }
        assert_eq!(element(4, &[7; 127])[..2], [4, 127]);
        assert_eq!(element(4, &[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(element(4, &[7; 256])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn what_ends_too_early_is_no_element() {
        for bytes in [&[][..], &[0x30], &[0x30, 1], &[0x30, 0x82, 1], &[0x30, 0x85, 0, 0, 0, 0, 0]] {
            assert_eq!(first(bytes), None);
        }
    }
}
