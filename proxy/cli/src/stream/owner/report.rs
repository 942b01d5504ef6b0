//! What a server is told of how the gateway goes.

use std::collections::BTreeMap;

use landbridge_control_client::wire::{ReadyEndpoints, Status};

use super::{Owner, lock};

impl Owner {
    /// Says to the server how it goes: what changed since it heard last.
    pub(super) async fn report(&mut self) {
        if self.state.borrow().connected.is_none() {
            return;
        }
        let mut changed = BTreeMap::new();
        let own = &self.own.base.services;
        self.wires.gateway.for_each_service(|name, counts| {
            let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let now =
                ReadyEndpoints { ready: count(counts.usable), total: count(counts.usable + counts.failing) };
            // All of a service's endpoints can be used, unless something else was said.
            let is_news = match self.reported.get(&**name) {
                Some(before) => *before != now,
                None => now.ready < now.total,
            };
            if is_news && own.service(name).is_none() {
                changed.insert(name.to_string(), now);
            }
        });
        self.reported.extend(changed.iter().map(|(name, now)| (name.clone(), *now)));
        let draining = self.wires.gateway.draining().is_some();
        let active = self.wires.gateway.active() as u64;
        let now = (draining, active, lock(&self.own.held).digest());
        if changed.is_empty() && self.said == Some(now) {
            return;
        }
        self.said = Some(now);
        let status = Status { draining, active, endpoints: changed, ..Status::default() };
        self.wires.feed.status(status).await;
    }
}
