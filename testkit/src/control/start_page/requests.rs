//! The latest requests. The script adds further ones, in rows like these.

use std::time::UNIX_EPOCH;

use maud::{Markup, html};

use crate::site::log::{LoggedRequest, RequestLog};

/// The number of requests on the page.
const SHOWN: usize = 50;

pub(super) fn section(log: &RequestLog) -> Markup {
    let latest = log.latest();
    html! {
        section aria-labelledby="requests" {
            h2 id="requests" { "Recent requests" }
            p class="hint" id="live" role="status" { "Reload the page to see newer ones." }
            table {
                thead {
                    tr {
                        th scope="col" { "Time (UTC)" }
                        th scope="col" { "Request" }
                        th scope="col" { "Status" }
                    }
                }
                tbody data-shown=(SHOWN) {
                    @for request in latest.iter().rev().take(SHOWN) { (row(request)) }
                    @if latest.is_empty() {
                        tr { td colspan="3" { "There were no requests yet." } }
                    }
                }
            }
        }
    }
}

fn row(request: &LoggedRequest) -> Markup {
    let status = request.status;
    html! {
        tr class=[status.is_none_or(|status| status >= 400).then_some("failed")] {
            td { time { (time_of_day(request)) } }
            td {
                code { (request.method) " " (request.path) }
                @if let Some(id) = &request.client_id { " " small { "by " (id) } }
            }
            td { @if let Some(status) = status { (status) } @else { "none" } }
        }
    }
}

fn time_of_day(request: &LoggedRequest) -> String {
    let seconds = request.time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
