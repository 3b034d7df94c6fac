//! Promise: a program that is written for Docker runs. bollard, the client of the Rust world and of our own web server, is taken
//! through every verb that it has, a module a subject.

mod containers;
mod images;
mod streams;
mod things;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use futures_util::{Stream, StreamExt};
use sandlot_tests::sandbox::Sandbox;

const IMAGE: &str = "sandlot/starter";

/// A client that speaks what both know.
async fn client(sandbox: &Sandbox) -> Docker {
    let client = Docker::connect_with_unix(&sandbox.host(), 30, bollard::API_DEFAULT_VERSION).unwrap();
    client.negotiate_version().await.unwrap()
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What a container of a shell's script is.
fn script(text: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        cmd: Some(texts(&["sh", "-c", text])),
        ..ContainerCreateBody::default()
    }
}

async fn create(client: &Docker, name: &str, body: ContainerCreateBody) -> String {
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    client.create_container(Some(options), body).await.unwrap().id
}

async fn run(client: &Docker, name: &str, body: ContainerCreateBody) -> String {
    let id = create(client, name, body).await;
    client.start_container(name, None::<StartContainerOptions>).await.unwrap();
    id
}

/// The status and the words of a refusal.
fn refusal<T>(answer: Result<T, Error>) -> (u16, String) {
    match answer {
        Err(Error::DockerResponseServerError { status_code, message }) => (status_code, message),
        Err(other) => panic!("no answer of the engine: {other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

/// All that a stream of pieces has, as one.
async fn whole<T: AsRef<[u8]>>(stream: impl Stream<Item = Result<T, Error>>) -> Vec<u8> {
    let pieces = stream.map(|piece| piece.unwrap().as_ref().to_vec()).collect::<Vec<_>>();
    pieces.await.concat()
}
