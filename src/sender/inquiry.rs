//! All that a receiver can find out about a sender, asked for at once: each question by itself, so that what is answered counts
//! though the rest is not.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::{Egress, Hello, Patient, Pointers, dkim, dmarc, identity, spf};
use crate::route::{self, Listable, Listing, LookupFailure, Resolver};
use crate::smtp::HelloName;
use crate::target::{DomainName, MailDomain, Mailbox};

/// Addresses looked at: those of one machine that serves several lines, and no more.
const EGRESS_LIMIT: usize = 8;

/// Who sends, and what is to be found out about it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The envelope sender; none is the null sender.
    pub from: Option<Mailbox>,
    /// The name given with EHLO; none if it is not known.
    pub hello: Option<HelloName>,
    /// The receiver's names, none of which may be given with EHLO.
    pub targets: Vec<DomainName>,
    /// Selectors of DKIM keys of the sender's domain.
    pub selectors: Vec<String>,
    /// Block lists to ask.
    pub lists: Vec<List>,
    /// Block lists that were named and are not asked, as they have been closed.
    pub closed: Vec<DomainName>,
}

/// A block list to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Its zone.
    pub zone: DomainName,
    /// What it is asked about.
    pub lists: Lists,
}

/// What a block list lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lists {
    /// Addresses.
    Addresses,
    /// Domains.
    Domains,
}

/// The sender as receivers see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The envelope sender; none is the null sender.
    pub from: Option<Mailbox>,
    /// The name given with EHLO; none if it is not known.
    pub hello: Option<Hello>,
    /// The receiver's names.
    pub targets: Vec<DomainName>,
    /// The addresses that mail leaves from, with what was found out about each; empty if none is known.
    pub addresses: Vec<AddressFacts>,
    /// Addresses of this machine that mean nothing outside, for which nobody told what they are there.
    pub hidden: Vec<IpAddr>,
    /// What applies to mail whose author is of the envelope sender's domain; none for the null sender, and if it is not known.
    pub dmarc: Option<dmarc::Dmarc>,
    /// The DKIM keys that were asked for.
    pub keys: Vec<dkim::Published>,
    /// What block lists say; empty if none was asked.
    pub listings: Vec<Listing>,
    /// Block lists that were named and are not asked, as they have been closed.
    pub closed: Vec<DomainName>,
    /// What was asked for and was not answered in time.
    pub unfinished: Vec<Matter>,
}

/// What is known of an address that mail leaves from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFacts {
    /// The address.
    pub egress: Egress,
    /// Its names.
    pub pointers: Pointers,
    /// Whether it may send for the sender; none if there is no domain to ask about, and if it is not known in time.
    pub spf: Option<spf::Spf>,
}

/// One thing to find out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Matter {
    /// Where the EHLO name leads.
    Hello,
    /// The names of this address.
    Pointers(IpAddr),
    /// SPF for this address.
    Spf(IpAddr),
    /// DMARC.
    Dmarc,
    /// The DKIM key of this selector.
    Key(String),
    /// What this list says of an address or domain.
    Listing(DomainName, Listable),
}

impl Sender {
    /// The domain that receivers ask about: the envelope sender's, or for the null sender the EHLO name; none if there is none.
    #[must_use]
    pub fn domain(&self) -> Option<&DomainName> {
        match &self.from {
            Some(mailbox) => domain_of(mailbox),
            None => self.hello.as_ref().and_then(Hello::domain),
        }
    }

    /// The addresses with their names.
    #[must_use]
    pub fn seen(&self) -> Vec<(IpAddr, &Pointers)> {
        self.addresses.iter().map(|known| (known.egress.address, &known.pointers)).collect()
    }
}

fn domain_of(mailbox: &Mailbox) -> Option<&DomainName> {
    if let MailDomain::Name(name) = mailbox.domain() { Some(name) } else { None }
}

enum Found {
    Hello(Hello),
    Pointers(Pointers),
    Spf(Box<spf::Spf>),
    Dmarc(Box<dmarc::Dmarc>),
    Key(dkim::Published),
    Listing(Listing),
}

type Asking<'a> = Pin<Box<dyn Future<Output = (Matter, Found)> + 'a>>;

/// Questions under way, and what has been answered.
pub struct Inquiry<'a> {
    plan: Plan,
    resolver: &'a Resolver,
    dns: Patient<'a>,
    running: FuturesUnordered<Asking<'a>>,
    sender: Sender,
}

impl fmt::Debug for Inquiry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inquiry").field("plan", &self.plan).field("sender", &self.sender).finish_non_exhaustive()
    }
}

impl<'a> Inquiry<'a> {
    /// Begins with what needs no address. All questions together, those to block lists apart, have `limit`.
    #[must_use]
    pub fn new(plan: Plan, resolver: &'a Resolver, limit: Duration) -> Self {
        let mut sender =
            Sender { from: plan.from.clone(), targets: plan.targets.clone(), closed: plan.closed.clone(), ..Sender::default() };
        sender.hello = plan.hello.clone().map(Hello::new);
        let mut inquiry = Self { plan, resolver, dns: Patient::new(resolver, limit), running: FuturesUnordered::new(), sender };
        inquiry.begin();
        inquiry
    }

