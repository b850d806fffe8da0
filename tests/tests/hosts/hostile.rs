//! Several hundred tokens that no API may accept, and the unusual ones that it must.

use harness::{hosts::Host, support::get};
use monocloud_testkit::{Algorithm, Clock, Control, Endpoint, Hostile, MockTenant};
use reqwest::header::WWW_AUTHENTICATE;

on_every_host! {
    every_hostile_token_is_rejected_and_every_control_is_accepted,
}

async fn every_hostile_token_is_rejected_and_every_control_is_accepted(host: Host) {
    let tenant = MockTenant::builder().algorithm(Algorithm::EdDsa).scope("posts:read");
    let tenant = tenant.clock(Clock::frozen()).start().await;
    let api = host.protected_by(&tenant);
    for control in Control::all(&tenant) {
        let answer = api.send(get("/read").bearer(&control.token)).await;
        control.assert_accepted(answer.status);
    }
    for hostile in Hostile::all(&tenant) {
        for path in ["/read", "/optional"] {
            let answer = api.send(get(path).bearer(&hostile.token)).await;
            hostile.assert_refused(answer.status, answer.header(WWW_AUTHENTICATE));
        }
    }
    assert_eq!(tenant.requests(Endpoint::Canary), 0);
}
