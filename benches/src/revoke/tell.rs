//! What was measured, in lines and as a table.

use std::fmt;
use std::time::Duration;

use super::events::Report;
use super::scene::Change;

/// One change, and what became of every connection.
pub(super) struct Measured {
    pub(super) change: Change,
    /// How many doomed there were, and how many bystanders.
    pub(super) half: usize,
    /// When SIGHUP was sent, in nanoseconds since 1970.
    pub(super) signal: u64,
    /// When the change was in force.
    pub(super) in_force: u64,
    /// How long the gateway looked at all open connections.
    pub(super) swept: Duration,
    /// The gateway's processor time from the signal to the last reset.
    pub(super) cpu: Duration,
    /// By the clients, then by the endpoint.
    pub(super) seen: Vec<Report>,
    /// Bystanders that carried a byte there and back afterwards.
    pub(super) proven: usize,
}

/// Milliseconds: the median, the 99th percentile and the last.
struct Spread {
    p50: f64,
    p99: f64,
    last: f64,
}

impl Measured {
    /// No survivor, none ended but by a reset, and every bystander lives.
    pub(super) fn is_clean(&self) -> bool {
        self.survivors() == 0 && self.lost() == 0 && self.proven == self.half
    }

    /// Doomed that were not reset, at the end that saw more of them.
    fn survivors(&self) -> usize {
        self.seen.iter().map(|end| self.half.saturating_sub(end.cut_at.len())).max().unwrap_or(self.half)
    }

    fn lost(&self) -> usize {
        self.seen.iter().map(|end| end.lost).sum()
    }

    fn both(&self) -> Vec<&Report> {
        self.seen.iter().collect()
    }

    fn reload(&self) -> f64 {
        milliseconds(Duration::from_nanos(self.in_force.saturating_sub(self.signal)))
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (change, signal) = (spread(self.in_force, &self.both()), spread(self.signal, &self.both()));
        write!(
            f,
            "{}: in force after {:.1} ms; from the change p50 {:.1} p99 {:.1} last {:.1} ms; \
             from the signal p99 {:.1} ms; looked {:.1} ms; CPU {:.0} ms; {} survivors, {} bystanders cut, {} alive",
            self.change,
            self.reload(),
            change.p50,
            change.p99,
            change.last,
            signal.p99,
            milliseconds(self.swept),
            milliseconds(self.cpu),
            self.survivors(),
            self.lost(),
            self.proven,
        )
    }
}

/// From `zero` to each reset, as these ends saw them.
fn spread(zero: u64, ends: &[&Report]) -> Spread {
    let mut all: Vec<u64> =
        ends.iter().flat_map(|end| &end.cut_at).map(|at| at.saturating_sub(zero)).collect();
    all.sort_unstable();
    let rank = |share: usize| {
        let index = (all.len() * share).div_ceil(100).saturating_sub(1);
        all.get(index).map_or(f64::NAN, |nanos| milliseconds(Duration::from_nanos(*nanos)))
    };
    Spread { p50: rank(50), p99: rank(99), last: rank(100) }
}

/// For each change and end the median of the rounds, with the least and the most of them.
pub(super) fn table(all: &[Measured]) -> String {
    let mut lines = vec![
        "| change | seen by | p50 | p99 | last | p99 from SIGHUP | reload | look | CPU | survivors | bystanders cut |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for change in Change::ALL {
        let rounds: Vec<&Measured> = all.iter().filter(|run| run.change == change).collect();
        for (index, end) in ["client", "endpoint"].into_iter().enumerate() {
            let of = |part: &dyn Fn(&Measured, &[&Report]) -> f64| {
                let values = rounds.iter().map(|run| {
                    let seen: Vec<&Report> = run.seen.get(index).into_iter().collect();
                    part(run, &seen)
                });
                middle(values.collect())
            };
            lines.push(format!(
                "| {change} | {end} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                of(&|run, seen| spread(run.in_force, seen).p50),
                of(&|run, seen| spread(run.in_force, seen).p99),
                of(&|run, seen| spread(run.in_force, seen).last),
                of(&|run, seen| spread(run.signal, seen).p99),
                of(&|run, _| run.reload()),
                of(&|run, _| milliseconds(run.swept)),
                of(&|run, _| milliseconds(run.cpu)),
                rounds.iter().map(|run| run.survivors()).sum::<usize>(),
                rounds.iter().map(|run| run.lost()).sum::<usize>(),
            ));
        }
    }
    lines
        .push(format!("\nMilliseconds: median (least to most) of {} rounds.", all.len() / Change::ALL.len()));
    lines.join("\n")
}

fn middle(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    format!("{:.1} ({:.1} to {:.1})", at(values.len() / 2), at(0), at(values.len().saturating_sub(1)))
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(cut_at: &[u64]) -> Report {
        let mut report = Report::default();
        report.cut_at.extend_from_slice(cut_at);
        report
    }

    fn measured(cut_at: &[u64], proven: usize) -> Measured {
        Measured {
            change: Change::Grant,
            half: 2,
            signal: 0,
            in_force: 1_000_000,
            swept: Duration::ZERO,
            cpu: Duration::ZERO,
            seen: vec![seen(cut_at), seen(&[2_000_000, 3_000_000])],
            proven,
        }
    }

    #[test]
    fn a_survivor_a_lost_bystander_and_one_that_does_not_answer_are_each_noticed() {
        assert!(measured(&[2_000_000, 4_000_000], 2).is_clean());
        assert!(!measured(&[2_000_000], 2).is_clean());
        assert!(!measured(&[2_000_000, 4_000_000], 1).is_clean());
        let mut lost = measured(&[2_000_000, 4_000_000], 2);
        lost.seen[1].lost = 1;
        assert!(!lost.is_clean());
    }

    #[test]
    fn times_count_from_the_change_or_from_the_signal() {
        let run = measured(&[2_000_000, 4_000_000], 2);
        let told = spread(run.in_force, &[&run.seen[0]]);
        assert_eq!([told.p50, told.p99, told.last].map(|it| it.to_string()), ["1", "3", "3"]);
        assert_eq!(spread(run.signal, &run.both()).p50.to_string(), "2");
        assert_eq!(middle(vec![3.0, 1.0, 2.0]), "2.0 (1.0 to 3.0)");
    }
}
