//! The server side of xDS-lite: what feeds gateways from files.
//!
//! A source, such as a [`Folder`], writes resources into a [`Store`]; a [`Server`] tells each gateway what has
//! changed there, of what the gateway's own identity lets it see. docs/xds-lite.md is the protocol, and
//! docs/control-server.md how it is run.

mod access;
mod connection;
mod folder;
mod metrics;
mod resource;
mod roster;
mod server;
mod session;
mod store;

pub use access::Nodes;
pub use folder::{Folder, FolderWatch, Loaded};
pub use resource::{Audience, Entry, EntryError, Key};
pub use roster::Roster;
pub use server::{Identity, Listener, Security, Server};
pub use store::{Edit, Store};
