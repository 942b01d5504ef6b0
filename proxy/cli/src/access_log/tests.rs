//! Lines arrive whole and in order, or are counted; and nobody waits.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

/// Ample for a writer on a busy machine; no test waits for it in the ordinary.
const AMPLE: Duration = Duration::from_secs(60);

/// A folder of its own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("landbridge-access-log-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A clock that stands until it is set.
#[derive(Clone)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn at(second: u64) -> Self {
        Self(Arc::new(AtomicU64::new(second)))
    }

    fn set(&self, second: u64) {
        self.0.store(second, Ordering::SeqCst);
    }

    fn reading(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static {
        let clock = self.0.clone();
        move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::SeqCst))
    }
}

impl AccessLog {
    fn flush(&self) {
        let shared = self.shared.as_ref().unwrap();
        shared.turn_flood();
        assert!(shared.queue.flush(AMPLE));
    }
}

fn log_to(target: Target, clock: &Clock) -> AccessLog {
    AccessLog::start(target, Format::Json, Place::default(), clock.reading()).unwrap()
}

fn log_to_file(path: &Path, clock: &Clock) -> AccessLog {
    log_to(Target::file(path).unwrap(), clock)
}

fn log_to_fd(fd: impl Into<OwnedFd>) -> AccessLog {
    log_to(File::from(fd.into()).into(), &Clock::at(7))
}

fn outcome(connection_id: u64, reason: Reason) -> Outcome {
    let address = "192.0.2.1:1".parse().unwrap();
    Outcome {
        connection_id,
        reason,
        error: None,
        started: SystemTime::UNIX_EPOCH,
        duration: Duration::ZERO,
        downstream_remote: address,
        downstream_local: address,
        sni: None,
        service: None,
        mode: None,
        peer: None,
        tls: None,
        handshake: None,
        upstream: None,
        received: 0,
        sent: 0,
        would_deny: false,
        generation: 1,
    }
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(text: &str) -> Vec<u64> {
    objects(text).iter().map(|object| object["connection_id"].as_u64().unwrap()).collect()
}

fn written(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn lines_go_to_the_old_file_until_it_is_reopened_and_then_to_the_new_one() {
    let folder = Folder::new("reopen");
    let (path, rotated) = (folder.file("access.log"), folder.file("access.log.1"));
    let log = log_to_file(&path, &Clock::at(7));
    log.connection(&outcome(1, Reason::Done));
    log.flush();
    fs::rename(&path, &rotated).unwrap();
    // These are on their way together; each goes where it belongs by then.
    log.connection(&outcome(2, Reason::Done));
    log.reopen();
    log.connection(&outcome(3, Reason::Done));
    log.flush();
    assert_eq!(ids(&written(&rotated)), [1, 2]);
    assert_eq!(ids(&written(&path)), [3]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
    log.connection(&outcome(4, Reason::Done));
    assert!(log.close_within(AMPLE));
    assert_eq!(ids(&written(&path)), [3, 4]);
    assert_eq!(log.dropped(), 0);
}

#[test]
fn a_file_that_cannot_be_reopened_stays_in_use() {
    let folder = Folder::new("stays");
    let (inner, moved) = (folder.file("inner"), folder.file("moved"));
    fs::create_dir(&inner).unwrap();
    let log = log_to_file(&inner.join("access.log"), &Clock::at(7));
    fs::rename(&inner, &moved).unwrap();
    log.reopen();
    log.connection(&outcome(1, Reason::Done));
    assert!(log.close_within(AMPLE));
    assert_eq!(ids(&written(&moved.join("access.log"))), [1]);
}

#[test]
fn a_file_is_appended_to() {
    let folder = Folder::new("append");
    let path = folder.file("access.log");
    for id in [1, 2] {
        let log = log_to_file(&path, &Clock::at(7));
        log.connection(&outcome(id, Reason::Done));
        assert!(log.close_within(AMPLE));
    }
    assert_eq!(ids(&written(&path)), [1, 2]);
}

#[test]
fn lines_of_one_thread_stay_in_order_among_those_of_others() {
    let folder = Folder::new("order");
    let path = folder.file("access.log");
    let log = log_to_file(&path, &Clock::at(7));
    thread::scope(|scope| {
        for worker in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..500 {
                    log.connection(&outcome(worker * 1000 + number, Reason::Done));
                }
            });
        }
    });
    assert!(log.close_within(AMPLE));
    let ids = ids(&written(&path));
    assert_eq!(ids.len(), 2000);
    for worker in 0..4 {
        let own: Vec<u64> = ids.iter().copied().filter(|id| id / 1000 == worker).collect();
        assert!(own.is_sorted(), "{own:?}");
    }
}

#[test]
fn a_pipe_that_nobody_reads_costs_lines_and_no_time() {
    let (mut reader, writer) = io::pipe().unwrap();
    let log = log_to_fd(writer);
    let mut count = 0;
    // More than the pipe, the writer and the queue can hold together.
    while log.dropped() < 1000 {
        log.connection(&outcome(count, Reason::Done));
        count += 1;
    }
    assert!(!log.close_within(Duration::from_millis(1)));
    let dropped = log.dropped();
    log.connection(&outcome(count, Reason::Done));
    assert_eq!(log.dropped(), dropped + 1);

    // Whoever reads at last gets every line that was accepted, whole, and then the end.
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let ids = ids(&text);
    assert!(ids.is_sorted());
    assert_eq!(u64::try_from(ids.len()).unwrap() + dropped, count);
    assert!(log.close_within(AMPLE));
}

