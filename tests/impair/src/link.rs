//! A link between two namespaces: two TUN interfaces, and a forwarder that is a bad network.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout_at};
use tokio_tun::Tun;

use crate::faults::Faults;
use crate::lane::Lane;
use crate::namespace::Namespace;

/// No packet is larger.
const LARGEST: usize = 65_535;
/// How many packets wait in the kernel for the forwarder.
const QUEUE: usize = 4096;

/// Where a link ends: an interface of this name, in this namespace, with these addresses (`10.1.0.1/24`).
pub struct Plug<'a> {
    /// The namespace.
    pub namespace: &'a Namespace,
    /// The interface.
    pub name: &'a str,
    /// Its addresses, with the length of the prefix.
    pub addresses: &'a [&'a str],
}

/// Two interfaces, each of which gets what the other sends.
pub struct Link {
    /// From the first plug to the second.
    pub forth: Direction,
    /// From the second plug to the first.
    pub back: Direction,
    forwarder: Option<Runtime>,
}

/// One direction of a link.
#[derive(Clone)]
pub struct Direction(Arc<Mutex<Lane>>);

impl Link {
    /// Lays a good link. The seed decides about packets once there are faults.
    ///
    /// # Errors
    /// That there is no `/dev/net/tun`, or it must not be used, or there is no `ip`.
    pub async fn lay(first: Plug<'_>, second: Plug<'_>, seed: u64) -> io::Result<Self> {
        let forwarder = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let mut link = Self {
            forth: Direction(Arc::new(Mutex::new(Lane::new(seed)))),
            back: Direction(Arc::new(Mutex::new(Lane::new(!seed)))),
            forwarder: None,
        };
        let one = plug_in(&forwarder, &first).await;
        let other = plug_in(&forwarder, &second).await;
        // From here on dropping the link stops the forwarder, also where something of it failed.
        let runtime = link.forwarder.insert(forwarder);
        let (one, other) = (Arc::new(one?), Arc::new(other?));
        runtime.spawn(forward(one.clone(), other.clone(), link.forth.clone()));
        runtime.spawn(forward(other, one, link.back.clone()));
        Ok(link)
    }

    /// Does this to the packets of both directions, from now on.
    pub fn set(&self, faults: &Faults) {
        self.forth.set(faults);
        self.back.set(faults);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(forwarder) = self.forwarder.take() {
            forwarder.shutdown_background();
        }
    }
}

impl Direction {
    /// Does this to the packets from now on.
    pub fn set(&self, faults: &Faults) {
        self.0.lock().unwrap().faults = faults.clone();
    }

    /// How many packets have vanished.
    pub fn swallowed(&self) -> u64 {
        self.0.lock().unwrap().swallowed
    }

    /// How many packets have arrived.
    pub fn delivered(&self) -> u64 {
        self.0.lock().unwrap().delivered
    }
}

async fn plug_in(forwarder: &Runtime, plug: &Plug<'_>) -> io::Result<Tun> {
    let (handle, name) = (forwarder.handle().clone(), plug.name.to_owned());
    let made = plug.namespace.run(async move {
        // The interface belongs to this thread's namespace, its readiness to the forwarder.
        let _entered = handle.enter();
        Tun::builder()
            .name(&name)
            .build()
            .map_err(|error| io::Error::other(format!("a TUN interface: {error}")))
    });
    let tun = made.await?.pop().expect("one queue was asked for");
    let ip = async |arguments: String| plug.namespace.ip(&arguments).await;
    ip("link set lo up".to_owned()).await?;
    ip(format!("link set {} up txqueuelen {QUEUE}", plug.name)).await?;
    for address in plug.addresses {
        let at_once = if address.contains(':') { " nodad" } else { "" };
        ip(format!("addr add {address} dev {}{at_once}", plug.name)).await?;
    }
    Ok(tun)
}

/// Hands packets on until the forwarder is stopped.
async fn forward(from: Arc<Tun>, to: Arc<Tun>, direction: Direction) {
    let mut room = vec![0; LARGEST];
    loop {
        let next = direction.0.lock().unwrap().next();
        let received = match next {
            Some(at) => timeout_at(at, from.recv(&mut room)).await.ok(),
            None => Some(from.recv(&mut room).await),
        };
        match received {
            Some(Ok(length)) => {
                let packet = room.get(..length).unwrap_or_default().to_vec();
                direction.0.lock().unwrap().take(packet, Instant::now());
            }
            // The namespace is gone.
            Some(Err(_)) => return,
            None => {}
        }
        loop {
            let arrived = direction.0.lock().unwrap().arrived(Instant::now());
            let Some(packet) = arrived else { break };
            // An interface that is down takes no packet: one more that vanishes.
            let _ = to.send(&packet).await;
        }
    }
}
