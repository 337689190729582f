//! What a list of mailboxes costs: addresses a second beside what a bare client gets out of the same server and line, computing
//! time, memory.
//!
//! ```text
//! apt-get install postfix dnsmasq-base openssl iproute2 swaks
//! cargo bench --bench many                       # medians of five runs, alternating with the bare client; some minutes
//! cargo bench --bench many -- --short            # each once, short lists: only whether all of it works
//! cargo bench --bench many -- --peer PROGRAM     # beside another program, called as PROGRAM LIST CONNECTIONS
//! ```
//!
//! It needs root, network namespaces and `/dev/net/tun`; nothing leaves the machine. The bare client knows the addresses
//! beforehand, asks no DNS server, takes no notice of what it is told and writes down nothing: it is what server and line can take.
//! Both are on one machine with the server, so that computing time of one is taken from the other.

#[cfg(target_os = "linux")]
mod bare;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
#[path = "../line/link.rs"]
mod link;
#[cfg(target_os = "linux")]
#[path = "../line/measure.rs"]
mod measure;
#[cfg(target_os = "linux")]
#[path = "../line/namespaces.rs"]
mod namespaces;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
#[path = "../line/program.rs"]
mod program;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod yes;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("bare") => bare::ask(arguments),
        Some("yes") => yes::serve(arguments),
        Some("measure") => measure::measure(arguments),
        _ => {
            // Cargo adds words of its own.
            let words: Vec<String> = std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
            let peer = words.iter().position(|word| word == "--peer").and_then(|at| words.get(at + 1));
            table::print(words.iter().any(|word| word == "--short"), peer.map(String::as_str))
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the line needs network namespaces, which only Linux has");
}
