//! What a policy has to say to those whom it refuses (RFC 7208 §6.2).

use super::evaluate::{Check, text};
use super::macros::{MacroString, Place};
use super::record::Modifier;
use super::{Explanation, ExplanationFault};
use crate::route::{LookupKind, QueryName, Records};
use crate::sender::{Dns, Query};

/// So many characters of an explanation are kept: more than any reply can hold.
const EXPLANATION_LIMIT: usize = 4096;

impl<D: Dns> Check<'_, D> {
    /// What the policy of `domain` has to say to those whom it refuses (§6.2). Nothing that is asked for it counts.
    pub(super) async fn explain(&mut self, domain: &QueryName, modifier: &Modifier) -> Explanation {
        let mut queries = Vec::new();
        if modifier.target.needs_pointer() {
            queries.extend(self.find_names().await);
        }
        let name = modifier.target.name(&self.values(domain, &self.pointer(domain)));
        let text = match name {
            Err(fault) => Err(ExplanationFault::Name(fault)),
            Ok(name) => {
                let records = self.dns.ask(&name, LookupKind::Txt).await;
                queries.push(Query::new(&name, LookupKind::Txt, &records));
                only_text(&records).and_then(|text| {
                    let text = String::from_utf8_lossy(text).into_owned();
                    MacroString::parse(&text, Place::Explanation).map_err(|(at, fault)| ExplanationFault::Macro(at, fault))
                })
            }
        };
        let text = match text {
            Err(fault) => Err(fault),
            Ok(text) => {
                if text.needs_pointer() {
                    let asked = self.find_names().await;
                    queries.splice(..0, asked);
                }
                Ok(text.text(&self.values(domain, &self.pointer(domain))).chars().take(EXPLANATION_LIMIT).collect())
            }
        };
        Explanation { term: modifier.written.text.clone(), queries, text }
    }
}

/// The text of the only record.
fn only_text(records: &Records) -> Result<&[u8], ExplanationFault> {
    let records = match records {
        Records::Found(records) => records.as_slice(),
        Records::NoData | Records::NxDomain => &[],
        Records::Failed(failure) => return Err(ExplanationFault::Lookup(*failure)),
    };
    let texts: Vec<&[u8]> = records.iter().filter_map(text).collect();
    match texts[..] {
        [text] => Ok(text),
        [] => Err(ExplanationFault::Absent),
        _ => Err(ExplanationFault::Several(texts.len())),
    }
}
