//! What Landbridge's tests share: a CA in process, servers, clients, hostile I/O.