#[test]
fn a_target_that_would_block_is_waited_for_by_the_writer_alone() {
    let (reader, writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    let log = log_to_fd(writer);
    for id in 0..2000 {
        log.connection(&outcome(id, Reason::Done));
    }
    assert!(!log.close_within(Duration::from_millis(1)));
    let text = io::read_to_string(reader).unwrap();
    assert_eq!(ids(&text), (0..2000).collect::<Vec<_>>());
    assert!(log.close_within(AMPLE));
    assert_eq!(log.dropped(), 0);
}

#[test]
fn a_pipe_that_is_closed_costs_lines_only() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let log = log_to_fd(writer);
    log.connection(&outcome(1, Reason::Done));
    log.flush();
    log.connection(&outcome(2, Reason::Done));
    log.connection(&outcome(3, Reason::Done));
    assert!(log.close_within(AMPLE));
    assert_eq!(log.dropped(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_lines_only() {
    let log = log_to_file(Path::new("/dev/full"), &Clock::at(7));
    log.connection(&outcome(1, Reason::Done));
    assert!(log.close_within(AMPLE));
    assert_eq!(log.dropped(), 1);
}

#[test]
fn a_flood_of_refusals_makes_one_line_per_reason_and_second() {
    let folder = Folder::new("flood");
    let path = folder.file("access.log");
    let clock = Clock::at(1000);
    let log = log_to_file(&path, &clock);
    for id in 0..1200 {
        log.connection(&outcome(id, Reason::SniUnknown));
        log.connection(&outcome(id, Reason::Probe));
    }
    log.connection(&outcome(1200, Reason::NotTls));
    log.connection(&outcome(1201, Reason::Done));
    log.flush();
    let lines = objects(&written(&path));
    assert_eq!(lines.len(), 1001);
    assert_eq!(lines[1000]["connection_id"], 1201);
    assert_eq!(log.suppressed(), 201);

    // Told when the second is over, and before what comes next.
    clock.set(1001);
    log.connection(&outcome(1202, Reason::NotTls));
    log.flush();
    let lines = objects(&written(&path));
    let told: Vec<(&Value, &Value)> =
        lines[1001..].iter().map(|line| (&line["refusal"], &line["suppressed"])).collect();
    let null = Value::Null;
    let (unknown, not_tls) = (Value::from("no_route"), Value::from("not_tls"));
    let (one, many) = (Value::from(1), Value::from(200));
    assert_eq!(told, [(&not_tls, &one), (&unknown, &many), (&not_tls, &null)]);
    assert_eq!(lines[1002]["start_time"], "1970-01-01T00:16:40.000Z");
    assert_eq!(lines[1002]["response_flags"], "NR");
    assert!(log.close_within(AMPLE));
    assert_eq!(log.dropped(), 0);
}

#[test]
fn what_is_suppressed_is_told_by_the_clock_and_at_the_end_without_another_refusal() {
    let folder = Folder::new("told");
    let path = folder.file("access.log");
    let clock = Clock::at(1000);
    let log = log_to_file(&path, &clock);
    for id in 0..1010 {
        log.connection(&outcome(id, Reason::SniUnknown));
    }
    clock.set(1001);
    log.flush();
    assert_eq!(objects(&written(&path))[1000]["suppressed"], 10);
    for id in 0..1003 {
        log.connection(&outcome(id, Reason::NoSni));
    }
    assert!(log.close_within(AMPLE));
    assert_eq!(objects(&written(&path))[2001]["suppressed"], 3);
}

#[test]
fn a_log_that_is_off_takes_everything_and_writes_nothing() {
    let off = LogConfig { access: AccessTarget::Off, ..LogConfig::default() };
    let log = AccessLog::open(&off, &Node::default()).unwrap();
    log.connection(&outcome(1, Reason::Done));
    log.reopen();
    assert!(log.close_within(Duration::ZERO));
    assert_eq!((log.dropped(), log.suppressed()), (0, 0));
}

#[test]
fn a_log_opened_as_configured_says_where_it_stands() {
    let folder = Folder::new("configured");
    let path = folder.file("access.log");
    let config = LogConfig { access: AccessTarget::File(path.clone()), ..LogConfig::default() };
    let node = Node { id: Some("eastwest-0".to_owned()), ..Node::default() };
    let log = AccessLog::open(&config, &node).unwrap();
    log.connection(&outcome(1, Reason::Done));
    log.close();
    assert_eq!(objects(&written(&path))[0]["node_id"], "eastwest-0");
    let missing = LogConfig { access: AccessTarget::File(path.join("below")), ..config };
    let error = AccessLog::open(&missing, &node).err().unwrap();
    assert!(error.to_string().contains("access.log/below"), "{error}");
}
