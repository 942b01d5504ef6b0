//! One HTTP/2 request whose two bodies stay open.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http2;
use hyper::header::CONTENT_TYPE;
use hyper::rt::Executor;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ClientError;
use super::dial::{Address, Server, dial};
use crate::wire::{MEDIA_TYPE, PATH};

/// The stream to a server. Nothing of it outlives it.
#[derive(Debug)]
pub(super) struct Stream {
    /// Lines for the server. The client keeps the rest until there is room.
    pub(super) outgoing: mpsc::Sender<Bytes>,
    /// What the server says.
    pub(super) incoming: Incoming,
    _sender: http2::SendRequest<Outgoing>,
    _tasks: Tasks,
}

/// Lines on their way into HTTP/2; what is beyond waits in the session, where the newest replaces the older.
const OUTGOING: usize = 4;
/// How much the server may send before it hears that some was taken.
const WINDOW: u32 = 16 * 1024 * 1024;

impl Stream {
    /// Connects, asks, and waits for the beginning of the answer.
    pub(super) async fn open(server: &Server) -> Result<Self, ClientError> {
        let connection = TokioIo::new(dial(server).await?);
        let tasks = Tasks::default();
        let (mut sender, driver) = http2::Builder::new(tasks.spawner.clone())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(connection)
            .await
            .map_err(ClientError::Http)?;
        // How it ends is seen by the request.
        tasks.spawner.execute(async { drop(driver.await) });

        let (outgoing, lines) = mpsc::channel(OUTGOING);
        let scheme = if server.tls.is_some() { "https" } else { "http" };
        let authority = match &server.address {
            // A path can't be an authority, and nobody is told apart by it there.
            Address::Unix(_) if server.tls.is_none() => "localhost",
            _ => &server.authority,
        };
        let request = Request::post(format!("{scheme}://{authority}{PATH}"))
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .body(Outgoing(lines))
            .map_err(|error| {
                ClientError::Connect(std::io::Error::new(std::io::ErrorKind::InvalidInput, error))
            })?;
        let response = sender.send_request(request).await.map_err(ClientError::Http)?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Status(response.status()));
        }
        Ok(Self { outgoing, incoming: response.into_body(), _sender: sender, _tasks: tasks })
    }
}

/// The body of the request.
#[derive(Debug)]
struct Outgoing(mpsc::Receiver<Bytes>);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

/// The tasks of one connection, which end with it.
#[derive(Debug, Default)]
struct Tasks {
    spawner: Spawner,
}

#[derive(Debug, Clone, Default)]
struct Spawner(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, task: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        // Tasks hold spawners themselves, so that dropping the set isn't enough.
        self.spawner.0.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}
