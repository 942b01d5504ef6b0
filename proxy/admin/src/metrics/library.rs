//! The metrics library, behind handles of our own: the one file that names it.
//!
//! Counters and gauges are atomics behind an `Arc`: cloning a handle is cheap, counting takes no lock. A
//! child of a family is looked up under a lock and by a hash, so whoever counts often keeps the handle.

use std::fmt;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, TextEncoder};

/// The metrics cannot be set up: two of one name, or a name that no metric may have.
#[derive(Debug)]
pub struct MetricsError(prometheus::Error);

impl fmt::Display for MetricsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the metrics cannot be set up: {}", self.0)
    }
}

impl std::error::Error for MetricsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// What a metric is called, and what it counts.
#[derive(Debug, Clone)]
#[cfg_attr(not(test), expect(dead_code, reason = "a test compares it with the document"))]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) labels: Vec<&'static str>,
    pub(crate) help: String,
}

/// A metric before it is registered: name and help.
pub(crate) type Named = (&'static str, &'static str);

/// Every metric there is.
#[derive(Default)]
pub(crate) struct Registry {
    inner: prometheus::Registry,
    described: Vec<Described>,
}

/// A number that only grows.
#[derive(Debug, Clone)]
pub(crate) struct Counter(IntCounter);

/// A number that goes up and down.
#[derive(Debug, Clone)]
pub(crate) struct Gauge(IntGauge);

/// How long things took.
#[derive(Debug, Clone)]
pub(crate) struct Histogram(prometheus::Histogram);

/// Counters that differ in the values of `N` labels.
#[derive(Debug, Clone)]
pub(crate) struct Counters<const N: usize>(IntCounterVec);

/// Gauges that differ in the values of `N` labels.
#[derive(Debug, Clone)]
pub(crate) struct Gauges<const N: usize>(IntGaugeVec);

impl Registry {
    pub(crate) fn counter(&mut self, named: Named) -> Result<Counter, MetricsError> {
        let counter = IntCounter::with_opts(opts(named)).map_err(MetricsError)?;
        self.register(named, "counter", &[], counter.clone())?;
        Ok(Counter(counter))
    }

    pub(crate) fn gauge(&mut self, named: Named) -> Result<Gauge, MetricsError> {
        let gauge = IntGauge::with_opts(opts(named)).map_err(MetricsError)?;
        self.register(named, "gauge", &[], gauge.clone())?;
        Ok(Gauge(gauge))
    }

    /// A histogram with these upper bounds, in seconds.
    pub(crate) fn histogram(&mut self, named: Named, bounds: &[f64]) -> Result<Histogram, MetricsError> {
        let options = HistogramOpts::from(opts(named)).buckets(bounds.to_vec());
        let histogram = prometheus::Histogram::with_opts(options).map_err(MetricsError)?;
        self.register(named, "histogram", &[], histogram.clone())?;
        Ok(Histogram(histogram))
    }

    pub(crate) fn counters<const N: usize>(
        &mut self,
        named: Named,
        labels: [&'static str; N],
    ) -> Result<Counters<N>, MetricsError> {
        let family = IntCounterVec::new(opts(named), &labels).map_err(MetricsError)?;
        self.register(named, "counter", &labels, family.clone())?;
        Ok(Counters(family))
    }

    pub(crate) fn gauges<const N: usize>(
        &mut self,
        named: Named,
        labels: [&'static str; N],
    ) -> Result<Gauges<N>, MetricsError> {
        let family = IntGaugeVec::new(opts(named), &labels).map_err(MetricsError)?;
        self.register(named, "gauge", &labels, family.clone())?;
        Ok(Gauges(family))
    }

    /// What the library tells of the process itself, read at each scrape.
    pub(crate) fn process(&mut self) -> Result<(), MetricsError> {
        let process = ProcessCollector::for_self();
        for description in process.desc() {
            let name = description.fq_name.clone();
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            let help = description.help.clone();
            self.described.push(Described { name, kind, labels: Vec::new(), help });
        }
        self.inner.register(Box::new(process)).map_err(MetricsError)
    }

    /// Everything registered, in that order.
    #[cfg(test)]
    pub(crate) fn described(&self) -> &[Described] {
        &self.described
    }

    /// The text format, version 0.0.4.
    pub(crate) fn text(&self) -> Result<String, MetricsError> {
        TextEncoder::new().encode_to_string(&self.inner.gather()).map_err(MetricsError)
    }

    fn register(
        &mut self,
        (name, help): Named,
        kind: &'static str,
        labels: &[&'static str],
        metric: impl Collector + 'static,
    ) -> Result<(), MetricsError> {
        let (name, help) = (name.to_owned(), help.to_owned());
        self.described.push(Described { name, kind, labels: labels.to_vec(), help });
        self.inner.register(Box::new(metric)).map_err(MetricsError)
    }
}

fn opts((name, help): Named) -> Opts {
    Opts::new(name, help)
}

impl Counter {
    pub(crate) fn inc(&self) {
        self.0.inc();
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.inc_by(count);
    }

    /// Follows a count that is kept elsewhere; only one caller at a time may do so.
    pub(crate) fn follow(&self, count: u64) {
        self.0.inc_by(count.saturating_sub(self.0.get()));
    }
}

impl Gauge {
    pub(crate) fn set(&self, value: u64) {
        self.0.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
}

impl Histogram {
    pub(crate) fn observe(&self, time: Duration) {
        self.0.observe(time.as_secs_f64());
    }
}

impl<const N: usize> Counters<N> {
    /// The counter with these values, made at need.
    pub(crate) fn with(&self, values: &[&str; N]) -> Counter {
        Counter(self.0.with_label_values(values))
    }
}

impl<const N: usize> Gauges<N> {
    /// The gauge with these values, made at need.
    pub(crate) fn with(&self, values: &[&str; N]) -> Gauge {
        Gauge(self.0.with_label_values(values))
    }

    /// Forgets every gauge of the family.
    pub(crate) fn clear(&self) {
        self.0.reset();
    }
}
