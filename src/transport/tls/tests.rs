//! Handshakes with real servers: one in the process, and `openssl s_server` with what no other server does any more.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use time::{Duration, OffsetDateTime};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::*;
use crate::smtp::BindingKind;

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(30);
    if names.is_empty() {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

async fn shake(client: &TlsClient, address: SocketAddr, name: &Host) -> Result<TlsFacts, FailureKind> {
    let stream = TcpStream::connect(address).await.unwrap();
    match client.handshake(stream, name, None).await {
        Ok((_, facts)) => Ok(facts),
        Err(unshaken) => Err(unshaken.failure.kind.in_handshake()),
    }
}

fn name(name: &str) -> Host {
    Host::Name(name.parse().unwrap())
}

fn reasons(facts: &TlsFacts) -> Vec<&'static str> {
    facts.verdict.faults().iter().map(|fault| fault.why.name()).collect()
}

#[tokio::test]
async fn the_chain_is_kept_as_sent_and_judged() {
    let (root_key, between_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = params("Root", &[]).self_signed(&root_key).unwrap().der().to_vec();
    let by_root = Issuer::new(params("Root", &[]), root_key);
    let between = params("Between", &[]).signed_by(&between_key, &by_root).unwrap().der().clone();
    let by_between = Issuer::new(params("Between", &[]), between_key);
    let own = params("mx.example.com", &["mx.example.com", "127.0.0.1"]).signed_by(&key, &by_between).unwrap().der().clone();
    let client = TlsClient::new(&[root]);
    for (chain, asked, expected) in [
        (vec![own.clone(), between.clone()], name("mx.example.com"), vec![]),
        (vec![own.clone(), between.clone()], name("MX.example.com"), vec![]),
        (vec![own.clone(), between.clone()], Host::Address([127, 0, 0, 1].into()), vec![]),
        (vec![own.clone(), between.clone()], Host::Address([127, 0, 0, 2].into()), vec!["wrong_name"]),
        (vec![own.clone()], name("other.example.com"), vec!["missing_intermediate", "wrong_name"]),
    ] {
        let config = ServerConfig::builder_with_provider(Arc::new(ring_provider::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = async {
            let (stream, _) = listener.accept().await.unwrap();
            TlsAcceptor::from(Arc::new(config)).accept(stream).await
        };
        let (facts, accepted) = tokio::join!(shake(&client, address, &asked), accepting);
        assert!(accepted.is_ok());
        let facts = facts.unwrap();
        assert_eq!(
            facts.chain.iter().map(|sent| sent.der.clone()).collect::<Vec<_>>(),
            chain.iter().map(|der| der.to_vec()).collect::<Vec<_>>()
        );
        assert_eq!((reasons(&facts), facts.chain_length), (expected, chain.len()), "{asked}");
        assert_eq!((facts.version.as_str(), facts.group.is_some()), ("TLS 1.3", true));
        assert_eq!(facts.certificate().unwrap().issuer, "CN=Between");
    }
}

/// Both ends have the same of it, and each connection another.
#[tokio::test]
async fn a_login_is_bound_to_the_connection_or_to_the_certificate() {
    let key = KeyPair::generate().unwrap();
    let own = params("mx.example.com", &["mx.example.com"]).self_signed(&key).unwrap().der().clone();
    let client = TlsClient::new(&[]);
    let mut seen = Vec::new();
    for version in [&TLS13, &TLS13, &TLS12] {
        let config = ServerConfig::builder_with_provider(Arc::new(ring_provider::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = async {
            let (stream, _) = listener.accept().await.unwrap();
            TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap()
        };
        let shaking = async {
            let stream = TcpStream::connect(address).await.unwrap();
            client.handshake(stream, &name("mx.example.com"), None).await.map_err(|unshaken| unshaken.failure.kind).unwrap()
        };
        let ((stream, facts), accepted) = tokio::join!(shaking, accepting);
        let bound = binding(stream.get_ref().1, &facts).unwrap();
        if facts.version == "TLS 1.3" {
            let exported = accepted.get_ref().1.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
            assert_eq!((bound.kind(), &bound), (BindingKind::TlsExporter, &ChannelBinding::exporter(exported)));
        } else {
            assert_eq!(
                (bound.kind(), Some(&bound)),
                (BindingKind::TlsServerEndPoint, ChannelBinding::server_end_point(&facts.chain[0]).as_ref())
            );
        }
        assert!(!seen.contains(&bound));
        seen.push(bound);
    }
}

/// `openssl s_server` on a port of its own, ended with the test.
struct OpenSsl(Child, SocketAddr);

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn what_is_refused_is_named_and_a_short_key_is_recorded() {
    let folder = std::env::temp_dir().join(format!("smtpprobe-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (key, certificate) = (folder.join("key").display().to_string(), folder.join("certificate").display().to_string());
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-nodes",
            "-newkey",
            "rsa:1024",
            "-subj",
            "/CN=mx.example.com",
            "-days",
            "30",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ])
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: openssl is not installed, or makes no short keys");
        return;
    }
    let client = TlsClient::new(&[]);
    for (arguments, expected) in [
        ("-tls1_2 -cipher DEFAULT:@SECLEVEL=0", "self_signed wrong_name weak_key"),
        ("-tls1_3 -cipher DEFAULT:@SECLEVEL=0", "self_signed wrong_name weak_key"),
        ("-tls1_1 -cipher DEFAULT:@SECLEVEL=0", "the server sent the TLS alert protocol_version"),
        ("-tls1_2 -cipher kRSA:@SECLEVEL=0", "the server sent the TLS alert handshake_failure"),
        ("-tls1_2 -cipher aNULL:@SECLEVEL=0", "the server sent the TLS alert handshake_failure"),
    ] {
        let child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-key", &key, "-cert", &certificate])
            .args(arguments.split(' '))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = OpenSsl(child, SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
        let Some(address) = lines.find_map(|line| line.ok()?.strip_prefix("ACCEPT ")?.parse().ok()) else {
            println!("skipped: this openssl cannot do {arguments}");
            continue;
        };
        server.1 = address;
        let said = match shake(&client, server.1, &name("mx.example.com")).await {
            Ok(facts) => reasons(&facts).join(" "),
            Err(FailureKind::TlsHandshake(failure)) => failure.to_string(),
            Err(other) => format!("{other:?}"),
        };
        // The command marks what it makes as an authority's, which is not what this is about.
        assert_eq!(said.replace(" marked_as_authority", ""), expected, "{arguments}");
    }
    let _ = std::fs::remove_dir_all(&folder);
}
