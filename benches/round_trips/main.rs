//! What a probe costs on a line with a round-trip time of 100 ms: round trips, computing time, memory.
//!
//! ```text
//! apt-get install postfix dnsmasq-base openssl iproute2
//! cargo bench --bench round_trips               # medians of five runs, about a minute
//! cargo bench --bench round_trips -- --short    # each once, on a short line: only whether all of it works
//! ```
//!
//! It needs root, network namespaces and `/dev/net/tun`; nothing leaves the machine. The DNS server is at the far end of the line,
//! too, so that a lookup costs a round trip. The least that a probe up to RCPT can do with: MX 1, A and AAAA together 1, TCP 1,
//! greeting 1, EHLO 1, MAIL and RCPT together 1; with STARTTLS 1, the TLS 1.3 handshake 1 and another EHLO 1. That is 6, or 9.

#[cfg(target_os = "linux")]
mod at_once;
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
#[path = "../line/program.rs"]
mod program;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("serve") => {
            let address = arguments.next().and_then(|address| address.to_str()?.parse().ok());
            at_once::serve(address.ok_or(std::io::ErrorKind::InvalidInput)?)
        }
        Some("measure") => measure::measure(arguments),
        first => table::print(first == Some("--short") || arguments.any(|argument| argument == "--short")),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the line needs network namespaces, which only Linux has");
}
