//! The sender's own side behind an address translator: Postfix refuses the client and names the address that it sees, Unbound knows
//! that address' name and the sender's policy.

use super::lab::Lab;
use super::network::{self, CLIENT, Place, REFUSING};
use super::servers;

/// Knows the router's outer address, and a sender behind it.
const KNOWING: &str = "127.0.0.2";
/// The router's address as the servers see it.
const OUTSIDE: &str = "192.0.2.1";

/// The lab's network with a router that translates, as routers at home do.
fn open(title: &str) -> Option<Lab> {
    let lab = network::open(title)?;
    let translation = "table inet lab {\n chain out {\n type nat hook postrouting priority srcnat;\n oifname servers masquerade\n }\n}";
    lab.place(Place::Router).nft(translation).expect("nft takes the rules");
    let known = [
        format!("local-data-ptr: \"{OUTSIDE} gate.sender.example\""),
        "local-zone: example. static".to_owned(),
        format!("local-data: 'gate.sender.example. A {OUTSIDE}'"),
        "local-data: 'sender.example. TXT \"v=spf1 a:gate.sender.example -all\"'".to_owned(),
        "local-data: '_dmarc.sender.example. TXT \"v=DMARC1; p=reject\"'".to_owned(),
        "local-data: '1.2.0.192.bl.sender.example. A 127.0.0.2'".to_owned(),
    ];
    servers::unbound_at(&lab, KNOWING, &format!("module-config: iterator\n  {}", known.join("\n  ")), "");
    Some(lab)
}

#[test]
fn a_refusal_tells_how_the_translated_client_is_seen() {
    let Some(lab) = open("sender") else { return };
    let ask = |resolver: &str, more: &[&str]| {
        let usual = ["known@real.test", "--server", REFUSING, "--helo", "gate.sender.example", "--from", "shop@sender.example"];
        lab.probe(&[&usual[..], &["--no-control", "--resolver", resolver], more].concat())
    };

    let clean = ask(KNOWING, &["--no-dnsbl"]);
    clean.is(1, "rejected ip_blocklisted likely").by(554, "5.7.1", OUTSIDE).finds("sender_nat");
    assert_eq!(clean.at("/vantage/egress"), &serde_json::json!([OUTSIDE]));
    assert_eq!((clean.at("/vantage/addresses/0"), clean.at("/sender/state")), (&CLIENT[0].into(), &"clean".into()));
    for (pointer, value) in [
        ("/sender/addresses/0/known", "told"),
        ("/sender/addresses/0/local", CLIENT[0]),
        ("/sender/addresses/0/pointers/0/name", "gate.sender.example"),
        ("/sender/addresses/0/spf/result", "pass"),
        ("/sender/dmarc/policy", "reject"),
    ] {
        assert_eq!(clean.at(pointer), value, "{pointer}");
    }

    let listed = ask(KNOWING, &["--dnsbl", "bl.sender.example"]);
    listed.is(1, "rejected ip_blocklisted certain").finds("sender_listed");

    // Unbound knows no name of addresses for documentation, unless it is told; and here it can ask nobody about the rest.
    let nameless = ask("127.0.0.1", &["--no-dnsbl"]);
    nameless.finds("sender_rdns_missing").finds("sender_not_known");

    // Alone it is told which address that is, and says the same of it.
    let usual = ["sender", "--from", "shop@sender.example", "--helo", "gate.sender.example", "--address", OUTSIDE, "--no-dnsbl"];
    let alone = lab.probe(&[&usual[..], &["--resolver", KNOWING]].concat());
    assert_eq!((alone.at("/state"), alone.at("/addresses/0/spf")), (&"clean".into(), clean.at("/sender/addresses/0/spf")));
    // Without that it knows the address inside alone, of which nobody outside knows anything.
    let inside = lab.probe(&["sender", "--helo", "gate.sender.example", "--no-dnsbl", "--resolver", KNOWING]);
    assert_eq!((inside.at("/state"), inside.at("/hidden/0")), (&"unknown".into(), &CLIENT[0].into()));
    inside.finds("sender_address_unknown");
}
