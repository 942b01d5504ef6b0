//! The endpoint: sends back what it gets, and notes how connections end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use super::events::{Event, Events, Half, How, now, numbers};
use super::peer;

pub(super) fn run() -> anyhow::Result<()> {
    peer::runtime()?.block_on(serve())
}

async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    peer::tell(&listener.local_addr()?.to_string())?;
    let (told, coming) = unbounded_channel();
    let counted = watch::Sender::new(());
    let burying = counted.clone();
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((tcp, _)) => drop(tokio::spawn(echo(tcp, told.clone(), burying.subscribe()))),
                Err(error) => drop(told.send(Event::Failed(error.to_string()))),
            }
        }
    });
    let mut events = Events::new(coming);
    let mut orders = peer::orders();
    while let Some(order) = orders.recv().await {
        let [count] = numbers(&order)?;
        peer::answer(&events.cut(count).await)?;
        counted.send_replace(());
    }
    Ok(())
}

async fn echo(mut tcp: TcpStream, told: UnboundedSender<Event>, mut counted: watch::Receiver<()>) {
    let mut half = None;
    let mut piece = [0];
    loop {
        let read = tcp.read(&mut piece).await;
        if !matches!(read, Ok(1)) || tcp.write_all(&piece).await.is_err() {
            // A connection without a byte was never opened.
            if let Some(half) = half {
                let _ = told.send(Event::Ended(half, now(), How::of(&read)));
                // Buried when all are counted: what that costs is no part of what is measured.
                let _ = counted.changed().await;
            }
            return;
        }
        half.get_or_insert(Half::of(piece[0]));
    }
}
