//! When a probe looks at the sender's own side, and from where it knows how receivers see it.
//!
//! It costs a probe nothing that goes well: nothing is looked up until a server refuses for a reason that can be about the sender, or
//! unless the user names a sender or wants it. It is asked beside the conversations; once they are over, it has [`GRACE`] left, and
//! what is not known then is told as such. Block lists are asked after such a refusal alone, or if the user wants it.

use std::net::IpAddr;
use std::time::Duration;

use super::errands::Seen;
use crate::knowledge::{Knowledge, Reason};
use crate::route::Resolver;
use crate::sender::{Egress, Inquiry, Known, List, Plan, Sender, lists};
use crate::settings::{BlockLists, Question, SenderChecks, Settings};
use crate::smtp::{Elapsed, HelloName};
use crate::target::{DomainName, Host, MailDomain, Target, is_nonpublic};

/// How long it may take after everything else is over, where a refusal asks for it.
const GRACE: Duration = Duration::from_secs(2);
/// The same where nothing was refused: what is looked up then is told for what it is worth.
const SHORT_GRACE: Duration = Duration::from_millis(300);

/// Whether a refusal for this reason can be about the sender.
pub(super) const fn can_be_about_sender(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RdnsMissing
            | Reason::HeloRejected
            | Reason::AuthChecksFailed
            | Reason::IpBlocklisted
            | Reason::DomainBlocklisted
            | Reason::BadReputation
            | Reason::PolicyRejected
            | Reason::SenderRejected
            | Reason::SpamContent
            | Reason::Undetermined
    )
}

/// Whether a listing could explain a refusal for this reason, which can be about the sender.
const fn can_be_a_listing(reason: Reason) -> bool {
    !matches!(reason, Reason::RdnsMissing | Reason::HeloRejected | Reason::AuthChecksFailed)
}

/// The sender's own side in a probe: not yet looked at, or being looked at.
#[derive(Debug)]
pub(super) struct OwnSide<'a> {
    when: SenderChecks,
    block_lists: &'a BlockLists,
    knowledge: &'a Knowledge,
    resolver: &'a Resolver,
    plan: Plan,
    /// The time that the inquiry may take at most.
    limit: Duration,
    inquiry: Option<Inquiry<'a>>,
    /// What is known of addresses before anybody wants to know.
    seen: Vec<Seen>,
    refused: bool,
    with_lists: bool,
    /// Since when everything else is over.
    alone: Option<Elapsed>,
}

impl<'a> OwnSide<'a> {
    pub(super) fn new(
        target: &Target,
        settings: &'a Settings,
        hello: Option<HelloName>,
        knowledge: &'a Knowledge,
        resolver: &'a Resolver,
    ) -> Self {
        let targets = match target {
            Target::Host { host: Host::Name(name), .. } => vec![name.clone()],
            other => other.domain().cloned().into_iter().collect(),
        };
        // Through a proxy, or as somebody else, this side is not the one that is seen.
        let hidden = settings.proxy.is_some() || settings.proxy_header.is_some() || settings.xclient.is_some();
        let when = match settings.sender_checks {
            SenderChecks::Auto if hidden || settings.question == Question::Ports => SenderChecks::Off,
            when => when,
        };
        let plan = Plan { from: settings.from.clone(), hello, targets, selectors: settings.selectors.clone(), ..Plan::default() };
        Self {
            when,
            block_lists: &settings.block_lists,
            knowledge,
            resolver,
            plan,
            limit: settings.timeout,
            inquiry: None,
            seen: Vec::new(),
            refused: false,
            with_lists: false,
            alone: None,
        }
    }

    /// A conversation has told how this side is seen there.
    pub(super) fn take(&mut self, seen: Seen) {
        if let Some(name) = &seen.host
            && !self.plan.targets.contains(name)
        {
            self.plan.targets.push(name.clone());
        }
        // A client without a name says the address of its connection.
        self.plan.hello.get_or_insert(HelloName::Literal(seen.local));
        if let Some(inquiry) = &mut self.inquiry {
            add(inquiry, &seen);
        }
        self.seen.push(seen);
        if self.inquiry.is_none() && self.wanted() {
            self.begin();
        }
    }

    /// A server has refused, for this reason, which can be about the sender.
    pub(super) fn refused(&mut self, reason: Reason) {
        if self.when == SenderChecks::Off {
            return;
        }
        self.refused = true;
        if self.inquiry.is_none() {
            self.begin();
        }
        if can_be_a_listing(reason) {
            self.ask_lists();
        }
    }

    fn wanted(&self) -> bool {
        let names_sender = self.plan.from.as_ref().is_some_and(|from| matches!(from.domain(), MailDomain::Name(_)));
        match self.when {
            SenderChecks::Off => false,
            SenderChecks::Always => true,
            SenderChecks::Auto => names_sender,
        }
    }

    /// Nobody out there sees whoever talks over loopback.
    fn begin(&mut self) {
        if !self.seen.iter().any(Seen::is_from_outside) {
            return;
        }
        let mut inquiry = Inquiry::new(self.plan.clone(), self.resolver, self.limit);
        for seen in &self.seen {
            add(&mut inquiry, seen);
        }
        self.inquiry = Some(inquiry);
        if self.when == SenderChecks::Always {
            self.ask_lists();
        }
    }

    fn ask_lists(&mut self) {
        let Some(inquiry) = self.inquiry.as_mut().filter(|_| !self.with_lists) else { return };
        self.with_lists = true;
        let (asked, closed): (Vec<List>, Vec<DomainName>) = lists(self.block_lists, self.knowledge);
        inquiry.ask_lists(asked, closed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inquiry.as_ref().is_none_or(Inquiry::is_empty)
    }

    /// Takes in the next answer; never comes back if there is none to come.
    pub(super) async fn advance(&mut self) {
        match &mut self.inquiry {
            Some(inquiry) => inquiry.advance().await,
            None => std::future::pending().await,
        }
    }

    const fn grace(&self) -> Duration {
        if self.refused || matches!(self.when, SenderChecks::Always) { GRACE } else { SHORT_GRACE }
    }

    /// Everything else is over. Returns whether there is nothing left to wait for.
    pub(super) fn may_end(&mut self, now: Elapsed) -> bool {
        now.since(*self.alone.get_or_insert(now)) >= self.grace() || self.is_empty()
    }

    /// When time alone will change something.
    pub(super) fn wake(&self, now: Elapsed) -> Option<Duration> {
        let left = self.grace().saturating_sub(now.since(self.alone?));
        (!left.is_zero() && !self.is_empty()).then_some(left)
    }

    /// What is known now; none if nobody wanted to know.
    pub(super) fn into_sender(self) -> Option<Box<Sender>> {
        let mut sender = self.inquiry?.into_sender();
        sender.targets = self.plan.targets;
        Some(Box::new(sender))
    }
}

/// An address that a server named is what counts; a public one of the socket stands for itself; any other means nothing outside.
fn add(inquiry: &mut Inquiry<'_>, seen: &Seen) {
    let public = |address: &IpAddr| !is_nonpublic(*address);
    match seen.egress.filter(public) {
        // What goes over loopback is led elsewhere by somebody who knows.
        Some(address) => inquiry.add(Egress { address, known: Known::Told, local: Some(seen.local).filter(|local| !local.is_loopback()) }),
        None if public(&seen.local) => inquiry.add(Egress { address: seen.local, known: Known::Socket, local: Some(seen.local) }),
        None if seen.local.is_loopback() => {}
        None => inquiry.add_hidden(seen.local),
    }
}
