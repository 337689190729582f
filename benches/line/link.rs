//! A line with a round-trip time: two TUN devices, and packets handed from one to the other after a while.
//!
//! The kernel's own way, `tc qdisc add … netem delay`, is missing in many small kernels; a TUN device is in nearly all.

use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tappers::{Interface, Tun};

use crate::namespaces::run;

/// What the device is called in each namespace.
pub(crate) const DEVICE: &str = "line";
/// No packet is larger: the usual MTU is 1500.
const PACKET_LIMIT: usize = 2048;

/// A packet, and when it arrives.
type Underway = (Instant, Vec<u8>);

/// Joins two namespaces until the program ends: each packet takes `delay`, in order, and none is lost. Without a delay the kernel
/// joins them itself.
pub(crate) fn join(namespaces: [&str; 2], delay: Duration) -> io::Result<()> {
    if delay.is_zero() {
        let [here, there] = namespaces;
        let pair = ["link", "add", DEVICE, "netns", here, "type", "veth", "peer", "name", DEVICE, "netns", there];
        run(Command::new("ip").args(pair))?;
        return namespaces.iter().try_for_each(|namespace| run(Command::new("ip").args(["-n", namespace, "link", "set", DEVICE, "up"])));
    }
    let [here, there] = namespaces.map(device);
    let (here, there) = (Arc::new(here?), Arc::new(there?));
    for (from, to) in [(&here, &there), (&there, &here)] {
        let (sender, receiver) = channel();
        let (from, to) = (Arc::clone(from), Arc::clone(to));
        thread::spawn(move || take_in(&from, delay, &sender));
        thread::spawn(move || hand_over(&to, &receiver));
    }
    Ok(())
}

/// A device that lives in `namespace` and is served from here, where it was made.
fn device(namespace: &str) -> io::Result<Tun> {
    // Unique among all programs that may make one at the same time, and at most 15 characters.
    let name = format!("b{}", namespace.trim_start_matches(|c: char| !c.is_ascii_digit()));
    let device = Tun::new_named(Interface::new(&name)?)?;
    run(Command::new("ip").args(["link", "set", &name, "netns", namespace, "name", DEVICE]))?;
    run(Command::new("ip").args(["-n", namespace, "link", "set", DEVICE, "up"]))?;
    Ok(device)
}

fn take_in(device: &Tun, delay: Duration, to: &Sender<Underway>) {
    let mut packet = [0; PACKET_LIMIT];
    // It ends when the namespace, and the device with it, goes away.
    while let Ok(length) = device.recv(&mut packet) {
        if to.send((Instant::now() + delay, packet[..length].to_vec())).is_err() {
            return;
        }
    }
}

fn hand_over(device: &Tun, from: &Receiver<Underway>) {
    for (due, packet) in from {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // A packet that the device does not take is lost, as on any line.
        let _ = device.send(&packet);
    }
}
