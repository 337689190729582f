//! The library in a few lines: probe a mailbox of the demo's world, and act on the verdict.
//!
//! `cargo run --example probe`; nothing leaves the machine.

use smtpprobe::demo::{World, scenarios};
use smtpprobe::diagnosis::{Case, Outcome, judge};
use smtpprobe::knowledge::Knowledge;
use smtpprobe::probe::probe;
use smtpprobe::settings::Settings;
use smtpprobe::target::Target;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = scenarios().into_iter().find(|s| s.address == "full@demo.test").ok_or("no such scenario")?;
    let world = World::start(&scenario).await?;

    // For a real mailbox: its address, and Settings::default().
    let target: Target = scenario.address.parse()?;
    let settings = world.settings(Settings::default());
    let knowledge = Knowledge::english();
    let facts = probe(&target, &settings, &knowledge, std::future::pending(), |_| {}).await;
    let verdict = judge(&Case::new(&facts, &knowledge));

    println!("{target}: {:?}, {:?}, {:?} acts ({:?})", verdict.outcome, verdict.reason, verdict.actor, verdict.confidence);
    for proof in &verdict.evidence {
        println!("  {}", proof.quote);
    }
    if verdict.outcome == Outcome::Deferred {
        println!("  worth another try");
    }
    Ok(())
}
