//! Helpers for the cases of all tests.

mod answer;
mod call;
mod forged;
mod guards;
mod http2;
mod log;
mod raw_server;
mod response;
mod tenant;

pub use self::{
    answer::{
        Answer, Expected, internal, invalid_request, invalid_token, missing, missing_group,
        missing_scope, ok, says, unavailable,
    },
    call::{Api, Call, call, client, get, head, impostor, post, serve},
    forged::forged,
    guards::{ADMIN, BOTH, GROUPS, Profile, READ, SCOPE_AND_GROUP, WRITE, request_head},
    http2::Http2,
    log::Log,
    raw_server::{RawServer, Script},
    response::{body, coded, gzip, mock, padded},
    tenant::{
        FLEET_KEY, at_once, fetches_done, frozen_tenant, introspecting, protect, served,
        token_of_length, until,
    },
};
