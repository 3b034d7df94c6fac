//! Containers: made, listed, changed, watched, ended, removed.

use super::{IMAGE, client, create, refusal, run, script, texts};
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, ContainerUpdateBody, HostConfig, PortBinding};
use bollard::query_parameters::*;
use futures_util::StreamExt;
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait::until;
use std::collections::HashMap;

async fn state(client: &Docker, name: &str) -> String {
    let seen = client.inspect_container(name, None::<InspectContainerOptions>).await.unwrap();
    seen.state.unwrap().status.unwrap().to_string()
}

#[tokio::test]
async fn bollard_and_the_life_of_a_container() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    let id = create(&client, "box", script("trap 'exit 5' TERM; while :; do sleep 0.05; done")).await;
    assert_eq!((id.len(), state(&client, "box").await.as_str()), (64, "created"));
    let taken = CreateContainerOptionsBuilder::new().name("box").build();
    let (status, words) = refusal(client.create_container(Some(taken), script("true")).await);
    assert!(status == 409 && words.contains("is already in use by container"), "{status} {words}");
    client.start_container("box", None::<StartContainerOptions>).await.unwrap();
    client.pause_container("box").await.unwrap();
    assert_eq!(state(&client, "box").await, "paused");
    client.unpause_container("box").await.unwrap();
    client.restart_container("box", Some(RestartContainerOptionsBuilder::new().t(0).build())).await.unwrap();
    assert_eq!(state(&client, "box").await, "running");
    client.rename_container("box", RenameContainerOptionsBuilder::new().name("chest").build()).await.unwrap();
    let mut waiting = client.wait_container("chest", None::<WaitContainerOptions>);
    let kill = KillContainerOptionsBuilder::new().signal("TERM").build();
    // A signal before the trap is set is the default's.
    let trapped = || async {
        let logs = client.top_processes("chest", None::<TopOptions>).await.unwrap();
        logs.processes.unwrap().iter().flatten().any(|cell| cell.contains("sleep 0.05")).then_some(())
    };
    until("the trap", trapped).await.unwrap();
    client.kill_container("chest", Some(kill)).await.unwrap();
    // bollard tells a code other than 0 as an error of its own.
    let ended = waiting.next().await.unwrap().unwrap_err();
    assert!(matches!(ended, Error::DockerContainerWaitError { code: 5, .. }), "{ended:?}");
    assert_eq!(state(&client, "chest").await, "exited");
    let (status, words) = refusal(client.kill_container("chest", None::<KillContainerOptions>).await);
    assert!(status == 409 && words.contains("is not running"), "{status} {words}");
    client.start_container("chest", None::<StartContainerOptions>).await.unwrap();
    client.stop_container("chest", Some(StopContainerOptionsBuilder::new().t(5).build())).await.unwrap();
    client.remove_container("chest", None::<RemoveContainerOptions>).await.unwrap();
    let gone = client.inspect_container("chest", None::<InspectContainerOptions>).await;
    assert_eq!(refusal(gone), (404, "No such container: chest".to_owned()));
}

