//! `deploy/kustomize`: the base and the example.

use std::path::Path;
use std::process::Command;

use landbridge::config::{KeyPairFiles, ProcessConfig};
use landbridge_testkit::peer;
use serde_json::{Value, json};

use crate::rendered::Rendered;
use crate::{grace, said};

const FOLDERS: [&str; 2] = ["base", "overlays/example"];

fn rendered() -> impl Iterator<Item = Rendered> {
    FOLDERS.into_iter().map_while(Rendered::of)
}

#[test]
fn what_is_rendered_fits_the_schemas_of_kubernetes() {
    let enable = "pip install kubernetes-validate==1.37.0";
    let Some(validate) = peer::find("kubernetes-validate", enable) else { return };
    for rendered in rendered() {
        for version in ["1.30", "1.37"] {
            said(Command::new(&validate).args(["--strict", "-k", version]).arg(rendered.yaml()));
        }
    }
}

#[test]
fn the_configuration_that_is_mounted_is_one_that_the_gateway_takes() {
    for rendered in rendered() {
        let accepted = rendered.configuration();
        let warnings: Vec<String> = accepted.warnings.iter().map(ToString::to_string).collect();
        if accepted.config.services.is_empty() {
            assert_eq!(warnings.len(), 1, "only that there is no service: {warnings:?}");
        } else {
            assert_eq!(warnings, [""; 0]);
        }
    }
}

#[test]
fn the_pod_outlives_the_drain_by_five_seconds() {
    for rendered in rendered() {
        let seconds = &rendered.pod()["spec"]["terminationGracePeriodSeconds"];
        assert_eq!(seconds.as_u64(), Some(grace(&rendered.configuration().config).as_secs()));
        assert_eq!(rendered.container().get("lifecycle"), None, "a preStop hook would eat of the drain");
    }
}

#[test]
fn ports_and_probes_are_those_of_the_configuration() {
    for rendered in rendered() {
        let config = rendered.configuration().config;
        let ProcessConfig { health, metrics, .. } = config.process;
        let [data] = config.gateway.listener.addresses[..] else { panic!("one address") };
        let (container, service) = (rendered.container(), rendered.one("Service", "landbridge-eastwest"));
        let ports = json!([
            { "name": "tls", "containerPort": data.port() },
            { "name": "health", "containerPort": health.port() },
            { "name": "metrics", "containerPort": metrics.port() },
        ]);
        assert_eq!(container["ports"], ports);
        let ports = json!([
            { "name": "status-port", "port": health.port(), "targetPort": "health" },
            { "name": "tls", "port": data.port(), "targetPort": "tls", "appProtocol": "tls" },
        ]);
        assert_eq!(service["spec"]["ports"], ports);

        for (probe, path) in
            [("startupProbe", "live"), ("livenessProbe", "live"), ("readinessProbe", "ready")]
        {
            let get = json!({ "path": format!("/healthz/{path}"), "port": "health" });
            assert_eq!(container[probe]["httpGet"], get, "{probe}");
        }
        let annotations = &rendered.pod()["metadata"]["annotations"];
        assert_eq!(annotations["prometheus.io/port"], metrics.port().to_string());
        assert_eq!(annotations["prometheus.io/path"], "/stats/prometheus");
    }
}

#[test]
fn the_pod_may_do_nothing_that_the_gateway_does_not_need() {
    for rendered in rendered() {
        let pod = &rendered.pod()["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"], json!({ "type": "RuntimeDefault" }));
        let container = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        });
        assert_eq!(rendered.container()["securityContext"], container);
        for host in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
            assert_eq!(pod.get(host), None, "{host}");
        }
        // No token of the API server, and no variables of services that look like our own settings.
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(rendered.one("ServiceAccount", "landbridge")["automountServiceAccountToken"], false);
        assert_eq!(pod["enableServiceLinks"], false);
        let node_id = json!([{
            "name": "POD_NAME",
            "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } },
        }]);
        assert_eq!(rendered.container()["env"], node_id);
    }
}

#[test]
fn every_file_that_is_named_is_mounted_where_it_is_looked_for() {
    for rendered in rendered() {
        let file = rendered.container()["args"].as_array().unwrap();
        let [run, flag, file] = &file[..] else { panic!("{file:?}") };
        assert_eq!((run, flag), (&json!("run"), &json!("-c")));
        let file = Path::new(file.as_str().unwrap());
        let name = &rendered.one("ConfigMap", "landbridge-config")["metadata"]["name"];
        assert_eq!(&rendered.volume_at(file.parent().unwrap())["configMap"]["name"], name);
        assert_eq!(file.file_name().unwrap(), "gateway.toml");

        let config = rendered.configuration().config;
        let Some(KeyPairFiles::Directory(identity)) = &config.identity.own else { panic!("no directory") };
        let secret = &rendered.volume_at(identity)["secret"];
        assert_eq!(secret["secretName"], "landbridge-identity");
        assert_eq!(secret["defaultMode"], 0o440, "the owner and its group, nobody else");

        for trust in &config.trust {
            let bundles = rendered.one("ConfigMap", "landbridge-trust");
            let volume = rendered.volume_at(trust.bundle.parent().unwrap());
            assert_eq!(volume["configMap"]["name"], bundles["metadata"]["name"]);
            let name = trust.bundle.file_name().unwrap().to_str().unwrap();
            assert!(bundles["data"][name].is_string(), "{name} is not in the map of bundles");
        }
    }
}

#[test]
fn every_selector_finds_the_pods() {
    for rendered in rendered() {
        let labels = &rendered.pod()["metadata"]["labels"];
        let finds = |selector: &Value| {
            let wanted = selector.as_object().unwrap();
            assert!(!wanted.is_empty());
            for (key, value) in wanted {
                assert_eq!(&labels[key], value, "{key}");
            }
        };
        finds(&rendered.one("Deployment", "landbridge")["spec"]["selector"]["matchLabels"]);
        finds(&rendered.one("Service", "landbridge-eastwest")["spec"]["selector"]);
        finds(&rendered.one("PodDisruptionBudget", "landbridge")["spec"]["selector"]["matchLabels"]);
        for spread in rendered.pod()["spec"]["topologySpreadConstraints"].as_array().unwrap() {
            finds(&spread["labelSelector"]["matchLabels"]);
        }
        for object in rendered.objects().iter().filter(|object| object["kind"] == "NetworkPolicy") {
            finds(&object["spec"]["podSelector"]["matchLabels"]);
        }
        for object in rendered.objects() {
            let labels = &object["metadata"]["labels"];
            assert_eq!(labels["app.kubernetes.io/name"], "landbridge", "{}", object["kind"]);
        }
    }
}

#[test]
fn the_base_names_this_version_and_the_example_its_own_image() {
    let Some(base) = Rendered::of("base") else { return };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(base.container()["image"], format!("landbridge:{version}"));
    assert_eq!(base.pod()["metadata"]["labels"]["app.kubernetes.io/version"], version);
    let Some(example) = Rendered::of("overlays/example") else { return };
    assert_eq!(example.container()["image"], format!("images.example/landbridge:{version}"));
}

#[test]
fn two_replicas_are_rolled_over_without_a_gap() {
    let Some(base) = Rendered::of("base") else { return };
    let deployment = &base.one("Deployment", "landbridge")["spec"];
    assert_eq!(deployment["replicas"], 2);
    assert_eq!(deployment["strategy"]["rollingUpdate"], json!({ "maxUnavailable": 0, "maxSurge": 1 }));
    assert_eq!(base.one("PodDisruptionBudget", "landbridge")["spec"]["maxUnavailable"], 1);
}
