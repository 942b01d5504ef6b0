//! Streams that are checked byte by byte.

use std::io;

use landbridge_testkit::wire::noise;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How much is written or compared at a time.
const PIECE: usize = 16 * 1024;

/// How many bytes, and the seeds that they follow from, each way.
#[derive(Clone, Copy)]
pub(crate) struct Script {
    pub(crate) size: usize,
    pub(crate) ours: u64,
    pub(crate) theirs: u64,
}

impl Script {
    pub(crate) fn new(size: usize) -> Self {
        Self { size, ours: 1, theirs: 2 }
    }

    /// The same, as the other end has it.
    pub(crate) fn other_end(self) -> Self {
        Self { size: self.size, ours: self.theirs, theirs: self.ours }
    }
}

/// Sends and expects at the same time what the script says, each way to a clean end.
pub(crate) async fn exchange<S>(stream: S, script: Script) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
{
    let (mut from, mut to) = tokio::io::split(stream);
    let sending = async {
        for piece in noise(script.size, script.ours).chunks(PIECE) {
            to.write_all(piece).await?;
        }
        to.shutdown().await
    };
    let ((), ()) = tokio::try_join!(sending, expect(&mut from, script))?;
    Ok(())
}

/// Expects what the other end of the script sends, and then a clean end.
async fn expect<S: AsyncRead + Unpin>(from: &mut S, script: Script) -> io::Result<()> {
    let expected = noise(script.size, script.theirs);
    let (mut at, mut piece) = (0, vec![0; PIECE]);
    loop {
        let count = from.read(&mut piece).await?;
        if count == 0 {
            assert_eq!(at, script.size, "ended cleanly before all of it was there");
            return Ok(());
        }
        assert!(at + count <= script.size, "more than was sent: {}", at + count);
        assert!(
            expected[at..at + count] == piece[..count],
            "not what was sent, within {count} bytes from {at}"
        );
        at += count;
    }
}