#[tokio::test]
async fn bollard_and_lists_limits_and_numbers() {
    let sandbox = Sandbox::networked().await.unwrap();
    let client = client(&sandbox).await;
    let places = vec![PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some("8080".into()) }];
    let host = HostConfig {
        memory: Some(64 << 20),
        port_bindings: Some(HashMap::from([("80/tcp".to_owned(), Some(places))])),
        ..HostConfig::default()
    };
    let body = ContainerCreateBody {
        labels: Some(HashMap::from([("kind".to_owned(), "box".to_owned())])),
        host_config: Some(host),
        env: Some(texts(&["COLOUR=blue"])),
        ..script("exec sleep 1000")
    };
    let id = run(&client, "box", body).await;
    create(&client, "other", script("true")).await;
    let filters = HashMap::from([("label", vec!["kind=box"]), ("status", vec!["running"])]);
    let options = ListContainersOptionsBuilder::new().all(true).size(true).filters(&filters).build();
    let listed = client.list_containers(Some(options)).await.unwrap();
    assert_eq!(listed.len(), 1);
    let one = &listed[0];
    assert_eq!((one.id.as_ref(), one.names.as_deref()), (Some(&id), Some(&["/box".to_owned()][..])));
    let port = &one.ports.as_ref().unwrap()[0];
    assert_eq!(
        (port.private_port, port.public_port, port.ip.as_deref()),
        (80, Some(8080), Some("127.0.0.1"))
    );
    let update = ContainerUpdateBody {
        memory: Some(128 << 20),
        memory_swap: Some(-1),
        ..ContainerUpdateBody::default()
    };
    client.update_container("box", update).await.unwrap();
    let seen = client.inspect_container("box", None::<InspectContainerOptions>).await.unwrap();
    assert_eq!(seen.host_config.unwrap().memory, Some(128 << 20));
    assert!(seen.config.unwrap().env.unwrap().contains(&"COLOUR=blue".to_owned()));
    let options = StatsOptionsBuilder::new().stream(false).build();
    let stats = client.stats("box", Some(options)).next().await.unwrap().unwrap();
    assert_eq!(stats.memory_stats.unwrap().limit, Some(128 << 20));
    assert_eq!(stats.pids_stats.unwrap().current, Some(1));
    assert!(stats.cpu_stats.unwrap().cpu_usage.unwrap().total_usage.unwrap() > 0);
    assert!(stats.networks.unwrap().contains_key("eth0"));
    let mut streamed = client.stats("box", Some(StatsOptionsBuilder::new().stream(true).build()));
    let (first, second) = (streamed.next().await.unwrap().unwrap(), streamed.next().await.unwrap().unwrap());
    assert!(first.read < second.read, "{:?} {:?}", first.read, second.read);
    let top = client.top_processes("box", None::<TopOptions>).await.unwrap();
    assert_eq!(top.titles.unwrap()[7], "CMD");
    assert_eq!(top.processes.unwrap()[0][7], "sleep 1000");
    let only = HashMap::from([("label", vec!["kind=none"])]);
    let options = PruneContainersOptionsBuilder::new().filters(&only).build();
    assert_eq!(client.prune_containers(Some(options)).await.unwrap().space_reclaimed, Some(0));
    let pruned = client.prune_containers(None::<PruneContainersOptions>).await.unwrap();
    assert_eq!(pruned.containers_deleted.unwrap().len(), 1, "the one that does not run");
}

#[tokio::test]
async fn bollard_is_refused_with_a_reason() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    let with = |host: HostConfig| ContainerCreateBody { host_config: Some(host), ..script("true") };
    for (words, host) in [
        ("privileged", HostConfig { privileged: Some(true), ..HostConfig::default() }),
        ("host", HostConfig { network_mode: Some("host".into()), ..HostConfig::default() }),
        ("pid", HostConfig { pid_mode: Some("host".into()), ..HostConfig::default() }),
        ("bind", HostConfig { binds: Some(texts(&["/etc:/x"])), ..HostConfig::default() }),
    ] {
        let answer = client.create_container(None::<CreateContainerOptions>, with(host)).await;
        let (status, said) = refusal(answer);
        assert!(status < 500 && said.to_lowercase().contains(words), "{status} {said}");
    }
    let nobody = ContainerCreateBody { image: Some("nobody".into()), ..script("true") };
    let (status, said) = refusal(client.create_container(None::<CreateContainerOptions>, nobody).await);
    assert_eq!((status, said.as_str()), (404, "No such image: nobody:latest"));
    let none = ContainerCreateBody { cmd: Some(texts(&["no-such-program"])), ..script("") };
    create(&client, "none", none).await;
    let (status, said) = refusal(client.start_container("none", None::<StartContainerOptions>).await);
    assert!(status == 400 && said.contains("executable file not found"), "{status} {said}");
    assert_eq!(
        client.list_images(None::<ListImagesOptions>).await.unwrap()[0].repo_tags,
        [format!("{IMAGE}:latest")]
    );
}
