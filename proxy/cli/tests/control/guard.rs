//! Mass removal: held back, visible, and in force once somebody confirms it.

use landbridge_testkit::client::Saw;

use crate::stage::{SLEEP_MAY, Stage};

/// More than may always vanish.
const MANY: usize = 15;

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_removal_is_held_back_for_all_to_see_until_it_is_confirmed() {
    let stage = Stage::set().await;
    let all: String = (0..MANY).map(|number| stage.service(&format!("s{number}"), SLEEP_MAY)).collect();
    stage.edit("many", &all);
    let server = stage.serve().await;
    let mut gateway = stage.start();
    gateway.listens().await;
    assert!(stage.serves(&gateway, "s7").await);
    assert_eq!(gateway.asked(&["confirm"]), "nothing is held back\n");

    stage.remove("many");
    gateway.says("a mass removal is held back", 1).await;
    assert!(stage.serves(&gateway, "s7").await);
    let told = gateway.until("it is told", |told| told["held_back_count"] != 0).await;
    let held = told["held_back_count"].as_u64().unwrap();
    assert!(held >= MANY as u64, "{told}");
    let said = gateway.asked(&["status"]);
    assert!(said.contains("held back  service s7.default.svc.cluster.local:8000: removal"), "{said}");
    server.until("the server knows", |told| told["refused_count"].as_u64() >= Some(MANY as u64)).await;

    let said = gateway.asked(&["confirm"]);
    assert_eq!(said, format!("{held} removals are confirmed\n"));
    assert_eq!(stage.ask(&gateway, "s7").await, Err(Saw::Alert(112)));
    assert!(stage.serves(&gateway, "httpbin").await);
    assert_eq!(gateway.asked(&["confirm"]), "nothing is held back\n");
    gateway.until("nothing is refused", |told| told["refused_count"] == 0).await;
    server.until("it is synced", |told| told["state"] == "synced").await;

    // It is gone from the disk as well.
    server.kill();
    gateway.kill();
    let mut gateway = stage.start();
    gateway.listens().await;
    assert_eq!(stage.ask(&gateway, "s7").await, Err(Saw::Alert(112)));
    assert!(stage.serves(&gateway, "httpbin").await);
}
