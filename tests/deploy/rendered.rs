//! A kustomization, as the cluster would get it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use landbridge::config::Accepted;
use landbridge_testkit::peer;
use serde_json::Value;

use crate::{configuration, root, said};

const KUBECTL: &str = "install kubectl 1.27 or later, as kubernetes.io documents it";

/// All objects of one folder of `deploy/kustomize`.
pub(crate) struct Rendered {
    folder: &'static str,
    kubectl: PathBuf,
    objects: Vec<Value>,
}

impl Rendered {
    /// `None` where kubectl is absent. Neither a cluster nor a kubeconfig is asked for.
    pub(crate) fn of(folder: &'static str) -> Option<Self> {
        let kubectl = peer::find("kubectl", KUBECTL)?;
        // An empty patch, applied without a server, for the sake of its JSON: kustomize writes YAML only.
        let json = said(
            Command::new(&kubectl)
                .env("KUBECONFIG", "/dev/null")
                .args(["patch", "--local", "--type=merge", "-p", "{}", "-o", "json", "-k"])
                .arg(path(folder)),
        );
        let objects: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&json).into_iter().collect();
        Some(Self { folder, kubectl, objects: objects.unwrap() })
    }

    /// The same as YAML, in a file.
    pub(crate) fn yaml(&self) -> PathBuf {
        let text = said(Command::new(&self.kubectl).arg("kustomize").arg(path(self.folder)));
        let name = format!("{}.yaml", self.folder.replace('/', "-"));
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&file, text).unwrap();
        file
    }

    pub(crate) fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// The only object of its kind whose name begins so.
    pub(crate) fn one(&self, kind: &str, name: &str) -> &Value {
        let named = |object: &&Value| {
            object["kind"] == kind && object["metadata"]["name"].as_str().unwrap().starts_with(name)
        };
        let found: Vec<&Value> = self.objects.iter().filter(named).collect();
        assert_eq!(found.len(), 1, "{kind} {name}* in {}", self.folder);
        found[0]
    }

    pub(crate) fn pod(&self) -> &Value {
        &self.one("Deployment", "landbridge")["spec"]["template"]
    }

    /// The only container, which runs the gateway.
    pub(crate) fn container(&self) -> &Value {
        let containers = self.pod()["spec"]["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1);
        &containers[0]
    }

    /// What the gateway reads.
    pub(crate) fn configuration(&self) -> Accepted {
        let text = &self.one("ConfigMap", "landbridge-config")["data"]["gateway.toml"];
        configuration(self.folder, text.as_str().unwrap())
    }

    /// The volume that is mounted at `at`.
    pub(crate) fn volume_at(&self, at: &Path) -> &Value {
        let mounts = self.container()["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["mountPath"].as_str().map(Path::new) == Some(at));
        let mount = mount.unwrap_or_else(|| panic!("nothing is mounted at {}", at.display()));
        assert_eq!(mount["readOnly"], true, "{mount}");
        let volumes = self.pod()["spec"]["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap()
    }
}

fn path(folder: &str) -> PathBuf {
    root().join("deploy/kustomize").join(folder)
}
