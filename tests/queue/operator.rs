//! A broker that trusts whoever an operator vouches for, by chains of signed claims (JWT with Ed25519), as credentials files hold them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// Claims of `subject`, signed by `issuer`.
fn claims(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value) -> String {
    let part = |value: &Value| BASE64_URL.encode(value.to_string());
    let head = part(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let body = part(
        &json!({ "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "name": name, "sub": subject.public_key(), "nats": nats }),
    );
    let signed = format!("{head}.{body}");
    let signature = issuer.sign(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", BASE64_URL.encode(signature))
}

/// The configuration of such a broker, and what is in a credentials file for it.
pub(crate) fn vouched_for() -> (String, String) {
    let [operator, system, account, user] = [KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account(), KeyPair::new_user()];
    let unlimited = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let none = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
    });
    let of_account = |limits: &Value| json!({ "type": "account", "version": 2, "limits": limits });
    let of_operator =
        claims(&operator, &operator, "operator", &json!({ "type": "operator", "version": 2, "system_account": system.public_key() }));
    let configuration = format!(
        "operator: {of_operator}\nsystem_account: {system}\nresolver: MEMORY\nresolver_preload: {{ {system}: {of_system}, {account}: {of_users} }}",
        system = system.public_key(),
        of_system = claims(&operator, &system, "system", &of_account(&none)),
        account = account.public_key(),
        of_users = claims(&operator, &account, "mail", &of_account(&unlimited)),
    );
    let of_user = claims(
        &account,
        &user,
        "anna",
        &json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {} }),
    );
    let seed = user.seed().expect("a seed");
    let credentials = format!(
        "-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY \
         SEED------\n"
    );
    (configuration, credentials)
}
