//! Refusals in the words of many makes of servers, each with the reason that a reader who knows the trade would name.

use smtpprobe::knowledge::{Knowledge, Reason};
use smtpprobe::smtp::{Reply, Verb};

const PHRASES: &str = include_str!("phrases.tsv");

fn reasons(names: &str) -> Vec<Reason> {
    let reason = |name: &str| serde_json::from_value(name.into()).unwrap_or_else(|_| panic!("no reason is called {name}"));
    names.split(',').map(reason).collect()
}

#[test]
fn refusals_are_read_as_the_trade_means_them() {
    let knowledge = Knowledge::english();
    let (mut all, mut wrong) = (0, Vec::new());
    for line in PHRASES.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.splitn(3, '\t');
        let (Some(names), Some(verb), Some(text)) = (fields.next(), fields.next(), fields.next()) else {
            panic!("no three fields: {line}");
        };
        let verb = Verb::ALL.iter().copied().find(|known| known.as_str() == verb);
        let reply = Reply::parse(&text.replace("\\n", "\r\n")).unwrap_or_else(|| panic!("no reply: {text}"));
        let reading = knowledge.read(&reply, verb);
        all += 1;
        if !reasons(names).contains(&reading.reason) {
            wrong.push(format!("{:?} instead of {names} ({:?}): {text}", reading.reason, reading.basis));
        }
    }
    assert!(all > 200, "{all}");
    assert!(wrong.is_empty(), "{} of {all} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
