//! From an edit in a folder to what a gateway holds.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use landbridge_control_client::wire::Kind;
use landbridge_control_server::{Folder, FolderWatch, Store};
use landbridge_testkit::soon;

use crate::client::{Client, Held};
use crate::world::World;

fn service(name: &str, port: u16, more: &str) -> String {
    format!(
        "[[service]]\nhost = '{name}'\nport = {port}\nallow = ['spiffe://td/*']\n{more}\nendpoints = [{{ address = '10.0.0.7:80' }}]\n"
    )
}

/// Puts into the store what a folder says, for as long as it is polled.
async fn follow(mut watch: FolderWatch, store: Arc<Store>) {
    loop {
        if let Ok(loaded) = watch.next().await {
            store.replace(loaded.entries);
        }
    }
}

/// Lets a gateway take updates until it holds these services.
async fn holds(gateway: &mut Client, services: &[&str]) {
    soon(&format!("{services:?}"), async {
        while gateway.names(Kind::Service) != services {
            gateway.updated().await;
        }
    })
    .await;
}

fn write_whole(folder: &Path, name: &str, text: &str) {
    let hidden = folder.join("services/.new");
    fs::write(&hidden, text).unwrap();
    fs::rename(hidden, folder.join("services").join(name)).unwrap();
}

#[tokio::test]
async fn an_edit_reaches_a_gateway_however_it_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let services = dir.path().join("services");
    fs::create_dir(&services).unwrap();
    fs::write(services.join("a.toml"), service("a", 80, "")).unwrap();
    let world = World::plain().await;
    let watch = FolderWatch::start(Folder::new(dir.path())).unwrap();
    tokio::spawn(follow(watch, world.store.clone()));
    let mut gateway = world.gateway(Held::default()).await;
    holds(&mut gateway, &["a:80"]).await;
    // A file that is new, by an atomic rename and in place.
    write_whole(dir.path(), "b.toml", &service("b", 80, ""));
    holds(&mut gateway, &["a:80", "b:80"]).await;
    fs::write(services.join("c.toml"), service("c", 80, "")).unwrap();
    holds(&mut gateway, &["a:80", "b:80", "c:80"]).await;
    // One that is there.
    write_whole(dir.path(), "a.toml", &service("a", 81, ""));
    holds(&mut gateway, &["a:81", "b:80", "c:80"]).await;
    fs::write(services.join("b.toml"), service("b", 81, "")).unwrap();
    holds(&mut gateway, &["a:81", "b:81", "c:80"]).await;
    // One that is broken changes nothing, and one that goes takes its services with it.
    fs::write(services.join("b.toml"), "[[service").unwrap();
    fs::remove_file(services.join("c.toml")).unwrap();
    holds(&mut gateway, &["a:81", "b:81"]).await;
    fs::write(services.join("b.toml"), service("b", 82, "")).unwrap();
    holds(&mut gateway, &["a:81", "b:82"]).await;
    // A folder that was not there at the start.
    fs::create_dir(dir.path().join("peers")).unwrap();
    fs::write(dir.path().join("peers/p.toml"), "[[peer]]\nname = 'cluster-1'\n").unwrap();
    soon("the peer", async {
        while gateway.names(Kind::Peer) != ["cluster-1"] {
            gateway.updated().await;
        }
    })
    .await;
}
