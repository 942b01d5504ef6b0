//! One role alone: the other end runs elsewhere, or in the process that started this one to kill it.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use landbridge_streams::{Board, Load, Score, exchange, judge};
use tokio::time::timeout;

use super::answer::{Answer, Audience};
use super::parties::Setup;

/// Runs the client's ends, and judges the streams to them.
pub(crate) async fn client(setup: &Setup, loads: &[Load], audience: Audience) -> anyhow::Result<ExitCode> {
    let board = Arc::new(Board::default());
    let caller = setup.caller(&board);
    let began = Instant::now();
    let mut answer = Answer::default();
    for load in loads {
        let made = exchange(&caller, None, load);
        let score = if audience == Audience::Killer {
            let (score, ()) = tokio::join!(made, tell(&board, load.connections));
            score
        } else {
            made.await
        };
        answer.add(load.scenarios.first().map_or("", |scenario| scenario.name()), score);
    }
    answer.took(began.elapsed(), 0);
    answer.tell(audience.format())
}

/// Runs the endpoint's ends, and judges the streams to them.
pub(crate) async fn endpoint(
    setup: &Setup,
    connections: u64,
    audience: Audience,
) -> anyhow::Result<ExitCode> {
    let board = Arc::new(Board::default());
    let endpoint = setup.endpoint(&board).await?;
    let began = Instant::now();
    if audience == Audience::Killer {
        say("listening");
        tell(&board, connections).await;
    }
    let mut score = Score { connections, ..Score::default() };
    for _ in 0..connections {
        let Ok(record) = timeout(setup.patience, endpoint.next()).await else {
            score.missing += 1;
            break;
        };
        score.add(&record, &judge(None, &record));
    }
    let score = setup.finish(endpoint, score).await?;
    let mut answer = Answer::default();
    answer.add("heard", score);
    answer.took(began.elapsed(), 0);
    answer.tell(audience.format())
}

/// Says how far each connection is, once all of them wait to be killed.
async fn tell(board: &Board, connections: u64) {
    let count = usize::try_from(connections).unwrap_or(usize::MAX);
    for stand in board.standing(count).await {
        say(&format!("{} {}", stand.connection, stand.acknowledged));
    }
}

fn say(line: &str) {
    // Whoever started this process may be gone, and this one then has nobody to tell.
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}
