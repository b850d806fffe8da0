//! The run: positive controls first, then the cases of each operation, then those of the API.

use std::{sync::Mutex, time::Duration};

use http::{Method, header::RETRY_AFTER};

use crate::{
    MockTenant,
    audit::{
        api::OUTAGE,
        call::{Call, Shown},
        case::Case,
        check::{Violation, crash, violation},
        control::Control,
        diagnosis,
        extent::Extent,
        finding::Finding,
        grant::Grant,
        options::Audit,
        plan::{CallMode, Plan, Planned},
        probe::Probes,
        progress::requests,
        report::{Inconclusive, Report},
        rule::Grade,
        subject::{Access, NOTHING},
        wire::{NoReply, Reply, Wire},
    },
    document::Document,
    lock::locked,
};

/// Whether the API still answers.
#[derive(Default)]
struct Contact {
    /// The last request that reached it.
    last: Option<Call>,
    is_lost: bool,
}

/// An audit that is under way.
pub(super) struct Run<'r> {
    pub(super) options: &'r Audit,
    pub(super) document: &'r Document,
    pub(super) tenant: &'r MockTenant,
    pub(super) wire: Wire,
    /// The answer at a path that does not exist.
    pub(super) unknown: Reply,
    /// Whether tokens that do not look like a JWT show nothing more about the API: its introspection
    /// does not work, or reports nothing that matters to it.
    pub(super) skips_opaque: bool,
    contact: Mutex<Contact>,
    /// The operation that is sent the whole catalogue, if not the one that was planned.
    pub(super) whole: Option<String>,
    /// How long to wait in an outage for the API to fetch keys.
    pub(super) outage_seconds: u64,
    /// About how many requests the plan takes.
    planned: usize,
    findings: Vec<Finding>,
    pub(super) inconclusive: Vec<Inconclusive>,
}

impl<'r> Run<'r> {
    pub(super) fn new(
        options: &'r Audit,
        document: &'r Document,
        tenant: &'r MockTenant,
        wire: Wire,
    ) -> Self {
        Self {
            options,
            document,
            tenant,
            wire,
            unknown: Reply::default(),
            skips_opaque: false,
            contact: Mutex::default(),
            whole: None,
            outage_seconds: OUTAGE,
            planned: 0,
            findings: Vec::new(),
            inconclusive: Vec::new(),
        }
    }

    pub(super) async fn perform(mut self, plan: &Plan<'_>) -> Report {
        let names =
            plan.operations.iter().filter(|planned| !matches!(planned.mode, CallMode::Not(_)));
        let operations: Vec<_> = names.map(|planned| planned.subject.name.clone()).collect();
        self.planned = requests(plan, self.tenant);
        let done = self.check_all(plan).await;
        if let Err(reason) = done {
            self.inconclusive = vec![Inconclusive::api(reason)];
        }
        Report {
            findings: self.findings,
            inconclusive: self.inconclusive,
            operations,
            requests: self.wire.sent(),
            ..Report::default()
        }
    }