    fn begin(&mut self) {
        let dns = self.dns;
        if let Some(name) = self.plan.hello.clone() {
            self.ask(Matter::Hello, async move { Found::Hello(Hello::look_up(name, &dns).await) });
        }
        if let Some(domain) = self.plan.from.as_ref().and_then(domain_of).cloned() {
            let author = domain.clone();
            self.ask(Matter::Dmarc, async move { Found::Dmarc(Box::new(dmarc::look_up(&author, Some(&author), &dns).await)) });
            for selector in self.plan.selectors.clone() {
                let domain = domain.clone();
                self.ask(Matter::Key(selector.clone()), async move { Found::Key(dkim::look_up(&selector, &domain, &dns).await) });
            }
        }
        self.ask_lists_about_domain();
    }

    /// Asks about an address that mail leaves from, unless that was done.
    pub fn add(&mut self, egress: Egress) {
        let address = egress.address.to_canonical();
        let known = self.sender.addresses.iter().any(|known| known.egress.address == address);
        if known || self.sender.addresses.len() >= EGRESS_LIMIT {
            return;
        }
        let egress = Egress { address, ..egress };
        let pointers = Pointers::Failed(LookupFailure::TimedOut);
        self.sender.addresses.push(AddressFacts { egress, pointers, spf: None });
        let dns = self.dns;
        self.ask(Matter::Pointers(address), async move { Found::Pointers(identity::pointers(address, &dns).await) });
        if let Some(question) = self.question(address) {
            self.ask(Matter::Spf(address), async move { Found::Spf(Box::new(spf::check_host(&question, &dns).await)) });
        }
        self.ask_lists_about(address);
    }

    /// Keeps in mind an address that no receiver can see.
    pub fn add_hidden(&mut self, local: IpAddr) {
        if !self.sender.hidden.contains(&local) && self.sender.hidden.len() < EGRESS_LIMIT {
            self.sender.hidden.push(local);
        }
    }

    /// Asks block lists about what is known and becomes known; `closed` are those that were named and are not asked.
    pub fn ask_lists(&mut self, lists: Vec<List>, closed: Vec<DomainName>) {
        self.plan.lists = lists;
        self.sender.closed = closed;
        self.ask_lists_about_domain();
        let addresses: Vec<IpAddr> = self.sender.addresses.iter().map(|known| known.egress.address).collect();
        for address in addresses {
            self.ask_lists_about(address);
        }
    }

    /// The question of SPF; none if there is no domain that could have a policy.
    fn question(&self, address: IpAddr) -> Option<spf::Question> {
        let hello = self.plan.hello.as_ref().map(ToString::to_string).unwrap_or_default();
        self.sender.domain().filter(|domain| domain.is_qualified())?;
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
        Some(spf::Question::new(address, self.plan.from.as_ref(), &hello, time))
    }

    fn ask_lists_about_domain(&mut self) {
        if let Some(domain) = self.sender.domain().filter(|domain| domain.is_qualified()).cloned() {
            self.ask_about(&Listable::Domain(domain), Lists::Domains);
        }
    }

    fn ask_lists_about(&mut self, address: IpAddr) {
        self.ask_about(&Listable::Address(address), Lists::Addresses);
    }

    fn ask_about(&mut self, subject: &Listable, lists: Lists) {
        let zones: Vec<DomainName> = self.plan.lists.iter().filter(|list| list.lists == lists).map(|list| list.zone.clone()).collect();
        for zone in zones {
            let (resolver, subject, asked) = (self.resolver, subject.clone(), zone.clone());
            let matter = Matter::Listing(zone, subject.clone());
            self.ask(matter, async move { Found::Listing(route::listing(subject, asked, resolver).await) });
        }
    }

    fn ask(&mut self, matter: Matter, asking: impl Future<Output = Found> + 'a) {
        self.sender.unfinished.push(matter.clone());
        self.running.push(Box::pin(async move { (matter, asking.await) }));
    }

    /// Whether everything has been answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Takes in the next answer; never comes back if there is none to come.
    pub async fn advance(&mut self) {
        let Some((matter, found)) = self.running.next().await else { return std::future::pending().await };
        self.sender.unfinished.retain(|other| *other != matter);
        let of = |address: IpAddr| move |known: &&mut AddressFacts| known.egress.address == address;
        let sender = &mut self.sender;
        match (found, matter) {
            (Found::Hello(hello), _) => sender.hello = Some(hello),
            (Found::Pointers(pointers), Matter::Pointers(address)) => {
                if let Some(known) = sender.addresses.iter_mut().find(of(address)) {
                    known.pointers = pointers;
                }
            }
            (Found::Spf(spf), Matter::Spf(address)) => {
                if let Some(known) = sender.addresses.iter_mut().find(of(address)) {
                    known.spf = Some(*spf);
                }
            }
            (Found::Dmarc(dmarc), _) => sender.dmarc = Some(*dmarc),
            (Found::Key(key), _) => sender.keys.push(key),
            (Found::Listing(listing), _) => sender.listings.push(listing),
            (Found::Pointers(_) | Found::Spf(_), _) => {}
        }
    }

    /// Waits for every answer.
    pub async fn finish(mut self) -> Sender {
        while !self.is_empty() {
            self.advance().await;
        }
        self.into_sender()
    }

    /// What is known now, in an order that does not depend on who answered first.
    #[must_use]
    pub fn into_sender(self) -> Sender {
        let Self { plan, mut sender, .. } = self;
        sender.addresses.sort_by_key(|known| (known.egress.address.is_ipv6(), known.egress.address));
        sender.keys.sort_by_key(|key| plan.selectors.iter().position(|selector| *selector == key.selector));
        sender.listings.sort_by_key(|listing| (plan.lists.iter().position(|list| list.zone == listing.zone), listing.subject.to_string()));
        sender
    }
}
