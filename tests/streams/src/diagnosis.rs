//! What became of a stream, told from the bytes behind the first wrong one.

use crate::checker::Fault;
use crate::stream::{CELL, Label};

/// Of how many bytes it is asked whether they are the right ones, changed in place.
const LOOK: u64 = 4096;

/// A cell in the wrong part, recognised.
struct Sighting {
    /// Where it came in the stream.
    here: u64,
    label: Label,
    /// Where it belongs.
    there: u64,
}

/// Says what is wrong with a stream whose byte at `at` was the first wrong one of `wrong`.
pub(crate) fn diagnose(label: Label, at: u64, length: u64, wrong: &[u8]) -> Fault {
    if at >= length {
        return sightings(label.run, at, wrong)
            .find(|seen| seen.label != label)
            .map_or_else(|| surplus(label, at, wrong), |seen| Fault::Foreign { at, from: seen.label });
    }
    let (same, looked) = agreement(label, at, wrong, wrong.len() as u64);
    if same * 2 >= looked {
        return Fault::Corrupted { at, length: looked - same };
    }
    let mut seen = sightings(label.run, at, wrong);
    let Some(first) = seen.next() else {
        // Too short to be recognised by a cell, but in number they are the last bytes of the stream.
        let last = looked < 2 * CELL && at + looked == length;
        return if last { Fault::Corrupted { at, length: looked - same } } else { Fault::Unknown { at } };
    };
    if first.label != label {
        return Fault::Foreign { at, from: first.label };
    }
    if first.there > first.here {
        let length = first.there - first.here;
        // What is missing here may come later.
        let late = seen.any(|it| it.label == label && it.there < first.there && it.there + CELL > at);
        return if late { Fault::Reordered { at, early: length } } else { Fault::Lost { at, length } };
    }
    let again = first.here - first.there;
    repeated(label, at, again, wrong)
}

/// Bytes that push the rest back: the sender's own once more, or of no stream.
fn repeated(label: Label, at: u64, length: u64, wrong: &[u8]) -> Fault {
    let from = at.saturating_sub(length);
    let (same, looked) = agreement(label, from, wrong, length.min(LOOK));
    if length > 0 && same == looked { Fault::Duplicated { at, length } } else { Fault::Unknown { at } }
}

/// What came after the whole stream had come.
fn surplus(label: Label, at: u64, wrong: &[u8]) -> Fault {
    let length = wrong.len() as u64;
    match repeated(label, at, length, wrong) {
        Fault::Duplicated { at, length } => Fault::Duplicated { at, length },
        _ => Fault::Surplus { at },
    }
}

/// How many of the first bytes are those that the stream has from `position` on, and of how many.
fn agreement(label: Label, position: u64, bytes: &[u8], most: u64) -> (u64, u64) {
    let looked = LOOK.min(most).min(bytes.len() as u64);
    let mut right = Vec::new();
    label.fill(position, &mut right, looked);
    let same = right.iter().zip(bytes).filter(|(right, came)| right == came).count();
    (same as u64, looked)
}

/// Every cell of this run among `bytes`, in order; the first of them came at `at`.
fn sightings(run: u64, at: u64, bytes: &[u8]) -> impl Iterator<Item = Sighting> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        while let Some(rest) = bytes.get(offset..).filter(|rest| rest.len() as u64 >= CELL) {
            let found = Label::recognise(run, rest);
            let here = at + offset as u64;
            if let Some((label, there)) = found {
                offset += usize::try_from(CELL).unwrap_or(1);
                return Some(Sighting { here, label, there });
            }
            offset += 1;
        }
        None
    })
}
