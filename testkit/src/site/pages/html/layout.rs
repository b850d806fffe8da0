//! The layout of all pages.

use http::StatusCode;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::site::{
    answer::Answer,
    pages::{hash_source, page},
};

const STYLE: &str = include_str!("style.css");

/// Otherwise browsers request `/favicon.ico`, which the log of requests would show.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
                    viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' \
                    fill='%231f5fbf'/%3E%3Ccircle cx='6' cy='8' r='2.5' fill='none' \
                    stroke='white' stroke-width='1.5'/%3E%3Cpath d='M8.5 8H13v2.5' fill='none' \
                    stroke='white' stroke-width='1.5'/%3E%3C/svg%3E";

/// A page, and in what it differs from others.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) status: StatusCode,
    /// The title, which is also its first heading.
    pub(crate) title: &'a str,
    pub(crate) main: Markup,
    /// Whether it is as wide as the window.
    pub(crate) is_wide: bool,
    /// Whether its forms may end at the client. Browsers apply `form-action` to redirects as well,
    /// also to those of the client itself, which the tenant does not know.
    pub(crate) leads_to_client: bool,
    pub(crate) script: Option<&'static str>,
}

impl<'a> Page<'a> {
    /// A narrow page whose forms end at the tenant.
    pub(crate) const fn new(title: &'a str, main: Markup) -> Self {
        Self {
            status: StatusCode::OK,
            title,
            main,
            is_wide: false,
            leads_to_client: false,
            script: None,
        }
    }

    pub(crate) fn answer(self) -> Answer {
        let mut allowed =
            format!("frame-ancestors 'none'; style-src {}; img-src data:", hash_source(STYLE),);
        if !self.leads_to_client {
            allowed.push_str("; form-action 'self'");
        }
        if let Some(script) = self.script {
            allowed.push_str(&format!("; script-src {}; connect-src 'self'", hash_source(script)));
        }
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    link rel="icon" href=(ICON);
                    style { (PreEscaped(STYLE)) }
                }
                body class=[self.is_wide.then_some("wide")] {
                    main {
                        h1 { (self.title) }
                        (self.main)
                    }
                    footer { p { "A development tenant: there are no passwords." } }
                    @if let Some(script) = self.script {
                        script { (PreEscaped(script)) }
                    }
                }
            }
        };
        page(self.status, "text/html; charset=utf-8", &allowed, document.into_string())
    }
}
