//! Which block lists are asked about a sender.

use super::{List, Lists};
use crate::knowledge::{BlockList, Knowledge, ListSubject};
use crate::settings::BlockLists;
use crate::target::DomainName;

/// The lists to ask, and those of them that have been closed and are not asked. A list that nobody knows is asked about addresses.
#[must_use]
pub fn lists(choice: &BlockLists, knowledge: &Knowledge) -> (Vec<List>, Vec<DomainName>) {
    let of = |list: &BlockList| match list.subject {
        ListSubject::Address => Lists::Addresses,
        ListSubject::Domain => Lists::Domains,
    };
    match choice {
        BlockLists::None => (Vec::new(), Vec::new()),
        BlockLists::Usual => {
            let usual = knowledge.usual_lists().into_iter();
            (usual.filter_map(|(zone, list)| Some(List { zone: zone.parse().ok()?, lists: of(&list) })).collect(), Vec::new())
        }
        BlockLists::These(zones) => {
            let (mut asked, mut closed) = (Vec::new(), Vec::new());
            for zone in zones {
                let known = knowledge.block_list(zone.as_str()).map(|(_, list)| list);
                match known {
                    Some(list) if list.closed => closed.push(zone.clone()),
                    known => {
                        let lists = known.map_or(Lists::Addresses, |list| of(&list));
                        asked.push(List { zone: zone.clone(), lists });
                    }
                }
            }
            (asked, closed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(zones: &[&str]) -> (Vec<(String, Lists)>, Vec<String>) {
        let choice = BlockLists::These(zones.iter().map(|zone| zone.parse().expect("a name")).collect());
        let (asked, closed) = lists(&choice, &Knowledge::english());
        (asked.into_iter().map(|list| (list.zone.to_string(), list.lists)).collect(), closed.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_usual_lists_are_alive_and_of_both_kinds() {
        let knowledge = Knowledge::english();
        let (asked, closed) = lists(&BlockLists::Usual, &knowledge);
        assert!(closed.is_empty() && asked.len() < 8, "{asked:?}");
        assert!([Lists::Addresses, Lists::Domains].iter().all(|kind| asked.iter().any(|list| list.lists == *kind)));
        assert_eq!(lists(&BlockLists::None, &knowledge), (Vec::new(), Vec::new()));
    }

    #[test]
    fn the_users_lists_are_asked_instead_and_closed_ones_never() {
        let (asked, closed) = chosen(&["bl.example.org", "dbl.spamhaus.org", "dnsbl.sorbs.net"]);
        assert_eq!(asked, [("bl.example.org".to_owned(), Lists::Addresses), ("dbl.spamhaus.org".to_owned(), Lists::Domains)]);
        assert_eq!(closed, ["dnsbl.sorbs.net"]);
    }
}
