//! `sandlot attach https://…`: the command line at a terminal of the web server, plainly and over TLS.

use portable_pty::CommandBuilder;
use sandlot_tests::process::run;
use sandlot_tests::sandbox::{Sandbox, TOKEN};
use sandlot_tests::terminal::Person;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const IMAGE: &str = "sandlot/starter";

/// Somebody at a terminal who attaches, with these variables.
fn person(address: &str, variables: &[(&str, &str)]) -> Person {
    let mut command = CommandBuilder::new(sandlot_tests::program("sandlot").unwrap());
    command.args(["attach", address]);
    for (name, value) in variables {
        command.env(name, value);
    }
    Person::start(command, 100, 30).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_a_server_opens_a_session_there() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let mut person = person(&format!("http://{}", sandbox.address()), &[]);
    person.until("/s/").unwrap();
    person.until("# ").unwrap();
    person.type_in("until [ \"$(stty size)\" = '30 100' ]; do :; done; echo siz''ed\n").unwrap();
    person.until("sized").unwrap();
    person.resize(90, 20).unwrap();
    person.type_in("until [ \"$(stty size)\" = '20 90' ]; do :; done; echo aga''in\n").unwrap();
    person.until("again").unwrap();
    person.type_in("exit 5\n").unwrap();
    assert_eq!(person.end().unwrap(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_attaches_to_a_session_that_is_there_and_keys_detach() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let session = sandbox.administrator().unwrap().session(IMAGE).await.unwrap();
    let address = format!("http://{}/s/{}", sandbox.address(), session["id"].as_str().unwrap());
    let mut first = person(&address, &[("SANDLOT_TOKEN", TOKEN)]);
    first.until("# ").unwrap();
    first.type_in("x=kept; echo rea''dy\n").unwrap();
    first.until("ready").unwrap();
    first.type_in("\x10\x11").unwrap();
    assert_eq!(first.end().unwrap(), 0);
    let mut second = person(&address, &[("SANDLOT_TOKEN", TOKEN)]);
    second.until("ready").unwrap();
    second.type_in("echo still-$x\n").unwrap();
    second.until("still-kept").unwrap();
    let mut stranger = person(&address, &[]);
    assert_eq!(stranger.end().unwrap(), 1);
    let far = person("http://192.0.2.1/s/x", &[("SANDLOT_TOKEN", TOKEN)]).end().unwrap();
    assert_eq!(far, 1, "a token went over plain HTTP");
}

/// A certificate for 127.0.0.1, and its key.
fn certificate(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    run(Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost",
            "-addext",
            "basicConstraints=CA:FALSE",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate))
    .unwrap();
    (certificate, key)
}

/// A proxy that ends TLS before `server`; where it listens.
async fn proxy(server: SocketAddr, certificate: &Path, key: &Path) -> SocketAddr {
    let _already = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let chain = CertificateDer::pem_file_iter(certificate).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((outer, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that refuses the certificate ends here.
                let Ok(mut outer) = acceptor.accept(outer).await else { return };
                let mut inner = TcpStream::connect(server).await.unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_believed_only_if_the_system_does() {
    let sandbox = Sandbox::whole(&[]).await.unwrap();
    let (certificate, key) = certificate(sandbox.dir());
    let address = proxy(sandbox.address(), &certificate, &key).await;
    let session = sandbox.administrator().unwrap().session(IMAGE).await.unwrap();
    let path = format!("https://{address}/s/{}", session["id"].as_str().unwrap());
    let mut doubting = person(&path, &[("SANDLOT_TOKEN", TOKEN)]);
    assert_eq!(doubting.end().unwrap(), 1);
    let believing = [("SANDLOT_TOKEN", TOKEN), ("SSL_CERT_FILE", certificate.to_str().unwrap())];
    let mut believing = person(&path, &believing);
    believing.until("# ").unwrap();
    believing.type_in("exit 4\n").unwrap();
    assert_eq!(believing.end().unwrap(), 4);
}
