//! The configurations that deploy/ ships, as the command itself sees them.

use std::fs;
use std::path::Path;
use std::process::Command;

use landbridge_testkit::peer;
use landbridge_testkit::world::World;

use crate::LANDBRIDGE;

/// Where the manifests mount secrets and bundles.
const MOUNTS: &str = "/var/run/landbridge/";

#[test]
fn every_configuration_of_the_manifests_is_valid_once_its_secrets_are_mounted() {
    let Some(kubectl) = peer::find("kubectl", "install kubectl 1.27 or later, as kubernetes.io documents it")
    else {
        return;
    };
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kustomize");
    for folder in ["base", "overlays/example"] {
        let rendered = Command::new(&kubectl).arg("kustomize").arg(deploy.join(folder)).output().unwrap();
        assert!(rendered.status.success(), "{folder}: {}", String::from_utf8_lossy(&rendered.stderr));
        let toml = configuration(&String::from_utf8(rendered.stdout).unwrap());
        assert!(toml.contains("[identity]"), "{folder}: {toml}");

        let world = World::default();
        let own = world.local.svid("ns/landbridge/sa/landbridge");
        fs::create_dir_all(world.folder.path().join("identity")).unwrap();
        fs::create_dir_all(world.folder.path().join("trust")).unwrap();
        world.folder.write("identity/tls.crt", &own.chain);
        world.folder.write("identity/tls.key", &own.key);
        world.folder.write("trust/cluster-1.pem", &world.remote.bundle());
        world.folder.write("gateway.toml", &toml.replace(MOUNTS, ""));
        let output = Command::new(LANDBRIDGE)
            .args(["validate", "-c", "gateway.toml"])
            .current_dir(world.folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{folder}: {said}\n{toml}");
    }
}

/// The text of the key `gateway.toml` in rendered manifests: a block that is indented deeper than its key.
fn configuration(manifests: &str) -> String {
    let mut lines = manifests.lines().skip_while(|line| !line.trim_start().starts_with("gateway.toml: |"));
    let key = lines.next().expect("a ConfigMap with gateway.toml");
    let depth = key.len() - key.trim_start().len();
    let block =
        lines.take_while(|line| line.trim().is_empty() || line.len() - line.trim_start().len() > depth);
    block.map(|line| line.get(depth + 2..).unwrap_or_default().to_owned() + "\n").collect()
}
