//! Administration over HTTP: how the gateway is, and the two things that can be asked of it.
//!
//! GET changes nothing. POST is let in from this machine only, and not on behalf of a web page; see `guard`.
//! docs/admin.md describes every answer.

pub(crate) mod guard;
mod paths;
mod query;
mod told;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::ALLOW;
use hyper::{Method, Request, Response, StatusCode};
use landbridge::Handle;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use self::guard::{may_change, may_read};
use self::paths::{Path, help};
use self::query::Query;
use crate::health;
use crate::http::{self, Asker, Listener, REQUEST_BYTES, text};
use crate::metrics::Build;

/// How long a request's body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Entries of a list, where the request does not say how many.
const PAGE: usize = 100;

/// What is administered, and who carries out what is asked.
pub struct Administered {
    /// The gateway.
    pub gateway: Handle,
    /// What is running.
    pub build: Build,
    /// Takes what is asked of the process.
    pub orders: mpsc::Sender<Order>,
    /// How the stream of configuration is; `None` if there is none.
    pub control: Option<watch::Receiver<Arc<Value>>>,
    /// How many workers hang; see [`serve_health`](crate::serve_health).
    pub hanging: Arc<AtomicU64>,
    /// The user of the process: it and root may change something through a unix socket.
    pub owner: u32,
}

/// What the process is asked to do.
#[derive(Debug)]
pub enum Order {
    /// To drain, as at SIGTERM.
    Drain(oneshot::Sender<DrainOrdered>),
    /// To read its configuration anew, as at SIGHUP.
    Reload(oneshot::Sender<Reloaded>),
    /// To put in force the removals of the stream of configuration that are held back.
    Confirm(oneshot::Sender<Confirmed>),
}

/// What became of an order to confirm what is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// There was nothing.
    Nothing,
    /// It is in force.
    Done {
        /// How many resources it was.
        count: usize,
    },
}

/// What became of an order to drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainOrdered {
    /// The drain begins.
    Begins,
    /// One is going on already, which goes on as it was.
    GoesOn,
}

/// What became of an order to reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloaded {
    /// It is in order and was handed to the gateway; this is what is worth a warning.
    Applied {
        /// One sentence each.
        warnings: Vec<String>,
    },
    /// It is not in order; the last good configuration keeps serving.
    Refused {
        /// Everything that is wrong, and what is worth a warning.
        problems: Vec<String>,
    },
}

/// Answers for administration until it is dropped.
///
/// # Cancel safety
/// Dropping the future closes the listener.
pub async fn serve_admin(listener: Listener, administered: Administered) {
    let administered = Arc::new(administered);
    http::serve(listener, move |request, asker| {
        let administered = administered.clone();
        async move { administered.answer(request, asker).await }
    })
    .await;
}

impl Administered {
    async fn answer(&self, request: Request<Incoming>, asker: Asker) -> Response<Full<Bytes>> {
        let Some(path) = Path::of(request.uri().path()) else {
            return text(StatusCode::NOT_FOUND, "there is no such path; GET /help lists them\n");
        };
        if !path.takes(request.method()) {
            let mut response =
                text(StatusCode::METHOD_NOT_ALLOWED, format!("expected {}\n", path.methods_in_words()));
            response.headers_mut().insert(ALLOW, path.methods());
            return response;
        }
        let allowed = if *request.method() == Method::POST {
            may_change(asker, self.owner, request.headers())
        } else {
            may_read(asker, request.headers())
        };
        if let Err(why) = allowed {
            return text(StatusCode::FORBIDDEN, format!("{why}\n"));
        }
        let query = match Query::of(request.uri().query().unwrap_or_default(), path.parameters()) {
            Ok(query) => query,
            Err(why) => return text(StatusCode::BAD_REQUEST, format!("{why}\n")),
        };
        match taken(request.into_body()).await {
            Ok(()) => self.reply(path, &query).await,
            Err(refused) => refused,
        }
    }

    async fn reply(&self, path: Path, query: &Query) -> Response<Full<Bytes>> {
        let most = query.limit.unwrap_or(PAGE);
        let told = match path {
            Path::Help => return text(StatusCode::OK, help()),
            Path::Ready => return health::ready_or_not(self.gateway.phase()),
            Path::Live => return health::live_or_not(self.hanging.load(Ordering::Relaxed)),
            Path::Overview => told::overview(&self.gateway, &self.build),
            Path::Services => {
                told::services(&self.gateway.services(query.after.as_deref().unwrap_or_default(), most), most)
            }
            Path::Connections => match query.after.as_deref().unwrap_or("0").parse() {
                Ok(after) => told::connections(&self.gateway.connections(after, most), most),
                Err(_) => return text(StatusCode::BAD_REQUEST, "after: expected the id of a connection\n"),
            },
            Path::Control => match &self.control {
                Some(control) => Value::clone(&control.borrow().clone()),
                None => {
                    return text(
                        StatusCode::NOT_FOUND,
                        "there is no stream of configuration: control.servers is empty\n",
                    );
                }
            },
            Path::Confirm => return self.confirm().await,
            Path::Drain => return self.drain().await,
            Path::Reload => return self.reload().await,
        };
        http::json(StatusCode::OK, &told)
    }

    async fn drain(&self) -> Response<Full<Bytes>> {
        match self.order(Order::Drain).await {
            Ok(ordered) => {
                let (status, word) = match ordered {
                    DrainOrdered::Begins => (StatusCode::ACCEPTED, "begins"),
                    DrainOrdered::GoesOn => (StatusCode::OK, "goes_on"),
                };
                let drain = self.gateway.draining().map(told::drain);
                http::json(status, &json!({ "result": word, "drain": drain }))
            }
            Err(nobody) => nobody,
        }
    }

    async fn confirm(&self) -> Response<Full<Bytes>> {
        match self.order(Order::Confirm).await {
            Ok(Confirmed::Done { count }) => {
                http::json(StatusCode::OK, &json!({ "result": "confirmed", "count": count }))
            }
            Ok(Confirmed::Nothing) => http::json(StatusCode::OK, &json!({ "result": "nothing_held_back" })),
            Err(nobody) => nobody,
        }
    }

    async fn reload(&self) -> Response<Full<Bytes>> {
        match self.order(Order::Reload).await {
            Ok(Reloaded::Applied { warnings }) => {
                http::json(StatusCode::OK, &json!({ "result": "applied", "warnings": warnings }))
            }
            Ok(Reloaded::Refused { problems }) => http::json(
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!({ "result": "refused", "problems": problems }),
            ),
            Err(nobody) => nobody,
        }
    }

    /// Hands an order to the process and waits for what becomes of it.
    async fn order<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, Response<Full<Bytes>>> {
        let gone = || text(StatusCode::SERVICE_UNAVAILABLE, "the process is ending\n");
        let (told, result) = oneshot::channel();
        self.orders.send(order(told)).await.map_err(|_| gone())?;
        result.await.map_err(|_| gone())
    }
}

/// Reads a body, which nothing here needs, within bounds.
async fn taken(body: Incoming) -> Result<(), Response<Full<Bytes>>> {
    let too_large =
        || text(StatusCode::PAYLOAD_TOO_LARGE, format!("expected at most {REQUEST_BYTES} bytes\n"));
    if body.size_hint().lower() > REQUEST_BYTES as u64 {
        return Err(too_large());
    }
    match timeout(BODY_TIMEOUT, Limited::new(body, REQUEST_BYTES).collect()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(text(StatusCode::REQUEST_TIMEOUT, "the body took too long\n")),
    }
}
