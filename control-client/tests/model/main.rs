//! Whatever happens to a gateway's streams, it holds what a plain model says; and one honest server later, what that
//! server has.

#[cfg(test)]
mod stage;
#[cfg(test)]
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landbridge_control_client::Held;
use landbridge_control_client::session::{Event, Limits, RemovedResource, Session};
use landbridge_control_client::wire::*;
use proptest::prelude::*;

use self::stage::Stage;
use self::step::{Step, Tricks};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn after_any_sequence_a_gateway_holds_what_the_model_says_and_then_what_an_honest_server_has(
        steps in prop::collection::vec(step::step(), 0..60)
    ) {
        let mut stage = Stage::new();
        for step in steps {
            stage.take(step);
        }
        // The gateway says enough of itself for an honest server to complete it in one update; in two if it was led to
        // believe that the server's epoch is of the past, and the server begins another.
        for _ in 0..2 {
            stage.take(Step::Reconnect);
            stage.take(Step::Send(Tricks { chunk: 4096, ..Tricks::default() }));
        }
        prop_assert_eq!(stage.holds(), stage.server);
    }
}
