//! Gateways at a control server, over real sockets: a client made of the protocol's words alone.

#[cfg(test)]
mod client;
#[cfg(test)]
mod coming_back;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod going;
#[cfg(test)]
mod own_client;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod seeing;
#[cfg(test)]
mod telling;
#[cfg(test)]
mod world;
