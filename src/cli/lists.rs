//! `explain --check-lists`: the block lists that replies name, asked one question at a time and none twice.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use smtpprobe::knowledge::Knowledge;
use smtpprobe::report::explanation::{Explanation, ListQuestion, ListingPart};
use smtpprobe::route::{Resolver, listing};
use smtpprobe::settings::{Clock, Settings};
use tokio::runtime::Runtime;

/// So many different questions are asked in one run: lists do not want to be asked for whole log files.
const QUESTIONS: usize = 1000;

pub(crate) struct Lists {
    runtime: Runtime,
    resolver: Resolver,
    known: HashMap<ListQuestion, ListingPart>,
}

impl Lists {
    pub(crate) fn new(resolvers: &[SocketAddr]) -> io::Result<Self> {
        let settings = Settings { resolvers: resolvers.to_vec(), ..Settings::default() };
        Ok(Self { runtime: super::runtime()?, resolver: Resolver::new(&settings, Clock::start()), known: HashMap::new() })
    }

    /// Puts what the lists say beside the replies that name them.
    pub(crate) fn check(&mut self, explanation: &mut Explanation, knowledge: &Knowledge) {
        for part in &mut explanation.explanations {
            let Some(question) = ListQuestion::of(part, knowledge) else { continue };
            part.listings = self.known.get(&question).cloned().or_else(|| self.ask(question, knowledge)).into_iter().collect();
        }
    }

    fn ask(&mut self, question: ListQuestion, knowledge: &Knowledge) -> Option<ListingPart> {
        if self.known.len() >= QUESTIONS {
            return None;
        }
        let part = question.settled(knowledge).unwrap_or_else(|| {
            let asked = listing(question.subject.clone(), question.zone.clone(), &self.resolver);
            ListingPart::of(&self.runtime.block_on(asked), knowledge)
        });
        self.known.insert(question, part.clone());
        Some(part)
    }
}
