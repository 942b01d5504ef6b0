//! `landbridge demo`: two clusters on this machine, a sidecar, a gateway, and callers who are refused.
//!
//! Everything in it is the real thing: a CA per cluster, certificates on disk, the same configuration
//! file that `run` reads, mutual TLS over loopback.

mod call;
mod scene;

use std::process::ExitCode;

use anyhow::Context;
use landbridge::{Drain, Outcome, Reason};
use landbridge_core::access_log::Format;
use tokio::runtime::Builder;

use self::call::{Caller, Heard};
use self::scene::{HTTPBIN, LEDGER, NOBODY, Scene, UNKNOWN};
use crate::args::Demo;
use crate::signals;

pub(crate) fn demo(arguments: &Demo) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut scene = Scene::set().await?;
        introduce(&scene);
        let mut failed = 0;
        for act in acts(&scene) {
            failed += usize::from(!play(&mut scene, act).await?);
        }
        say(format_args!(""));
        if failed > 0 {
            say(format_args!("{failed} of the calls did not end as they should."));
            return Ok(ExitCode::FAILURE);
        }
        say(format_args!("All calls ended as they should."));
        if !arguments.once {
            invite(&scene);
            signals::interrupted().await?;
        }
        scene.close(Drain::NOW).await;
        Ok(ExitCode::SUCCESS)
    })
}

/// One call, and how it should end.
struct Act {
    title: &'static str,
    caller: Caller,
    sni: &'static str,
    heard: Heard,
    reason: Reason,
}

fn acts(scene: &Scene) -> Vec<Act> {
    let act = |title, caller, sni, heard, reason| Act { title, caller, sni, heard, reason };
    vec![
        act(
            "sleep in cluster-1 calls httpbin in cluster-2",
            scene.caller("sleep"),
            HTTPBIN,
            Heard::Answer("hello from httpbin in cluster-2"),
            Reason::Done,
        ),
        act(
            "stranger, whom nobody allowed, calls httpbin",
            scene.caller("stranger"),
            HTTPBIN,
            Heard::Alert(49),
            Reason::Denied,
        ),
        act(
            "an impostor: cluster-2's own CA signed the name of cluster-1's sleep",
            scene.caller("impostor"),
            HTTPBIN,
            Heard::Alert(49),
            Reason::Denied,
        ),
        act(
            "somebody without a certificate",
            scene.anonymous(),
            HTTPBIN,
            Heard::Alert(116),
            Reason::NoClientCert,
        ),
        act(
            "sleep asks for a service that is not there",
            scene.caller("sleep"),
            UNKNOWN,
            Heard::Alert(112),
            Reason::SniUnknown,
        ),
        act(
            "sleep asks for a service whose only endpoint is gone",
            scene.caller("sleep"),
            NOBODY,
            Heard::Alert(80),
            Reason::NoEndpoint,
        ),
        act(
            "sleep calls ledger, whose TLS is passed through: ledger itself decides",
            scene.caller("sleep"),
            LEDGER,
            Heard::Answer("hello from ledger, end to end"),
            Reason::Done,
        ),
    ]
}

fn introduce(scene: &Scene) {
    say(format_args!("Landbridge: two clusters on this machine, both calling themselves cluster.local."));
    say(format_args!(""));
    say(format_args!("  cluster-1   its own CA; callers with their sidecars"));
    say(format_args!("  cluster-2   its own CA; the gateway on {}, and behind it", scene.address));
    say(format_args!("                httpbin, in plain text: one instance that answers, one that refuses"));
    say(format_args!("                ledger, which speaks TLS itself"));
}

/// Plays one act and says what happened; false if it did not end as it should.
async fn play(scene: &mut Scene, act: Act) -> anyhow::Result<bool> {
    say(format_args!(""));
    say(format_args!("* {}", act.title));
    say(format_args!("    SNI        {}", act.sni));
    say(format_args!("    caller     {}", act.caller.name()));
    let heard = act.caller.call(scene.address, act.sni).await;
    let outcome = scene.outcome().await.context("the gateway told nothing of the call")?;
    match &heard {
        Ok(answer) => say(format_args!("    answered   {answer:?}")),
        Err(refusal) => say(format_args!("    refused    {refusal}")),
    }
    tell(scene, &outcome);
    let as_it_should = act.heard.is(&heard) && outcome.reason == act.reason;
    if !as_it_should {
        say(format_args!("    WRONG      expected {:?} and {}", act.heard, act.reason));
    }
    Ok(as_it_should)
}

fn tell(scene: &Scene, outcome: &Outcome) {
    if let Some(peer) = &outcome.peer {
        say(format_args!("    verified   {} as vouched for by {}", peer.id, peer.trust));
    } else if outcome.reason == Reason::Done {
        say(format_args!("    verified   by the endpoint; the gateway saw no identity"));
    }
    if let Some(upstream) = &outcome.upstream {
        let tries = if upstream.attempts == 1 { "first try" } else { "a further try" };
        say(format_args!("    endpoint   {}, {tries}", upstream.host));
    }
    say(format_args!("    bytes      {} received, {} sent", outcome.received, outcome.sent));
    let reason = outcome.reason;
    say(format_args!("    logged     {} {reason}", reason.flag()));
    if !reason.hint().is_empty() {
        say(format_args!("    hint       {}", reason.hint()));
    }
    if outcome.sni.as_deref() == Some(HTTPBIN) && reason == Reason::Done {
        let mut line = String::new();
        Format::Json.write(&scene.place(), outcome, &mut line);
        say(format_args!("    the line   {}", line.trim_end()));
    }
}

fn invite(scene: &Scene) {
    let (directory, address) = (scene.directory().display(), scene.address);
    let credentials = "-cert sleep.pem -key sleep.key -CAfile cluster-2-ca.pem";
    say(format_args!(""));
    say(format_args!("The gateway stays up; Ctrl-C ends it. To try it yourself:"));
    say(format_args!(""));
    say(format_args!("  cd {directory}"));
    say(format_args!(
        "  printf 'GET / HTTP/1.1\\r\\nhost: httpbin\\r\\n\\r\\n' | openssl s_client -quiet \\"
    ));
    say(format_args!("    -connect {address} -servername {HTTPBIN} {credentials}"));
    say(format_args!("  curl --cert sleep.pem --key sleep.key --cacert cluster-2-ca.pem --http1.1 \\"));
    say(format_args!("    --connect-to ::{address} https://{HTTPBIN}/"));
    say(format_args!("  # with stranger.pem and stranger.key instead: refused, alert 49 (access denied)"));
    say(format_args!("  # gateway.toml is the configuration; landbridge run -c gateway.toml would serve it"));
}

#[expect(clippy::print_stdout, reason = "the demo is what it prints")]
pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}
