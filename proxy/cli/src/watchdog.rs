//! Whether every worker comes round: one that hangs, in a deadlock or an endless loop, serves nobody and cannot say so.
//!
//! Each worker beats from its own runtime, once in a while, and is looked at as often from the control runtime. It hangs
//! once it has not beaten for thirty looks on end. No clock is read here: where all of the process stands still,
//! because it was stopped or gets no processor time, nobody looks either.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// So many looks without a beat make a worker one that hangs.
const LOOKS: u32 = 30;
/// What stands in place of the number of beats of a worker that has ended.
const ENDED: u64 = u64::MAX;

/// The watch over all workers.
pub(crate) struct Watchdog {
    every: Duration,
    workers: Vec<Seen>,
    hanging: Arc<AtomicU64>,
}

/// A worker's own part; dropping it says that the worker has ended.
pub(crate) struct Pulse {
    every: Duration,
    beats: Arc<AtomicU64>,
}

/// What was seen of a worker.
struct Seen {
    beats: Arc<AtomicU64>,
    last: u64,
    /// How many looks there were since its last beat.
    looks: u32,
}

impl Watchdog {
    /// For so many workers, each of which hangs once it has not come round for `patience`. What is returned beside the
    /// watchdog belongs to the workers.
    pub(crate) fn new(workers: NonZeroUsize, patience: Duration) -> (Self, Vec<Pulse>) {
        let every = patience / LOOKS;
        let pulses: Vec<Pulse> =
            (0..workers.get()).map(|_| Pulse { every, beats: Arc::new(AtomicU64::new(0)) }).collect();
        let seen = |pulse: &Pulse| Seen { beats: pulse.beats.clone(), last: 0, looks: 0 };
        let workers = pulses.iter().map(seen).collect();
        (Self { every, workers, hanging: Arc::default() }, pulses)
    }

    /// How many workers hang, from now on.
    pub(crate) fn hanging(&self) -> Arc<AtomicU64> {
        self.hanging.clone()
    }

    /// Watches until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut look = turns(self.every);
        loop {
            look.tick().await;
            self.look();
        }
    }

    fn look(&mut self) {
        let mut hanging = 0;
        for (index, worker) in self.workers.iter_mut().enumerate() {
            let beats = worker.beats.load(Ordering::Relaxed);
            if beats != worker.last || beats == ENDED {
                if worker.looks >= LOOKS {
                    tracing::warn!(worker = index, "a worker that hung goes on");
                }
                (worker.last, worker.looks) = (beats, 0);
                continue;
            }
            worker.looks = worker.looks.saturating_add(1);
            hanging += u64::from(worker.looks >= LOOKS);
            if worker.looks == LOOKS {
                let since_s = (self.every * LOOKS).as_secs_f32();
                tracing::error!(worker = index, since_s, "a worker hangs; liveness fails until it goes on");
            }
        }
        self.hanging.store(hanging, Ordering::Relaxed);
    }
}

impl Pulse {
    /// Beats for as long as the runtime that this runs on comes round.
    pub(crate) async fn beat(&self) -> ! {
        let mut turn = turns(self.every);
        loop {
            turn.tick().await;
            self.beats.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.beats.store(ENDED, Ordering::Relaxed);
    }
}

/// Turns that are not made up for: after a pause of everything there is one of each, and not a hundred.
fn turns(every: Duration) -> Interval {
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::time::advance;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn watchdog(workers: usize) -> (Watchdog, Vec<Pulse>) {
        Watchdog::new(NonZeroUsize::new(workers).unwrap(), PATIENCE)
    }

    fn looks(watchdog: &mut Watchdog, count: u32) -> u64 {
        (0..count).for_each(|_| watchdog.look());
        watchdog.hanging.load(Ordering::Relaxed)
    }

    fn beat(pulse: &Pulse) {
        pulse.beats.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn a_worker_hangs_after_thirty_looks_without_a_beat_until_it_beats_again() {
        let (mut watchdog, pulses) = watchdog(2);
        pulses.iter().for_each(beat);
        assert_eq!(looks(&mut watchdog, LOOKS), 0, "the first look saw a beat");
        beat(&pulses[0]);
        assert_eq!(looks(&mut watchdog, 1), 1, "the other one");
        assert_eq!(looks(&mut watchdog, LOOKS - 1), 1);
        assert_eq!(looks(&mut watchdog, 1), 2);
        beat(&pulses[1]);
        assert_eq!(looks(&mut watchdog, 1), 1);
    }

    #[test]
    fn a_worker_that_never_came_round_hangs_and_one_that_has_ended_does_not() {
        let (mut watchdog, mut pulses) = watchdog(2);
        drop(pulses.remove(0));
        assert_eq!(looks(&mut watchdog, 10 * LOOKS), 1);
        drop(pulses);
        assert_eq!(looks(&mut watchdog, 10 * LOOKS), 0);
    }

    #[test]
    fn a_pause_of_everything_is_no_hang_however_long_and_a_pause_of_one_is() {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (watchdog, mut pulses) = watchdog(2);
            let hanging = watchdog.hanging();
            let (still, beating) = (pulses.pop().unwrap(), pulses.pop().unwrap());
            beat(&still);
            tokio::spawn(async move { beating.beat().await });
            tokio::spawn(watchdog.run());
            for _ in 0..3 {
                // As the monotonic clock goes on while a process is stopped.
                tokio::task::yield_now().await;
                advance(PATIENCE * 100).await;
                assert_eq!(hanging.load(Ordering::Relaxed), 0);
            }
            while hanging.load(Ordering::Relaxed) == 0 {
                advance(PATIENCE / LOOKS).await;
            }
            assert_eq!(hanging.load(Ordering::Relaxed), 1);
            beat(&still);
            while hanging.load(Ordering::Relaxed) == 1 {
                advance(PATIENCE / LOOKS).await;
            }
            assert_eq!(hanging.load(Ordering::Relaxed), 0);
        });
    }
}