    /// The error says why nothing can be checked.
    async fn check_all(&mut self, plan: &Plan<'_>) -> Result<(), String> {
        let invented = self.invented(Method::GET);
        let first = self.wire.send_within(&invented, self.options.start).await;
        self.unknown = first.map_err(|why| diagnosis::no_reply(why, &self.wire.base))?;
        let mut controls = Vec::new();
        let mut late = 0;
        for planned in &plan.operations {
            let before = self.inconclusive.len();
            controls.push(self.control(planned).await);
            self.record_end(&planned.subject.name)?;
            let last =
                self.inconclusive.get(before).map(|inconclusive| inconclusive.reason.as_str());
            late += usize::from(last == Some(LATE));
            if late == 3 {
                return Err(diagnosis::no_reply(NoReply::Late, &self.wire.base));
            }
        }
        let is_secured = |planned: &&Planned<'_>| {
            matches!(planned.subject.access, Access::Token(_))
                && !matches!(planned.mode, CallMode::Not(_))
        };
        let is_any_accepted = controls.iter().any(Option::is_some);
        if !is_any_accepted && plan.operations.iter().any(|planned| is_secured(&planned)) {
            return Err(diagnosis::all_refused(self));
        }
        self.check_answers_everything(plan, &controls).await?;
        self.whole = whole(plan, &controls);
        let probes = self.probes(plan, &controls).await;
        self.api_cases(&plan.first, &probes).await?;
        for (planned, control) in plan.operations.iter().zip(&controls) {
            self.planned(planned, control.as_ref()).await;
            self.record_end(&planned.subject.name)?;
        }
        self.api_cases(&plan.last, &probes).await
    }

    async fn api_cases(&mut self, cases: &[Case], probes: &Probes<'_, '_>) -> Result<(), String> {
        for case in cases {
            let probe = if *case == Case::Opaque { &probes.opaque } else { &probes.keys };
            if let Some((planned, control)) = probe {
                self.api_case(case, planned, control).await;
                self.record_end(&planned.subject.name)?;
            }
        }
        Ok(())
    }

    /// An API that answers whatever it is asked cannot be checked.
    async fn check_answers_everything(
        &mut self,
        plan: &Plan<'_>,
        controls: &[Option<Control>],
    ) -> Result<(), String> {
        if !(200..300).contains(&self.unknown.status) {
            return Ok(());
        }
        for (planned, _) in
            plan.operations.iter().zip(controls).filter(|(_, control)| control.is_some())
        {
            let reply = self.send(&call_of(planned)).await;
            if reply.is_ok_and(|reply| reply.body != self.unknown.body || reply.status >= 400) {
                return Ok(());
            }
        }
        Err(format!(
            "{} answers everything with success, also a path that does not exist: is it the API, and \
             does it check tokens?",
            self.wire.base
        ))
    }

    /// A request to a path that does not exist.
    pub(super) fn invented(&self, method: Method) -> Call {
        Call::new(method, format!("{}/{NOTHING}", self.wire.base.path))
    }

    /// Sends a request, again where the API is busy or closes a connection whose body it has not read.
    pub(super) async fn send(&self, call: &Call) -> Result<Reply, NoReply> {
        let mut attempts = 0;
        if self.is_gone() {
            return Err(NoReply::Unreachable);
        }
        loop {
            attempts += 1;
            let answer = self.wire.send(call).await;
            if let Some(progress) = &self.options.progress {
                let sent = self.wire.sent();
                progress(sent, sent.max(self.planned));
            }
            match &answer {
                // One that ends is perhaps started again by what watches it.
                Err(NoReply::Unreachable) if attempts < 10 => {
                    self.pause(Duration::from_millis(500)).await;
                }
                Err(NoReply::Unreachable) => {
                    locked(&self.contact).is_lost = true;
                    return answer;
                }
                Err(NoReply::Closed) if attempts < 3 => {
                    locked(&self.contact).last = Some(call.clone())
                }
                Ok(reply) if reply.status == 429 && attempts < 3 => {
                    let after = reply
                        .headers
                        .get(RETRY_AFTER)
                        .and_then(|it| it.to_str().ok()?.parse().ok());
                    tokio::time::sleep(Duration::from_secs(after.unwrap_or(1_u64).min(10))).await;
                }
                _ => {
                    locked(&self.contact).last = Some(call.clone());
                    return answer;
                }
            }
        }
    }

    /// Whether the API has ended.
    pub(super) fn is_gone(&self) -> bool {
        locked(&self.contact).is_lost
    }

    /// The API has ended: the last request that reached it is what it cannot bear.
    fn record_end(&mut self, name: &str) -> Result<(), String> {
        if !self.is_gone() {
            return Ok(());
        }
        let last = locked(&self.contact).last.take();
        if let Some(call) = last {
            let detail = "after this request, the API is no longer reachable";
            self.record(name, &call, violation("crash", Grade::Finding, detail));
        }
        Err(format!("{} is no longer reachable, so that the rest was not checked", self.wire.base))
    }

    pub(super) fn with_token(&self, call: Call, grant: &Grant) -> Call {
        let token = grant.token(self.tenant).mint();
        call.header("Authorization", Shown::minted("Bearer", &token, &grant.command(self.tenant)))
    }

    pub(super) fn record_no_reply(
        &mut self,
        name: &str,
        what: &str,
        call: &Call,
        no_reply: NoReply,
    ) {
        match no_reply {
            NoReply::Closed => self.record(name, call, crash(what)),
            NoReply::Unwritable => {}
            // What `record_end` reports.
            NoReply::Unreachable | NoReply::Untrusted => {}
            NoReply::Late => self.record_inconclusive(name, LATE.to_owned()),
        }
    }

    /// Lets time pass. A clock that stands still is advanced.
    pub(super) async fn pause(&self, duration: Duration) {
        let clock = self.tenant.clock();
        if clock.is_frozen() {
            clock.advance(duration);
        } else if !duration.is_zero() {
            tokio::time::sleep(duration).await;
        }
    }

    pub(super) fn has_found(&self, rule: &str) -> bool {
        self.findings.iter().any(|finding| finding.rule.id == rule)
    }

    /// Keeps one finding per rule and operation: the first, or a graver one.
    pub(super) fn record(&mut self, name: &str, call: &Call, violations: Vec<Violation>) {
        for Violation { rule, grade, detail } in violations {
            let curl = call.curl(&self.wire.base);
            let finding = Finding { rule, grade, operation: name.to_owned(), detail, curl };
            let mut known = self.findings.iter_mut();
            match known.find(|it| it.rule == rule && it.operation == name) {
                Some(known) if known.grade <= grade => {}
                Some(known) => *known = finding,
                None => self.findings.push(finding),
            }
        }
    }
}

/// Where the operation that was to be sent the whole catalogue does not accept the right token: the
/// first that does.
fn whole(plan: &Plan<'_>, controls: &[Option<Control>]) -> Option<String> {
    let is_whole = |case: &Case| matches!(case, Case::Hostile(_, Extent::All));
    let mut pairs = plan.operations.iter().zip(controls);
    let is_sent = pairs
        .clone()
        .any(|(planned, control)| control.is_some() && planned.cases.iter().any(is_whole));
    let other =
        pairs.find(|(planned, control)| control.is_some() && planned.mode == CallMode::Documented);
    other.filter(|_| !is_sent).map(|(planned, _)| planned.subject.name.clone())
}

pub(super) const LATE: &str = "it did not answer in time";

/// The request without credentials.
pub(super) fn call_of(planned: &Planned<'_>) -> Call {
    match &planned.mode {
        CallMode::Invalid(invalid) => planned.subject.invalid_call(invalid),
        _ => planned.subject.call(),
    }
}

/// With a text that looks like a JWT and is none.
pub(super) fn with_garbage(call: Call) -> Call {
    call.plain_header("Authorization", "Bearer audit.not-a.token")
}
