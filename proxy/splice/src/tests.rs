//! Real loopback sockets and real rustls around one splice; each test says what the two peers may see.

mod bulk;
mod cuts;
mod ends;
mod kit;
mod pipes;
mod pool;
mod random;
mod timers;
mod tls;
