//! One endpoint changes, again and again, while streams go on.

use std::time::{Duration, Instant};

use super::figures::Figures;
use super::probe::{Door, Endpoints, Pings, rest};

/// Streams that go on meanwhile.
const STREAMS: usize = 8;

/// What is changed, and how long it is left alone in between.
pub(super) struct Changes<'a> {
    pub(super) step: &'static str,
    pub(super) door: &'a Door,
    pub(super) endpoints: &'a Endpoints,
    pub(super) count: usize,
    pub(super) rest: Duration,
}

impl Changes<'_> {
    /// Makes changes by `make`, which says when it began; then lets as much time go by without any.
    ///
    /// The gateway must be at the first endpoint, and is at the end if the number of changes is even.
    pub(super) fn measure(
        &self,
        figures: &mut Figures,
        mut make: impl FnMut(std::net::SocketAddr) -> anyhow::Result<Instant>,
    ) -> anyhow::Result<()> {
        let pings = Pings::start(self.door, STREAMS)?;
        let began = Instant::now();
        let mut times = Vec::new();
        for (address, letter) in self.endpoints.each.iter().cycle().skip(1).take(self.count) {
            let since = make(*address)?;
            times.push(self.door.reaches(*letter, since)?);
            rest(self.rest);
        }
        let took = began.elapsed();
        figures.times(self.step, "change of one endpoint, to a new connection", times);
        figures.times(self.step, "round trip of a live stream meanwhile", pings.end()?);

        let pings = Pings::start(self.door, STREAMS)?;
        let began = Instant::now();
        // New connections as before, so that nothing but the changes is missing.
        while began.elapsed() < took {
            self.door.letter()?;
            rest(self.rest);
        }
        figures.times(self.step, "round trip of a live stream without changes", pings.end()?);
        Ok(())
    }
}
