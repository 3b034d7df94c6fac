//! The engine itself, volumes and networks.

use super::{client, refusal, run, script};
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, Ipam, IpamConfig, NetworkConnectRequest,
    NetworkCreateRequest, NetworkDisconnectRequest, VolumeCreateRequest,
};
use bollard::query_parameters::*;
use futures_util::StreamExt;
use sandlot_tests::sandbox::Sandbox;
use std::collections::HashMap;

#[tokio::test]
async fn bollard_and_the_engine_itself() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    assert_eq!(client.ping().await.unwrap(), "OK");
    let version = client.version().await.unwrap();
    assert_eq!(
        (version.api_version.as_deref(), version.min_api_version.as_deref()),
        (Some("1.47"), Some("1.24"))
    );
    assert_eq!(client.client_version().to_string(), "1.47", "as much as both know");
    let info = client.info().await.unwrap();
    assert_eq!((info.os_type.as_deref(), info.driver.as_deref()), (Some("linux"), Some("overlay2")));
    client.df(None::<DataUsageOptions>).await.unwrap();
    let filters = HashMap::from([("type", vec!["container"]), ("event", vec!["create", "destroy"])]);
    let id = run(&client, "box", script("true")).await;
    client
        .remove_container("box", Some(RemoveContainerOptionsBuilder::new().force(true).build()))
        .await
        .unwrap();
    // What has been, and what comes until long after this test.
    let options = EventsOptionsBuilder::new().since("1").until("4000000000").filters(&filters).build();
    let mut events = client.events(Some(options));
    for action in ["create", "destroy"] {
        let event = events.next().await.unwrap().unwrap();
        assert_eq!((event.action.as_deref(), event.actor.unwrap().id), (Some(action), Some(id.clone())));
    }
}

#[tokio::test]
async fn bollard_and_volumes() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    let labels = HashMap::from([("kind".to_owned(), "shelf".to_owned())]);
    let wanted =
        VolumeCreateRequest { name: Some("shelf".into()), labels: Some(labels), ..Default::default() };
    let made = client.create_volume(wanted).await.unwrap();
    assert_eq!((made.name.as_str(), made.driver.as_str()), ("shelf", "local"));
    let filters = HashMap::from([("label", vec!["kind=shelf"])]);
    let listed =
        client.list_volumes(Some(ListVolumesOptionsBuilder::new().filters(&filters).build())).await.unwrap();
    assert_eq!(listed.volumes.unwrap().len(), 1);
    assert_eq!(client.inspect_volume("shelf").await.unwrap().labels["kind"], "shelf");
    let host = HostConfig { binds: Some(vec!["shelf:/data".into()]), ..HostConfig::default() };
    run(&client, "box", ContainerCreateBody { host_config: Some(host), ..script("exec sleep 1000") }).await;
    let (status, words) = refusal(client.remove_volume("shelf", None::<RemoveVolumeOptions>).await);
    assert!(status == 409 && words.contains("volume is in use"), "{status} {words}");
    client
        .remove_container("box", Some(RemoveContainerOptionsBuilder::new().force(true).build()))
        .await
        .unwrap();
    client.remove_volume("shelf", None::<RemoveVolumeOptions>).await.unwrap();
    assert_eq!(refusal(client.inspect_volume("shelf").await).0, 404);
    let unnamed = client.create_volume(VolumeCreateRequest::default()).await.unwrap();
    let pruned = client.prune_volumes(None::<PruneVolumesOptions>).await.unwrap();
    assert_eq!(pruned.volumes_deleted.unwrap(), [unnamed.name]);
}

#[tokio::test]
async fn bollard_and_networks() {
    let sandbox = Sandbox::networked().await.unwrap();
    let client = client(&sandbox).await;
    let pool = IpamConfig { subnet: Some("10.81.0.0/24".into()), ..IpamConfig::default() };
    let wanted = NetworkCreateRequest {
        name: "yard".into(),
        ipam: Some(Ipam { config: Some(vec![pool]), ..Ipam::default() }),
        internal: Some(true),
        ..NetworkCreateRequest::default()
    };
    let id = client.create_network(wanted.clone()).await.unwrap().id;
    let (status, words) = refusal(client.create_network(wanted).await);
    assert!(status == 409 && words.contains("network with name yard already exists"), "{status} {words}");
    let seen = client.inspect_network("yard", None::<InspectNetworkOptions>).await.unwrap();
    assert_eq!((seen.id.as_deref(), seen.driver.as_deref()), (Some(id.as_str()), Some("bridge")));
    assert_eq!(seen.internal, Some(true));
    let filters = HashMap::from([("name", vec!["yard"])]);
    let listed =
        client.list_networks(Some(ListNetworksOptionsBuilder::new().filters(&filters).build())).await;
    assert_eq!(listed.unwrap().len(), 1);
    run(&client, "box", script("exec sleep 1000")).await;
    let endpoint = EndpointSettings { aliases: Some(vec!["shed".into()]), ..EndpointSettings::default() };
    let joining = NetworkConnectRequest { container: "box".into(), endpoint_config: Some(endpoint) };
    client.connect_network("yard", joining).await.unwrap();
    let inside = client.inspect_container("box", None::<InspectContainerOptions>).await.unwrap();
    let networks = inside.network_settings.unwrap().networks.unwrap();
    let yard = &networks["yard"];
    assert_eq!(yard.ip_address.as_deref(), Some("10.81.0.2"));
    assert_eq!(yard.aliases.as_deref(), Some(&["shed".to_owned()][..]));
    assert_eq!(refusal(client.remove_network("yard").await).0, 403);
    let leaving = NetworkDisconnectRequest { container: "box".into(), force: Some(false) };
    client.disconnect_network("yard", leaving).await.unwrap();
    client.remove_network("yard").await.unwrap();
    assert_eq!(refusal(client.inspect_network("yard", None::<InspectNetworkOptions>).await).0, 404);
    client.create_network(NetworkCreateRequest { name: "field".into(), ..Default::default() }).await.unwrap();
    let pruned = client.prune_networks(None::<PruneNetworksOptions>).await.unwrap();
    assert_eq!(pruned.networks_deleted.unwrap(), ["field"]);
}
